"""Files of consumers for whoever checks each row by itself: no cell is a reason to stop."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import polars as pl

from segment_engine.backends.sources.files import ndjson_paths
from segment_engine.backends.sources.ndjson_files import NdjsonFile
from segment_engine.backends.sources.opening import Source, open_source
from segment_engine.backends.sources.plain_cells import FirstInstant, plain
from segment_engine.backends.sources.plain_documents import spelt_anew
from segment_engine.backends.sources.rows import records
from segment_engine.expression.schema import Schema

_FRAME = 100_000
_NO_TYPES = Schema({"metadata": "any"})


def open_plain(path: str | os.PathLike[str]) -> Source:
    """As `open_source`; the cells of CSV are texts, and other values of the file's own types."""
    return open_source(path, _NO_TYPES)


class Part(NamedTuple):
    """Some rows: `values` by key as `plain_cells.plain` has them, and which rows are plain.

    `documents` is their metadata as `plain_documents.spelt_anew`, but for rows in `unread`.
    """

    values: Mapping[str, list[Any]]
    plain: list[bool]
    documents: list[Any]
    unread: list[int]
    frame: pl.DataFrame
    source: Source

    def rows(self, columns: Sequence[str], numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Rows of some numbers, as `Source.rows` has them."""
        table = self.frame.select(columns)[numbers].to_arrow()
        return chain.from_iterable(
            records(batch, columns, self.source.columns) for batch in table.to_batches()
        )


def parts(
    source: Source,
    keys: Mapping[str, str],
    metadata: Sequence[str],
    size: int,
    first_instant: FirstInstant,
) -> Iterator[Part]:
    """The rows in parts of a size: columns by the API's keys for them, and those of metadata."""
    for frame in source.frames([*keys, *metadata], -(-_FRAME // size) * size):
        values, sound = plain(frame, keys, first_instant)
        documents, unread = _documents(frame, metadata)
        for start in range(0, len(frame), size):
            place = slice(start, start + size)
            yield Part(
                values[place].to_dict(as_series=False),
                sound[place].to_list(),
                documents[place].to_list(),
                unread[place].arg_true().to_list(),
                frame[place],
                source,
            )


def _documents(frame: pl.DataFrame, metadata: Sequence[str]) -> tuple[pl.Series, pl.Series]:
    """Metadata as it is kept, and where it has to be read: all but one column of plain objects."""
    if list(metadata) == ["metadata"] and frame["metadata"].dtype == pl.String:
        documents = spelt_anew(frame["metadata"])
        return documents, documents.is_null() & frame["metadata"].is_not_null()
    nothing = pl.repeat(None, len(frame), dtype=pl.String, eager=True)
    return nothing, pl.repeat(bool(metadata), len(frame), dtype=pl.Boolean, eager=True)


def count(source: Source) -> int:
    """How many consumers there are. Raises SourceError."""
    with source.duckdb() as (queries, table):
        return int(queries.sql(f"select count(*) from {table}").fetchall()[0][0])


def json_lines(path: str | os.PathLike[str]) -> tuple[int, Iterator[str]] | None:
    """How many lines NDJSON files have, and each as it is written; None for another format.

    Blank lines are none. Raises SourceError.
    """
    files = [NdjsonFile(one) for one in ndjson_paths(os.fspath(path))]
    if not files:
        return None
    number = sum(1 for file in files for _ in file.lines())
    return number, chain.from_iterable(file.lines() for file in files)
