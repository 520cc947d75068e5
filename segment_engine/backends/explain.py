"""A rule's SQL laid out: each condition beside what was made of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segment_engine.backends.bind import bind
from segment_engine.backends.bind_logic import complement
from segment_engine.backends.physical import Day, ListOf, Stamp
from segment_engine.backends.reading import Columns, Members, locate
from segment_engine.backends.records import to_predicate
from segment_engine.backends.sources import open_for
from segment_engine.backends.sql import to_sql
from segment_engine.display.shown import Shown
from segment_engine.display.words import Block, Table, Word, Words, plain, said
from segment_engine.expression.nodes import Call, Constant, Expr, Field, walk
from segment_engine.expression.resolve import AND, NOT, OR, resolve
from segment_engine.expression.spelling import BLANK, spelt
from segment_engine.operators.row import Operator
from segment_engine.operators.table import operator
from segment_engine.values.isotime import MIN_INSTANT, date_of, format_instant
from segment_engine.values.moments import END_OF_DAYS, END_OF_TIME, FIRST_DAY, Clock, Window

if TYPE_CHECKING:
    from segment_engine.rule import Rule

SHOWN, WHOLE = 600, 2_000
"""How many characters of a condition's SQL, and of the whole, a display shows."""


@dataclass(frozen=True, slots=True)
class Part:
    """One condition, with `not` brought down to it; or the head of a group, whose parts follow.

    `joined` is the word before it ("", `and`, `or`), `depth` how many groups it stands in.
    `missing` says what becomes of consumers who lack what it reads (`kept`, `dropped`, "" where
    it reads nothing); `times` are the times that it asks for at this as-of. A group has no `sql`.
    """

    depth: int
    joined: str
    words: Words
    sql: str = ""
    missing: str = ""
    times: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """The condition as a rule writes it."""
        return plain(self.words)

    @property
    def line(self) -> Words:
        """The condition behind its indent and its word."""
        joined = (Word("keyword", self.joined), BLANK) if self.joined else ()
        return (Word("plain", "  " * self.depth), *joined, *self.words)

    def to_json(self) -> dict[str, Any]:
        """`{depth, joined, rule, sql, missing, times}`, ready for `json.dumps`."""
        return {
            "depth": self.depth,
            "joined": self.joined,
            "rule": self.rule,
            "sql": self.sql,
            "missing": self.missing,
            "times": list(self.times),
        }


@dataclass(frozen=True)
class Explanation(Shown):
    """How one run's SQL comes about. `sql` is the whole condition, as `Rule.sql` gives it."""

    rule: str
    as_of: str
    timezone: str
    parts: tuple[Part, ...]
    sql: str

    def to_json(self) -> dict[str, Any]:
        """`{text, as_of, timezone, parts, sql}`, ready for `json.dumps`."""
        return {
            "text": self.rule,
            "as_of": self.as_of,
            "timezone": self.timezone,
            "parts": [part.to_json() for part in self.parts],
            "sql": self.sql,
        }

    def __str__(self) -> str:
        lines = [self._head]
        for part in self.parts:
            indent = "  " * part.depth + "    "
            told = [_shortened(part.sql), *(f"time: {time}" for time in part.times)]
            if part.missing:
                told.append(f"if missing: {part.missing}")
            lines += [plain(part.line), *(indent + line for line in told if line)]
        return "\n".join([*lines, "whole", f"    {_shortened(self.sql, WHOLE)}"])

    def _blocks(self) -> list[Block]:
        rows = tuple(_row(part) for part in self.parts)
        headings = ("condition", "SQL", "time", "if missing")
        return [said(self._head), Table(headings, rows), said(_shortened(self.sql, WHOLE), "sql")]

    @property
    def _head(self) -> str:
        return f"as of {self.as_of} in {self.timezone}"


def _row(part: Part) -> tuple[Words, ...]:
    return (
        part.line,
        said(_shortened(part.sql), "sql"),
        said("\n".join(part.times), "time"),
        said(part.missing),
    )


def _shortened(sql: str, most: int = SHOWN) -> str:
    """Without its middle where it is long, as with the offsets of a time zone."""
    if len(sql) <= most:
        return sql
    half = most // 2
    return f"{sql[:half]} ... {len(sql) - 2 * half:,} characters ... {sql[-half:]}"


def explained(
    rule: "Rule", clock: Clock, source: Any, members: Members | None = None
) -> Explanation:
    """As `Rule.explain_sql`."""
    columns = None if source is None else open_for(rule.engine, [rule], source, None).columns
    make = _Maker(clock, rule.engine.derived, columns, members)
    parts = tuple(make.part(*found) for found in _conditions(rule.expression))
    whole = make.sql(make.resolved(rule.expression))
    return Explanation(rule.text, format_instant(clock.as_of), clock.zone.name, parts, whole)


# ---- the conditions

Found = tuple[int, str, Expr | None, Words]


def _conditions(rule: Expr) -> Iterator[Found]:
    """Depth, word before it and expression of each condition; None for the head of a group."""
    waiting: list[tuple[Expr, bool, int, str, Operator | None]] = [(rule, False, 0, "", None)]
    while waiting:
        node, negated, depth, word, around = waiting.pop()
        inner = node.args[0] if isinstance(node, Call) and node.op is NOT else None
        if isinstance(inner, Call) and inner.op in (AND, OR, NOT):
            waiting.append((inner, not negated, depth, word, around))
        elif isinstance(node, Call) and node.op in (AND, OR):
            op = OR if (node.op is AND) is negated else AND
            if around is not None and around is not op:
                yield depth, word, None, said(_HEADS[op], "keyword")
                depth, word = depth + 1, ""
            words = [word] + [op.words[0]] * (len(node.args) - 1)
            parts = zip(node.args, words, strict=True)
            waiting += [(part, negated, depth, before, op) for part, before in parts][::-1]
        else:
            leaf = node if not negated else inner if inner is not None else complement((node,))
            yield depth, word, leaf, spelt(leaf)


_HEADS = {AND: "all of", OR: "any of"}


# ---- what is made of them


@dataclass(frozen=True, slots=True)
class _Maker:
    clock: Clock
    derived: Mapping[str, Expr]
    columns: Columns | None
    members: Members | None

    def part(self, depth: int, joined: str, expr: Expr | None, words: Words) -> Part:
        """A condition with all that is told of it."""
        if expr is None:
            return Part(depth, joined, words)
        resolved = self.resolved(expr)
        times = tuple(dict.fromkeys(self.times(resolved)))
        return Part(depth, joined, words, self.sql(resolved), _missing(resolved), times)

    def resolved(self, expr: Expr) -> Expr:
        """As the run asks it."""
        return resolve(expr, self.clock, self.derived)

    def sql(self, resolved: Expr) -> str:
        """As DuckDB is asked it."""
        return to_sql(bind(resolved, self.columns, self.members))

    def times(self, resolved: Expr) -> Iterator[str]:
        """Each window and each range of days of the year, spelt out."""
        for node in walk(resolved):
            if not isinstance(node, Call):
                continue
            last = node.args[-1]
            if isinstance(last, Constant) and isinstance(last.value, Window):
                yield self._window(node.args[0], last.value)
            elif isinstance(node.args[0], Call) and node.args[0].op is _MONTHDAY:
                yield " to ".join(_month_day(bound) for bound in node.args[1:])

    def _window(self, left: Expr, window: Window) -> str:
        found = locate(left, self.columns) if isinstance(left, Field) else None
        stored = found.stored if found else None
        stored = stored.element if isinstance(stored, ListOf) else stored
        instants, days = _instants(window), _days(window)
        if isinstance(stored, Stamp):
            return instants
        return days if isinstance(stored, Day) else f"{instants}; of days {days}"


_MONTHDAY = operator("monthday_of_day")


def _missing(resolved: Expr) -> str:
    """What the reference does with somebody of whom nothing is known."""
    if not any(isinstance(node, Field) for node in walk(resolved)):
        return ""
    return "kept" if to_predicate(resolved)({}) else "dropped"


def _month_day(bound: Expr) -> str:
    assert isinstance(bound, Constant)
    month, day = divmod(bound.value, 100)
    return f"{month:02}-{day:02}"


def _instants(window: Window) -> str:
    """`[first, end)`, or with the last one included where that is the rounder."""
    first = "" if window.start <= MIN_INSTANT else format_instant(window.start)
    end = "" if window.end >= END_OF_TIME else format_instant(window.end)
    last = format_instant(window.end - 1)
    return _interval(first, end, last if len(last) < len(end) else "")


def _days(window: Window) -> str:
    first = "" if window.first <= FIRST_DAY else date_of(window.first).isoformat()
    end = "" if window.last >= END_OF_DAYS else date_of(window.last).isoformat()
    return _interval(first, end, date_of(window.last - 1).isoformat() if end else "")


def _interval(first: str, end: str, last: str) -> str:
    """In words where a side is open; `last` is the last inside, where that is to be said."""
    if not end:
        return f"from {first} on" if first else "always"
    if not first:
        return f"up to {last}" if last else f"before {end}"
    if first == last:
        return first
    return f"[{first}, {last}]" if last else f"[{first}, {end})"
