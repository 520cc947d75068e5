"""The ids of the consumers of a source, in its order: the ordinals of a run without a folder."""

from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

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
    present = ids.drop_null()
    refuse_ids(id_column, nulls, len(present) - pl.Series(present).n_unique())


def _ascends(ids: pa.ChunkedArray) -> bool:
    """Whether every id is greater than the one before, as it mostly is."""
    if pa.types.is_nested(ids.type):
        return False
    whole = ids.combine_chunks()
    return len(whole) < 2 or bool(pc.all(pc.less(whole[:-1], whole[1:])).as_py())
