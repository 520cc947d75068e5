"""One consumer against all audiences at once.

Everything that is the "and" of something is a bit: the audiences, and the parts inside them. A bit
falls where one of its parts is false. What a value of the consumer lets fall is one number, found
at once for all conditions about it; what parts inside let fall is looked up eight at a time.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from segment_engine.backends.records import Consumer
from segment_engine.backends.subjects import Bits, subject_of, together, whole
from segment_engine.batch.asked import Asked, asked_of
from segment_engine.batch.combine import listed
from segment_engine.batch.graph import Graph, Signed
from segment_engine.batch.plan import Plan
from segment_engine.errors import RunError, SegmentError
from segment_engine.expression.logic import Condition, Joint, postfix
from segment_engine.expression.nodes import Call, Constant, Expr
from segment_engine.expression.resolve import IN_AUDIENCE
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    from segment_engine.engine import Engine
    from segment_engine.rule import AsOf, Rule

Falling = Callable[[Consumer], int]


class Matcher:
    """All audiences at one instant as one function of a consumer; made by `Engine.matcher`."""

    def __init__(self, asked: Asked, clock: Clock, id_column: str) -> None:
        failed = dict(asked.failed)
        lists = {key: ids for key, ids in asked.lists.items() if _sound(key, ids, failed)}
        plan = _Plan(asked.rules, lists, failed, asked.aliases, clock, None)
        self._failed = MappingProxyType(plan.failed)
        graph = Graph()
        inputs = [graph.input() for _ in (*plan.predicates, *lists)]
        roots = dict(zip(plan.roots, plan.onto(graph, inputs), strict=True))
        keys = [key for key in (*asked.rules, *lists) if key in roots]
        layout = _Layout(graph, [roots[key] for key in keys])
        bits = list(map(layout.bits, inputs))
        self._falling = _by_subject(dict(zip(plan.predicates, bits, strict=False)))
        if lists:
            of_lists = dict(zip(lists, bits[len(plan.predicates) :], strict=True))
            self._falling.append(_Lists(lists, of_lists, id_column))
        self._levels, self._turned = layout.levels(), layout.turned
        self._bytes, self._first = layout.size // 8, layout.first // 8
        self._count, self._keys = len(keys), _by_octets(keys)

    @property
    def failed(self) -> Mapping[str, SegmentError]:
        """The audiences that could not be prepared, with their errors; nobody is told to be in."""
        return self._failed

    def __call__(self, consumer: Mapping[str, Any]) -> list[str]:
        """The keys of the audiences that a consumer is in: rules in their order, then lists.

        The consumer is a mapping of source columns to plain values, as for `Rule.matches`.
        """
        if not isinstance(consumer, Mapping):
            raise RunError(f"a consumer is a mapping, not {type(consumer).__name__}")
        fallen = 0
        for falling in self._falling:
            fallen |= falling(consumer)
        for first, last, rows in self._levels:
            octets = fallen.to_bytes(self._bytes, "little")[first:last]
            for row, octet in zip(rows, octets, strict=True):
                fallen |= row[octet]
        octets = (fallen ^ self._turned).to_bytes(self._bytes, "little")[self._first :]
        keys: list[str] = []
        for found, octet in zip(self._keys, octets, strict=True):
            if octet:
                keys += found[octet]
        return keys

    def __repr__(self) -> str:
        return f"<Matcher of {self._count:,} audiences>"


def matcher(
    engine: "Engine",
    rules: Mapping[str, Any],
    *,
    as_of: "AsOf",
    id_column: str,
    lists: Mapping[str, Collection[Any]],
    failed: Mapping[str, SegmentError] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Matcher:
    """As `Engine.matcher`; `failed` and `aliases` as in `materialize`."""
    return Matcher(asked_of(engine, rules, lists, failed, aliases), engine.clock(as_of), id_column)


def _sound(key: str, ids: Collection[Any], failed: dict[str, SegmentError]) -> bool:
    try:
        listed(f"audience {key!r}", ids, set())
    except SegmentError as fault:
        failed[key] = fault
    return key not in failed


class _Plan(Plan):
    """The plan for the records engine: predicates are resolved, those about one value whole."""

    def _parts(self, condition: Condition, rule: "Rule") -> list[Expr | Joint]:
        resolved = self._resolved(condition, rule)
        return postfix(resolved) if subject_of(resolved) is None else [resolved]

    def _predicate(self, node: Expr) -> Signed:
        if isinstance(node, Call) and node.op is IN_AUDIENCE:
            (key,) = node.args
            assert isinstance(key, Constant)
            return self._known[key.value]
        return super()._predicate(node)


def _by_subject(predicates: Mapping[Expr, Bits]) -> list[Falling]:
    groups: dict[Expr, dict[Expr, Bits]] = {}
    found: list[Falling] = []
    for predicate, bits in predicates.items():
        subject = subject_of(predicate)
        if subject is None:
            found.append(whole(predicate, bits))
        else:
            groups.setdefault(subject, {})[predicate] = bits
    return found + [together(subject, group) for subject, group in groups.items()]


class _Lists:
    """What static lists let fall. Ids are compared as consumers have them, as in a run."""

    def __init__(
        self, lists: Mapping[str, Collection[Any]], bits: Mapping[str, Bits], id_column: str
    ) -> None:
        self._lists = {key: listed(f"audience {key!r}", ids, set()) for key, ids in lists.items()}
        self._bits, self._id = bits, id_column
        self._as_ids: dict[type, list[tuple[frozenset[Any], Bits]]] = {}

    def __call__(self, consumer: Consumer) -> int:
        own = consumer.get(self._id)
        if own is None:
            raise RunError(f"with lists a consumer needs its id, under {self._id!r}")
        fallen = 0
        for ids, (false, true) in self._as_ids.get(type(own)) or self._for(type(own)):
            fallen |= true if own in ids else false
        return fallen

    def _for(self, kind: type) -> list[tuple[frozenset[Any], Bits]]:
        made = [
            (listed(f"audience {key!r}", ids, {kind}), self._bits[key])
            for key, ids in self._lists.items()
        ]
        self._as_ids[kind] = made
        return made


# ---- bits


class _Row(dict[int, Any]):
    """What eight bits stand for, by their value; made when it is first asked for."""

    def __init__(self, items: Sequence[Any], make: Callable[[Sequence[Any], int], Any]) -> None:
        super().__init__()
        self._of, self._make = items, make

    def __missing__(self, octet: int) -> Any:
        made = self[octet] = self._make(self._of, octet)
        return made


class _Layout:
    """A bit for each part that others are made of, level by level, and behind them for each root.

    Each level begins with a new byte, and so do the roots.
    """

    def __init__(self, graph: Graph, roots: Sequence[Signed]) -> None:
        self._graph = graph
        self._falls: dict[int, list[int]] = {}
        self._places: list[list[int]] = []
        self._number(self._inside(roots))
        self.first = 8 * sum(-(-len(level) // 8) for level in self._places)
        self.size = self.first + 8 * -(-len(roots) // 8)
        self.turned = 0
        self._fill(roots)

    def bits(self, node: Signed) -> Bits:
        """What falls where a node is false, and where it is true."""
        false, true = self._falls.get(node >> 1, (0, 0))
        return Bits(false, true) if not node & 1 else Bits(true, false)

    def levels(self) -> list[tuple[int, int, list[_Row]]]:
        """Of each level: its bytes, and what each lets fall by its value."""
        found, first = [], 0
        for level in self._places:
            fallen = [self.bits(2 * node) for node in level]
            rows = [_Row(fallen[at : at + 8], _together) for at in range(0, len(level), 8)]
            found.append((first, first + len(rows), rows))
            first += len(rows)
        return found

    def _inside(self, roots: Sequence[Signed]) -> list[int]:
        """The parts inside others, each behind its own."""
        arguments = self._graph.arguments
        reached = self._graph.reached(roots)
        inside = {one >> 1 for node in reached for one in arguments[node]}
        return [node for node in reached if node in inside and arguments[node]]

    def _number(self, inside: Sequence[int]) -> None:
        level: dict[int, int] = {}
        for node in inside:
            below = (level.get(one >> 1, -1) for one in self._graph.arguments[node])
            level[node] = 1 + max(below)
            if level[node] == len(self._places):
                self._places.append([])
            self._places[level[node]].append(node)

    def _fill(self, roots: Sequence[Signed]) -> None:
        first = 0
        for level in self._places:
            for place, node in enumerate(level, first):
                self._fall(self._graph.arguments[node], place)
            first += 8 * -(-len(level) // 8)
        for place, root in enumerate(roots, first):
            node = root >> 1
            self._fall(self._graph.arguments[node] or ((2 * node,) if node else ()), place)
            self.turned |= (~root & 1) << place

    def _fall(self, arguments: Sequence[Signed], place: int) -> None:
        for one in arguments:
            self._falls.setdefault(one >> 1, [0, 0])[one & 1] |= 1 << place


def _together(parts: Sequence[Bits], octet: int) -> int:
    """What eight parts let fall, of which those whose bit is set are false."""
    fallen = 0
    for place, bits in enumerate(parts):
        fallen |= bits.false if octet >> place & 1 else bits.true
    return fallen


def _by_octets(keys: list[str]) -> list[_Row]:
    return [_Row(keys[at : at + 8], _chosen) for at in range(0, len(keys), 8)]


def _chosen(keys: Sequence[str], octet: int) -> list[str]:
    return [key for place, key in enumerate(keys) if octet >> place & 1]
