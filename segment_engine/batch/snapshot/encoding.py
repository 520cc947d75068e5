"""One value of all consumers of a tile, encoded: sorted distinct values, and bits that tell them.

The *code* of a consumer is the place of its value among the distinct ones, from 1; 0 is missing.
Few distinct values are *steps*, a row of bits each: the consumers with that value or a smaller one.
More are *slices*, a row for each bit of the code, the lowest first. Of lists each distinct element
is a row of bits, the consumers whose list has it. Texts of too many values, lists of too many
elements, and lists of lists are left as they are.
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
Kind = Literal["steps", "slices", "elements", "plain"]

FEW = 64
MOST_TEXTS = 4_096
MOST_ELEMENTS = 256
SAMPLE = 1 << 16
"""So many values tell whether they are mostly different."""
_OF_64_BITS = 18
"""Digits."""
_WIDE = (pl.Int128, pl.UInt128)
"""Arrow has no such numbers."""
_NEVER_CODED = (pl.List, pl.Struct, pl.Array, pl.Null)


@dataclass(frozen=True)
class Encoded:
    """One value of `size` consumers.

    `bits` has a row for each step or slice, of a word for 64 consumers; none where it is plain. Of
    elements: who has a list, whose has any, whose has the first element, the second, and so on.
    `load` gives the sorted distinct values, and of a plain one all of them, a consumer each; so of
    elements, and behind those one list more, of the distinct ones.
    """

    kind: Kind
    size: int
    bits: Rows
    load: Callable[[], pl.Series]

    @cached_property
    def loaded(self) -> pl.Series:
        """What `load` gives."""
        return self.load()

    @property
    def distinct(self) -> pl.Series:
        """The sorted distinct values or elements; of a plain one all of them, a consumer each."""
        found: pl.Series = self.loaded[self.size] if self.kind == "elements" else self.loaded
        return found

    @property
    def is_coded(self) -> bool:
        """Whether values are told by codes."""
        return self.kind in ("steps", "slices")

    def codes(self) -> NDArray[np.uint32]:
        """The code of each consumer."""
        return self._codes(self.size, lambda row: _truths(row, self.size))

    def values(self) -> pl.Series:
        """The value of each consumer."""
        return self._decoded(self.codes()) if self.is_coded else self.loaded.head(self.size)

    def at(self, places: NDArray[np.uint32]) -> pl.Series:
        """The values of some consumers."""
        if not self.is_coded:
            return self.loaded.gather(places)
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
    if isinstance(kind, pl.List):
        return _listed(values, kind.inner)
    if isinstance(kind, _NEVER_CODED):
        return _plain(values)
    seen = values.head(SAMPLE).n_unique()
    if kind == pl.String and seen > MOST_TEXTS + 1:  # missing is one of them
        return _plain(values)
    if 4 * seen < SAMPLE and kind not in _WIDE:
        distinct, codes = _by_dictionary(values)
    else:
        distinct, codes = values.drop_nulls().unique().sort(), _ranks(values)
    if kind == pl.String and len(distinct) > MOST_TEXTS:
        return _plain(values)
    if len(distinct) <= FEW:
        return Encoded("steps", size, _steps(codes, len(distinct)), lambda: distinct)
    return Encoded("slices", size, _slices(codes, len(distinct)), lambda: distinct)


def _listed(lists: pl.Series, kind: Any) -> Encoded:
    """Lists of few distinct elements as the consumers of each element."""
    size, made = len(lists), lists.rechunk()
    array: Any = None if isinstance(kind, (*_NEVER_CODED, *_WIDE)) else made.to_arrow()
    flat = pl.Series([] if array is None else array.flatten(), dtype=kind)
    few = array is not None and flat.head(SAMPLE).n_unique() <= MOST_ELEMENTS
    distinct, codes = _by_dictionary(flat) if few else (flat, np.empty(0, np.uint32))
    if flat.null_count():
        codes = np.where(codes, codes, np.uint32(len(distinct) + 1))
        distinct = distinct.extend_constant(None, 1)
    if not few or len(distinct) > MOST_ELEMENTS:
        return _plain(lists)
    lengths = lists.list.len().fill_null(0).to_numpy()
    owners = np.repeat(np.arange(size, dtype=np.uint32), lengths)
    rows = np.empty((2 + len(distinct), -(-size // 64)), np.uint64)
    rows[0], rows[1] = packed(lists.is_not_null().to_numpy()), packed(lengths > 0)
    order = np.argsort(codes.astype(np.uint16), kind="stable")  # by radix
    ends = np.cumsum(np.bincount(codes, minlength=len(distinct) + 1))
    for place, some in enumerate(np.split(owners[order], ends[:-1])[1:]):
        truths = np.zeros(size, np.bool_)
        truths[some] = True
        rows[2 + place] = packed(truths)
    return Encoded("elements", size, rows, lambda: pl.concat([made, distinct.implode()]))


def _by_dictionary(values: pl.Series) -> tuple[pl.Series, NDArray[np.uint32]]:
    """The distinct values and the codes, where the same values are there many times."""
    made: Any = values.rechunk().to_arrow().dictionary_encode()
    dictionary = pl.Series(made.dictionary).cast(values.dtype)
    codes = np.append(_ranks(dictionary), np.uint32(0))  # the last one is of missing ones
    return dictionary.unique().sort(), codes[made.indices.fill_null(-1).to_numpy()]


def _ranks(values: pl.Series) -> NDArray[np.uint32]:
    kind, ranked = values.dtype, values
    if isinstance(kind, pl.Decimal) and kind.precision <= _OF_64_BITS:
        ranked = values.to_physical().cast(pl.Int64)  # in half of the time
    elif kind == pl.Boolean:
        ranked = values.cast(pl.UInt8)
    return ranked.rank("dense").fill_null(0).cast(pl.UInt32).to_numpy()


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
