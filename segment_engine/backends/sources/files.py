"""Consumers in files: which files are meant, and how each format of them is read."""

import glob
import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate
from typing import Any, Protocol

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from segment_engine.backends.json_sql import literal
from segment_engine.backends.physical import Json, ListOf, MapOf, Text
from segment_engine.backends.sources.cells import cells_of, first_fault, typed
from segment_engine.backends.sources.csv_files import CsvFile
from segment_engine.backends.sources.ndjson_files import NdjsonFile
from segment_engine.backends.sources.storage import polars_stored
from segment_engine.backends.sources.tables import (
    ArrowSource,
    DuckDBSource,
    Queries,
    Source,
    Types,
    Wanted,
    database,
    first_line,
    lazy,
    reading,
)
from segment_engine.backends.sql import identifier
from segment_engine.errors import SourceError

_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".csv.gz")
_TSV = (".tsv", ".tsv.gz")
_NDJSON = tuple(f"{end}{gz}" for end in (".ndjson", ".jsonl", ".json") for gz in ("", ".gz"))
_FORMATS = (_PARQUET, _CSV, _TSV, _NDJSON)
_SHOWN = 60


class TextFile(Protocol):
    """A file of text cells: its columns, their cells, and the line on which a row (from 0) is."""

    @property
    def path(self) -> str: ...

    def columns(self, types: Types) -> list[str]: ...

    def table(self, types: Types, columns: Sequence[str]) -> Any: ...

    def line(self, row: int) -> int: ...


def open_files(given: Sequence[str], types: Types, wanted: Wanted) -> Source:
    """The consumers in the files of paths and globs, all of one format; or `file.duckdb::table`."""
    if len(given) == 1 and _names_table(given[0]):
        path, _, table = given[0].rpartition("::")
        return DatabaseSource(path, table, types, wanted)
    paths = [path for each in given for path in _expanded(each)]
    endings = {_format(path) for path in paths}
    if len(endings) > 1:
        raise SourceError(f"files of one format are wanted, not {', '.join(given)}")
    describe = _described(given, paths)
    (ending,) = endings
    if ending is _PARQUET:
        return ParquetSource(describe, paths, types, wanted)
    if ending is _NDJSON:
        return TextSource(describe, [NdjsonFile(path) for path in paths], types, wanted)
    delimiter = "\t" if ending is _TSV else ","
    return TextSource(describe, [CsvFile(path, delimiter) for path in paths], types, wanted)


def ndjson_paths(given: str) -> list[str]:
    """The NDJSON files of a path or glob; none where it is of another format."""
    paths = [] if _names_table(given) else _expanded(given)
    return paths if {_format(path) for path in paths} == {_NDJSON} else []


def _names_table(given: str) -> bool:
    return "::" in given and not os.path.exists(given)


class TextSource(ArrowSource):
    """Text files read by the schema's types into one Arrow table, the same for every engine."""

    def __init__(
        self, describe: str, files: Sequence[TextFile], types: Types, wanted: Wanted
    ) -> None:
        self.in_json = isinstance(files[0], NdjsonFile)
        self._fingerprint = stamped(file.path for file in files)
        names = _joined_columns(files, types)
        if not names:
            raise SourceError(f"{describe} is empty: it has neither a line nor a column")
        # Without any column the number of rows would be lost.
        read = [name for name in names if wanted is None or name in wanted] or names[:1]
        # A column that nobody asked for is text: its cells are no reason to stop.
        asked = {name: kind for name, kind in types.items() if wanted is None or name in wanted}
        tables = [file.table(asked, read) for file in files]
        kinds = {name: asked.get(name) for name in read}
        cells = pa.concat_tables(tables)
        if fault := first_fault(cells, kinds):
            raise _cell_fault(files, tables, *fault, types)
        table, physical = typed(cells, kinds)
        unread = {name: cells_of(types.get(name)).column(_NO_CELL)[1] for name in names}
        found = {name: kind for name, kind in physical.items() if wanted is None or name in wanted}
        super().__init__(describe, table, types, wanted, unread | found)

    def fingerprint(self) -> str | None:
        """See Source."""
        return self._fingerprint


class ParquetSource(DuckDBSource):
    """Parquet files, read lazily by DuckDB and, where it reads the same, by Polars itself."""

    def __init__(self, describe: str, paths: Sequence[str], types: Types, wanted: Wanted) -> None:
        self._fingerprint = stamped(paths)
        schema = _common_schema(paths)
        self._paths = list(paths)
        files = ", ".join(literal(glob.escape(path)) for path in paths)
        self._table = f"read_parquet([{files}], hive_partitioning = false)"
        with reading(describe), database().cursor() as connection:
            relation = connection.sql(f"from {self._table}")
            # DuckDB renames one of `a` and `A`, and reads the widest decimals as floats.
            wide = [field.name for field in schema if pa.types.is_decimal256(field.type)]
            super().__init__(describe, relation, types, wanted, schema.names, wide)
        self._types = types

    @contextmanager
    def duckdb(self) -> Iterator[tuple[Queries, str]]:
        """See Source."""
        with reading(self.describe), database().cursor() as connection:
            yield connection, self.of(self._table)

    def polars(self) -> pl.LazyFrame:
        """See Source."""
        scan = self._scan()
        return super().polars() if scan is None else scan

    def frames(self, columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
        """See Source."""
        scan = self._scan()
        if scan is None:
            yield from super().frames(columns, size)
            return
        scan, start = scan.select(columns), 0
        while True:
            with reading(self.describe):
                frame = scan.slice(start, size).collect()
            if len(frame):
                yield frame
            if len(frame) < size:
                break
            start += size
        if stamped(self._paths) != self._fingerprint:
            raise SourceError(f"{self.describe} was changed while it was read; run again")

    def fingerprint(self) -> str | None:
        """See Source."""
        return self._fingerprint

    def _scan(self) -> pl.LazyFrame | None:
        """What Polars reads by itself; None where it would not read the same."""
        if not self.read:
            return None
        scan = pl.scan_parquet(self._paths, glob=False, hive_partitioning=False)
        with reading(self.describe):
            schema = scan.collect_schema()
        for name in self.read:
            _, physical = polars_stored(schema[name], self._types.get(name))
            if isinstance(physical, MapOf | ListOf) and isinstance(self.columns[name], MapOf):
                # Polars keeps the last of two equal keys when it reads a Parquet map.
                return None
            if physical != self.columns[name] and (physical, self.columns[name]) != (
                Text(),
                Json(),
            ):
                return None
        return lazy(scan.select(self.read), self._types)


class DatabaseSource(DuckDBSource):
    """A table or view of a DuckDB file, opened to read only."""

    def __init__(self, path: str, table: str, types: Types, wanted: Wanted) -> None:
        if not os.path.isfile(path):
            raise SourceError(f"{path}: there is no such DuckDB file")
        self._path = path
        stamp = stamped([path, f"{path}.wal"])
        with self._connected() as connection:
            self._table, is_view = _named_table(connection, path, table)
            # What a view reads may lie elsewhere.
            self._fingerprint = None if is_view else stamp + self._table
            relation = connection.sql(f"from {self._table}")
            super().__init__(f"{path}::{table}", relation, types, wanted)

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            connection = duckdb.connect(self._path, read_only=True)
        except duckdb.Error as fault:
            raise SourceError(
                f"{self._path} cannot be opened as a DuckDB file: {first_line(fault)}; where this "
                "program has it open already, give the table of that connection instead"
            ) from fault
        with reading(self._path), connection:
            yield connection

    @contextmanager
    def duckdb(self) -> Iterator[tuple[Queries, str]]:
        """See Source."""
        with self._connected() as connection:
            yield connection, self.of(self._table)

    def fingerprint(self) -> str | None:
        """See Source."""
        return self._fingerprint


_NO_CELL = pa.chunked_array([], pa.string())


def stamped(paths: Iterable[str]) -> str:
    """Names, sizes and times of change of files, as they are before anything is read."""
    told = []
    for path in paths:
        with suppress(OSError):
            found = os.stat(path)
            place = [os.path.abspath(path), found.st_dev, found.st_ino]
            told.append([*place, found.st_size, found.st_mtime_ns, found.st_ctime_ns])
    return json.dumps(told)


def _expanded(path: str) -> list[str]:
    if os.path.isdir(path):
        raise SourceError(f"{path} is a folder; name files in it, such as {path}/*.parquet")
    if os.path.exists(path):
        return [path]
    if not glob.has_magic(path):
        raise SourceError(f"{path}: there is no such file")
    found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
    if not found:
        raise SourceError(f"{path}: no file has such a name")
    return found


def _format(path: str) -> tuple[str, ...]:
    for endings in _FORMATS:
        if path.lower().endswith(endings):
            return endings
    known = " ".join(ending for endings in _FORMATS for ending in endings)
    raise SourceError(
        f"{path}: the name tells no format; known are {known}, and file.duckdb::table"
    )


def _described(given: Sequence[str], paths: Sequence[str]) -> str:
    return given[0] if len(given) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _joined_columns(files: Sequence[TextFile], types: Types) -> list[str]:
    """The columns of all files: CSV headers are alike, NDJSON lines may lack any key."""
    first = files[0].columns(types)
    names = dict.fromkeys(first)
    for file in files[1:]:
        found = file.columns(types)
        if isinstance(file, CsvFile) and set(found) != set(first):
            raise _unlike(files[0].path, file.path, set(found) ^ set(first))
        names |= dict.fromkeys(found)
    return list(names)


def _unlike(first: str, other: str, columns: set[str]) -> SourceError:
    named = ", ".join(map(repr, sorted(columns)[:5]))
    return SourceError(f"{first} and {other} do not agree on {named}; read them apart")


def _common_schema(paths: Sequence[str]) -> Any:
    first = _parquet_schema(paths[0])
    kinds = dict(zip(first.names, first.types, strict=True))
    for path in paths[1:]:
        schema = _parquet_schema(path)
        other = dict(zip(schema.names, schema.types, strict=True))
        if kinds != other:
            names = {name for name in kinds | other if kinds.get(name) != other.get(name)}
            raise _unlike(paths[0], path, names)
    return first


def _parquet_schema(path: str) -> Any:
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as fault:
        raise SourceError(f"{path} cannot be read as Parquet: {first_line(fault)}") from fault


def _cell_fault(
    files: Sequence[TextFile], tables: Sequence[Any], row: int, column: str, types: Types
) -> SourceError:
    starts = list(accumulate((table.num_rows for table in tables), initial=0))
    number = bisect_right(starts, row) - 1
    file, row = files[number], row - starts[number]
    text = tables[number].column(column)[row].as_py()
    shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
    return SourceError(
        f"{file.path}, line {file.line(row)}, column {column!r}: {shown} is not "
        f"{cells_of(types.get(column)).wanted}"
    )


def _named_table(connection: duckdb.DuckDBPyConnection, path: str, table: str) -> tuple[str, bool]:
    """The quoted name of what is given as `table` or `schema.table`, and whether it is a view."""
    found = connection.sql(
        "select table_schema, table_name, table_type = 'VIEW' from information_schema.tables "
        "order by all"
    ).fetchall()
    known = {f"{schema}.{name}": (schema, name, view) for schema, name, view in found}
    known |= {name: (schema, name, view) for schema, name, view in found if schema == "main"}
    if table not in known:
        tables = ", ".join(name for _, name, _ in found[:20]) or "none"
        raise SourceError(f"{path} has no table {table!r}; its tables are {tables}")
    schema, name, is_view = known[table]
    return f"{identifier(schema)}.{identifier(name)}", is_view
