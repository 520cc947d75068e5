"""Memberships in the forms that other programs read.

    long      a Parquet file, a row a membership: consumer_id, audience; a row group an audience
    parquet   a folder with a Parquet file of ids for each audience
    csv       a folder with a CSV file of ids for each audience
    duckdb    a table in a DuckDB file, PATH or PATH::TABLE, as long
    arrow     a file that is an Arrow IPC stream, as long

A folder also has audiences.json, which tells the file of each audience. What is there is replaced
where an export wrote it, and nothing else is. Every function raises OutputError.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from segment_engine.backends.sql import identifier
from segment_engine.batch.difference import Difference
from segment_engine.batch.files import beside, remove, reported, settle, whole
from segment_engine.batch.memberships import Memberships
from segment_engine.errors import OutputError

INDEX, MARKER = "audiences.json", "segment-engine export"
TABLE = "memberships"
COLUMNS = ["consumer_id", "audience"]
_WROTE = {b"segment_engine": b"memberships"}
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.I)
_LONGEST = 100
_RUN_BY_SHEETS = r"^[=+\-@\t\r]"
"""How texts begin that spreadsheets take for formulas."""


def export(memberships: Memberships, form: str, path: str | Path) -> None:
    """Write a run in one of `FORMS`, whole or not at all."""
    check_export(form, path)
    with _reported(path):
        FORMS[form][1](memberships, path)


def check_export(form: str, path: str | Path) -> None:
    """Raises OutputError where there is no such form, or `path` is not to be replaced."""
    if form not in FORMS:
        raise OutputError(f"there is no export {form!r}; there are {', '.join(FORMS)}")
    with _reported(path):
        FORMS[form][0](path)


@contextmanager
def _reported(path: str | Path) -> Iterator[None]:
    with reported(path):
        try:
            yield
        except duckdb.Error as fault:
            raise OutputError(f"{path} cannot be written: {fault}") from None


def tables(memberships: Memberships) -> Iterator[pa.Table]:
    """The rows of one audience after the other."""
    for key in memberships:
        ids = memberships.ids_of(memberships.bitmap(key))
        audience = pa.repeat(pa.scalar(key, pa.string()), len(ids))
        yield pa.table([ids, audience], schema=_schema(memberships))


def _schema(memberships: Memberships) -> pa.Schema:
    kinds = (memberships.ids.type, pa.string())
    return pa.schema(list(zip(COLUMNS, kinds, strict=True)), metadata=_WROTE)


# ---- one file


def _long(memberships: Memberships, path: str | Path) -> None:
    kinds = (memberships.ids.type, pa.dictionary(pa.int32(), pa.string()))
    schema = pa.schema(list(zip(COLUMNS, kinds, strict=True)))
    with _made(path) as fresh, _long_writer(fresh, schema) as writer:
        writer.add_key_value_metadata(_WROTE)
        for key in memberships:
            if len(found := memberships.bitmap(key)):
                audience = pa.DictionaryArray.from_arrays(np.zeros(len(found), np.int32), [key])
                writer.write_table(pa.table([memberships.ids_of(found), audience], schema=schema))


def _long_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Ids of one audience ascend in most runs and none stands twice, so differences are written.

    The schema of Arrow is left out, because it would make the audiences something else than text.
    """
    ids, audience = COLUMNS
    whole = pa.types.is_integer(schema.field(ids).type)
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[audience],
        column_encoding={ids: "DELTA_BINARY_PACKED"} if whole else None,
        write_statistics=[audience],
        store_schema=False,
    )


def _arrow(memberships: Memberships, path: str | Path) -> None:
    with _made(path) as fresh, pa.ipc.new_stream(str(fresh), _schema(memberships)) as writer:
        for table in tables(memberships):
            writer.write_table(table)


@contextmanager
def _made(path: str | Path) -> Iterator[Path]:
    target = _resolved(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole(target) as fresh:
        yield fresh


def _check_parquet(path: str | Path) -> None:
    _check_file(path, pq.read_schema)


def _check_arrow(path: str | Path) -> None:
    _check_file(path, _stream_schema)


def _stream_schema(path: Path) -> pa.Schema:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return stream.schema


def _check_file(path: str | Path, schema_of: Callable[[Path], pa.Schema]) -> None:
    target = _resolved(path)
    if not target.exists():
        return
    if target.is_dir():
        raise OutputError(f"{path} is a folder; name a file")
    try:
        found = schema_of(target).metadata or {}
    except pa.ArrowException:
        found = {}
    if not _WROTE.items() <= found.items():
        raise _not_ours(path)


def _resolved(path: str | Path) -> Path:
    return Path(os.path.realpath(path))


def _not_ours(path: str | Path) -> OutputError:
    return OutputError(f"{path} is there, and no export wrote it; remove it, or name another path")


# ---- a folder


def _parquet_file(ids: pa.ChunkedArray, path: Path) -> None:
    pq.write_table(pa.table({COLUMNS[0]: ids}), path, compression="zstd")


def _csv_file(ids: pa.ChunkedArray, path: Path) -> None:
    if pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type):
        formula = pc.match_substring_regex(ids, _RUN_BY_SHEETS)
        ids = pc.if_else(formula, pc.binary_join_element_wise("'", ids, ""), ids)
    pl.DataFrame(pa.table({COLUMNS[0]: ids})).write_csv(path)


def _folder(ending: str, write: Callable[[pa.ChunkedArray, Path], None]) -> "_Write":
    def written(memberships: Memberships, path: str | Path) -> None:
        target = _resolved(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        names = file_names(memberships, ending)
        with _swapped(target) as fresh:
            fresh.mkdir()
            for key, name in names.items():
                write(memberships.ids_of(memberships.bitmap(key)), fresh / name)
            (fresh / INDEX).write_text(_told(memberships, names), "utf-8")
            for file in fresh.iterdir():
                settle(file)

    return written


def _told(memberships: Memberships, names: Mapping[str, str]) -> str:
    counts = memberships.counts()
    files = {key: {"file": name, "count": counts[key]} for key, name in names.items()}
    failed = {key: str(fault) for key, fault in memberships.failed.items()}
    told = {"format": MARKER, "files": files, "failed": failed}
    return json.dumps(told, indent=2) + "\n"


@contextmanager
def _swapped(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of one that is there; for a moment there is none."""
    fresh, old = beside(target), beside(target)
    try:
        yield fresh
        settle(fresh)
        replaced = target.exists()
        if replaced:
            os.rename(target, old)
        try:
            os.rename(fresh, target)
        except OSError:
            if replaced:
                os.rename(old, target)
            raise
        settle(target.parent)
        remove(old)
    finally:
        remove(fresh)


def _check_folder(path: str | Path) -> None:
    target = _resolved(path)
    if target == target.parent or (target.exists() and not target.is_dir()):
        raise OutputError(f"{path} is a file, or the root folder; name a folder")
    held = set(os.listdir(target)) if target.exists() else set()
    if held and not held <= {INDEX, *_listed(target / INDEX)}:
        raise _not_ours(path)


def _listed(path: Path) -> list[str]:
    """The files that an export told of."""
    try:
        told = json.loads(path.read_bytes())
        return [one["file"] for one in told["files"].values()] if _is_ours(told) else []
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return []


def _is_ours(told: Any) -> bool:
    return isinstance(told, dict) and told.get("format") == MARKER


def file_names(keys: Iterable[str], ending: str) -> dict[str, str]:
    """A name for the file of each audience that every file system can hold, no two alike.

    Letters, digits, `-`, `_`, `.` stay; others are escaped as in addresses. What would be too
    long, reserved or differ from another by case alone ends with a part of the key's hash.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key in keys:
        name = quote(key, safe="", errors="surrogatepass").replace("~", "%7E")
        if name[:1] in ("", "."):
            name = f"%2E{name[1:]}" if name else "%"
        if len(name) > _LONGEST or _RESERVED.fullmatch(name) or name.lower() in taken:
            digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
            name = f"{name[:_LONGEST]}-{digest}"
        taken.add(name.lower())
        names[key] = f"{name}{ending}"
    return names


# ---- a table


def _duckdb(memberships: Memberships, path: str | Path) -> None:
    file, table = _file_and_table(path)
    if _resolved(file).exists():
        _fill(_resolved(file), table, memberships)
    else:
        with _made(file) as fresh:
            _fill(fresh, table, memberships)


def _file_and_table(path: str | Path) -> tuple[str, str]:
    file, _, table = str(path).partition("::")
    return file, table or TABLE


def _fill(file: Path, table: str, memberships: Memberships) -> None:
    """The table anew, in one transaction, whatever else the file holds."""
    name, rows = identifier(table), "segment_engine_rows"
    with duckdb.connect(str(file)) as connection:
        connection.begin()
        connection.register(rows, _schema(memberships).empty_table())
        connection.execute(f"create or replace table {name} as from {rows}")
        for part in tables(memberships):
            connection.register(rows, part)
            connection.execute(f"insert into {name} from {rows}")
        connection.commit()


def _check_duckdb(path: str | Path) -> None:
    file, table = _file_and_table(path)
    target = _resolved(file)
    if target.is_dir():
        raise OutputError(f"{path} is a folder; name a file")
    if not target.exists():
        return
    asked = "select column_name from duckdb_columns() where not internal and table_name = ?"
    with duckdb.connect(str(target), read_only=True) as connection:
        columns = connection.execute(f"{asked} order by column_index", [table]).fetchall()
    if columns and [name for (name,) in columns] != COLUMNS:
        raise OutputError(f"{path}: the table {table!r} has other columns; name another table")


# ---- changes


def write_changes(difference: Difference, keys: Iterable[str], form: str, path: str | Path) -> None:
    """A row a change of those audiences, as a file of "parquet" or "jsonl"."""
    with _reported(path):
        if form == "parquet":
            _check_parquet(path)
        elif _resolved(path).exists() and not _is_jsonl(_resolved(path)):
            raise _not_ours(path)
        with _made(path) as fresh:
            if form == "jsonl":
                fresh.write_text("".join(f"{row}\n" for row in json_lines(difference, keys)))
                return
            schema = difference.schema.with_metadata(_WROTE)
            with pq.ParquetWriter(fresh, schema, compression="zstd") as writer:
                for table in difference.batches(keys):
                    writer.write_table(table.cast(schema))


def json_lines(difference: Difference, keys: Iterable[str]) -> Iterator[str]:
    """Each change as a line of JSON."""
    for table in difference.batches(keys):
        for row in table.to_pylist():
            yield json.dumps(row, default=str)


def _is_jsonl(path: Path) -> bool:
    with open(path, "rb") as file:
        first = file.readline()
    return not first or first.startswith(b'{"consumer_id": ')


_Check = Callable[[str | Path], None]
_Write = Callable[[Memberships, str | Path], None]

FORMS: Mapping[str, tuple[_Check, _Write]] = {
    "long": (_check_parquet, _long),
    "parquet": (_check_folder, _folder(".parquet", _parquet_file)),
    "csv": (_check_folder, _folder(".csv", _csv_file)),
    "duckdb": (_check_duckdb, _duckdb),
    "arrow": (_check_arrow, _arrow),
}
