"""The ordinal of each id that a folder of runs has seen: dense, never given anew, never lost.

The map lies in pieces `0000000000.parquet`, named by the first ordinal in them: a column `id` in
the order of the ordinals. A piece is never changed; new ids make a new one.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from segment_engine.batch.bitmaps import TILE
from segment_engine.batch.consumers import check_ids
from segment_engine.batch.files import reported, settle, whole
from segment_engine.batch.folder import PIECE
from segment_engine.errors import OutputError

MOST = 1 << 32
"""Ordinals are 32 bits wide."""

Ordinals32 = NDArray[np.uint32]


class Ordinals:
    """The map of a folder, read once; one writer may `assign`."""

    def __init__(self, folder: Path, most: int | None = None) -> None:
        """The first `most` ordinals, or all. Raises OutputError where they cannot be read."""
        self._folder = folder
        chunks = _read(folder, most)
        self.ids: pa.ChunkedArray = pa.chunked_array(chunks or [pa.array([], pa.null())])

    def __len__(self) -> int:
        return len(self.ids)

    def assign(self, ids: pa.ChunkedArray) -> Ordinals32:
        """The ordinals of ids, none of which is null or stands twice; new ones get the next.

        New ids are on disk when this returns. Raises OutputError, and writes nothing, where ids
        are of another type than those of the map or cannot be written.
        """
        if not len(ids):
            return np.empty(0, np.uint32)
        given = self._as_held(ids)
        same = _common(given, self.ids)
        ordinals = np.arange(len(given), dtype=np.uint32)
        new = rest = given.slice(same)
        if same == len(self):
            self._refuse_known(new)
        elif len(rest):
            places = pc.index_in(rest, self.ids.slice(same)).fill_null(-1).to_numpy()
            unknown = places < 0
            next_ones = len(self) + np.cumsum(unknown) - 1
            ordinals[same:] = np.where(unknown, next_ones, places + same)
            new = rest.filter(pa.array(unknown))
        if len(new):
            self._append(new)
        return ordinals

    def _refuse_known(self, new: pa.ChunkedArray) -> None:
        """Ids that stand twice would get a second ordinal; the table is one of the new ids."""
        if len(new) and len(self) and pc.any(pc.is_in(self.ids, new)).as_py():
            raise OutputError("an id stands twice among the consumers; each may stand once")

    def _as_held(self, ids: pa.ChunkedArray) -> pa.ChunkedArray:
        if not len(self):
            return ids.cast(_stored(ids.type))
        kind = self.ids.type
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
            with whole(self._folder / f"{len(self):010}.parquet") as path:
                pq.write_table(
                    pa.table({"id": new}), path, compression="zstd", write_page_checksum=True
                )
        self.ids = pa.chunked_array([*self.ids.chunks, *new.chunks] if len(self) else new.chunks)


def _read(folder: Path, most: int | None) -> list[Any]:
    """The ids of all pieces, or of so many, each beginning where the one before ends."""
    chunks: list[Any] = []
    held = 0
    for name in sorted(os.listdir(folder)) if folder.exists() else ():
        if not PIECE.fullmatch(name) or (most is not None and held >= most):
            continue
        if int(name[:10]) != held:
            raise _lacking(folder, held)
        with reported(folder / name, "read"):
            column = pq.read_table(folder / name, page_checksum_verification=True).column("id")
        chunks += column.chunks
        held += len(column)
    if most is None or held == most:
        return chunks
    if held < most:
        raise _lacking(folder, held)
    kept = pa.chunked_array(chunks).slice(0, most)
    return list(kept.chunks)


def _lacking(folder: Path, held: int) -> OutputError:
    return OutputError(
        f"{folder} lacks the ids from ordinal {held:,} on; put back the files that are missing, "
        "or name a new folder"
    )


def _common(given: pa.ChunkedArray, held: pa.ChunkedArray) -> int:
    """How many ids are the same from the start on."""
    both = min(len(given), len(held))
    for at in range(0, both, TILE):
        some = min(TILE, both - at)
        mine, theirs = given.slice(at, some), held.slice(at, some)
        if not mine.equals(theirs):
            same = pc.equal(mine, theirs).to_numpy()
            return at + int(np.argmin(same))
    return both


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
