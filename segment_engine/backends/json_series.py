"""JSON text read for Polars: the SQL of `json_sql`, run by a DuckDB of its own."""

from collections.abc import Sequence
from functools import cache

import duckdb
import polars as pl

from segment_engine.backends import json_sql


def extract(series: pl.Series, path: json_sql.Path, wanted: str) -> pl.Series:
    """Return what `wanted` (a name in `json_sql.READERS`) reads under `path` of each document.

    Same name, length and order as `series`, a String column of JSON text. A missing document
    gives null, or false for "present" and "is_array".
    """
    return extract_many(series, [(path, wanted)]).struct.field("f0").rename(series.name)


def extract_many(series: pl.Series, wanted: Sequence[tuple[json_sql.Path, str]]) -> pl.Series:
    """Return a Struct series with a field f0, f1, ... for each (path, wanted) of `extract`.

    `wanted` has at least one pair. Each document is parsed once. Safe to call from several threads.
    """
    texts = pl.DataFrame(
        {"row": pl.int_range(len(series), eager=True), "m": series.cast(pl.String)}
    )
    query = json_sql.extraction("texts", "m", wanted, keep='"row"')
    with _database().cursor() as connection:
        connection.register("texts", texts.to_arrow())
        table = connection.sql(query).to_arrow_table()
    # DuckDB promises no order without one being asked for.
    found = pl.DataFrame(table).sort("row").drop("row")
    return found.to_struct(series.name)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    # Opening a database takes longer than reading ten thousand documents; a cursor takes nothing.
    return duckdb.connect()
