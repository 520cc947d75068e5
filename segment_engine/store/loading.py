"""Consumers loaded from files: Parquet, CSV, NDJSON, or a DuckDB table, in parts of 10,000 rows.

What is loaded stays when a later part cannot be read; the same file again changes nothing.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from segment_engine.backends.sources import plain_rows
from segment_engine.errors import Invalid, Problem
from segment_engine.store import bulk, exact_json
from segment_engine.store.bulk import Part
from segment_engine.store.consumers import MOST_ROWS
from segment_engine.store.given_rows import (
    Names,
    Row,
    in_iso,
    is_metadata,
    metadata_of,
    names,
    row_of,
)
from segment_engine.store.matching import Kept
from segment_engine.store.records import Organization
from segment_engine.store.store import OrganizationStore

MOST_TOLD = 1_000


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


class _Given(NamedTuple):
    """What is in a file; what is left out of it is known when its rows were read."""

    total: int
    parts: Iterator[Part]
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
    keys = names(external_id)
    lines = plain_rows.json_lines(path)
    given = _of_columns(path, keys, shop.organization) if lines is None else _of_lines(*lines, keys)
    told = Loaded()
    for part in given.parts:
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


def _put(shop: OrganizationStore, part: Part, told: Loaded) -> None:
    put = bulk.put(shop.store.database, shop.organization, part)
    wrong = []
    for problem in put.problems:
        _, place, *name = problem.field.split(".", 2)
        wrong.append((int(place), "".join(name), problem.message))
    rejected = [Rejected(told.rows + n + 1, name, reason) for n, name, reason in sorted(wrong)]
    told.wrong += len(rejected)
    told.rejected += rejected[: MOST_TOLD - len(told.rejected)]
    told.created += put.statuses["created"]
    told.updated += put.statuses["updated"]
    told.unchanged += put.statuses["unchanged"]
    told.rows += len(part.plain)


def _of_lines(number: int, lines: Iterator[str], keys: Names) -> _Given:
    left_out: dict[str, None] = {}

    def read(part: list[str], numbers: Sequence[int]) -> Iterator[Row]:
        for n in numbers:
            try:
                given = exact_json.loads(part[n])
            except (ValueError, RecursionError):
                given = None
            if isinstance(given, dict):
                odd = [one for one in given if one not in keys and not is_metadata(one, keys)]
                left_out.update(dict.fromkeys(odd))
                yield row_of(given, keys)
            else:
                yield {}, [Problem("", "it is no JSON object")]

    def parts() -> Iterator[Part]:
        while part := list(islice(lines, MOST_ROWS)):
            yield Part([None] * len(part), partial(read, part))

    return _Given(number, parts(), left_out.keys())


def _of_columns(path: str | Path, keys: Names, organization: Organization) -> _Given:
    source = plain_rows.open_plain(path)
    known = {one: keys[one] for one in source.read if one in keys}
    if {"externalId", "email", "phone"}.isdisjoint(known.values()):
        found = ", ".join(list(source.columns)[:20])
        raise Invalid(
            f"{path} has no column externalId, email or phone; it has {found}; "
            "name the column of external ids with --external-id"
        )
    metadata = [one for one in source.read if is_metadata(one, keys)]

    def first_instant(day: date) -> int:
        return organization.engine.clock(day.isoformat()).as_of

    def read(part: plain_rows.Part, numbers: Sequence[int]) -> Iterator[Row]:
        found = part.rows([*known, *metadata], numbers)
        return (row_of(in_iso(cells, known), known) for cells in found)

    def parts() -> Iterator[Part]:
        for part in plain_rows.parts(source, known, metadata, MOST_ROWS, first_instant):
            yield Part(_plain(part, metadata, known), partial(read, part))

    left_out = [one for one in source.columns if one not in known and one not in metadata]
    return _Given(plain_rows.count(source), parts(), left_out)


def _plain(part: plain_rows.Part, metadata: Sequence[str], keys: Names) -> list[Kept | None]:
    """The rows that are plainly sound, None for others."""
    for n, cells in zip(part.unread, part.rows(metadata, part.unread), strict=True):
        try:
            part.documents[n] = metadata_of(in_iso(cells, keys), keys)
        except (ValueError, RecursionError):
            part.plain[n] = False
    return bulk.plain_rows({**part.values, "metadata": part.documents}, part.plain)
