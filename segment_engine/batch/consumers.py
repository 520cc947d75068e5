"""The ids of the consumers of a source, in its order: the ordinals of a run without a folder."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from segment_engine.backends.ids import refuse_ids
from segment_engine.backends.sources import Source
from segment_engine.backends.sources.beside import id_type
from segment_engine.batch.bitmaps import TILE


def ids_of(source: Source, id_column: str) -> pa.ChunkedArray:
    """The ids, null for none."""
    kind = id_type(source, id_column)
    frames = source.frames([id_column], TILE)
    chunks = [as_ids(frame.to_series(), kind) for frame in frames]
    return pa.chunked_array(chunks, kind)


def as_ids(column: pl.Series, kind: pa.DataType) -> Any:
    """Ids as the source has them."""
    array: Any = column.rechunk().to_arrow()
    return array if array.type == kind else array.cast(kind)


def check_ids(ids: pa.ChunkedArray, id_column: str) -> None:
    """Raises RunError where an id is null or stands twice."""
    nulls = int(ids.null_count)
    if nulls == 0 and _ascends(ids):
        return
    parts = parts_of(len(ids))
    some = (present_in(ids.chunks, part, parts)[1] for part in range(parts))
    refuse_ids(id_column, nulls, sum(len(one) - pl.Series(one).n_unique() for one in some))


def _ascends(ids: pa.ChunkedArray) -> bool:
    """Whether every id is greater than the one before, as it mostly is."""
    if pa.types.is_nested(ids.type):
        return False
    chunks = [chunk for chunk in ids.chunks if len(chunk)]
    borders = ((one[-1:], other[:1]) for one, other in pairwise(chunks))
    inside = ((one[:-1], one[1:]) for one in chunks)
    return all(
        pc.all(pc.less(low, high), min_count=0).as_py()
        for pairs in (borders, inside)
        for low, high in pairs
    )


def parts_of(number: int) -> int:
    """Into how many parts so many ids are divided, so that one of them is no more than a tile."""
    return max(1, -(-number // TILE))


def present_in(chunks: Iterable[Any], part: int, parts: int) -> tuple[NDArray[np.uint32], Any]:
    """Where the ids of one of the parts stand, and those; an id is always in the same part."""
    places: list[NDArray[np.uint32]] = []
    found: list[Any] = []
    for first, chunk in _placed(chunks):
        mine = _hashes(chunk) % np.uint64(parts) == part if parts > 1 else np.ones(len(chunk), bool)
        if chunk.null_count:
            mine &= chunk.is_valid().to_numpy(zero_copy_only=False)
        places.append((np.flatnonzero(mine) + first).astype(np.uint32))
        found.append(chunk.filter(pa.array(mine)))
    return np.concatenate(places), pa.chunked_array(found)


def _placed(chunks: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    first = 0
    for chunk in chunks:
        yield first, chunk
        first += len(chunk)


def _hashes(ids: Any) -> NDArray[np.uint64]:
    return pl.Series(ids).hash().to_numpy()
