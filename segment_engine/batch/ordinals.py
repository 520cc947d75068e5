"""The ordinal of each id that a folder of runs has seen: dense, never given anew, never lost.

The map lies in pieces `0000000000.parquet`, named by the first ordinal in them: a column `id` in
the order of the ordinals. A piece is never changed; new ids make a new one.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from segment_engine.batch.bitmaps import TILE
from segment_engine.batch.consumers import check_ids, parts_of, present_in
from segment_engine.batch.files import reported, settle, whole
from segment_engine.batch.folder import PIECE
from segment_engine.errors import OutputError

MOST = 1 << 32
"""Ordinals are 32 bits wide."""

Ordinals32 = NDArray[np.uint32]


class Ordinals:
    """The map of a folder, read piece by piece when it is asked; one writer may `assign`."""

    def __init__(self, folder: Path, most: int | None = None) -> None:
        """The first `most` ordinals, or all. Raises OutputError where they cannot be read."""
        self._folder = folder
        self._pieces = _pieces(folder, most)

    def __len__(self) -> int:
        return sum(rows for _, rows in self._pieces)

    @property
    def ids(self) -> pa.ChunkedArray:
        """All of them. Raises OutputError where they cannot be read."""
        return pa.chunked_array([*self._chunks()] or [pa.array([], pa.null())])

    def _chunks(self) -> Iterator[Any]:
        """The ids, of a tile at most at a time."""
        for path, rows in self._pieces:
            with reported(path, "read"), _opened(path) as file:
                for batch in file.iter_batches(TILE):
                    yield batch.column("id")[:rows]
                    rows -= min(rows, len(batch))

    def assign(self, ids: pa.ChunkedArray) -> Ordinals32 | range:
        """The ordinals of ids, none of which is null or stands twice; new ones get the next.

        A range where they are those from 0 on. New ids are on disk when this returns. Raises
        OutputError, and writes nothing, where ids are of another type than those of the map or
        cannot be written.
        """
        if not len(ids):
            return range(0)
        given = self._as_held(ids)
        same = self._common(given)
        new = rest = given.slice(same)
        ordinals: Ordinals32 | range = range(len(given))
        if same == len(self):
            self._refuse_known(new)
        elif len(rest):
            ordinals = np.arange(len(given), dtype=np.uint32)
            unknown = self._find(rest, ordinals[same:])
            new = rest.filter(pa.array(unknown))
            ordinals[same:][unknown] = np.arange(len(self), len(self) + len(new))
        if len(new):
            self._append(new)
        return ordinals

    def _common(self, given: pa.ChunkedArray) -> int:
        """How many ids are the same from the start on."""
        same = 0
        for chunk in self._chunks():
            mine = given.slice(same, len(chunk))
            theirs = pa.chunked_array([chunk[: len(mine)]])
            if not mine.equals(theirs):
                return same + int(np.argmin(pc.equal(mine, theirs).to_numpy()))
            same += len(mine)
        return same

    def _find(self, ids: pa.ChunkedArray, ordinals: Ordinals32) -> NDArray[np.bool_]:
        """Fills in the ordinals of the ids that are known; gives which are not."""
        unknown = np.ones(len(ids), np.bool_)
        parts = parts_of(max(len(self), len(ids)))
        for part in range(parts):
            theirs, held = present_in(self._chunks(), part, parts)
            mine, some = present_in(ids.chunks, part, parts)
            places = pc.index_in(some, held).fill_null(-1).to_numpy()
            known = places >= 0
            ordinals[mine[known]] = theirs[places[known]]
            unknown[mine[known]] = False
        return unknown

    def _refuse_known(self, new: pa.ChunkedArray) -> None:
        """Ids that stand twice would get a second ordinal; the table is one of the new ids."""
        parts = parts_of(len(new)) if len(new) and len(self) else 0
        for part in range(parts):
            _, some = present_in(new.chunks, part, parts)
            if any(pc.any(pc.is_in(chunk, some)).as_py() for chunk in self._chunks()):
                raise OutputError("an id stands twice among the consumers; each may stand once")

    def _as_held(self, ids: pa.ChunkedArray) -> pa.ChunkedArray:
        if not len(self):
            return ids.cast(_stored(ids.type))
        kind = next(self._chunks()).type
        if _family(ids.type) != _family(kind):
            raise OutputError(
                f"{self._folder} holds ids that are {_family(kind)}, these are "
                f"{_family(ids.type)}; give ids of the same type, or name a new folder"
            )
        try:
            return ids.cast(kind)
        except pa.ArrowException as fault:
            raise OutputError(f"{self._folder} holds ids of type {kind}: {fault}") from None

    def _append(self, new: pa.ChunkedArray) -> None:
        check_ids(new, "id")
        if len(self) + len(new) > MOST:
            raise OutputError(f"{self._folder} would hold more than {MOST:,} ids")
        with reported(self._folder):
            if not self._folder.exists():
                self._folder.mkdir(parents=True)
                settle(self._folder.parent)
            piece = self._folder / f"{len(self):010}.parquet"
            with whole(piece) as path:
                pq.write_table(
                    pa.table({"id": new}), path, compression="zstd", write_page_checksum=True
                )
        self._pieces = [*self._pieces, (piece, len(new))]


def _pieces(folder: Path, most: int | None) -> Sequence[tuple[Path, int]]:
    """The pieces and how many ids they hold, or so many, each beginning where one ends."""
    pieces: list[tuple[Path, int]] = []
    held = 0
    for name in sorted(os.listdir(folder)) if folder.exists() else ():
        if not PIECE.fullmatch(name) or (most is not None and held >= most):
            continue
        if int(name[:10]) != held:
            raise _lacking(folder, held)
        with reported(folder / name, "read"), _opened(folder / name) as file:
            rows = file.metadata.num_rows
        pieces.append((folder / name, rows if most is None else min(rows, most - held)))
        held += rows
    if most is not None and held < most:
        raise _lacking(folder, held)
    return pieces


def _opened(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, page_checksum_verification=True)


def _lacking(folder: Path, held: int) -> OutputError:
    return OutputError(
        f"{folder} lacks the ids from ordinal {held:,} on; put back the files that are missing, "
        "or name a new folder"
    )


def _family(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "integers"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "texts"
    return f"of type {kind}"


def _stored(kind: pa.DataType) -> pa.DataType:
    """The type that a map begun with such ids has: the widest of their family."""
    family = _family(kind)
    if family == "integers":
        return pa.uint64() if kind == pa.uint64() else pa.int64()
    if family == "texts":
        return pa.string()
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        raise OutputError(f"ids of type {kind} cannot be published; texts or integers can")
    return kind
