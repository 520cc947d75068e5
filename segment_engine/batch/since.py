"""A run after another one: only those are asked who have changed since, or whom time moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from segment_engine.batch.bitmaps import TILE, Bitmap, PatchedTile
from segment_engine.batch.graph import Graph, Signed, negated
from segment_engine.batch.plan import Plan
from segment_engine.batch.snapshot.some import Layout
from segment_engine.expression.nodes import Expr

Rows = NDArray[np.uint64]


class Moved:
    """Whether any of the predicates was another one before, as one root; see `asking.Asked`."""

    def __init__(self, before: Mapping[Expr, Expr]) -> None:
        """`before` has what each of them was."""
        self._before = before
        self.predicates = list(dict.fromkeys((*before, *before.values())))

    def onto(self, graph: Graph, inputs: Sequence[Signed]) -> list[Signed]:
        """The root in a graph in which the predicates are `inputs`."""
        given = dict(zip(self.predicates, inputs, strict=True))
        parts: list[Signed] = []
        for one, other in self._before.items():
            now, was = given[one], given[other]
            parts.append(graph.all_of((now, negated(was))))
            parts.append(graph.all_of((was, negated(now))))
        return [graph.any_of(parts)]


class Both:
    """A plan of consumers as they were before, and behind them as they are; see `asking.Asked`.

    The last of the lists says who is there as before; of those the predicates are `before`.
    """

    def __init__(self, plan: Plan, before: Mapping[Expr, Expr]) -> None:
        self._plan, self._before = plan, before
        self.predicates = list(dict.fromkeys((*plan.predicates, *before.values())))

    def onto(self, graph: Graph, inputs: Sequence[Signed]) -> list[Signed]:
        """The roots of the plan."""
        given = dict(zip(self.predicates, inputs, strict=False))
        *lists, was = inputs[len(self.predicates) :]

        def either(one: Expr) -> Signed:
            if one not in self._before:
                return given[one]
            sides = (was, given[self._before[one]]), (negated(was), given[one])
            return graph.any_of([graph.all_of(side) for side in sides])

        return self._plan.onto(graph, [*map(either, self._plan.predicates), *lists])


@dataclass(frozen=True)
class Flips:
    """Whose bits are others than before, a row each, as a layout has them."""

    layout: Layout
    entered: Rows
    left: Rows

    @cached_property
    def _tiles(self) -> list[tuple[int, Any, slice, list[int], list[int]]]:
        """Of each tile: its number, places and words, and by row how many entered and left."""
        return [
            (n, self.layout.slots[slots] % TILE, words, *self._counts(words))
            for n, slots, words in self.layout.tiles()
        ]

    def _counts(self, words: slice) -> tuple[list[int], list[int]]:
        entered, left = (
            np.bitwise_count(rows[:, words]).sum(axis=1, dtype=np.int64).tolist()
            for rows in (self.entered, self.left)
        )
        return entered, left

    def over(self, row: int, before: Bitmap) -> Bitmap:
        """The members after that, without reading those before."""
        tiles = dict(before.tiles)
        for number, places, words, entered, left in self._tiles:
            if entered[row] or left[row]:
                held = tiles.get(number)
                count = (held.count if held else 0) + entered[row] - left[row]
                flips = self.entered[row, words] | self.left[row, words]
                tiles[number] = PatchedTile(count, held, places, flips)
        return Bitmap(tiles)

    def moves(self) -> list[tuple[int, int]]:
        """How many entered and left, by row."""
        return list(zip(*self._counts(slice(None)), strict=True))

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
