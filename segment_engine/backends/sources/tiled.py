"""Consumers that lie by ordinal in a store, read a tile at a time as columns of plain values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import polars as pl
import pyarrow as pa

from segment_engine.backends.physical import Json, Physical
from segment_engine.backends.sources.storage import arrow_stored
from segment_engine.backends.sources.tables import Queries, Source, database, reading

ORDINAL = "ordinal"
"""The column of the ids: whole numbers from 0 on."""

_INSTANT = pa.timestamp("us", "UTC")
_TYPES: dict[str, Any] = {
    ORDINAL: pa.int64(),
    "email": pa.string(),
    "phone": pa.string(),
    "fullName": pa.string(),
    "externalId": pa.string(),
    "totalOrders": pa.int64(),
    "totalOrderValue": pa.decimal128(38, 6),
    "lastOrderAt": _INSTANT,
    "createdAt": _INSTANT,
    "metadata": pa.string(),
}
_COLUMNS: dict[str, Physical] = {
    name: Json() if name == "metadata" else arrow_stored(kind)[1] for name, kind in _TYPES.items()
}
COLUMNS = tuple(_TYPES)
"""The ordinal, and what a consumer has."""

Columns = Mapping[str, Sequence[Any]]
"""Values by column, None where there is none: texts; whole numbers; decimals as text; instants as
microseconds since 1970 or aware datetimes; metadata as JSON text."""

ReadAll = Callable[[list[str], int], Iterator[Sequence[Sequence[str]]]]
"""Some columns of all consumers, by ordinal from 0 on, so many rows at a time; those in parts, each
of which has an array in JSON for each column."""


class TiledSource(Source):
    """All consumers as a store has them; their ids are their ordinals.

    Where it is known who has changed, `duckdb` has them alone: that is what a snapshot asks it for.
    """

    def __init__(self, read_all: ReadAll, changed: Columns | None, fingerprint: str) -> None:
        """`changed` has all columns of those who have changed, None where that is not known."""
        super().__init__("the store", _COLUMNS, None)
        self._read_all, self._fingerprint = read_all, fingerprint
        self._changed = None if changed is None else _table(changed, COLUMNS)

    @contextmanager
    def duckdb(self) -> Iterator[tuple[Queries, str]]:
        """See Source, and the class."""
        held = self._reader() if self._changed is None else self._changed
        with reading(self.describe), database().cursor() as connection:
            connection.register("consumers", held)
            yield connection, "consumers"

    def _reader(self) -> pa.RecordBatchReader:
        tables = self._tables(COLUMNS, _BATCH)
        batches = chain.from_iterable(table.to_batches() for table in tables)
        return pa.RecordBatchReader.from_batches(pa.schema(list(_TYPES.items())), batches)

    def _tables(self, columns: Sequence[str], size: int) -> Iterator[Any]:
        names = list(columns)
        for parts in self._read_all(names, size):
            yield pa.concat_tables([_read(part, names) for part in parts])

    def polars(self) -> pl.LazyFrame:
        """See Source."""
        return pl.concat([frame({}), *self.frames(COLUMNS, _BATCH)]).lazy()

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """See Source."""
        for table in self._tables(columns or [ORDINAL], _BATCH):
            yield from table.to_batches()

    def frames(self, columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
        """See Source."""
        for table in self._tables(columns, size):
            yield pl.DataFrame(table)

    def fingerprint(self) -> str:
        """See Source."""
        return self._fingerprint


_BATCH = 65_536


def frame(columns: Columns) -> pl.DataFrame:
    """All columns of some consumers; of nobody where none is given."""
    return pl.DataFrame(_table(columns or dict.fromkeys(COLUMNS, ()), COLUMNS))


def _table(columns: Columns, names: Sequence[str]) -> Any:
    return pa.table([_array(columns[name], _TYPES[name]) for name in names], names=list(names))


def _read(arrays: Sequence[str], names: list[str]) -> Any:
    found = [_of_json(text, _TYPES[name]) for text, name in zip(arrays, names, strict=True)]
    return pa.table(found, names=names)


def _of_json(text: str, kind: Any) -> Any:
    whole = pa.types.is_integer(kind) or pa.types.is_timestamp(kind)
    held = pl.Series([text]).str.json_decode(pl.List(pl.Int64 if whole else pl.String))[0]
    return held.to_arrow().cast(pa.string() if pa.types.is_decimal(kind) else kind).cast(kind)


def _array(values: Sequence[Any], kind: Any) -> Any:
    if pa.types.is_decimal(kind):
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)
