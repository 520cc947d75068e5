"""Bitmaps of consumers: who is in an audience, by ordinal, in tiles of 2**20.

A tile is held as packed words (from a run) or as a portable Roaring bitmap (from a file), whose
bytes are the same for the same members: a chunk of 65,536 is a sorted array up to 4,096 members,
plain bits above.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

Words = NDArray[np.uint64]
Ordinals = NDArray[np.uint32]

TILE = 1 << 20
CHUNK = 1 << 16
_CHUNK_WORDS = CHUNK // 64
_SPARSE = 4_096
_BITS_OR_SORT = 64
"""Where one ordinal in so many is given or more, setting bits is faster than sorting."""
_COOKIE = 12_346


class Tile:
    """The members among the consumers of one tile, as numbers from 0; immutable."""

    __slots__ = ("_blob", "_roaring", "_words", "count")

    def __init__(self, count: int, words: Words | None = None, blob: Any = None) -> None:
        """`count` members, as `words` of which bit 0 is the first, or as the bytes `blob`."""
        self.count = count
        self._words, self._blob = words, blob
        self._roaring: BitMap | None = None

    @classmethod
    def of(cls, roaring: BitMap) -> "Tile":
        """The tile of a Roaring bitmap."""
        made = cls(len(roaring), blob=roaring)
        made._roaring, made._blob = roaring, None
        return made

    @property
    def roaring(self) -> BitMap:
        """As a Roaring bitmap; not to be changed."""
        if self._roaring is None:
            self._roaring = BitMap.deserialize(bytes(self.blob))
        return self._roaring

    @property
    def blob(self) -> Any:
        """As the bytes of a portable Roaring bitmap; made of the members each time."""
        if self._blob is not None:
            return self._blob
        if self._words is not None:
            return roaring_bytes(self._words)
        assert self._roaring is not None
        return _portable(self._roaring)

    def read(self) -> BitMap:
        """As `roaring`, which does not stay in memory."""
        held = self._roaring
        return BitMap.deserialize(bytes(self.blob)) if held is None else held

    def ordinals(self) -> Ordinals:
        """The members' numbers in the tile, ascending."""
        if self._words is not None:
            return positions(self._words)
        return np.asarray(self.roaring.to_array(), np.uint32)

    def overlap(self, other: "Tile") -> int:
        """How many members both have."""
        mine, theirs = self._words, other._words
        if mine is None or theirs is None:
            return int(self.roaring.intersection_cardinality(other.roaring))
        both = min(len(mine), len(theirs))
        return int(np.bitwise_count(mine[:both] & theirs[:both]).sum())


class PatchedTile(Tile):
    """A tile with some of its members put in or out; the tile before is read when it is needed.

    Of one that was patched itself only what was patched is held: runs may follow each other on
    and on.
    """

    __slots__ = ("_before", "_flips", "_places", "_turned")

    def __init__(self, count: int, before: Tile | None, places: Ordinals, flips: Words) -> None:
        """`count` members in the end; `flips` says of each of the `places` whether it turns."""
        super().__init__(count)
        self._before, self._places, self._flips = before, places, flips
        self._turned: BitMap | None = None
        if isinstance(before, PatchedTile):
            self._before, self._turned = before._before, before.turned ^ self.turned
            self._places, self._flips = places[:0], flips[:0]

    @property
    def turned(self) -> BitMap:
        """Who was put in or out."""
        if self._turned is not None:
            return self._turned
        turns = np.unpackbits(self._flips.view(np.uint8), bitorder="little").view(np.bool_)
        return _roaring_of(self._places[turns[: len(self._places)]])

    @property
    def blob(self) -> Any:
        """See Tile; the one before does not keep what is read of it."""
        before = self._before.read() if self._before is not None else BitMap()
        return _portable(before ^ self.turned)


class Bitmap:
    """The members of an audience by ordinal; immutable.

    `&`, `|`, `-`, `^` are those of sets, `len` is their number, `ordinals[low:high]` their page.
    """

    def __init__(self, tiles: Mapping[int, Tile]) -> None:
        """`tiles` by number; those that are empty may lack."""
        self.tiles = {number: tiles[number] for number in sorted(tiles) if tiles[number].count}

    def __len__(self) -> int:
        return sum(tile.count for tile in self.tiles.values())

    def ordinals(self, start: int = 0, most: int | None = None) -> Ordinals:
        """The members' ordinals, ascending, from position `start`, at most so many."""
        left = len(self) if most is None else most
        found: list[Ordinals] = []
        for number, tile in self.tiles.items():
            if left <= 0:
                break
            if start >= tile.count:
                start -= tile.count
                continue
            page = self._page(tile, start, left) + np.uint32(number * TILE)
            found.append(page)
            start, left = 0, left - len(page)
        return np.concatenate(found) if found else np.empty(0, np.uint32)

    def after(self, ordinal: int, most: int) -> Ordinals:
        """The members' ordinals above `ordinal`, ascending, at most so many."""
        if ordinal < 0:
            return self.ordinals(0, most)
        number, within = divmod(ordinal, TILE)
        passed = sum(tile.count for n, tile in self.tiles.items() if n < number)
        tile = self.tiles.get(number)
        return self.ordinals(passed + (tile.roaring.rank(within) if tile else 0), most)

    @staticmethod
    def _page(tile: Tile, start: int, most: int) -> Ordinals:
        if start == 0 and most >= tile.count:
            return tile.ordinals()
        return np.asarray(tile.roaring[start : start + most].to_array(), np.uint32)

    def __contains__(self, ordinal: object) -> bool:
        if not isinstance(ordinal, int | np.integer) or ordinal < 0:
            return False
        tile = self.tiles.get(int(ordinal) // TILE)
        return tile is not None and int(ordinal) % TILE in tile.roaring

    def overlap(self, other: "Bitmap") -> int:
        """How many members both have."""
        shared = self.tiles.keys() & other.tiles.keys()
        return sum(self.tiles[number].overlap(other.tiles[number]) for number in shared)

    def __and__(self, other: "Bitmap") -> "Bitmap":
        shared = self.tiles.keys() & other.tiles.keys()
        return Bitmap({n: Tile.of(a & b) for n, a, b in self._pairs(other) if n in shared})

    def __or__(self, other: "Bitmap") -> "Bitmap":
        return Bitmap({n: Tile.of(a | b) for n, a, b in self._pairs(other)})

    def __sub__(self, other: "Bitmap") -> "Bitmap":
        return Bitmap({n: Tile.of(a - b) for n, a, b in self._pairs(other)})

    def __xor__(self, other: "Bitmap") -> "Bitmap":
        return Bitmap({n: Tile.of(a ^ b) for n, a, b in self._pairs(other)})

    def _pairs(self, other: "Bitmap") -> Iterator[tuple[int, BitMap, BitMap]]:
        none = Tile(0, blob=_EMPTY)
        for number in self.tiles.keys() | other.tiles.keys():
            mine, theirs = (held.tiles.get(number, none) for held in (self, other))
            yield number, mine.roaring, theirs.roaring

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bitmap):
            return NotImplemented
        return self.tiles.keys() == other.tiles.keys() and all(
            tile.count == other.tiles[number].count and tile.roaring == other.tiles[number].roaring
            for number, tile in self.tiles.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Bitmap of {len(self):,}>"


def bitmap_of(ordinals: NDArray[Any] | Sequence[int]) -> Bitmap:
    """The bitmap of ordinals in any order."""
    given = np.asarray(ordinals, np.uint32)
    most = int(given.max(initial=0))
    if len(given) * _BITS_OR_SORT < most:
        ordered = np.sort(given)
        numbers, starts = np.unique(ordered // TILE, return_index=True, sorted=True)
        parts = np.split(ordered % TILE, starts[1:])
        return Bitmap(
            {int(n): Tile.of(_roaring_of(p)) for n, p in zip(numbers, parts, strict=True)}
        )
    truths = np.zeros(most + 1 if len(given) else 0, np.bool_)
    truths[given] = True
    return _of_truths(truths)


def moved(ordinals: Ordinals, found: Bitmap) -> Bitmap:
    """The bitmap of `ordinals[n]` for each member n."""
    if len(found) * _BITS_OR_SORT < len(ordinals):
        return bitmap_of(ordinals[found.ordinals()])
    truths = np.zeros(int(ordinals.max()) + 1, np.bool_)
    for number, tile in found.tiles.items():
        truths[ordinals[number * TILE :][tile.ordinals()]] = True
    return _of_truths(truths)


def _of_truths(truths: NDArray[np.bool_]) -> Bitmap:
    tiles = (truths[at : at + TILE] for at in range(0, len(truths), TILE))
    return Bitmap({n: Tile(int(one.sum()), packed(one)) for n, one in enumerate(tiles)})


def _roaring_of(ordinals: Ordinals) -> BitMap:
    """A Roaring bitmap of ordinals in order, by what pyroaring reads without an object each."""
    return BitMap(array("I", ordinals.tobytes()))


def positions(words: Words) -> Ordinals:
    """The numbers of the bits that are set, ascending."""
    octets = words.view(np.uint8)
    used = np.flatnonzero(octets)
    bits = np.flatnonzero(np.unpackbits(octets[used], bitorder="little").view(np.bool_))
    found: Ordinals = (used[bits >> 3] * 8 + (bits & 7)).astype(np.uint32)
    return found


def packed(truths: NDArray[np.bool_]) -> Words:
    """Booleans as words, filled up with false."""
    words = np.zeros(-(-len(truths) // 64), np.uint64)
    octets = np.packbits(truths, bitorder="little")
    words.view(np.uint8)[: len(octets)] = octets
    return words


def roaring_bytes(words: Words) -> bytes:
    """Words of one tile as a portable Roaring bitmap, built from the bits."""
    chunks = [words[at : at + _CHUNK_WORDS] for at in range(0, len(words), _CHUNK_WORDS)]
    counts = [int(np.bitwise_count(chunk).sum()) for chunk in chunks]
    held = [number for number, count in enumerate(counts) if count]
    parts = [_container(chunks[number], counts[number]) for number in held]
    keys = np.array([(number, counts[number] - 1) for number in held], "<u2")
    first = 8 + 8 * len(held)
    sizes = np.array([len(part) for part in parts], np.uint32)
    offsets = (first + np.cumsum(sizes) - sizes).astype("<u4")
    head = np.array([_COOKIE, len(held)], "<u4")
    return b"".join((head.tobytes(), keys.tobytes(), offsets.tobytes(), *parts))


def _container(chunk: Words, count: int) -> bytes:
    if count <= _SPARSE:
        return positions(chunk).astype("<u2").tobytes()
    return chunk.tobytes().ljust(CHUNK // 8, b"\0")


_EMPTY = roaring_bytes(np.empty(0, np.uint64))


def _portable(roaring: BitMap) -> bytes:
    """The bytes of a Roaring bitmap; one that holds runs is written without them."""
    written = bytes(roaring.serialize())
    if int.from_bytes(written[:4], "little") == _COOKIE:
        return written
    return roaring_bytes(_words_of(roaring))


def _words_of(roaring: BitMap) -> Words:
    truths = np.zeros(TILE, np.bool_)
    truths[np.asarray(roaring.to_array(), np.uint32)] = True
    return packed(truths)
