"""Static lists in files: the ids of a text, CSV, TSV or Parquet file, as they are written."""

import csv
import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from segment_engine.errors import SourceError

MAX_CELL = 1024 * 1024


def read_ids(path: str, column: str | None, usual: str) -> list[Any]:
    """The ids of a file, each once, in its order; texts, except from Parquet.

    A text file has an id a line, and blank lines say nothing. In the others they stand in
    `column`, else in the `usual` one, else in the only one. Raises SourceError.
    """
    ending = os.path.splitext(path)[1].lower()
    try:
        if ending in (".parquet", ".pq"):
            found = _of_parquet(path, column, usual)
        elif ending in (".csv", ".tsv"):
            found = _of_csv(path, column, usual, "\t" if ending == ".tsv" else ",")
        elif ending in (".txt", ""):
            found = list(_lines(path))
        else:
            raise SourceError(f"{path}: a list of ids is a .txt, .csv, .tsv or .parquet file")
    except SourceError:
        raise
    except OSError as fault:
        raise SourceError(f"{path}: {_reason(fault)}") from None
    except UnicodeDecodeError as fault:
        raise SourceError(f"{path}: this is not UTF-8 text at byte {fault.start + 1}") from None
    except (csv.Error, pa.ArrowException) as fault:
        raise SourceError(f"{path}: it cannot be read: {fault}") from None
    except ValueError as fault:
        raise SourceError(f"{path!r}: {fault}") from None
    return list(dict.fromkeys(found))


def _reason(fault: OSError) -> str:
    reason = fault.strerror or str(fault)
    return f"{reason[:1].lower()}{reason[1:]}"


def _lines(path: str) -> Iterator[str]:
    with open(path, encoding="utf-8-sig", newline=None) as file:
        yield from (line for row in file if (line := row.strip()))


def _of_csv(path: str, column: str | None, usual: str, delimiter: str) -> list[str]:
    csv.field_size_limit(MAX_CELL)
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        header = [name.strip() for name in next(rows, [])]
        at = header.index(_chosen(path, header, column, usual))
        return [cell for row in rows if at < len(row) and (cell := row[at].strip())]


def _of_parquet(path: str, column: str | None, usual: str) -> list[Any]:
    with pq.ParquetFile(path) as file:
        name = _chosen(path, file.schema_arrow.names, column, usual)
        kind = file.schema_arrow.field(name).type
        if pa.types.is_nested(kind):
            raise SourceError(f"{path}: column {name!r} has no ids but {kind}")
        found = file.read([name]).column(0).to_pylist()
    return [value for value in found if value is not None]


def _chosen(path: str, columns: list[str], column: str | None, usual: str) -> str:
    if column is None and usual not in columns and len(columns) == 1:
        return columns[0]
    name = usual if column is None else column
    if name not in columns:
        known = ", ".join(columns[:20]) or "none"
        raise SourceError(f"{path}: there is no column {name!r}; its columns are {known}")
    return name
