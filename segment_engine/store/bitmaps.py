"""Bitmaps in the database: each tile's bytes once an organization, known by their hash."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from threading import Lock
from typing import Any, NamedTuple

from pyroaring import BitMap
from sqlalchemy import Connection, delete, except_, select
from sqlalchemy.dialects import postgresql, sqlite

from segment_engine.batch.bitmaps import Bitmap, Tile
from segment_engine.errors import StoreError
from segment_engine.store.counting import lock
from segment_engine.store.tables import bitmaps, memberships, static_members

CACHED = 256 << 20
"""Bytes of tiles that a process keeps."""
_MANY = 500
"""Hashes that one statement asks for."""

Read = Callable[[Sequence[str]], dict[str, bytes]]


class TileRow(NamedTuple):
    """A tile as its row names it; `bytes` are None where they are in the database already."""

    tile: int
    hash: str
    members: int
    bytes: "bytes | None" = None


class KeptTile(Tile):
    """A tile that is in the database; read when it is needed."""

    __slots__ = ("_read", "hash")

    def __init__(self, count: int, hash: str, read: Read) -> None:
        """`read` gives the bytes by hash."""
        super().__init__(count)
        self.hash, self._read = hash, read

    @property
    def roaring(self) -> BitMap:
        """See Tile; the cache alone keeps it."""
        return CACHE.tiles([self.hash], self._read)[self.hash]

    def read(self) -> BitMap:
        """See Tile."""
        return self.roaring

    @property
    def blob(self) -> Any:
        """See Tile."""
        return self.roaring.serialize()


class Cache:
    """The tiles that were used last, by hash; shared by all threads of the process."""

    def __init__(self, most: int = CACHED) -> None:
        """At most so many bytes are kept."""
        self._most, self._held = most, 0
        self._tiles: OrderedDict[str, tuple[BitMap, int]] = OrderedDict()
        self._lock = Lock()

    def tiles(self, hashes: Sequence[str], read: Read) -> dict[str, BitMap]:
        """The tiles of those hashes; what is not kept is read. Raises StoreError for one lost."""
        found = {one: held for one in hashes if (held := self._get(one)) is not None}
        lacking = [one for one in dict.fromkeys(hashes) if one not in found]
        given = read(lacking) if lacking else {}
        for one in lacking:
            if one not in given:
                raise StoreError(f"the database lacks the bitmap {one}")
            found[one] = self.put(one, given[one])
        return found

    def put(self, hash: str, written: bytes) -> BitMap:
        """Keeps a tile by its bytes; gives it."""
        tile = BitMap.deserialize(written)
        self._put(hash, tile, len(written))
        return tile

    def _get(self, hash: str) -> BitMap | None:
        with self._lock:
            if hash not in self._tiles:
                return None
            self._tiles.move_to_end(hash)
            return self._tiles[hash][0]

    def _put(self, hash: str, tile: BitMap, size: int) -> None:
        with self._lock:
            if hash not in self._tiles:
                self._held += size
            self._tiles[hash] = tile, size
            while self._held > self._most and len(self._tiles) > 1:
                self._held -= self._tiles.popitem(last=False)[1][1]


CACHE = Cache()


def rows_of(bitmap: Bitmap) -> list[TileRow]:
    """The rows of a bitmap, without a database: its tiles with their bytes, unless kept before."""
    return [row_of(number, tile) for number, tile in bitmap.tiles.items()]


def row_of(number: int, tile: Tile) -> TileRow:
    """The row of one tile; see `rows_of`."""
    if isinstance(tile, KeptTile):
        return TileRow(number, tile.hash, tile.count)
    written = bytes(tile.blob)
    return TileRow(number, hash_of(written), tile.count, written)


def hash_of(written: bytes) -> str:
    """The name of a tile's bytes: blake2b of 256 bits, in hexadecimal digits."""
    return blake2b(written, digest_size=32).hexdigest()


def put(connection: Connection, organization: str, rows: Iterable[TileRow]) -> None:
    """Writes the bytes of rows that are not in the database yet; the organization is held."""
    lock(connection, organization)  # so that none is swept meanwhile
    fresh = {row.hash: row.bytes for row in rows if row.bytes is not None}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(bitmaps).on_conflict_do_nothing()
    for some in _some(sorted(fresh)):
        known = _known(connection, organization, some)
        new = [
            {"organization": organization, "hash": one, "bytes": fresh[one]}
            for one in some
            if one not in known
        ]
        if new:
            connection.execute(insert, new)


def _known(connection: Connection, organization: str, hashes: Sequence[str]) -> set[str]:
    query = select(bitmaps.c.hash).where(
        bitmaps.c.organization == organization, bitmaps.c.hash.in_(hashes)
    )
    return set(connection.execute(query).scalars())


def keep(connection: Connection, organization: str, bitmap: Bitmap) -> list[TileRow]:
    """Keeps a bitmap; the rows that name it, by tile: number, hash and count come first.

    `organization` is its id, and is held to the end of the transaction.
    """
    rows = rows_of(bitmap)
    put(connection, organization, rows)
    return rows


def read(connection: Connection, organization: str, rows: Iterable[Sequence[Any]]) -> Bitmap:
    """The bitmap of rows of tile, hash and count, read at once. Raises StoreError where one lacks.

    `organization` is its id. The tiles know that they are kept: `keep` writes none of them.
    """
    given = [(int(row[0]), str(row[1]), int(row[2])) for row in rows]
    reader = reader_of(connection, organization)
    held = CACHE.tiles([hash for _, hash, _ in given], reader)

    def again(hashes: Sequence[str]) -> dict[str, bytes]:
        return {one: bytes(held[one].serialize()) for one in hashes}

    return Bitmap({tile: KeptTile(count, hash, again) for tile, hash, count in given})


def reader_of(connection: Connection, organization: str) -> Read:
    """What reads the bytes of tiles by hash, as long as the connection is open."""

    def found(hashes: Sequence[str]) -> dict[str, bytes]:
        query = select(bitmaps.c.hash, bitmaps.c.bytes).where(
            bitmaps.c.organization == organization
        )
        rows = [
            row
            for some in _some(hashes)
            for row in connection.execute(query.where(bitmaps.c.hash.in_(some)))
        ]
        return {row.hash: bytes(row.bytes) for row in rows}

    return found


def _some(hashes: Sequence[str]) -> Iterator[Sequence[str]]:
    return (hashes[at : at + _MANY] for at in range(0, len(hashes), _MANY))


def sweep(connection: Connection, organization: str) -> int:
    """Deletes the bitmaps that nothing refers to; how many. `organization` is its id."""
    lock(connection, organization)  # so that none is swept meanwhile
    every, *named = (
        select(table.c.hash).where(table.c.organization == organization)
        for table in (bitmaps, memberships, static_members)
    )
    unnamed = bitmaps.c.hash.in_(except_(every, *named))
    gone = delete(bitmaps).where(bitmaps.c.organization == organization, unnamed)
    return connection.execute(gone).rowcount
