"""A rule: checked once, then explained, matched and run."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from segment_engine.diagnostics.diagnostic import Diagnostic, Log
from segment_engine.display.shown import Shown
from segment_engine.display.words import Words
from segment_engine.errors import RuleError, RunError
from segment_engine.expression.hints import hints
from segment_engine.expression.logic import Logic, logic_of
from segment_engine.expression.nodes import Expr, Field, walk
from segment_engine.expression.normal import content_hash
from segment_engine.expression.references import condition_of, references
from segment_engine.expression.resolve import expand_derived, resolve, uses_clock
from segment_engine.expression.spelling import spell
from segment_engine.language import query_builder, rows
from segment_engine.language.layout import laid_out
from segment_engine.parts import ENGINES, part
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    import polars

    from segment_engine.backends.explain import Explanation
    from segment_engine.backends.preview import Preview
    from segment_engine.engine import Engine

AsOf = datetime | str | None
"""The instant of a run: an aware datetime, ISO 8601 text (without an offset: of the engine's
zone; a date alone: its first instant there), or None for now, read once a call."""


class Rule(Shown):
    """A checked rule. Immutable, picklable, safe to share between threads."""

    def __init__(
        self, engine: "Engine", expr: Expr, source: str, found: tuple[Diagnostic, ...] = ()
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
    def engine(self) -> "Engine":
        """The engine that checked the rule."""
        return self._engine

    @property
    def source(self) -> str:
        """The text that the rule was made from; "" where it came as JSON."""
        return self._source

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
    def audiences(self) -> tuple[str, ...]:
        """The keys of the audiences that the rule refers to, each once, in order."""
        return tuple(reference.key for reference in references(self._expr))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The source columns that the rule reads, derived fields looked through."""
        whole = expand_derived(self._expr, self._engine.derived)
        names = (node.spec.column for node in walk(whole) if isinstance(node, Field))
        return tuple(dict.fromkeys(names))

    @cached_property
    def logic(self) -> Logic:
        """The rule as logic over its conditions, as batches plan it."""
        return logic_of(self._expr, self._engine.derived)

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

    def to_rows(self) -> list[dict[str, Any]]:
        """The rule as rule rows of the Audiences API, ready for `json.dumps`; nobody has none.

        Raises RuleError with each part that rows cannot say, under the code `not-in-rows`.
        """
        log = Log()
        made = rows.write(self._expr, log)
        if made is None:
            raise RuleError(log.sorted(), self._source)
        return made

    def resolved(self, clock: Clock) -> Expr:
        """The expression as a run at that clock asks it."""
        return resolve(self._expr, clock, self._engine.derived)

    def sql(
        self,
        dialect: str = "duckdb",
        as_of: AsOf = None,
        source: Any = None,
        audiences: Mapping[str, str] | None = None,
    ) -> str:
        """One boolean SQL expression, to stand after WHERE.

        NULL counts as false, as it does there; write `(...) is true` to use it as a value.
        `source` gives the physical column types, else the documented defaults are taken.
        `audiences` gives your SQL condition for each audience that the rule refers to.
        """
        if dialect != "duckdb":
            raise RunError(f"there is no dialect {dialect!r}; there is 'duckdb'")
        return str(part("duckdb").compiled(self, self._engine.clock(as_of), source, audiences))

    def explain_sql(
        self,
        as_of: AsOf = None,
        source: Any = None,
        audiences: Mapping[str, str] | None = None,
    ) -> "Explanation":
        """What `sql` makes of each condition: its SQL, its times, what becomes of the missing."""
        clock = self._engine.clock(as_of)
        return part("explain").explained(self, clock, source, audiences)  # type: ignore[no-any-return]

    def polars(
        self,
        as_of: AsOf = None,
        source: Any = None,
        audiences: "Mapping[str, polars.Expr] | None" = None,
    ) -> "polars.Expr":
        """One Polars expression, true or false for every row.

        `source` gives the physical column types, else the documented defaults are taken.
        `audiences` gives your condition for each audience that the rule refers to.
        """
        clock = self._engine.clock(as_of)
        return part("polars").compiled(self, clock, source, audiences)  # type: ignore[no-any-return]

    def matches(
        self,
        consumer: Mapping[str, Any],
        as_of: AsOf = None,
        audiences: Mapping[str, bool] | None = None,
    ) -> bool:
        """Whether one consumer, a mapping of source columns to plain values, is a member.

        `audiences` says whether it is in each audience that the rule refers to.
        """
        _check_consumer(consumer)
        keeps = self.predicate(as_of)
        return keeps(consumer, audiences or {}) if self.audiences else keeps(consumer)

    def next_change(
        self,
        consumer: Mapping[str, Any],
        after: AsOf = None,
        audiences: Mapping[str, bool] | None = None,
    ) -> datetime | None:
        """The first instant after `after` at which `matches` says something else of the consumer.

        It is in UTC, exact to the microsecond: `matches` says the same from `after` to a
        microsecond before it. Only time goes on; the consumer stays as it is, and in the same
        `audiences`, which are those of `matches`. None where nothing changes in the years 1 to
        9999, or nothing before a relative time of the rule leaves them, where `matches` raises.
        """
        _check_consumer(consumer)
        clock = self._engine.clock(after)
        known = _known(self.audiences, audiences or {})
        return part("changes").next_change(self, clock, consumer, known)  # type: ignore[no-any-return]

    def predicate(self, as_of: AsOf = None) -> Callable[..., bool]:
        """`matches` at one instant as a function, compiled once for many consumers.

        It takes a consumer, and where the rule refers to audiences also what `matches` takes.
        """
        keeps, keys = self._predicate(as_of), self.audiences
        if not keys:
            return keeps

        def of_both(consumer: Mapping[Any, Any], audiences: Mapping[str, bool]) -> bool:
            return keeps({**consumer, _AUDIENCES: _known(keys, audiences)})  # type: ignore[dict-item]

        return of_both

    def members(
        self,
        source: Any,
        as_of: AsOf = None,
        engine: str = "duckdb",
        id_column: str = "id",
        audiences: Mapping[str, Collection[Any]] | None = None,
    ) -> list[Any]:
        """The ids of the members, sorted. Raises SourceError, RunError and RuleError.

        `audiences` has the ids of the members of each audience that the rule refers to.
        """
        if self.audiences:
            found: list[Any] = part("batch").members(
                self,
                source,
                as_of=as_of,
                engine_name=_checked(engine),
                id_column=id_column,
                audiences=audiences or {},
            )
            return found
        opened = _opened(self, source, id_column)
        run = part(_checked(engine))
        run.check_ids(opened, id_column)
        return run.members(self, self._engine.clock(as_of), opened, id_column)  # type: ignore[no-any-return]

    def count(
        self,
        source: Any,
        as_of: AsOf = None,
        engine: str = "duckdb",
        id_column: str = "id",
        audiences: Mapping[str, Collection[Any]] | None = None,
    ) -> int:
        """How many members there are; as `members`, without building their list."""
        if self.audiences:
            return len(self.members(source, as_of, engine, id_column, audiences))
        opened = _opened(self, source, id_column)
        run = part(_checked(engine))
        run.check_ids(opened, id_column)
        found: int = run.count(self, self._engine.clock(as_of), opened, id_column)
        return found

    def preview(
        self,
        source: Any,
        as_of: AsOf = None,
        first: int = 5,
        id_column: str = "id",
        progress: Callable[[int, int], None] | None = None,
        audiences: Mapping[str, Collection[Any]] | None = None,
    ) -> "Preview":
        """The members' number and share, the `first` of them, and how they differ from everybody.

        The profile covers every field of the schema that the source has; DuckDB makes it.
        `progress(done, total)` is called after each field; `audiences` are those of `members`.
        Raises as `members` does.
        """
        found: Preview = part("preview").preview(
            self, self._engine.clock(as_of), source, first, id_column, progress, audiences
        )
        return found

    def _predicate(self, as_of: AsOf) -> Callable[[Mapping[str, Any]], bool]:
        clock = self._engine.clock(as_of) if self._uses_clock else None
        kept = self._compiled
        if kept is None or kept[0] != clock:
            at = clock or Clock(0, self._engine._zone)
            members = {key: _asked(key) for key in self.audiences}
            kept = self._compiled = clock, part("records").compiled(self, at, members)
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
        return _made_by, (self._engine, self._source or self.to_json())


_AUDIENCES = object()
"""Under this key a consumer carries the audiences that it is in."""


def _check_consumer(consumer: Any) -> None:
    if not isinstance(consumer, Mapping):
        raise RunError(f"a consumer is a mapping, not {type(consumer).__name__}")


def _known(keys: Collection[str], audiences: Mapping[str, bool]) -> dict[str, bool]:
    """Whether the consumer is in each audience, as `audiences` says."""
    return {key: _truth(key, condition_of(key, audiences)) for key in keys}


def _truth(key: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise RunError(f"a consumer is in audience {key!r} or not: True or False, not {given!r}")
    return given


def _asked(key: str) -> Callable[[Mapping[Any, Any]], bool]:
    """Whether a consumer says to be in the audience."""
    return lambda consumer: bool(consumer[_AUDIENCES][key])


def _checked(engine: str) -> str:
    if engine not in ENGINES:
        raise RunError(f"there is no engine {engine!r}; there are {', '.join(ENGINES)}")
    return engine


def _opened(rule: Rule, source: Any, id_column: str) -> Any:
    return part("sources").open_for(rule.engine, [rule], source, id_column)


def _made_by(engine: "Engine", source: Any) -> Rule:
    return engine.rule(source)
