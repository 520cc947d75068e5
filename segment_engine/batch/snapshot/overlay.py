"""Consumers that were changed since the tiles of a snapshot were made: they count instead."""

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from segment_engine.batch.bitmaps import TILE
from segment_engine.batch.consumers import as_ids
from segment_engine.batch.snapshot.some import Slots

SLOT, ID, GONE = "slot", "id", "gone"


class Overlay:
    """Rows by slot, ascending: an id, whether it is gone, and the values by their keys; immutable.

    The values of one that is gone are null.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        """As `frame` gives it: columns `slot` (UInt32), `id`, `gone`, and one for each value."""
        self.frame = frame
        self.slots: Slots = frame[SLOT].to_numpy()
        self.gone: NDArray[np.bool_] = frame[GONE].to_numpy()
        self.values = frame.drop(SLOT, ID, GONE)

    def changed(self, slots: Any, ids: pl.Series, gone: Any, values: pl.DataFrame) -> "Overlay":
        """With other rows, in any order, instead of those at their slots."""
        first = {SLOT: pl.Series(slots, dtype=pl.UInt32), ID: ids, GONE: pl.Series(gone)}
        fresh = pl.DataFrame(first).with_columns(*values)
        kept = self.frame.filter(pl.Series(~np.isin(self.slots, slots)))
        whole = pl.concat([kept.select(fresh.columns), fresh]) if len(kept) else fresh
        return Overlay(whole.sort(SLOT))

    def rows_of(self, slots: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """For each slot the row that it has here, if it has one."""
        rows = np.searchsorted(self.slots, slots)
        rows = np.minimum(rows, max(len(self.slots) - 1, 0))
        held = self.slots[rows] == slots if len(self.slots) else np.zeros(len(slots), np.bool_)
        return rows, held

    def over(self, tiles: list[Any], kind: pa.DataType) -> list[Any]:
        """Ids by tile, with those behind them; null for those that are gone."""
        known = self.behind(tiles, kind)
        live = np.ones(sum(map(len, known)), np.bool_)
        live[self.slots[self.gone]] = False
        found: list[Any] = []
        for number, ids in enumerate(known):
            there = live[number * TILE : (number + 1) * TILE]
            found.append(ids if there.all() else pc.if_else(pa.array(there), ids, None))
        return found

    def behind(self, tiles: list[Any], kind: pa.DataType) -> list[Any]:
        """Ids by tile, with those behind them, also of those that are gone."""
        first = sum(map(len, tiles))
        new = as_ids(self.frame[ID].filter(pl.Series(self.slots >= first)), kind)
        full = len(tiles) - bool(first % TILE)
        rest = pa.concat_arrays([*tiles[full:], new])
        return [*tiles[:full], *(rest.slice(at, TILE) for at in range(0, len(rest), TILE))]


def no_overlay(ids: pl.DataType, values: pl.Schema) -> Overlay:
    """Nothing has changed."""
    first = {SLOT: pl.UInt32(), ID: ids, GONE: pl.Boolean()}
    return Overlay(pl.DataFrame(schema={**first, **values}))
