"""One value of all consumers of a tile, encoded: sorted distinct values, and bits that tell them.

The *code* of a consumer is the place of its value among the distinct ones, from 1; 0 is missing.
Few distinct values are *steps*, a row of bits each: the consumers with that value or a smaller one.
More are *slices*, a row for each bit of the code, the lowest first. Texts of too many values, and
lists, are left as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from segment_engine.batch.bitmaps import packed

Rows = NDArray[np.uint64]
Kind = Literal["steps", "slices", "plain"]

FEW = 64
MOST_TEXTS = 4_096


@dataclass(frozen=True)
class Encoded:
    """One value of `size` consumers.

    `bits` has a row for each step or slice, of a word for 64 consumers; none where it is plain.
    `load` gives the sorted distinct values, and of a plain one all of them, a consumer each.
    """

    kind: Kind
    size: int
    bits: Rows
    load: Callable[[], pl.Series]

    @cached_property
    def distinct(self) -> pl.Series:
        """What `load` gives."""
        return self.load()

    def codes(self) -> NDArray[np.uint32]:
        """The code of each consumer."""
        return self._codes(self.size, lambda row: _truths(row, self.size))

    def values(self) -> pl.Series:
        """The value of each consumer."""
        return self.distinct if self.kind == "plain" else self._decoded(self.codes())

    def at(self, places: NDArray[np.uint32]) -> pl.Series:
        """The values of some consumers."""
        if self.kind == "plain":
            return self.distinct.gather(places)
        word, bit = places >> np.uint32(6), (places & np.uint32(63)).astype(np.uint64)
        one = np.uint64(1)
        codes = self._codes(len(places), lambda row: (row[word] >> bit & one).view(np.int64) != 0)
        return self._decoded(codes)

    def _codes(self, size: int, truths: Callable[[Any], NDArray[np.bool_]]) -> NDArray[np.uint32]:
        found = np.zeros(size, np.uint32)
        for place, row in enumerate(self.bits):
            if self.kind == "slices":
                found |= truths(row).astype(np.uint32) << np.uint32(place)
            else:
                found += truths(row)
        if self.kind == "steps":
            # A value in the first step is in all of them.
            found = np.where(found, np.uint32(len(self.bits) + 1) - found, np.uint32(0))
        return found

    def _decoded(self, codes: NDArray[np.uint32]) -> pl.Series:
        places = pl.Series(codes).cast(pl.Int64) - 1
        return self.distinct.gather(places.set(places < 0, None))


def encoded(values: pl.Series) -> Encoded:
    """The values of a tile, one a consumer."""
    size, kind = len(values), values.dtype
    if isinstance(kind, pl.List | pl.Struct | pl.Array | pl.Null):
        return _plain(values)
    distinct = values.drop_nulls().unique().sort()
    if kind == pl.String and len(distinct) > MOST_TEXTS:
        return _plain(values)
    ranked = values.cast(pl.UInt8) if kind == pl.Boolean else values
    codes = ranked.rank("dense").fill_null(0).cast(pl.UInt32).to_numpy()
    if len(distinct) <= FEW:
        return Encoded("steps", size, _steps(codes, len(distinct)), lambda: distinct)
    return Encoded("slices", size, _slices(codes, len(distinct)), lambda: distinct)


def _plain(values: pl.Series) -> Encoded:
    none = np.empty((0, -(-len(values) // 64)), np.uint64)
    return Encoded("plain", len(values), none, lambda: values)


def _steps(codes: NDArray[np.uint32], distinct: int) -> Rows:
    rows = np.empty((distinct, -(-len(codes) // 64)), np.uint64)
    before = codes - np.uint32(1)  # a missing one becomes the greatest
    for place in range(distinct):
        rows[place] = packed(before <= place)
    return rows


def _slices(codes: NDArray[np.uint32], distinct: int) -> Rows:
    rows = np.empty((distinct.bit_length(), -(-len(codes) // 64)), np.uint64)
    for place in range(len(rows)):
        rows[place] = packed((codes & np.uint32(1 << place)) != 0)
    return rows


def _truths(row: Any, size: int) -> NDArray[np.bool_]:
    return np.unpackbits(row.view(np.uint8), count=size, bitorder="little").view(np.bool_)
