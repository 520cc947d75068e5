"""Consumers loaded from files: Parquet, CSV, NDJSON, or a DuckDB table, in parts of 10,000 rows.

What is loaded stays when a later part cannot be read; the same file again changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from segment_engine.backends.sources import open_source
from segment_engine.errors import Invalid, Problem
from segment_engine.expression.schema import Schema
from segment_engine.store import exact_json
from segment_engine.store.consumers import MOST_ROWS
from segment_engine.store.identity import KEYS
from segment_engine.store.store import OrganizationStore

METADATA, PATH = "metadata", "metadata."
MOST_TOLD = 1_000


class Rejected(NamedTuple):
    """A row that was left out, or a field of it: its number from 1, the column and the reason."""

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


def load(
    shop: OrganizationStore,
    path: str | Path,
    external_id: str = "externalId",
    progress: Callable[[int, int], None] | None = None,
) -> Loaded:
    """Puts in the rows of a file; an empty cell leaves what there is.

    Columns are named as the API's keys, or `metadata.x` for one key of metadata; `external_id` is
    the column of external ids. Raises SourceError for a file that cannot be read, Invalid for one
    without a column that consumers are known by.
    """
    source = open_source(path, Schema.default())
    columns = {external_id: "externalId"}
    columns |= {one: one for one in KEYS if one not in ("id", "externalId")}
    chosen = [one for one in source.read if one in columns or one.startswith(PATH)]
    if not {external_id, "email", "phone"} & {*chosen}:
        known = ", ".join(list(source.columns)[:20])
        raise Invalid(
            f"{path} has no column externalId, email or phone; it has {known}; "
            "name the column of external ids with --external-id"
        )
    told = Loaded(left_out=[one for one in source.columns if one not in chosen])
    rows = (_row(one, columns) for one in source.rows(chosen))
    while part := list(islice(rows, MOST_ROWS)):
        _put(shop, part, told)
        if progress:
            progress(told.rows, told.rows + (len(part) == MOST_ROWS))
    return told


def _put(
    shop: OrganizationStore, part: list[tuple[dict[str, Any], list[Problem]]], told: Loaded
) -> None:
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


def _row(
    given: Mapping[str, Any], columns: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """The row as the API would give it, and what cannot be."""
    held = {name: value for name, value in given.items() if value not in (None, "")}
    row = {columns[name]: one for name, one in held.items() if name in columns}
    paths = {name.removeprefix(PATH): one for name, one in held.items() if name not in columns}
    try:
        whole = row.pop(METADATA, {})
        whole = exact_json.loads(whole) if isinstance(whole, str) else whole
    except (ValueError, RecursionError):
        return row, [Problem(METADATA, "it is no JSON")]
    if isinstance(whole, Mapping):
        whole = {**whole, **paths}
    return ({**row, METADATA: whole} if whole else row), []


def lines(told: Loaded) -> Iterator[tuple[str, int]]:
    """What there is to say, for a table."""
    yield from (
        ("created", told.created),
        ("updated", told.updated),
        ("unchanged", told.unchanged),
        ("rejected", told.rows - told.created - told.updated - told.unchanged),
    )
