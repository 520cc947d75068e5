"""Consumers from wherever they are: files, frames, tables, relations, dicts."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from segment_engine.backends.physical import Other, Physical
from segment_engine.backends.sources.files import open_files
from segment_engine.backends.sources.storage import arrow_stored
from segment_engine.backends.sources.tables import (
    ArrowSource,
    PolarsSource,
    RelationSource,
    RowsSource,
    Source,
    Types,
    Wanted,
    first_line,
    reading,
    refuse_doubles,
)
from segment_engine.errors import SourceError
from segment_engine.expression.schema import Schema
from segment_engine.values.types import Type

__all__ = ["Source", "open_source"]


def open_source(source: object, schema: Schema, columns: Iterable[str] | None = None) -> Source:
    """Open consumers, one a row, for any engine to read.

    `source` is a path or glob, or several, of Parquet, CSV, TSV or NDJSON files, or
    `file.duckdb::table`; a DuckDB relation; a Polars frame, lazy or not; a pandas frame; an Arrow
    table, dataset or anything with the Arrow PyCapsule interface; or a list of dicts. `columns`
    are the names of those that will be read, None for all: no other can break a run. Raises
    SourceError for what cannot be read, naming file, line and column.
    """
    wanted = None if columns is None else frozenset(columns)
    types: dict[str, Type] = {}
    for spec in schema.specs.values():
        if spec.derived is None and not spec.path:
            types.setdefault(spec.column, spec.type)
    if isinstance(source, str | os.PathLike):
        return open_files([os.fspath(source)], types, wanted)
    if isinstance(source, list | tuple):
        return _of_several(source, types, wanted)
    if isinstance(source, duckdb.DuckDBPyRelation):
        return RelationSource(source, types, wanted)
    if isinstance(source, pl.DataFrame | pl.LazyFrame):
        return PolarsSource("the Polars frame", source.lazy(), types, wanted)
    return _of_arrow(source, types, wanted)


def _of_several(items: Sequence[Any], types: Types, wanted: Wanted) -> Source:
    if items and all(isinstance(item, str | os.PathLike) for item in items):
        return open_files([os.fspath(item) for item in items], types, wanted)
    if all(isinstance(item, Mapping) for item in items):
        return RowsSource(items, types, wanted)
    raise SourceError("a list of consumers wants dicts alone, or paths of files alone")


def _of_arrow(source: Any, types: Types, wanted: Wanted) -> Source:
    module = type(source).__module__.partition(".")[0]
    if module == "pandas" and hasattr(source, "columns"):
        return _of_pandas(source, types, wanted)
    with reading("the Arrow data"):
        if module == "pyarrow" and hasattr(source, "to_table") and hasattr(source, "schema"):
            return _of_schema(source.schema, source.to_table, types, wanted)
        if isinstance(source, pa.Table):
            return ArrowSource("the Arrow table", source, types, wanted)
        if hasattr(source, "__arrow_c_stream__"):
            reader = pa.RecordBatchReader.from_stream(source)
            return _of_schema(reader.schema, lambda names: _drained(reader, names), types, wanted)
    raise SourceError(
        f"consumers cannot be read from a {type(source).__qualname__}; give the path of a Parquet, "
        "CSV or NDJSON file, a DuckDB relation, a Polars or pandas frame, an Arrow table, or a "
        "list of dicts"
    )


def _of_schema(
    schema: Any, load: Callable[[list[str]], Any], types: Types, wanted: Wanted
) -> Source:
    """Arrow data of which only the columns wanted are loaded."""
    refuse_doubles("the Arrow data", schema.names)
    columns = {field.name: arrow_stored(field.type, types.get(field.name))[1] for field in schema}
    names = [name for name in columns if wanted is None or name in wanted]
    return ArrowSource("the Arrow data", load(names), types, wanted, columns)


def _drained(reader: Any, names: list[str]) -> Any:
    """The columns of a stream as a table; a stream is read once."""
    schema = pa.schema([reader.schema.field(name) for name in names])
    return pa.Table.from_batches((batch.select(names) for batch in reader), schema)


def _of_pandas(frame: Any, types: Types, wanted: Wanted) -> Source:
    names = [name for name in frame.columns if isinstance(name, str)]
    refuse_doubles("the pandas frame", names)
    columns: dict[str, Physical] = dict.fromkeys(names, Other("a column not read"))
    arrays = {}
    for name in names:
        if wanted is None or name in wanted:
            try:
                array = pa.array(frame[name], from_pandas=True)
            except (pa.ArrowException, ValueError, TypeError, OverflowError) as fault:
                columns[name] = Other(f"Python values that do not mix ({first_line(fault)})")
            else:
                arrays[name] = array
                columns[name] = arrow_stored(array.type, types.get(name))[1]
    # A table of no column has no rows, and the rows count.
    table = pa.table(arrays or {"": pa.array([True] * len(frame), pa.bool_())})
    return ArrowSource("the pandas frame", table, types, wanted, columns)
