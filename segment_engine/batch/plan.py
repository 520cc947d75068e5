"""The plan of a run: all audiences as one graph over distinct predicates, each asked once."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from segment_engine.backends.bind import bind_plain
from segment_engine.backends.physical import Physical
from segment_engine.backends.reading import Columns, Member
from segment_engine.batch.graph import FALSE, TRUE, Graph, Program, Signed, compiled, negated
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.errors import RuleError, SegmentError
from segment_engine.expression.logic import Condition, Joint, postfix
from segment_engine.expression.nodes import Call, Constant, Expr, walk
from segment_engine.expression.references import Failures, dependency_order, references
from segment_engine.expression.resolve import AND, NOT, OR, resolve, uses_clock
from segment_engine.expression.spelling import spell
from segment_engine.operators.row import Operator
from segment_engine.values.moments import Clock
from segment_engine.values.zones import Zone

if TYPE_CHECKING:
    from segment_engine.rule import Rule

JOINS: dict[Operator, Callable[[Graph, Iterable[Signed]], Signed]] = {
    AND: Graph.all_of,
    OR: Graph.any_of,
    NOT: lambda _, parts: negated(*parts),
}


class Shared(NamedTuple):
    """A condition, or its complement: its node, and the audiences that have it."""

    root: Signed
    audiences: list[str]


SETTINGS = 2
"""A condition is kept as it was bound for the last so many zones and stored types."""


class _Kept(NamedTuple):
    """A bound condition; `clock` is None where it is the same at every instant."""

    setting: object
    clock: Clock | None
    parts: list[Expr | Joint]


@lru_cache(maxsize=8)
def _setting(_zone: Zone, _columns: frozenset[tuple[str, Physical]] | None) -> object:
    """One object for the same zone and columns, so that those are compared once a plan."""
    return object()


class Plan:
    """What is to be computed: distinct predicates, and how audiences are made of them.

    `predicates` are bound expressions without logic, in the order of the program's inputs, with
    `lists` behind them; `roots` are the audiences that can be computed, in order, and `failed`
    the others.
    """

    def __init__(
        self,
        rules: "Mapping[str, Rule]",
        lists: Collection[str],
        failed: Mapping[str, SegmentError],
        aliases: Mapping[str, str],
        clock: Clock,
        columns: Columns | None,
        counted: bool = False,
    ) -> None:
        """`counted`: the distinct conditions are roots, too, behind the audiences."""
        self._rules, self._aliases = rules, aliases
        self._clock, self._columns = clock, columns
        stored = None if columns is None else frozenset(columns.items())
        self._setting = _setting(clock.zone, stored)
        self._graph = Graph()
        self._conditions: dict[Condition, Signed | SegmentError] = {}
        self._timed: dict[Condition, Rule] = {}
        self._steady: set[Signed] = set()
        self._nested = False
        self.predicates: dict[Expr, Signed] = {}
        self.failed = dict(failed)
        self.lists = {key: self._graph.input() for key in lists}
        self.roots: dict[str, Signed] = {}
        self._known: dict[str, Signed] = {}
        self._names: dict[str, list[str]] = {}
        for name, key in aliases.items():
            self._names.setdefault(key, []).append(name)
        for key, root in self.lists.items():
            self._add(key, root)
        self._plan()
        self.counted = self.shared() if counted else {}

    def program(self) -> Program:
        """Predicates, then lists, are its inputs; the roots its outputs."""
        inputs = [*self.predicates.values(), *self.lists.values()]
        return compiled(self._graph, inputs, self.outputs())

    def outputs(self) -> list[Signed]:
        """The roots of audiences, and behind them those of counted conditions."""
        return [*self.roots.values(), *(one.root for one in self.counted.values())]

    def onto(self, graph: Graph, inputs: Sequence[Signed]) -> list[Signed]:
        """The roots in a graph in which predicates and lists, in this order, are `inputs`."""
        own = [*self.predicates.values(), *self.lists.values()]
        return self._graph.onto(graph, dict(zip(own, inputs, strict=True)), self.outputs())

    def shared(self) -> dict[str, Shared]:
        """The distinct conditions by text; those that mean the same stand under the first."""
        texts: dict[int, str] = {}
        found: dict[str, Shared] = {}
        for key in (key for key in self._rules if key in self.roots):
            conditions = (one for one in self._rules[key].logic if isinstance(one, Condition))
            for condition in dict.fromkeys(conditions):
                root = self._conditions[condition]
                assert isinstance(root, int), "an audience with a failed condition has failed"
                if root not in (TRUE, FALSE):
                    text = texts.setdefault(root >> 1, spell(condition.expression))
                    found.setdefault(text, Shared(root, [])).audiences.append(key)
        return found

    def _plan(self) -> None:
        graph = {
            key: references(rule.expression, self._aliases) if rule.audiences else ()
            for key, rule in self._rules.items()
        }
        order = dependency_order(graph, dict.fromkeys([*self.lists, *self.failed]))
        for key, fault in order.faults.items():
            self._refuse(key, fault)
        failures = Failures(graph, self.failed)
        for key in order.keys:
            if key not in self.failed and (behind := failures.behind(key)) is not None:
                self._refuse(key, behind)
            if key not in self.failed:
                try:
                    self._add(key, self._root(self._rules[key]))
                except SegmentError as fault:
                    self.failed[key] = fault

    def _add(self, key: str, root: Signed) -> None:
        self.roots[key] = root
        self._known |= dict.fromkeys((key, *self._names.get(key, ())), root)

    def _refuse(self, key: str, fault: Diagnostic) -> None:
        self.failed[key] = RuleError((fault,), self._rules[key].source)

    def _root(self, rule: "Rule") -> Signed:
        return joined(self._graph, rule.logic, lambda part: self._leaf(part, rule))

    def _leaf(self, part: Condition | str, rule: "Rule") -> Signed:
        return self._known[part] if isinstance(part, str) else self._condition(part, rule)

    def _condition(self, condition: Condition, rule: "Rule") -> Signed:
        found = self._conditions.get(condition)
        if found is None:
            try:
                parts = self._parts(condition, rule)
                timed = condition in self._timed
                leaf = self._predicate if timed else self._steadily
                found = joined(self._graph, parts, leaf)
            except SegmentError as fault:
                found = fault
            self._conditions[condition] = found
        if isinstance(found, SegmentError):
            # Its places are those of the rule that was asked first; this one has its own.
            rule.resolved(self._clock)
            raise found
        return found

    def _parts(self, condition: Condition, rule: "Rule") -> list[Expr | Joint]:
        """The predicates of a condition, and behind them what joins them.

        They were bound before where neither columns nor, if that matters, the clock are others.
        """
        before: tuple[_Kept, ...] = condition.kept
        kept = next((one for one in before if one.setting is self._setting), None)
        if kept is None or kept.clock not in (None, self._clock):
            bound = bind_plain(self._resolved(condition, rule), self._columns, self._known)
            if any(isinstance(node, Member) for node in walk(bound)):
                self._nested = True
                return postfix(bound)
            clock = self._clock if uses_clock(condition.expression, rule.engine.derived) else None
            others = [one for one in before if one is not kept]
            kept = _Kept(self._setting, clock, postfix(bound))
            condition.kept = (kept, *others)[:SETTINGS]
        if kept.clock is not None:
            self._timed[condition] = rule
        return kept.parts

    def _resolved(self, condition: Condition, rule: "Rule") -> Expr:
        return resolve(condition.expression, self._clock, rule.engine.derived)

    def _predicate(self, node: Expr) -> Signed:
        if isinstance(node, Constant):
            return truth_of(node)
        if isinstance(node, Call) and isinstance(node.args[0], Member):
            found: Signed = node.args[0].condition
            return found
        if node not in self.predicates:
            self.predicates[node] = self._graph.input()
        return self.predicates[node]

    def _steadily(self, node: Expr) -> Signed:
        found = self._predicate(node)
        self._steady.add(found)
        return found

    def at(self, clock: Clock) -> dict[Expr, Expr] | None:
        """What predicates were at another instant, those that were others.

        None where one of them was several, a condition was made in another way or could not be,
        or an audience stands within one.
        """
        if self._nested:
            return None
        found: dict[Expr, Expr] = {}
        for condition, rule in self._timed.items():
            try:
                resolved = resolve(condition.expression, clock, rule.engine.derived)
            except SegmentError:
                return None
            before = postfix(bind_plain(resolved, self._columns, {}))
            now = self._parts(condition, rule)
            if len(before) != len(now):
                return None
            for one, other in zip(now, before, strict=True):
                if isinstance(one, tuple | Constant) or isinstance(other, tuple | Constant):
                    if one != other:
                        return None
                elif found.setdefault(one, other) != other:
                    return None
        moved = {one: other for one, other in found.items() if one != other}
        return moved if all(self.predicates[one] not in self._steady for one in moved) else None


def joined(graph: Graph, logic: Iterable[Any], leaf: Callable[[Any], Signed]) -> Signed:
    """The node of logic in postfix, of which `leaf` gives the nodes of the parts."""
    parts: list[Signed] = []
    for part in logic:
        if isinstance(part, tuple):
            op, count = part
            first = len(parts) - count
            parts[first:] = [JOINS[op](graph, parts[first:])]
        else:
            parts.append(leaf(part))
    return parts[0]


def truth_of(node: Constant) -> Signed:
    """The node of a constant."""
    return TRUE if node.value else FALSE
