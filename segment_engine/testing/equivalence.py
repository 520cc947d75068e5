"""Whether two rules mean the same: the smallest consumer on whom they differ.

A rule is logic over predicates, so of all values of a field only those matter that some predicate
tells apart. One of each kind is tried, with fewer fields before more; the search leaves a branch
as soon as both rules are decided, whatever the other fields hold.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segment_engine.engine import Engine
from segment_engine.errors import RunError
from segment_engine.expression.nodes import Call, Expr, Field, fold, walk
from segment_engine.expression.resolve import AND, NOT, OR, expand_derived, uses_clock
from segment_engine.rule import AsOf, Rule
from segment_engine.testing.boundaries import Boundaries, boundaries
from segment_engine.testing.samples import samples
from segment_engine.testing.values import near_changes
from segment_engine.values.isotime import HOUR, format_instant
from segment_engine.values.paths import Steps
from segment_engine.values.zones import zone

Source = str | Mapping[str, Any] | Rule
Place = tuple[str, Steps]
Truth = bool | None
Known = dict[int, bool]
Formula = Callable[[Known], Truth]

MOST_WORK = 3_000_000
"""The search ends after so many predicates were looked at."""
KEPT = 40
"""Of values that no predicate on their field alone tells apart so many are tried, where
another predicate compares the field with a second one."""
MOMENTS = (
    *("2026-07-01T12:00:00Z", "2026-03-31T12:00:00Z", "2024-02-29T12:00:00Z"),
    *("2025-12-31T23:30:00Z", "2026-06-28T22:30:00Z"),
)


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A consumer whom one rule keeps and the other drops, at an instant of a zone."""

    kept_by: Rule
    dropped_by: Rule
    consumer: dict[str, Any]
    as_of: str

    def __str__(self) -> str:
        return (
            f"  kept by     {self.kept_by}\n"
            f"  dropped by  {self.dropped_by}\n"
            f"  consumer    {self.consumer}\n"
            f"  as of       {self.as_of} in {self.kept_by.engine.timezone}"
        )


def assert_equivalent(
    rule_a: Source, rule_b: Source, *, engine: Engine | None = None, as_of: AsOf = None
) -> None:
    """No consumer is found whom one rule keeps and the other drops.

    The failure shows the smallest one, with the fewest fields and the simplest values. See
    `counterexample` for what is tried.

    >>> from segment_engine import Engine
    >>> engine = Engine()
    >>> assert_equivalent("totalOrders >= 2 and not (totalOrders > 5)",
    ...                   "totalOrders between 2 and 5", engine=engine)
    >>> assert_equivalent("totalOrders != 2", "totalOrders < 2 or totalOrders > 2", engine=engine)
    Traceback (most recent call last):
    AssertionError: the rules differ:
      kept by     totalOrders != 2
      dropped by  totalOrders < 2 or totalOrders > 2
      consumer    {}
      as of       2026-07-01T12:00:00Z in UTC
    """
    found = counterexample(rule_a, rule_b, engine=engine, as_of=as_of)
    if found is not None:
        raise AssertionError(f"the rules differ:\n{found}")


def counterexample(
    rule_a: Source, rule_b: Source, *, engine: Engine | None = None, as_of: AsOf = None
) -> Counterexample | None:
    """The smallest consumer found on whom two rules differ, the same in every run; None without.

    Rules are text, query-builder JSON or a `Rule`, all of one engine: `engine`, else that of the
    rules, else the default one. Tried are the values on, between and beside all literals, edges of
    days and of the clock's changes, letters of every case, values of other types in metadata.
    Without `as_of` rules that depend on it are compared at an ordinary day, the ends of a week,
    month, leap February and year, and after the zone's clocks change. Raises RuleError, and
    RunError for rules of different engines. Nothing found is no proof.
    """
    engine = engine or _engine_of(rule_a, rule_b)
    first, second = (_checked(engine, rule) for rule in (rule_a, rule_b))
    if first.hash == second.hash:
        return None
    for moment in [as_of] if as_of is not None else _moments(first, second):
        at = format_instant(engine.clock(moment).as_of)
        consumer = _Search(first, second, at).smallest()
        if consumer is not None:
            kept, dropped = (first, second) if first.matches(consumer, at) else (second, first)
            return Counterexample(kept, dropped, consumer, at)
    return None


def _engine_of(*rules: Source) -> Engine:
    return next((rule.engine for rule in rules if isinstance(rule, Rule)), None) or Engine()


def _checked(engine: Engine, rule: Source) -> Rule:
    if isinstance(rule, Rule) and rule.engine != engine:
        raise RunError("the rules are of different engines: compare them under one of them")
    return rule if isinstance(rule, Rule) else engine.rule(rule)


def _moments(*rules: Rule) -> Iterator[AsOf]:
    engine = rules[0].engine
    yield MOMENTS[0]
    if any(uses_clock(rule.expression, engine.derived) for rule in rules):
        yield from MOMENTS[1:]
        changes = near_changes(zone(engine.timezone), 2026, 2027)
        yield from (format_instant(change + 12 * HOUR) for change in changes)


class _Search:
    """All that is known of two rules at one instant."""

    def __init__(self, first: Rule, second: Rule, at: str) -> None:
        self.engine, self.at = first.engine, at
        self.atoms: dict[Expr, int] = {}
        self.formulas = [self.formula(rule) for rule in (first, second)]
        self.asked = [self.predicate(atom) for atom in self.atoms]
        fields = [[n for n in walk(atom) if isinstance(n, Field)] for atom in self.atoms]
        places = {place_of(field): field for read in fields for field in read}
        columns = [spec.column for spec in self.engine.schema.specs.values()]
        self.places = sorted(places, key=lambda place: (columns.index(place[0]), str(place[1])))
        self.touched = [
            {at for at, place in enumerate(self.places) if any(_meet(place, f) for f in read)}
            for read in fields
        ]
        self.decided = [
            [atom for atom, touched in enumerate(self.touched) if max(touched, default=-1) == at]
            for at in range(-1, len(self.places))
        ]
        bounds = boundaries([first, second], at)
        self.values = [self.telling(at, places[p], bounds) for at, p in enumerate(self.places)]
        self.work = 0

    def formula(self, rule: Rule) -> Formula:
        """The rule as a function of those of its predicates that are known."""
        whole = expand_derived(rule.expression, self.engine.derived)
        return fold(whole, self._formula)

    def _formula(self, node: Expr, parts: tuple[Formula, ...]) -> Formula:
        if isinstance(node, Call) and node.op in _LOGIC:
            return _LOGIC[node.op](parts)
        atom = self.atoms.setdefault(node, len(self.atoms)) if _is_truth(node) else -1
        return lambda known: known.get(atom)

    def predicate(self, atom: Expr) -> Callable[[Mapping[str, Any]], bool]:
        """Whether a consumer meets a predicate."""
        return Rule(self.engine, atom, "").predicate(self.at)

    def telling(self, at: int, field: Field, bounds: Boundaries) -> list[Any]:
        """The simplest value of each kind that predicates tell apart; a missing one is a kind."""
        own = bounds.fields.get(place_of(field), Boundaries(zone=bounds.zone))
        alone = [atom for atom, touched in enumerate(self.touched) if touched == {at}]
        shared = any(at in touched and len(touched) > 1 for touched in self.touched)
        kinds: dict[tuple[bool, ...], int] = {self.kind(alone, {}): 0 if shared else KEPT}
        kept = []
        plainest: list[Any] = [{}] if field.spec.open and not field.path else []
        for value in [*plainest, *samples(field.spec.type, own)]:
            consumer = self.consumer({at: value})
            kind = self.kind(alone, consumer)
            if kinds.get(kind, 0) < (KEPT if shared else 1):
                kinds[kind] = kinds.get(kind, 0) + 1
                kept.append(value)
        return kept

    def kind(self, alone: list[int], consumer: Mapping[str, Any] | None) -> tuple[bool, ...]:
        """What the predicates on one field say of its value."""
        return tuple(self.asked[atom](consumer or {}) for atom in alone)

    def consumer(self, chosen: Mapping[int, Any]) -> dict[str, Any] | None:
        """The consumer with those values; None where two do not fit into one document."""
        made: dict[str, Any] = {}
        for at in sorted(chosen, key=lambda at: len(self.places[at][1])):
            column, path = self.places[at]
            if not _put(made, (column, *path), chosen[at]):
                return None
        return made

    def smallest(self) -> dict[str, Any] | None:
        """The consumer with the fewest fields on whom the rules differ."""
        fewest = map(self.differing, range(len(self.places) + 1))
        return next((consumer for consumer in fewest if consumer is not None), None)

    def differing(self, fields: int) -> dict[str, Any] | None:
        """One with so many fields at most, depth first: what is chosen and known so far waits."""
        waiting: list[tuple[dict[int, Any], Known, int]] = [({}, {}, 0)]
        while waiting and self.work < MOST_WORK:
            chosen, known, at = waiting.pop()
            consumer = self.consumer(chosen)
            self.work += len(self.atoms) + 1
            if consumer is None:
                continue
            known = known | {atom: self.asked[atom](consumer) for atom in self.decided[at]}
            first, second = (formula(known) for formula in self.formulas)
            if first is None or second is None:
                more = self.values[at] if len(chosen) < fields else []
                waiting.extend(({**chosen, at: value}, known, at + 1) for value in reversed(more))
                waiting.append((chosen, known, at + 1))
            elif first is not second:
                return consumer
        return None


def place_of(field: Field) -> Place:
    """Where a field is read: its column and the path inside."""
    return field.spec.column, field.path or field.spec.path


def _meet(place: Place, field: Field) -> bool:
    """Whether a value at the place can change what the field reads."""
    column, path = place_of(field)
    shorter = min(len(path), len(place[1]))
    return place[0] == column and place[1][:shorter] == path[:shorter]


def _is_truth(node: Expr) -> bool:
    return node.type.family == "truth"


def _put(made: dict[str, Any], path: Steps, value: Any) -> bool:
    """Plants a value below what is there; whether there was room."""
    inside: Any = made
    for step, following in zip(path, (*path[1:], None), strict=True):
        if isinstance(step, int):
            if not isinstance(inside, list):
                return False
            inside.extend([None] * (step + 1 - len(inside)))
        elif not isinstance(inside, dict):
            return False
        there = inside[step] if isinstance(step, int) else inside.get(step)
        if following is None:
            inside[step] = value if there is None else there
            return there is None
        if there is None:
            inside[step] = there = [] if isinstance(following, int) else {}
        inside = there
    return True


def _all(parts: tuple[Formula, ...]) -> Formula:
    def both(known: Known) -> Truth:
        truths = [part(known) for part in parts]
        return False if False in truths else None if None in truths else True

    return both


def _any(parts: tuple[Formula, ...]) -> Formula:
    def either(known: Known) -> Truth:
        truths = [part(known) for part in parts]
        return True if True in truths else None if None in truths else False

    return either


def _not(parts: tuple[Formula, ...]) -> Formula:
    def other(known: Known) -> Truth:
        truth = parts[0](known)
        return None if truth is None else not truth

    return other


_LOGIC = {AND: _all, OR: _any, NOT: _not}
