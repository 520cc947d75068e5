"""The public face: an Engine checks rules and runs them over many consumers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segment_engine.diagnostics.diagnostic import Diagnostic, Log
from segment_engine.errors import RuleError, RunError
from segment_engine.expression.clocks import clock_at, named_zone
from segment_engine.expression.nodes import Expr
from segment_engine.expression.schema import Schema
from segment_engine.language import query_builder, rows
from segment_engine.language.complete import Completion, complete
from segment_engine.language.derived import derive
from segment_engine.language.parse import parse
from segment_engine.parts import part
from segment_engine.rule import AsOf, Rule
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    from segment_engine.batch.generations import Generation
    from segment_engine.batch.matcher import Matcher
    from segment_engine.batch.memberships import Memberships
    from segment_engine.batch.planned import RunPlan

RuleSource = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""A rule as it is written: text; query-builder JSON, a mapping; rule rows of the Audiences API, a
list of mappings; the text of either JSON."""

_DOORS: dict[str, Callable[..., Expr | None]] = {"{": query_builder.read, "[": rows.read}
"""By the first character of a rule; any other begins a text."""


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

    def rule(self, source: "RuleSource | Rule") -> "Rule":
        """A checked rule from its text, from query-builder JSON or from rule rows.

        Query-builder JSON is a mapping, rows are a list of mappings (none of them: nobody), and
        both may be JSON text. Raises RuleError, whose `.diagnostics` hold everything found.
        """
        if isinstance(source, Rule):
            if source.engine is self:
                return source
            source = source.text
        if not isinstance(source, str | Mapping | list | tuple):
            found = type(source).__name__
            raise RunError(f"a rule is text, query-builder JSON or a list of rows, not {found}")
        expr, log = self._read(source)
        if expr is None or log.failed:
            raise RuleError(log.sorted(), source if isinstance(source, str) else "")
        return Rule(self, expr, source if isinstance(source, str) else "", log.sorted())

    def diagnose(self, source: RuleSource) -> tuple[Diagnostic, ...]:
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

        `values` are values of fields, by name, as `values_seen` collects them, and the keys of
        audiences by the name `in audience`. What is wrong
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

    def _read(self, source: RuleSource) -> tuple[Expr | None, Log]:
        log = Log()
        whole = "{" if isinstance(source, Mapping) else "["
        first = source.lstrip()[:1] if isinstance(source, str) else whole
        return _DOORS.get(first, parse)(source, self._schema, log), log

    def materialize(
        self,
        rules: "Mapping[str, RuleSource | Rule]",
        source: Any,
        *,
        as_of: AsOf = None,
        engine: str = "snapshot",
        id_column: str = "id",
        lists: Mapping[str, Collection[Any]] | None = None,
        progress: Callable[[int, int], None] | None = None,
        snapshot: str | Path | None = None,
        since: "Memberships | Generation | None" = None,
        changed: Collection[Any] | str | None = None,
        count_predicates: bool = False,
        memory: int | None = None,
    ) -> "Memberships":
        """The members of many audiences at one instant.

        Rules may refer to one another by key, and to `lists`, static audiences as collections of
        ids, which are part of the result as far as they are consumers. A rule that is wrong,
        reads what the source lacks, or refers to an audience that is unknown, failed or itself
        is reported in `.failed` and does not stop the others. `snapshot` is a folder to keep the
        consumers in, prepared for the next run; see README. `since` is a run before: where that
        asked the same snapshot, only those are asked who have changed, or whom time moves, and
        the result is the same as if all were. `changed` says who has changed: ids since
        that run (those of a run that asked another snapshot tell nothing), or a column
        that grows with each change; else all are compared with the snapshot. `count_predicates`
        (engine snapshot alone) counts the consumers of each condition, too. Members that take
        more than half of `memory` bytes (of 512 MiB, unless told) are in temporary files.
        `progress(done, total)` is called as the run goes on. Raises SourceError where the source
        or its ids cannot be read, OutputError where the snapshot cannot be written.
        """
        return part("batch").materialize(  # type: ignore[no-any-return]
            self,
            rules,
            source,
            as_of=as_of,
            engine_name=engine,
            id_column=id_column,
            lists=lists or {},
            progress=progress,
            snapshot=snapshot,
            since=since,
            changed=changed,
            count_predicates=count_predicates,
            memory=memory,
        )

    def matcher(
        self,
        rules: "Mapping[str, RuleSource | Rule]",
        *,
        as_of: AsOf = None,
        id_column: str = "id",
        lists: Mapping[str, Collection[Any]] | None = None,
    ) -> "Matcher":
        """A function from one consumer to the keys of all audiences that it is in.

        Prepared once for many consumers, at one instant; each distinct condition is asked once a
        consumer. It says what `Rule.matches` says of each rule. References, `lists` and `.failed`
        are those of `materialize`; with lists a consumer has its id under `id_column`, and
        RunError is raised for an id of another type than a list has.
        """
        return part("matcher").matcher(  # type: ignore[no-any-return]
            self, rules, as_of=as_of, id_column=id_column, lists=lists or {}
        )

    def plan(
        self,
        rules: "Mapping[str, RuleSource | Rule]",
        source: Any = None,
        *,
        as_of: AsOf = None,
        lists: Mapping[str, Collection[Any]] | None = None,
    ) -> "RunPlan":
        """What `materialize` would read and ask, without doing it.

        `source` gives the physical column types, else the documented defaults are taken.
        """
        return part("batch").plan(  # type: ignore[no-any-return]
            self, rules, source, as_of=as_of, lists=lists or {}
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
