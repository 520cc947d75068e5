"""Typed columns out of text cells, by the schema and never by guessing: for CSV and NDJSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from segment_engine.backends import json_sql, time_sql
from segment_engine.backends.physical import (
    Bool,
    Day,
    Dec,
    Float,
    Int,
    IsoText,
    Json,
    Physical,
    Text,
)
from segment_engine.backends.sources.tables import database
from segment_engine.backends.sql import identifier
from segment_engine.values.types import Type

_NUMBER = r"-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?|(?i:[+-]?(inf|infinity)|nan)"
_INTEGER = r"^-?[0-9]+$"
_MONEY = r"-?0*[0-9]{1,29}([.][0-9]{1,9}0*)?"


@dataclass(frozen=True, slots=True)
class Cells:
    """How the cells of a type read: `good` gives SQL that is true where a cell does."""

    good: Callable[[str], str] | None
    wanted: str
    column: Callable[[Any], tuple[Any, Physical]]


def cells_of(wanted: Type | None) -> Cells:
    """How the cells of a column of that type read; None is text."""
    if wanted is None or wanted.element is None:
        return _CELLS["text" if wanted is None else wanted.name]
    return _LIST


def first_fault(table: Any, types: Mapping[str, Type | None]) -> tuple[int, str] | None:
    """The first row of a table of text, and its column, that does not read as its type."""
    checks = {name: good for name, wanted in types.items() if (good := cells_of(wanted).good)}
    if not checks:
        return None
    unique = max(table.column_names, key=len) + "#"
    row = identifier(unique)
    first = ", ".join(
        f"min({row}) filter (where {x} is not null and not coalesce({good(x)}, false))"
        for x, good in ((identifier(name), good) for name, good in checks.items())
    )
    numbered = table.append_column(unique, pa.array(range(table.num_rows), pa.int64()))
    with database().cursor() as connection:
        connection.register("cells", numbered)
        found = connection.sql(f"select {first} from cells").fetchall()[0]
    faults = [(at, name) for name, at in zip(checks, found, strict=True) if at is not None]
    return min(faults, default=None)


def typed(table: Any, types: Mapping[str, Type | None]) -> tuple[Any, dict[str, Physical]]:
    """A table of good cells with its columns typed, and their physical types."""
    made = {name: cells_of(wanted).column(table.column(name)) for name, wanted in types.items()}
    arrays = {name: array for name, (array, _) in made.items()}
    return pa.table(arrays), {name: kind for name, (_, kind) in made.items()}


def _full_match(pattern: str) -> Callable[[str], str]:
    return lambda x: f"regexp_full_match({x}, '{pattern}')"


def _as_it_is(physical: Physical) -> Callable[[Any], tuple[Any, Physical]]:
    return lambda texts: (texts, physical)


def _numbers(texts: Any) -> tuple[Any, Physical]:
    whole = pc.all(pc.match_substring_regex(texts, _INTEGER), min_count=0).as_py()
    try:
        return (texts.cast(pa.int64()), Int()) if whole else (texts.cast(pa.float64()), Float())
    except pa.ArrowInvalid:  # An integer of more than 64 bits is among them.
        return texts.cast(pa.float64()), Float()


def _amounts(texts: Any) -> tuple[Any, Physical]:
    # Arrow counts zeros that say nothing as digits that it cannot hold.
    trimmed = pc.replace_substring_regex(texts, "^(-?)0+([0-9])", r"\1\2")
    trimmed = pc.replace_substring_regex(trimmed, "([.][0-9]{9})0+$", r"\1")
    return trimmed.cast(pa.decimal128(38, 9)), Dec(38, 9)


def _booleans(texts: Any) -> tuple[Any, Physical]:
    return pc.equal(pc.ascii_lower(texts), "true"), Bool()


def _days(texts: Any) -> tuple[Any, Physical]:
    return texts.cast(pa.date32()), Day()


def _iso(x: str) -> str:
    return f"({time_sql.iso_day(x)} is not null or {time_sql.iso_instant(x)} is not null)"


_CELLS = {
    "text": Cells(None, "text", _as_it_is(Text())),
    "any": Cells(None, "JSON", _as_it_is(Json())),
    "number": Cells(_full_match(_NUMBER), "a number such as 12 or -0.5", _numbers),
    "currency": Cells(
        _full_match(_MONEY),
        "an amount such as 19.99, of at most 9 decimals and 29 digits before them",
        _amounts,
    ),
    "boolean": Cells(_full_match("(?i:true|false)"), "true or false", _booleans),
    "date": Cells(
        lambda x: f"{time_sql.iso_day(x)} is not null",
        "a day such as 2026-01-31",
        _days,
    ),
    "datetime": Cells(
        _iso, "a day or datetime such as 2026-01-31 or 2026-01-31T10:00:00Z", _as_it_is(IsoText())
    ),
}
_LIST = Cells(
    lambda x: json_sql.is_array(json_sql.document(x)),
    'a JSON list such as ["a", "b"]',
    _as_it_is(Json()),
)
