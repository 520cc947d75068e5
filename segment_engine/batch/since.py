"""A run after another one: only those are asked who have changed since, or whom time moves."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from segment_engine.backends.reading import Member
from segment_engine.batch.bitmaps import TILE, Bitmap, PatchedTile
from segment_engine.batch.graph import Graph, Signed, negated
from segment_engine.batch.plan import Plan, joined, truth_of
from segment_engine.batch.snapshot.some import Layout
from segment_engine.expression.logic import Joint
from segment_engine.expression.nodes import Call, Constant, Expr

Rows = NDArray[np.uint64]


class Moved:
    """Whom time moves between the instants of two plans, as one root; see `asking.Asked`.

    `known` is false where that cannot be told: where an audience stands within a condition.
    """

    def __init__(self, before: Plan, after: Plan) -> None:
        self.predicates: dict[Expr, Signed] = {}
        self.known = True
        self._graph = Graph()
        parts: list[Signed] = []
        for condition, old in before.bound.items():
            if old != after.bound[condition]:
                left, right = map(self._joined, (old, after.bound[condition]))
                parts.append(self._graph.all_of((left, negated(right))))
                parts.append(self._graph.all_of((right, negated(left))))
        self._root = self._graph.any_of(parts)

    def onto(self, graph: Graph, inputs: Sequence[Signed]) -> list[Signed]:
        """The root in a graph in which the predicates are `inputs`, the first of them."""
        given = dict(zip(self.predicates.values(), inputs, strict=False))
        return self._graph.onto(graph, given, [self._root])

    def _joined(self, bound: Sequence[Expr | Joint]) -> Signed:
        return joined(self._graph, bound, self._leaf)

    def _leaf(self, node: Expr) -> Signed:
        if isinstance(node, Constant):
            return truth_of(node)
        if isinstance(node, Call) and isinstance(node.args[0], Member):
            self.known = False
        if node not in self.predicates:
            self.predicates[node] = self._graph.input()
        return self.predicates[node]


class Flips(NamedTuple):
    """Whose bits are others than before, a row each, as a layout has them."""

    layout: Layout
    entered: Rows
    left: Rows

    def over(self, row: int, before: Bitmap) -> Bitmap:
        """The members after that, without reading those before."""
        tiles = dict(before.tiles)
        for number, slots, words in self.layout.tiles():
            entered, left = self.entered[row, words], self.left[row, words]
            flips = entered | left
            if flips.any():
                held = tiles.get(number)
                count = (held.count if held else 0) + _count(entered) - _count(left)
                places = self.layout.slots[slots] % TILE
                tiles[number] = PatchedTile(count, held, places, flips)
        return Bitmap(tiles)

    def moves(self, row: int) -> tuple[int, int]:
        """How many entered and left."""
        return _count(self.entered[row]), _count(self.left[row])

    def at(self, ordinals: NDArray[np.int64]) -> "Flips":
        """The same, each slot at another place."""
        order = np.argsort(ordinals[self.layout.slots])
        layout = Layout(ordinals[self.layout.slots][order].astype(np.uint32))
        entered, left = (
            np.array([layout.packed(self.layout.truths(row)[order]) for row in rows])
            for rows in (self.entered, self.left)
        )
        return Flips(layout, entered, left)


def ordinals_of(slots: pa.ChunkedArray, known: pa.ChunkedArray) -> NDArray[np.int64] | None:
    """The ordinal of each slot by its id, -1 for a null; None where each is the slot itself."""
    held = known.cast(slots.type)
    if slots.equals(held):
        return None
    found: NDArray[np.int64] = pc.index_in(slots, held, skip_nulls=True).fill_null(-1).to_numpy()
    return found.astype(np.int64)


def _count(words: Any) -> int:
    return int(np.bitwise_count(words).sum())
