"""A snapshot of consumers: held against its source, brought up to date, and asked.

A tile is read again only where the source may have changed, or a value is asked about that the
snapshot lacks; of what was read only the columns that did change are encoded anew.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from io import BytesIO

import polars as pl
import pyarrow as pa

from segment_engine.backends.reading import Reading
from segment_engine.backends.sources import Source
from segment_engine.batch import machine
from segment_engine.batch.bitmaps import TILE, Words
from segment_engine.batch.consumers import as_ids, check_ids
from segment_engine.batch.frames import Values
from segment_engine.batch.snapshot.encoding import Encoded, encoded
from segment_engine.batch.snapshot.store import PredicateRow, Segment, State, Store
from segment_engine.expression.nodes import Expr, walk

MOST_UNUSED = 20
"""A value that so many changes of the snapshot had no use for is not kept any longer."""


class SnapshotTile:
    """One tile of a snapshot; see `asking.EncodedTile`."""

    def __init__(self, store: Store, segment: Segment) -> None:
        self._store, self._segment = store, segment
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
    """The consumers of a source as a folder keeps them."""

    def __init__(self, store: Store, state: State, source: Source, id_column: str) -> None:
        self._store, self._state = store, state
        self._source, self._id = source, id_column

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
        if unchanged and all(self._holds(segment, values) for segment in state.segments):
            return
        state.columns |= physical
        state.id_column, state.source = self._id, told
        if not unchanged:
            # Columns that are not read now may have changed, too.
            state.columns = physical
        state.segments = list(self._segments(columns, values, unchanged, ids_kind))
        check_ids(self.ids(ids_kind), self._id)
        self._store.publish(state)

    def tiles(self) -> Iterator[SnapshotTile]:
        """The tiles, in order."""
        for segment in self._state.segments:
            yield SnapshotTile(self._store, segment)

    def ids(self, kind: pa.DataType) -> pa.ChunkedArray:
        """The ids, in the order of the tiles."""
        found = [self._store.ids(segment.ids) for segment in self._state.segments]
        return pa.chunked_array([one.cast(kind) for one in found], kind)

    def settle(self) -> None:
        """Publishes what tiles have kept."""
        self._store.publish(self._state)

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


def key_of(expr: Expr) -> str:
    """What tells a value or a predicate from others."""
    return blake2b(repr(expr).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def made_of(expr: Expr, segment: Segment) -> dict[str, str]:
    """The digests of the columns that are read, as they are in the segment."""
    columns = dict.fromkeys(one.column for one in walk(expr) if isinstance(one, Reading))
    return {name: segment.digests[name] for name in columns}


def digest(values: pl.Series) -> str:
    """A digest of a column: another one where a value is another, or at another place."""
    made = blake2b(str(values.dtype).encode(), digest_size=16)
    if values.dtype.is_nested():
        file = BytesIO()
        pl.DataFrame({"": values}).write_ipc(file, compression="uncompressed")
        made.update(file.getbuffer())
    else:
        made.update(values.hash().to_numpy().data)
    return made.hexdigest()
