"""What has changed in the source of a snapshot: those consumers alone are read, or looked for."""

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from segment_engine.backends.duckdb_engine import query
from segment_engine.backends.json_sql import literal
from segment_engine.backends.sources import Source
from segment_engine.backends.sources.tables import BESIDE, lazy, reading
from segment_engine.backends.sql import identifier
from segment_engine.batch.bitmaps import TILE
from segment_engine.batch.consumers import as_ids, check_ids
from segment_engine.batch.frames import Values
from segment_engine.batch.snapshot.keys import key_of
from segment_engine.batch.snapshot.overlay import ID, Overlay, no_overlay
from segment_engine.batch.snapshot.snapshot import Snapshot
from segment_engine.batch.snapshot.some import Slots
from segment_engine.batch.snapshot.store import Seen

Told = Collection[Any] | str | None
"""The ids of those that have changed, a column that grows with each change, or nothing."""

FEW, SHARE, MOST_GONE = 4_096, 8, 2
"""Where more than few consumers changed, and more than one of so many, all are read.

So they are where more than few, and more than one of so many slots, are of those who are gone.
"""


ENDLESS = ("nan", "inf", "infinity")
"""As DuckDB writes them."""


class Update(NamedTuple):
    """Who has changed, by slot, ascending; the values that they had, and whether they were there.

    The values are by key, null for those that were not there. `token` and `ids` are those of the
    snapshot before.
    """

    token: str
    ids: pa.ChunkedArray
    slots: Slots
    before: pl.DataFrame
    there: NDArray[np.bool_]


class _Found(NamedTuple):
    """What was read: the ids of consumers with their values by key, and the slots of the gone."""

    rows: pl.DataFrame
    gone: Any


class Changes:
    """What has changed, as it is told. With nothing told, all are read and compared."""

    def __init__(self, source: Source, id_column: str, kind: pa.DataType, told: Told) -> None:
        """`kind` is that of the ids; ids that are told are an Arrow array of it."""
        self._source, self._id, self._kind, self._told = source, id_column, kind, told
        self.seen: Seen | None = None
        if isinstance(told, str):
            self.seen = Seen(told, str(source.columns[told]), self._greatest(told))

    def update(self, snapshot: Snapshot, values: Values) -> Update | None:
        """Lays over the snapshot what has changed; None where all is to be read.

        Raises SourceError where the source cannot be read, RunError where ids are none.
        """
        fingerprint = self._source.fingerprint()
        if not snapshot.can_update(values):
            return None
        if fingerprint is not None and fingerprint == snapshot.source:
            nobody = np.empty(0, np.uint32)
            was = snapshot.token, snapshot.ids(self._kind)
            return Update(*was, nobody, pl.DataFrame(), np.empty(0, np.bool_))
        found = _Reader(self._source, self._id, self._kind, values, snapshot).found(self._told)
        if found is None or _too_much(found, snapshot):
            return None
        check_ids(pa.chunked_array([as_ids(found.rows[ID], self._kind)]), self._id)
        made = _laid(found, snapshot, self._kind)
        if made is None:
            return None
        if self.seen:
            snapshot.seen = self.seen
        snapshot.lay_over(made[1], fingerprint, values)
        return made[0]

    def _greatest(self, column: str) -> str | None:
        """Asked for before consumers are read: what changes meanwhile is read once more.

        None where nothing is greater than a value that is there: then it tells nothing.
        """
        found = query(self._source, f"select max({identifier(column)})::varchar")
        greatest: str | None = found.column(0)[0].as_py()
        return None if greatest in ENDLESS else greatest


class _Reader:
    """Reads consumers with their values."""

    def __init__(
        self, source: Source, id_column: str, kind: pa.DataType, values: Values, snapshot: Snapshot
    ) -> None:
        self._source, self._id, self._kind = source, id_column, kind
        self._values, self._snapshot = values, snapshot
        self._columns = [id_column, *(name for name in values.columns if name != id_column)]
        self._live = snapshot.live()
        self._seen = np.zeros(len(self._live), np.bool_)

    def found(self, told: Told) -> _Found | None:
        """What has changed; None where that is too much, or cannot be known."""
        if told is None:
            return self._compared()
        if not isinstance(told, str):
            return self._of_ids(pa.array(told, self._kind))
        seen, kind = self._snapshot.seen, str(self._source.columns[told])
        known = seen is not None and (seen.column, seen.kind) == (told, kind)
        return self._since(told, seen.greatest) if seen and known else None

    def _keyed(self, frame: pl.DataFrame) -> pl.DataFrame:
        made = self._values.added(frame)
        keyed = {key_of(value): made[n] for n, value in self._values.expressions.items()}
        return pl.DataFrame({ID: frame[self._id], **keyed})

    def _those(self, condition: str, ids: Any = None) -> pl.DataFrame:
        """Not more than show that they are too many."""
        beside = None if ids is None else pa.table({"id": ids})
        names = ", ".join(map(identifier, self._columns))
        with reading(self._source.describe), self._source.duckdb() as (connection, table):
            if beside is not None:
                connection.register(BESIDE, beside)
            most = most_changes(self._snapshot) + 1
            # New ones get their slots in the order in which they come.
            order = "" if ids is None else f"order by {identifier(self._id)}"
            wanted = f"select {names} from {table} where {condition} {order} limit {most}"
            found = connection.sql(wanted).to_arrow_table()
        return self._keyed(lazy(pl.DataFrame(found)).collect())

    def _of_ids(self, ids: Any) -> _Found:
        rows = self._those(f"{identifier(self._id)} in (select id from {BESIDE})", ids)
        slots = self._snapshot.slots_of(pl.Series(ids).unique())
        there = self._snapshot.slots_of(rows[ID])
        gone = np.setdiff1d(slots[slots >= 0], there)
        return _Found(rows, gone[self._live[gone]])

    def _since(self, column: str, greatest: str | None) -> _Found | None:
        """Those of a greater value or the same, or of none, and whoever is new or gone."""
        name = identifier(column)
        since = "true" if greatest is None else f"{name} >= {literal(greatest)} or {name} is null"
        rows = self._those(since)
        if len(rows) > most_changes(self._snapshot):
            return None
        fresh = [rows[ID].clear()]
        for frame in self._ids():
            slots = self._snapshot.slots_of(frame)
            fresh.append(frame.filter(pl.Series(~self._mark(slots))))
        new = pl.concat(fresh)
        new = new.filter(~new.is_in(rows[ID].implode()))
        if len(new):
            wanted = f"{identifier(self._id)} in (select id from {BESIDE})"
            rows = pl.concat([rows, self._those(wanted, as_ids(new, self._kind))])
        return _Found(rows, self._gone())

    def _ids(self) -> list[pl.Series]:
        frames = self._source.frames([self._id], TILE)
        found = [frame.to_series() for frame in frames]
        check_ids(
            pa.chunked_array([as_ids(one, self._kind) for one in found], self._kind), self._id
        )
        return found

    def _compared(self) -> _Found | None:
        ids: list[Any] = []
        parts: list[pl.DataFrame] = []
        for number, frame in enumerate(self._source.frames(self._columns, TILE)):
            ids.append(as_ids(frame[self._id], self._kind))
            if self._snapshot.same(number, frame):
                self._seen[number * TILE : number * TILE + len(frame)] = True
                continue
            slots, fresh = self._snapshot.slots_of(frame[self._id]), self._keyed(frame)
            known = self._mark(slots)
            changed = ~known
            changed[known] = self._differ(slots[known], fresh.filter(pl.Series(known)))
            parts.append(fresh.filter(pl.Series(changed)))
            if sum(map(len, parts)) > most_changes(self._snapshot):
                return None
        check_ids(pa.chunked_array(ids, self._kind), self._id)
        if not parts:
            parts.append(self._those("false"))
        return _Found(pl.concat(parts), self._gone())

    def _differ(self, slots: Any, fresh: pl.DataFrame) -> Any:
        keys = [name for name in fresh.columns if name != ID]
        before = self._snapshot.at(slots, keys)
        found = np.zeros(len(slots), np.bool_)
        for key in keys:
            found |= _differing(before[key], fresh[key]).to_numpy()
        return found

    def _mark(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Says that they are seen; whether each was there."""
        known = slots >= 0
        self._seen[slots[known]] = True
        known[known] = self._live[slots[known]]
        return known

    def _gone(self) -> Any:
        return np.flatnonzero(self._live & ~self._seen)


def most_changes(snapshot: Snapshot) -> int:
    """Where more have changed, it is as fast to ask all."""
    return max(FEW, snapshot.size // SHARE)


def _too_much(found: _Found, snapshot: Snapshot) -> bool:
    """Whether all are to be read: slots of those who are gone are given up by that alone."""
    gone = len(found.gone) + int(np.count_nonzero(~snapshot.live()))
    changed = len(found.rows) + len(found.gone)
    return changed > most_changes(snapshot) or gone > max(FEW, snapshot.size // MOST_GONE)


def _differing(before: pl.Series, after: pl.Series) -> pl.Series:
    if before.dtype != after.dtype:
        return pl.Series([True]).new_from_index(0, len(after))
    if before.dtype.is_nested():
        return before.hash() != after.hash()
    return before.ne_missing(after)


def _laid(found: _Found, snapshot: Snapshot, kind: pa.DataType) -> tuple[Update, Overlay] | None:
    """The update, and the overlay with it; None where values are of another type than before."""
    rows, keys = found.rows, [name for name in found.rows.columns if name != ID]
    of_rows = snapshot.slots_of(rows[ID])
    new = of_rows < 0
    of_rows[new] = snapshot.size + np.arange(int(new.sum()))
    slots = np.concatenate([of_rows, found.gone])
    there = slots < snapshot.size
    there[there] = snapshot.live()[slots[there]]
    known = snapshot.at(slots[there], keys)
    if keys and known.schema != rows.select(keys).schema:
        return None
    known_ids = snapshot.known_ids().cast(rows[ID].dtype)
    ids = pl.concat([rows[ID], known_ids.gather(found.gone)])
    gone = np.arange(len(slots)) >= len(rows)
    every = pl.Series(np.arange(len(slots))).set(pl.Series(gone), None)
    values = rows.select(keys).select(pl.all().gather(every)) if keys else pl.DataFrame()
    before = snapshot.overlay or no_overlay(ids.dtype, values.schema)
    overlay = before.changed(slots, ids, gone, values)
    order = np.argsort(slots)
    places = np.cumsum(there) - 1
    index = pl.Series(places[order]).set(pl.Series(~there[order]), None)
    held = known.select(pl.all().gather(index)) if keys else pl.DataFrame()
    was = snapshot.token, snapshot.ids(kind)
    return Update(*was, slots[order].astype(np.uint32), held, there[order]), overlay
