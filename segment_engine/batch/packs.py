"""Bitmaps in files: each blob once in some generation's pack, and an index that says where.

A blob is the portable Roaring bytes of one tile, known by its hash (blake2b of 128 bits). The
index has a row for each tile with members of each audience; the rows without an audience are all
consumers of the run.
"""

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from segment_engine.batch.bitmaps import Bitmap, Tile
from segment_engine.batch.files import reported
from segment_engine.errors import OutputError


class Blob(NamedTuple):
    """Where a blob lies: `length` bytes at `offset` of the pack of generation `pack`."""

    pack: int
    offset: int
    length: int


class Row(NamedTuple):
    """A row of the index; `audience` is None for the consumers themselves."""

    audience: str | None
    tile: int
    hash: str
    members: int
    pack: int
    offset: int
    length: int


_INDEX = pa.schema(
    {
        "audience": pa.string(),
        "tile": pa.uint32(),
        "hash": pa.string(),
        "count": pa.uint32(),
        "pack": pa.uint32(),
        "offset": pa.uint64(),
        "length": pa.uint32(),
    }
)


def write_index(path: Path, rows: Iterable[Row]) -> None:
    """The index as Parquet. Raises what pyarrow does."""
    columns = zip(*rows, strict=True) if (rows := list(rows)) else [[] for _ in _INDEX]
    arrays = [pa.array(held, one.type) for held, one in zip(columns, _INDEX, strict=True)]
    table = pa.table(arrays, schema=_INDEX)
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def read_index(path: Path) -> list[Row]:
    """The index. Raises OutputError where it is damaged or not there."""
    with reported(path, "read"):
        table = pq.read_table(path, page_checksum_verification=True)
        if table.schema.names != _INDEX.names:
            raise OutputError(f"{path} is damaged: it is no index of bitmaps")
        columns = [column.to_pylist() for column in table.columns]
    return [Row(*values) for values in zip(*columns, strict=True)]


class Pack:
    """An open bitmaps.bin; it can be read to the end although a later run removes its name."""

    def __init__(self, path: Path) -> None:
        """Never raises: what cannot be opened cannot be read, either."""
        self.path, self._lock = path, Lock()
        self._number, self._fault = -1, ""
        try:
            self._number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as fault:
            self._fault = fault.strerror or str(fault)
        else:
            weakref.finalize(self, os.close, self._number)

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes, fewer where the file ends; OutputError where they cannot be read.

        Read, not mapped: a mapped file that is cut short would end the process.
        """
        if self._number < 0:
            raise OutputError(f"{self.path} cannot be read: {self._fault}")
        with reported(self.path, "read"), self._lock:
            os.lseek(self._number, offset, os.SEEK_SET)
            return os.read(self._number, length)


class StoredTile(Tile):
    """A tile in a pack, read and compared with its hash when it is first needed."""

    __slots__ = ("_pack", "_row")

    def __init__(self, row: Row, pack: Pack) -> None:
        super().__init__(row.members)
        self._row, self._pack = row, pack

    @property
    def hash(self) -> str:
        """The hash of its blob."""
        return self._row.hash

    def twin(self) -> "StoredTile":
        """The same tile, which is read for itself and not kept with this one."""
        return StoredTile(self._row, self._pack)

    @property
    def blob(self) -> Any:
        """The bytes. Raises OutputError where the file no longer holds them."""
        row = self._row
        held = self._pack.read(row.offset, row.length)
        if hash_of(held) != row.hash:
            whose = "the consumers" if row.audience is None else f"audience {row.audience!r}"
            raise OutputError(
                f"{self._pack.path} is damaged or cut short where it holds {whose}; "
                "remove the folder that it is in and materialize anew (not --incremental), or open "
                "an earlier generation"
            )
        return held


def hash_of(blob: bytes) -> str:
    """The hash by which a blob is known."""
    return blake2b(blob, digest_size=16).hexdigest()


def stored(rows: Iterable[Row], pack_of: Callable[[int], Pack]) -> Mapping[str | None, Bitmap]:
    """The bitmap of each audience of an index."""
    packs: dict[int, Pack] = {}
    found: dict[str | None, Bitmap] = {}
    for audience, mine in groupby(rows, lambda row: row.audience):
        tiles: dict[int, Tile] = {}
        for row in mine:
            if row.pack not in packs:
                packs[row.pack] = pack_of(row.pack)
            tiles[row.tile] = StoredTile(row, packs[row.pack])
        found[audience] = Bitmap(tiles)
    return found


class PackWriter:
    """Writes a generation's pack: only blobs that no earlier pack holds, each once."""

    def __init__(self, number: int, file: BinaryIO, known: Mapping[str, Blob]) -> None:
        """`known` are blobs by hash in packs that stay."""
        self._number, self._file = number, file
        self._known, self._end = dict(known), 0

    def rows(self, audience: str | None, bitmap: Bitmap) -> Iterator[Row]:
        """The rows of an audience, its blobs written. Raises OSError."""
        for number, tile in bitmap.tiles.items():
            blob = tile.blob
            found = hash_of(blob)
            yield Row(audience, number, found, tile.count, *self._place(found, blob))

    def _place(self, found: str, blob: bytes) -> Blob:
        if found not in self._known:
            self._file.write(blob)
            self._known[found] = Blob(self._number, self._end, len(blob))
            self._end += len(blob)
        return self._known[found]
