"""Some consumers of a snapshot as a tile of their own, and their bits put among those of all."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from segment_engine.batch.bitmaps import TILE, Words, packed
from segment_engine.batch.snapshot.encoding import Encoded, encoded
from segment_engine.batch.snapshot.keys import key_of
from segment_engine.expression.nodes import Expr

Slots = NDArray[np.uint32]
"""Places in a snapshot, ascending; the first of tile `n` is `n * TILE`."""


class Layout:
    """Some consumers as bits, by slot; the first of each tile begins a word."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.places, self._spans = _laid_out(slots)

    def packed(self, truths: NDArray[np.bool_]) -> Words:
        """Truths by slot as words."""
        return packed((self.places >= 0) & _at(truths, self.places))

    def truths(self, row: Words) -> NDArray[np.bool_]:
        """Words as truths by slot."""
        bits = np.unpackbits(row.view(np.uint8), bitorder="little").view(np.bool_)
        found: NDArray[np.bool_] = bits[: len(self.places)][self.places >= 0]
        return found

    def tiles(self) -> Iterator[tuple[int, slice, slice]]:
        """Of each tile that has some: its number, where its slots are, and its words."""
        for number, low, high, word in self._spans:
            yield number, slice(low, high), slice(word, word + -(-(high - low) // 64))


class Some:
    """Some consumers of a snapshot as a tile; see `asking.EncodedTile`.

    Nothing is kept of predicates: it takes longer than to ask again.
    """

    def __init__(self, layout: Layout, values: pl.DataFrame, there: NDArray[np.bool_]) -> None:
        """`values` by key, a row a slot; of those that are not `there` they are null."""
        index = pl.Series(layout.places)
        index = index.set(index < 0, None)
        self._values = values.select(pl.all().gather(index)) if values.width else values
        self.everybody = layout.packed(there)

    def encoded(self, value: Expr) -> Encoded:
        """A value of all of them."""
        return encoded(self._values[key_of(value)])

    def kept(self, predicate: Expr) -> Words | None:
        """None: see the class."""
        return None

    def keep(self, predicate: Expr, words: Words) -> None:
        """Does not; see the class."""


def _laid_out(slots: Slots) -> tuple[NDArray[np.int64], list[tuple[int, int, int, int]]]:
    """Which slot each bit is of, -1 for none, and by tile: first, end, and its first word."""
    numbers, starts = np.unique(slots // TILE, return_index=True)
    ends = [*starts[1:].tolist(), len(slots)][: len(starts)]
    places: list[Any] = [np.empty(0, np.int64)]
    spans: list[tuple[int, int, int, int]] = []
    word = 0
    for number, low, high in zip(numbers.tolist(), starts.tolist(), ends, strict=True):
        spans.append((number, low, high, word))
        words = -(-(high - low) // 64)
        places.append(np.arange(low, low + 64 * words))
        places[-1][high - low :] = -1
        word += words
    return np.concatenate(places), spans


def _at(given: NDArray[np.bool_], places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Those of the places; what a place of -1 gives does not matter."""
    return given[places] if len(given) else np.zeros(len(places), np.bool_)


def put(rows: Any, places: Slots, bits: Any) -> None:
    """Sets, in each row, the bits of those places to the bits that are given for them, in order."""
    if not len(places):
        return
    words, starts = np.unique(places >> np.uint32(6), return_index=True)
    ones = np.uint64(1) << (places & np.uint32(63)).astype(np.uint64)
    others = ~np.bitwise_or.reduceat(ones, starts)
    for row, given in zip(rows, bits, strict=True):
        octets = np.ascontiguousarray(given).view(np.uint8)
        truths = np.unpackbits(octets, count=len(places), bitorder="little")
        fresh = np.bitwise_or.reduceat(ones * truths, starts)
        row[words] = row[words] & others | fresh
