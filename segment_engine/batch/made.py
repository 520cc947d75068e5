"""What a pass over all consumers gives: the members of audiences, and counts of conditions."""

from collections.abc import Mapping, Sequence
from operator import add
from types import MappingProxyType
from typing import Any

import polars as pl
import pyarrow.compute as pc

from segment_engine.batch import machine
from segment_engine.batch.bitmaps import Bitmap, Tile, Words
from segment_engine.batch.frames import words_of
from segment_engine.batch.memberships import Predicate
from segment_engine.batch.plan import Plan
from segment_engine.batch.snapshot.encoding import Rows


class Made:
    """What all consumers were asked for: the members of audiences, and counts of conditions."""

    def __init__(self, plan: Plan, only: Sequence[int], found: Sequence[Rows]) -> None:
        """`found` has a row for each of the roots `only`, tile by tile."""
        self._plan = plan
        names = [*plan.roots, *plan.counted]
        tiles: list[dict[int, Tile]] = [{} for _ in only]
        counts = [0] * len(only)
        for number, rows in enumerate(found):
            numbers = machine.counts(rows)
            for held, row, count in zip(tiles, rows, numbers, strict=True):
                held[number] = Tile(count, row)
            counts = list(map(add, counts, numbers))
        first = len(plan.roots)
        by_place = list(zip(only, tiles, counts, strict=True))
        self.audiences = {names[at]: Bitmap(held) for at, held, _ in by_place if at < first}
        self._counts = {names[at]: count for at, _, count in by_place if at >= first}

    def predicates(self, known: Mapping[str, int] = MappingProxyType({})) -> list[Predicate]:
        """The conditions, with counts that were known before."""
        counts = {**known, **self._counts}
        return [
            Predicate(text, counts[text], tuple(one.audiences))
            for text, one in self._plan.counted.items()
        ]


def in_lists(ids: Any, lists: Mapping[str, Any]) -> list[Words]:
    """The bits of the lists, which are arrays of ids."""
    return [words_of(pl.Series(pc.is_in(ids, one)), len(ids)) for one in lists.values()]
