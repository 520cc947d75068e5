"""A snapshot of consumers: held against its source, brought up to date, and asked.

A tile is read again only where the source may have changed, or a value is asked about that the
snapshot lacks; of what was read only the columns that did change are encoded anew.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from segment_engine.backends.sources import Source
from segment_engine.batch import machine
from segment_engine.batch.bitmaps import TILE, Words
from segment_engine.batch.consumers import as_ids, check_ids
from segment_engine.batch.frames import Values
from segment_engine.batch.snapshot.encoding import Encoded, encoded
from segment_engine.batch.snapshot.keys import columns_of, digest, key_of
from segment_engine.batch.snapshot.overlay import GONE, ID, Overlay
from segment_engine.batch.snapshot.store import PredicateRow, Seen, Segment, State, Store, new_token
from segment_engine.expression.nodes import Expr

MOST_UNUSED = 20
"""A value that so many changes of the snapshot had no use for is not kept any longer."""

MOST_TOKENS = 16
"""Tokens that a snapshot keeps of those that it had with the same segments."""

MANY = 16
"""Where values of one in so many consumers are wanted, those of all are decoded."""


class SnapshotTile:
    """One tile of a snapshot; see `asking.EncodedTile`."""

    def __init__(self, store: Store, segment: Segment) -> None:
        self._store, self._segment = store, segment
        self.size = segment.size
        self.everybody = machine.first(segment.size)
        self._used: dict[str, tuple[dict[str, str], Words]] = {}
        self._new = False

    def encoded(self, value: Expr) -> Encoded:
        """A value of all of them."""
        found = self._store.value(self._segment.values[key_of(value)], self._segment.size)
        assert found is not None, "what is damaged was made anew before"
        return found

    def kept(self, predicate: Expr) -> Words | None:
        """The bits of a predicate, if they were kept."""
        key = key_of(predicate)
        if key not in self._used and (words := self._read(key, predicate)) is not None:
            self._used[key] = made_of(predicate, self._segment), words
        return self._used[key][1] if key in self._used else None

    def _read(self, key: str, predicate: Expr) -> Words | None:
        held = self._segment.predicates.get(key)
        if held is None or held.made_of != made_of(predicate, self._segment):
            return None
        return self._store.row(held.file, held.row, self._segment.size)

    def keep(self, predicate: Expr, words: Words) -> None:
        """Keeps them."""
        self._used[key_of(predicate)] = made_of(predicate, self._segment), words
        self._new = True

    def settle(self) -> bool:
        """Writes the predicates that were asked for, if one of them is new; whether it did."""
        if self._new:
            file = self._store.write_bits([words for _, words in self._used.values()])
            self._segment.predicates = {
                key: PredicateRow(digests, file, row)
                for row, (key, (digests, _)) in enumerate(self._used.items())
            }
        return self._new


class Snapshot:
    """The consumers of a source as a folder keeps them, each at a slot of its own."""

    def __init__(self, store: Store, state: State, source: Source, id_column: str) -> None:
        self._store, self._state = store, state
        self._source, self._id = source, id_column
        self.overlay = store.overlay(state)

    def refresh(self, values: Values, ids_kind: pa.DataType) -> None:
        """Brings it up to date for those values.

        Raises SourceError where the source cannot be read, RunError where ids are none.
        """
        told = self._source.fingerprint()
        columns = [self._id, *(name for name in values.columns if name != self._id)]
        physical = {name: str(self._source.columns[name]) for name in columns}
        state = self._state
        known = all(state.columns.get(name, kind) == kind for name, kind in physical.items())
        if not known or state.id_column != self._id:
            state.segments, state.columns, state.source = [], {}, None
        unchanged = told is not None and told == state.source
        if unchanged and self._holds_all(values):
            return
        if state.overlay:
            # What was made of columns is of other rows than the source has now.
            unchanged, state.overlay, self.overlay = False, "", None
        state.columns |= physical
        state.id_column, state.source, state.base = self._id, told, told
        if not unchanged:
            # Columns that are not read now may have changed, too.
            state.columns, state.token = physical, new_token()
            state.tokens = [state.token]
        state.segments = list(self._segments(columns, values, unchanged, ids_kind))
        check_ids(self.ids(ids_kind), self._id)
        self._store.publish(state)

    # ---- the consumers

    @property
    def token(self) -> str:
        """Another one whenever consumers are others."""
        return self._state.token

    @property
    def source(self) -> str | None:
        """The fingerprint of the source when it was read."""
        return self._state.source

    @property
    def seen(self) -> Seen | None:
        """How far the source was read."""
        return self._state.seen

    @seen.setter
    def seen(self, seen: Seen) -> None:
        self._state.seen = seen

    @property
    def made(self) -> int:
        """The slots of the tiles; those behind are in the overlay alone."""
        return sum(segment.size for segment in self._state.segments)

    @property
    def size(self) -> int:
        """How many slots there are."""
        last: list[int] = self.overlay.slots[-1:].tolist() if self.overlay else []
        return max(self.made, 1 + max(last, default=-1))

    @property
    def laid_over(self) -> int:
        """How many consumers of the overlay are there."""
        return int(np.count_nonzero(~self.overlay.gone)) if self.overlay else 0

    def tiles(self) -> list[SnapshotTile]:
        """The tiles, in order, without what the overlay says."""
        return [SnapshotTile(self._store, segment) for segment in self._state.segments]

    def ids(self, kind: pa.DataType) -> pa.ChunkedArray:
        """The ids by slot, in a chunk for each tile; null for one that is gone."""
        found = [self._store.ids(one.ids).cast(kind) for one in self._state.segments]
        return pa.chunked_array(self.overlay.over(found, kind) if self.overlay else found, kind)

    def known_ids(self) -> pl.Series:
        """The id of each slot, also of one that is gone."""
        held = [pl.Series(self._store.ids(one.ids)) for one in self._state.segments]
        if self.overlay:
            held.append(self.overlay.frame[ID].filter(pl.Series(self.overlay.slots >= self.made)))
        return pl.concat(held)

    def live(self) -> NDArray[np.bool_]:
        """Whether each slot has a consumer."""
        live = np.ones(self.size, np.bool_)
        if self.overlay:
            live[self.overlay.slots[self.overlay.gone]] = False
        return live

    def same(self, number: int, frame: pl.DataFrame) -> bool:
        """Whether a tile has these consumers, with the same in all columns."""
        if number >= len(self._state.segments):
            return False
        over = self.overlay is not None and bool(np.any(self.overlay.slots // TILE == number))
        held = self._state.segments[number].digests
        return not over and all(held.get(one.name) == digest(one) for one in frame)

    def slots_of(self, ids: pl.Series) -> NDArray[np.int64]:
        """The slot of each id, also of one that is gone; -1 for one that has none."""
        found = np.full(len(ids), -1)
        first = 0
        for segment in self._state.segments:
            held = pl.Series(self._store.ids(segment.ids))
            if len(held) == len(ids) and held.equals(ids):
                return np.arange(first, first + len(ids))
            _look_up(ids, held, np.arange(first, first + len(held)), found)
            first += len(held)
        if self.overlay:
            _look_up(ids, self.overlay.frame[ID], self.overlay.slots, found)
        return found

    def at(self, slots: NDArray[np.int64], keys: Sequence[str]) -> pl.DataFrame:
        """The values of those at the slots, in their order, by key; null for one that is gone."""
        if not keys:
            return pl.DataFrame()
        rows, held = self.overlay.rows_of(slots) if self.overlay else (slots, slots < 0)
        parts: list[pl.DataFrame] = []
        order: list[Any] = []
        if self.overlay and held.any():
            parts.append(self.overlay.values.select(keys)[rows[held]])
            order.append(np.flatnonzero(held))
        for number, segment in enumerate(self._state.segments):
            mine = np.flatnonzero((slots // TILE == number) & ~held)
            if len(mine) or not (parts or number):
                parts.append(self._of_tile(segment, (slots[mine] % TILE).astype(np.uint32), keys))
                order.append(mine)
        return pl.concat(parts)[np.argsort(np.concatenate(order))]

    def _of_tile(self, segment: Segment, places: Any, keys: Sequence[str]) -> pl.DataFrame:
        found: dict[str, pl.Series] = {}
        for key in keys:
            encoded = self._store.value(segment.values[key], segment.size)
            assert encoded is not None, "what is damaged was made anew before"
            coded = encoded.is_coded and len(places) * MANY > segment.size
            found[key] = encoded.values().gather(places) if coded else encoded.at(places)
        return pl.DataFrame(found)

    def settle(self) -> None:
        """Publishes what tiles have kept."""
        self._store.publish(self._state)

    # ---- keeping

    def can_update(self, values: Values) -> bool:
        """Whether nothing but consumers can have changed since."""
        state = self._state
        columns = {self._id, *values.columns}
        known = all(state.columns.get(n) == str(self._source.columns[n]) for n in columns)
        same = bool(state.segments) and state.id_column == self._id
        return same and known and self._holds_all(values)

    def lay_over(self, overlay: Overlay, told: str | None, values: Values) -> None:
        """Takes the overlay for those that have changed; of other values nothing is known now."""
        state, columns = self._state, {self._id, *values.columns}
        state.columns = {name: kind for name, kind in state.columns.items() if name in columns}
        for segment in state.segments:
            segment.digests = {n: one for n, one in segment.digests.items() if n in columns}
            for held in (segment.values, segment.predicates):
                for key in [k for k, one in held.items() if not one.made_of.keys() <= columns]:
                    del held[key]
        state.overlay, self.overlay = self._store.write_frame(overlay.frame), overlay
        state.token, state.source = new_token(), told
        state.tokens = [*state.tokens, state.token][-MOST_TOKENS:]
        self._store.publish(state)

    def fold_in(self, values: Values, kind: pa.DataType) -> None:
        """Makes the tiles anew, with what the overlay says; those that are gone stay in it."""
        assert self.overlay is not None
        state, keys = self._state, [*map(key_of, values.expressions.values())]
        ids = self.known_ids()
        fresh: list[Segment] = []
        for first in range(0, self.size, TILE):
            slots = np.arange(first, min(first + TILE, self.size))
            made = Segment(len(slots), {n: new_token() for n in (self._id, *values.columns)})
            made.ids = self._store.write_ids(as_ids(ids.slice(first, TILE), kind))
            frame = self.at(slots, keys)
            for value in values.expressions.values():
                files = self._store.write_value(encoded(frame[key_of(value)]), made_of(value, made))
                made.values[key_of(value)] = files
            fresh.append(made)
        gone = self.overlay.frame.filter(GONE)
        state.segments, self.overlay = fresh, Overlay(gone)
        state.base, state.tokens = state.source, [state.token]
        state.overlay = self._store.write_frame(gone)
        self._store.publish(state)

    def _holds_all(self, values: Values) -> bool:
        keys = {*map(key_of, values.expressions.values())}
        if self._state.overlay and (not self.overlay or not keys <= {*self.overlay.values.columns}):
            return False
        return all(self._holds(segment, values) for segment in self._state.segments)

    def _holds(self, segment: Segment, values: Values) -> bool:
        return self._store.whole(segment.ids) and all(
            self._value(segment, value) is not None for value in values.expressions.values()
        )

    def _value(self, segment: Segment, value: Expr) -> Encoded | None:
        held = segment.values.get(key_of(value))
        if held is None or held.made_of != made_of(value, segment):
            return None
        return self._store.value(held, segment.size)

    def _segments(
        self, columns: Sequence[str], values: Values, unchanged: bool, kind: pa.DataType
    ) -> Iterator[Segment]:
        held = iter(self._state.segments)
        for frame in self._source.frames(columns, TILE):
            before = next(held, Segment())
            digests = {name: digest(frame[name]) for name in columns}
            if before.digests.get(self._id) != digests[self._id]:
                before = Segment()
            made = Segment(len(frame), before.digests | digests if unchanged else digests)
            there = self._store.whole(before.ids)
            ids = as_ids(frame[self._id], kind)
            made.ids = before.ids if there else self._store.write_ids(ids)
            self._encode(frame, before, made, values)
            yield made

    def _encode(self, frame: pl.DataFrame, before: Segment, made: Segment, values: Values) -> None:
        """Takes over what was made of the same columns, and makes the rest."""
        made.predicates = before.predicates
        asked = set(map(key_of, values.expressions.values()))
        for key, held in before.values.items():
            held.unused = 0 if key in asked else held.unused + 1
            if held.made_of.items() <= made.digests.items() and held.unused <= MOST_UNUSED:
                made.values[key] = held
        lacking = {
            name: value
            for name, value in values.expressions.items()
            if self._value(made, value) is None
        }
        with_values = values.added(frame) if lacking else frame
        for name, value in lacking.items():
            files = self._store.write_value(encoded(with_values[name]), made_of(value, made))
            made.values[key_of(value)] = files


def _look_up(ids: pl.Series, held: pl.Series, slots: Any, found: NDArray[np.int64]) -> None:
    """Puts the slots of those ids that are held where they are asked for."""
    held = held.cast(ids.dtype)
    if (ids.dtype.is_integer() or ids.dtype == pl.String) and len(held) and held.is_sorted():
        places = np.minimum(held.search_sorted(ids).to_numpy(), len(held) - 1)
        there = (held.gather(places) == ids).fill_null(False).to_numpy()
        found[there] = slots[places[there]]
        return
    known = pl.DataFrame({"id": held, "slot": slots})
    asked = pl.DataFrame({"id": ids, "asked": np.arange(len(ids))})
    both = known.join(asked, on="id", how="inner")
    found[both["asked"].to_numpy()] = both["slot"].to_numpy()


def made_of(expr: Expr, segment: Segment) -> dict[str, str]:
    """The digests of the columns that are read, as they are in the segment."""
    return {name: segment.digests[name] for name in columns_of(expr)}
