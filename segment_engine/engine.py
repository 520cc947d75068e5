"""The public face: an Engine makes Rules; a Rule checks, explains and finds its members."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from segment_engine.diagnostics.diagnostic import Diagnostic, Log
from segment_engine.display.shown import Shown
from segment_engine.display.words import Words
from segment_engine.errors import RuleError, RunError
from segment_engine.expression.clocks import clock_at, named_zone
from segment_engine.expression.hints import hints
from segment_engine.expression.nodes import Expr, Field, walk
from segment_engine.expression.normal import content_hash
from segment_engine.expression.resolve import resolve, uses_clock
from segment_engine.expression.schema import Schema
from segment_engine.expression.spelling import spell
from segment_engine.language import query_builder
from segment_engine.language.complete import Completion, complete
from segment_engine.language.derived import derive
from segment_engine.language.layout import laid_out
from segment_engine.language.parse import parse
from segment_engine.parts import ENGINES, part
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    import polars

    from segment_engine.backends.explain import Explanation
    from segment_engine.batch.memberships import Memberships

AsOf = datetime | str | None
"""The instant of a run: an aware datetime, ISO 8601 text (without an offset: of the engine's
zone; a date alone: its first instant there), or None for now, read once a call."""


class Engine:
    """A schema and a time zone under which rules are checked and run.

    Immutable, picklable, safe to share between threads.
    """

    def __init__(self, schema: Schema | None = None, timezone: str = "UTC") -> None:
        """`timezone` is an IANA name. Raises SchemaError and RunError."""
        self._schema = schema or Schema.default()
        self._zone = named_zone(timezone)
        self._derived = derive(self._schema)

    @property
    def schema(self) -> Schema:
        """The fields that rules may name."""
        return self._schema

    @property
    def derived(self) -> Mapping[str, Expr]:
        """The expressions of the derived fields."""
        return self._derived

    @property
    def timezone(self) -> str:
        """The zone in which days, periods and zone-less literals are meant."""
        return self._zone.name

    def rule(self, source: "str | Mapping[str, Any] | Rule") -> "Rule":
        """A checked rule from its text, from query-builder JSON (a mapping, or its text).

        Raises RuleError, whose `.diagnostics` hold everything that was found.
        """
        if isinstance(source, Rule):
            source = source.text
        if not isinstance(source, str | Mapping):
            found = type(source).__name__
            raise RunError(f"a rule is text or query-builder JSON, not {found}")
        expr, log = self._read(source)
        if expr is None or log.failed:
            raise RuleError(log.sorted(), source if isinstance(source, str) else "")
        return Rule(self, expr, source if isinstance(source, str) else "", log.sorted())

    def diagnose(self, source: "str | Mapping[str, Any]") -> tuple[Diagnostic, ...]:
        """Everything there is to say about a rule, right or wrong; empty for nothing."""
        try:
            return self.rule(source).diagnostics
        except RuleError as error:
            return error.diagnostics

    def complete(
        self,
        text: str,
        cursor: int | None = None,
        values: Mapping[str, Sequence[Any]] | None = None,
    ) -> tuple[Completion, ...]:
        """What may be typed into a rule's text at the offset `cursor`; None is its end.

        `values` are values of fields, by name, as `values_seen` collects them. What is wrong
        elsewhere in the text does not matter. Empty for query-builder JSON and in comments.
        """
        at = len(text) if cursor is None else cursor
        return complete(text, at, self._schema, values or {})

    def values_seen(self, source: Any, most: int = 50) -> dict[str, list[Any]]:
        """The values that text, number, boolean and list fields have in a source, for `complete`.

        At most `most` (up to 10,000) a field, the most frequent first. Of a field with more
        values than that, an approximate count in bounded memory finds them, and those that one
        consumer alone has are left out. So are fields without any, and texts of more than 100
        characters. Raises SourceError and RunError.
        """
        return part("seen").values_seen(self, source, most)  # type: ignore[no-any-return]

    def _read(self, source: "str | Mapping[str, Any]") -> tuple[Expr | None, Log]:
        log = Log()
        if isinstance(source, str) and not source.lstrip().startswith("{"):
            return parse(source, self._schema, log), log
        return query_builder.read(source, self._schema, log), log

    def materialize(
        self,
        rules: "Mapping[str, str | Mapping[str, Any] | Rule]",
        source: Any,
        *,
        as_of: AsOf = None,
        engine: str = "duckdb",
        id_column: str = "id",
    ) -> "Memberships":
        """The members of many audiences at one instant.

        A rule that is wrong, or reads what the source lacks, is reported in `.failed` and does
        not stop the others. Raises SourceError where the source or its ids cannot be read.
        """
        return part("batch").materialize(  # type: ignore[no-any-return]
            self, rules, source, as_of=as_of, engine_name=engine, id_column=id_column
        )

    def clock(self, as_of: AsOf = None) -> Clock:
        """The clock of one run in this engine's zone."""
        return clock_at(as_of, self._zone)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Engine) and self.timezone == other.timezone
        return same and isinstance(other, Engine) and self.schema == other.schema

    def __hash__(self) -> int:
        return hash((self._schema, self.timezone))

    def __repr__(self) -> str:
        return f"<Engine of {self._schema!r} in {self.timezone}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Engine, (self._schema, self.timezone)


class Rule(Shown):
    """A checked rule. Immutable, picklable, safe to share between threads."""

    def __init__(
        self, engine: Engine, expr: Expr, source: str, found: tuple[Diagnostic, ...] = ()
    ) -> None:
        """Rules are made by `Engine.rule`."""
        self._engine, self._expr, self._source, self._found = engine, expr, source, found
        self._compiled: tuple[Clock | None, Callable[[Mapping[str, Any]], bool]] | None = None

    def __setattr__(self, name: str, value: object) -> None:
        """Only what is kept for speed may change."""
        if not name.startswith("_"):
            raise AttributeError(f"rules are immutable: {name!r} cannot be set")
        object.__setattr__(self, name, value)

    @property
    def engine(self) -> Engine:
        """The engine that checked the rule."""
        return self._engine

    @property
    def expression(self) -> Expr:
        """The typed expression."""
        return self._expr

    @cached_property
    def text(self) -> str:
        """The canonical text: stable, one line, without comments."""
        return spell(self._expr)

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields that the rule reads, each once, in order."""
        names = (node.name for node in walk(self._expr) if isinstance(node, Field))
        return tuple(dict.fromkeys(names))

    @cached_property
    def hash(self) -> str:
        """The hash of the rule's content: the same for rules that differ in spelling only."""
        return content_hash(self._expr)

    @cached_property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Warnings, and hints where a predicate keeps or drops the missing."""
        return self._found + hints(self._expr)

    def to_json(self) -> dict[str, Any]:
        """The rule as query-builder JSON, ready for `json.dumps`."""
        return query_builder.write(self._expr)

    def resolved(self, clock: Clock) -> Expr:
        """The expression as a run at that clock asks it."""
        return resolve(self._expr, clock, self._engine.derived)

    def sql(self, dialect: str = "duckdb", as_of: AsOf = None, source: Any = None) -> str:
        """One boolean SQL expression, to stand after WHERE.

        NULL counts as false, as it does there; write `(...) is true` to use it as a value.
        `source` gives the physical column types, else the documented defaults are taken.
        """
        if dialect != "duckdb":
            raise RunError(f"there is no dialect {dialect!r}; there is 'duckdb'")
        return str(part("duckdb").compiled(self, self._engine.clock(as_of), source))

    def explain_sql(self, as_of: AsOf = None, source: Any = None) -> "Explanation":
        """What `sql` makes of each condition: its SQL, its times, what becomes of the missing."""
        return part("explain").explained(self, self._engine.clock(as_of), source)  # type: ignore[no-any-return]

    def polars(self, as_of: AsOf = None, source: Any = None) -> "polars.Expr":
        """One Polars expression, true or false for every row.

        `source` gives the physical column types, else the documented defaults are taken.
        """
        return part("polars").compiled(self, self._engine.clock(as_of), source)  # type: ignore[no-any-return]

    def matches(self, consumer: Mapping[str, Any], as_of: AsOf = None) -> bool:
        """Whether one consumer, a mapping of source columns to plain values, is a member."""
        if not isinstance(consumer, Mapping):
            raise RunError(f"a consumer is a mapping, not {type(consumer).__name__}")
        return self._predicate(as_of)(consumer)

    def predicate(self, as_of: AsOf = None) -> Callable[[Mapping[str, Any]], bool]:
        """`matches` at one instant as a function, compiled once for many consumers."""
        return self._predicate(as_of)

    def members(
        self, source: Any, as_of: AsOf = None, engine: str = "duckdb", id_column: str = "id"
    ) -> list[Any]:
        """The ids of the members, sorted. Raises SourceError, RunError and RuleError."""
        opened = _opened(self, source, id_column)
        run = part(_checked(engine))
        run.check_ids(opened, id_column)
        found: list[Any] = run.members(self, self._engine.clock(as_of), opened, id_column)
        return found

    def count(
        self, source: Any, as_of: AsOf = None, engine: str = "duckdb", id_column: str = "id"
    ) -> int:
        """How many members there are; as `members`, without building their list."""
        opened = _opened(self, source, id_column)
        run = part(_checked(engine))
        run.check_ids(opened, id_column)
        found: int = run.count(self, self._engine.clock(as_of), opened)
        return found

    def _predicate(self, as_of: AsOf) -> Callable[[Mapping[str, Any]], bool]:
        clock = self._engine.clock(as_of) if self._uses_clock else None
        kept = self._compiled
        if kept is None or kept[0] != clock:
            at = clock or Clock(0, self._engine._zone)
            kept = self._compiled = clock, part("records").compiled(self, at)
        return kept[1]

    @cached_property
    def _uses_clock(self) -> bool:
        return uses_clock(self._expr, self._engine.derived)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rule):
            return NotImplemented
        return self._expr == other._expr and self._engine == other._engine

    def __hash__(self) -> int:
        return hash((self.text, self._engine))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Rule {self.text}>"

    def _blocks(self) -> tuple[Words]:
        return (laid_out(self._source, self._expr),)

    def __reduce__(self) -> tuple[Any, ...]:
        return Engine.rule, (self._engine, self._source or self.to_json())


def _checked(engine: str) -> str:
    if engine not in ENGINES:
        raise RunError(f"there is no engine {engine!r}; there are {', '.join(ENGINES)}")
    return engine


def _opened(rule: Rule, source: Any, id_column: str) -> Any:
    return part("sources").open_for(rule.engine, [rule], source, id_column)
