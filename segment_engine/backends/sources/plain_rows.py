"""Files of consumers for whoever checks each row by itself: no cell is a reason to stop."""

import os
from collections.abc import Iterator
from itertools import chain

from segment_engine.backends.sources.files import ndjson_paths
from segment_engine.backends.sources.ndjson_files import NdjsonFile
from segment_engine.backends.sources.opening import Source, open_source
from segment_engine.expression.schema import Schema

_NO_TYPES = Schema({"metadata": "any"})


def open_plain(path: str | os.PathLike[str]) -> Source:
    """As `open_source`; the cells of CSV are texts, and other values of the file's own types."""
    return open_source(path, _NO_TYPES)


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
