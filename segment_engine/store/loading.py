"""Consumers loaded from files: Parquet, CSV, NDJSON, or a DuckDB table, in parts of 10,000 rows.

What is loaded stays when a later part cannot be read; the same file again changes nothing.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from segment_engine.backends.sources.plain_rows import count, json_lines, open_plain
from segment_engine.errors import Invalid, Problem
from segment_engine.store import exact_json
from segment_engine.store.consumers import MOST_ROWS
from segment_engine.store.identity import FRACTION_DIGITS, KEYS
from segment_engine.store.store import OrganizationStore

METADATA, PATH = "metadata", "metadata."
MOST_TOLD = 1_000
_EMPTY = (None, "")


class Rejected(NamedTuple):
    """A row that was left out, or a field of it: its number from 1, the key and the reason."""

    row: int
    field: str
    reason: str


@dataclass
class Loaded:
    """How many rows became what; of `rejected` the first thousand are told, `wrong` counts all."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rows: int = 0
    wrong: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Columns that consumers do not have."""


Row = tuple[dict[str, Any], list[Problem]]
"""A row as the API would give it, and what cannot be."""


class _Given(NamedTuple):
    """What is in a file; what is left out of it is known when its rows were read."""

    total: int
    rows: Iterator[Row]
    left_out: Collection[str]


def load(
    shop: OrganizationStore,
    path: str | Path,
    external_id: str = "externalId",
    progress: Callable[[int, int], None] | None = None,
) -> Loaded:
    """Puts in the rows of a file; an empty cell, or null, leaves what there is.

    Columns are named as the API's keys, or `metadata.x` for one key of metadata; `external_id` is
    the column of external ids. `progress` is told the rows done and all rows. Raises SourceError
    for a file that cannot be read, Invalid for one without a column that consumers are known by.
    """
    names = {one: one for one in KEYS if one not in ("id", "externalId")}
    names[external_id] = "externalId"
    lines = json_lines(path)
    given = _of_columns(path, names) if lines is None else _of_lines(*lines, names)
    told = Loaded()
    while part := list(islice(given.rows, MOST_ROWS)):
        _put(shop, part, told)
        if progress:
            progress(told.rows, given.total)
    told.left_out = list(given.left_out)
    return told


def lines(told: Loaded) -> Iterator[tuple[str, int]]:
    """What became of the rows, for a table."""
    yield from (
        ("created", told.created),
        ("updated", told.updated),
        ("unchanged", told.unchanged),
        ("rejected", told.rows - told.created - told.updated - told.unchanged),
    )


def _of_columns(path: str | Path, names: Mapping[str, str]) -> _Given:
    source = open_plain(path)
    chosen = [one for one in source.read if one in names or one.startswith(PATH)]
    if {"externalId", "email", "phone"}.isdisjoint([names.get(one) for one in chosen]):
        known = ", ".join(list(source.columns)[:20])
        raise Invalid(
            f"{path} has no column externalId, email or phone; it has {known}; "
            "name the column of external ids with --external-id"
        )
    read = _reader({one: names.get(one, one) for one in chosen})
    left_out = [one for one in source.columns if one not in chosen]
    return _Given(count(source), map(read, source.rows(chosen)), left_out)


def _of_lines(number: int, lines: Iterator[str], names: Mapping[str, str]) -> _Given:
    read = _reader({**names, METADATA: METADATA})
    left_out: dict[str, None] = {}

    def rows() -> Iterator[Row]:
        for line in lines:
            try:
                given = exact_json.loads(line)
            except (ValueError, RecursionError):
                given = None
            if isinstance(given, dict):
                left_out.update(dict.fromkeys(one for one in given if one not in names))
                yield read(given)
            else:
                yield {}, [Problem("", "it is no JSON object")]

    return _Given(number, rows(), left_out.keys())


def _put(shop: OrganizationStore, part: list[Row], told: Loaded) -> None:
    sound = [n for n, (_, found) in enumerate(part) if not found]
    put = shop.consumers.put([part[n][0] for n in sound])
    wrong = [(n, problem.field, problem.message) for n, (_, p) in enumerate(part) for problem in p]
    for problem in put.problems:
        _, place, *name = problem.field.split(".", 2)
        wrong.append((sound[int(place)], "".join(name), problem.message))
    rejected = [Rejected(told.rows + n + 1, name, reason) for n, name, reason in sorted(wrong)]
    told.wrong += len(rejected)
    told.rejected += rejected[: MOST_TOLD - len(told.rejected)]
    for one in put.rows:
        if one is not None:
            setattr(told, one.status, getattr(told, one.status) + 1)
    told.rows += len(part)


def _reader(columns: Mapping[str, str]) -> Callable[[Mapping[str, Any]], Row]:
    """What reads a row whose columns have those keys; `metadata.x` is a key as well."""
    plain = [
        (column, key, _CONVERTED.get(key))
        for column, key in columns.items()
        if key != METADATA and not key.startswith(PATH)
    ]
    paths = [(column, key[len(PATH) :]) for column, key in columns.items() if key.startswith(PATH)]

    def read(given: Mapping[str, Any]) -> Row:
        row: dict[str, Any] = {}
        for column, key, convert in plain:
            value = given.get(column)
            if value is not None and convert is not None:
                value = convert(value)
            if value is not None and value != "":
                row[key] = value
        try:
            metadata = _document(given.get(METADATA))
        except (ValueError, RecursionError):
            return row, [Problem(METADATA, "it is no JSON")]
        beside = {key: one for column, key in paths if (one := given.get(column)) not in _EMPTY}
        if beside and isinstance(metadata, Mapping | None):
            metadata = {**(metadata or {}), **beside}
        if metadata is not None:
            row[METADATA] = metadata
        return row, []

    return read


def _document(given: Any) -> Any:
    return exact_json.loads(given) if isinstance(given, str) and given else given or None


def _as_text(given: Any) -> Any:
    """Numbers that name somebody; a file may hold them as numbers."""
    return str(given) if type(given) is int else given


def _as_number(given: Any) -> Any:
    """A double without the noise behind its digits; one that is no number is missing."""
    if type(given) is not float:
        return given
    return round(given, FRACTION_DIGITS) if math.isfinite(given) else None


def _as_instant(given: Any) -> Any:
    """A time without a zone is UTC."""
    naive = isinstance(given, datetime) and given.tzinfo is None
    return given.replace(tzinfo=UTC) if naive else given


_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "externalId": _as_text,
    "phone": _as_text,
    "totalOrders": _as_number,
    "totalOrderValue": _as_number,
    "lastOrderAt": _as_instant,
    "createdAt": _as_instant,
}
