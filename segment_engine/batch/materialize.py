"""A run: every audience's members at one instant, one broken rule never stopping the rest."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from segment_engine.backends.sources import open_for
from segment_engine.backends.sources.beside import id_type
from segment_engine.batch.combine import Combiner
from segment_engine.batch.memberships import Memberships
from segment_engine.errors import RuleError, RunError, SegmentError
from segment_engine.expression.references import (
    Failures,
    condition_of,
    dependency_order,
    references,
)
from segment_engine.parts import ENGINES, part

if TYPE_CHECKING:
    from segment_engine.diagnostics.diagnostic import Diagnostic
    from segment_engine.engine import Engine
    from segment_engine.rule import AsOf, Rule


def members(
    rule: "Rule",
    source: Any,
    *,
    as_of: "AsOf",
    engine_name: str,
    id_column: str,
    audiences: Mapping[str, Collection[Any]],
) -> list[Any]:
    """As `Rule.members`, for a rule that refers to audiences."""
    opened = open_for(rule.engine, [rule], source, id_column)
    run = part(engine_name)
    run.check_ids(opened, id_column)
    combiner = Combiner(run, rule.engine.clock(as_of), opened, id_column)
    known = {key: combiner.held(key, condition_of(key, audiences), rule) for key in rule.audiences}
    return combiner.members(rule, known)


def materialize(
    engine: "Engine",
    rules: Mapping[str, Any],
    source: Any,
    *,
    as_of: "AsOf",
    engine_name: str,
    id_column: str,
    lists: Mapping[str, Collection[Any]],
    failed: Mapping[str, SegmentError] | None = None,
    aliases: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Memberships:
    """As `Engine.materialize`.

    `failed` are audiences that are known to have failed before, `aliases` are other names of
    audiences by which rules may refer to them.
    """
    if engine_name not in ENGINES:
        raise RunError(f"there is no engine {engine_name!r}; there are {', '.join(ENGINES)}")
    for given, wanted in ((rules, "rule"), (lists, "ids")):
        if not isinstance(given, Mapping):
            raise RunError(
                f"audiences are a mapping of key to {wanted}, not {type(given).__name__}"
            )
    if twice := rules.keys() & lists.keys():
        raise RunError(f"audience {min(twice)!r} is given as a rule and as a list")
    clock = engine.clock(as_of)
    checked, broken = _checked(engine, rules)
    opened = open_for(engine, list(checked.values()), source, id_column)
    run = part(engine_name)
    consumers = run.check_ids(opened, id_column)
    made = _Run(checked, broken | dict(failed or {}), aliases or {})
    made.compute(Combiner(run, clock, opened, id_column), engine, lists, progress)
    keys = [*rules, *(key for key in (*lists, *(failed or {})) if key not in rules)]
    return Memberships(
        {key: made.members[key] for key in keys if key in made.members},
        {key: made.failed[key] for key in keys if key in made.failed},
        id_type(opened, id_column),
        consumers,
    )


class _Run:
    """What is known so far of each audience: its members, or why it has none."""

    def __init__(
        self,
        rules: Mapping[str, "Rule"],
        failed: Mapping[str, SegmentError],
        aliases: Mapping[str, str],
    ) -> None:
        self._rules, self.failed, self._aliases = rules, dict(failed), aliases
        self._graph = {k: references(rule.expression, aliases) for k, rule in rules.items()}
        self.members: dict[str, list[Any]] = {}

    def compute(
        self,
        combiner: Combiner,
        engine: "Engine",
        lists: Mapping[str, Collection[Any]],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        """All of them, those referred to first."""
        for key, ids in lists.items():
            with _noted(self.failed, key):
                self.members[key] = sorted(combiner.held(key, ids, engine.rule("true")))
        order = dependency_order(self._graph, dict.fromkeys([*lists, *self.failed]))
        for key, fault in order.faults.items():
            self._refuse(key, fault)
        known = {key: frozenset(ids) for key, ids in self.members.items()}
        known |= {name: known[key] for name, key in self._aliases.items() if key in known}
        names = {key: name for name, key in self._aliases.items()}
        failures = Failures(self._graph, self.failed)
        for done, key in enumerate(order.keys, 1):
            if key not in self.failed and (behind := failures.behind(key)) is not None:
                self._refuse(key, behind)
            if key not in self.failed:
                with _noted(self.failed, key):
                    self.members[key] = combiner.members(self._rules[key], known)
                    known[key] = known[names.get(key, key)] = frozenset(self.members[key])
            if progress:
                progress(done, len(order.keys))

    def _refuse(self, key: str, fault: "Diagnostic") -> None:
        self.failed[key] = RuleError((fault,), self._rules[key].source)


@contextmanager
def _noted(failed: dict[str, SegmentError], key: str) -> Iterator[None]:
    """Takes an audience's error for the audience alone."""
    try:
        yield
    except SegmentError as fault:
        failed[key] = fault


def _checked(
    engine: "Engine", rules: Mapping[str, Any]
) -> tuple[dict[str, "Rule"], dict[str, SegmentError]]:
    checked: dict[str, Rule] = {}
    failed: dict[str, SegmentError] = {}
    for key, given in rules.items():
        try:
            checked[key] = engine.rule(given)
        except SegmentError as fault:
            failed[key] = fault
    return checked, failed
