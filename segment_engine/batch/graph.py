"""The logic of all audiences as one graph in which nothing stands twice, and its flat program.

Node 0 is true. Every other node is an input, or the "and" of signed nodes, each as it is or
negated; "or" is the complement of an "and" of complements.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Signed = int
"""A node's number times two, plus one where it is negated."""

TRUE: Signed = 0
FALSE: Signed = 1

Does = Literal["and", "or", "xor", "not", "copy"]


def negated(one: Signed) -> Signed:
    """The complement."""
    return one ^ 1


class Graph:
    """Grows by what is asked of it; equal nodes are one."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Signed, ...], int] = {}
        self.arguments: list[tuple[Signed, ...]] = [()]
        """Of each node: what it is the "and" of; none for an input."""

    def input(self) -> Signed:
        """A new node whose value is given."""
        self.arguments.append(())
        return 2 * (len(self.arguments) - 1)

    def all_of(self, signed: Iterable[Signed]) -> Signed:
        """The node that is true where all are."""
        wanted = set(signed)
        wanted.discard(TRUE)
        for one in wanted:
            if one == FALSE or one ^ 1 in wanted:
                return FALSE
        if len(wanted) < 2:
            return wanted.pop() if wanted else TRUE
        return self._node(tuple(sorted(wanted)))

    def both(self, one: Signed, other: Signed) -> Signed:
        """As `all_of` the two, in a fraction of the time."""
        if one > other:
            one, other = other, one
        if one in (TRUE, other):
            return other
        if one == FALSE or one ^ 1 == other:
            return FALSE
        return self._node((one, other))

    def either(self, one: Signed, other: Signed) -> Signed:
        """As `any_of` the two."""
        return self.both(one ^ 1, other ^ 1) ^ 1

    def _node(self, key: tuple[Signed, ...]) -> Signed:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.arguments)
            self.arguments.append(key)
        return 2 * number

    def any_of(self, signed: Iterable[Signed]) -> Signed:
        """The node that is true where any is."""
        return negated(self.all_of(map(negated, signed)))

    def onto(
        self, other: "Graph", given: Mapping[Signed, Signed], roots: Iterable[Signed]
    ) -> list[Signed]:
        """The roots in another graph, in which the inputs of this one are `given`."""
        roots = list(roots)
        there = {0: TRUE} | {node >> 1: one for node, one in given.items()}
        for node in self.reached(roots):
            if arguments := self.arguments[node]:
                there[node] = other.all_of([there[one >> 1] ^ (one & 1) for one in arguments])
        return [there[root >> 1] ^ (root & 1) for root in roots]

    def reached(self, roots: Iterable[Signed]) -> list[int]:
        """The nodes that the roots need, each behind those that it needs; without node 0."""
        needed = bytearray(len(self.arguments))
        for root in roots:
            needed[root >> 1] = 1
        for number in range(len(self.arguments) - 1, 0, -1):
            if needed[number]:
                for one in self.arguments[number]:
                    needed[one >> 1] = 1
        return [number for number in range(1, len(needed)) if needed[number]]


Step: TypeAlias = tuple[Does, int, int, int]
"""`registers[to] = registers[left] <does> registers[right]`, as (does, left, right, to).

"not" and "copy" have no right.
"""


@dataclass(frozen=True, slots=True)
class Program:
    """What a graph computes, step by step.

    Register 0 is everybody; the next hold the inputs, then come those of the roots, one each, and
    at last those in between, used again as soon as they are free. No register ever has a bit that
    everybody has not, but while a "not" waits for its "and".
    """

    steps: tuple[Step, ...]
    inputs: int
    roots: int
    registers: int


def compiled(graph: Graph, inputs: Sequence[Signed], roots: Sequence[Signed]) -> Program:
    """The program that leaves each root in its register, given everybody and the inputs."""
    return _Compiler(graph, inputs, roots).program()


class _Compiler:
    def __init__(self, graph: Graph, inputs: Sequence[Signed], roots: Sequence[Signed]) -> None:
        self._graph, self._roots = graph, roots
        self._inputs = len(inputs)
        self._fixed = 1 + len(inputs)
        self._places = {0: 0} | {node >> 1: place for place, node in enumerate(inputs, 1)}
        self._flipped = bytearray(len(graph.arguments))
        self._steps: list[Step] = []
        self._free: list[int] = []
        self._count = self._fixed + len(roots)

    def program(self) -> Program:
        nodes, places, between = self._graph.arguments, self._places, self._count
        order = [node for node in self._graph.reached(self._roots) if nodes[node]]
        own = {root >> 1: self._fixed + place for place, root in enumerate(self._roots)}
        uses = Counter([one >> 1 for node in order for one in nodes[node]])
        for node in order:
            places[node] = own[node] if node in own else self._register()
            self._join(nodes[node], node)
            for one in nodes[node]:
                uses[one >> 1] -= 1
                if not uses[one >> 1] and places[one >> 1] >= between:
                    self._free.append(places[one >> 1])
        self._deliver()
        return Program(tuple(self._steps), self._inputs, len(self._roots), self._count)

    def _register(self) -> int:
        if self._free:
            return self._free.pop()
        self._count += 1
        return self._count - 1

    def _join(self, arguments: tuple[Signed, ...], node: int) -> None:
        """`not (u or v) and a and b`, as there is no "and not"; an "or" alone stays flipped."""
        wanted: list[int] = []
        unwanted: list[int] = []
        for one in arguments:
            kept = unwanted if (one ^ self._flipped[one >> 1]) & 1 else wanted
            kept.append(self._places[one >> 1])
        to = self._places[node]
        if not unwanted:
            self._chain("and", wanted, to)
            return
        self._chain("or", unwanted, to)
        if not wanted:
            self._flipped[node] = 1
            return
        self._steps.append(("not", to if len(unwanted) > 1 else unwanted[0], 0, to))
        for place in wanted:
            self._steps.append(("and", to, place, to))

    def _chain(self, does: Does, places: Sequence[int], to: int) -> None:
        left = places[0]
        for place in places[1:]:
            self._steps.append((does, left, place, to))
            left = to

    def _deliver(self) -> None:
        """Each root into its own register; last, what is turned round where it stands."""
        last: list[Step] = []
        for to, root in enumerate(self._roots, self._fixed):
            place = self._places[root >> 1]
            flips = (root ^ self._flipped[root >> 1]) & 1
            if place == to:
                last += [("xor", 0, to, to)] if flips else []
            else:
                self._steps.append(("xor", 0, place, to) if flips else ("copy", place, 0, to))
        self._steps.extend(last)
