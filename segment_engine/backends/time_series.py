"""Days and instants in Polars, equal to `values.isotime` and `values.zones` row by row.

Zones go through the `tzdata` table: Polars' own conversion is wrong after 2037.
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from segment_engine.backends.physical import StampUnit
from segment_engine.values.isotime import (
    DAY,
    EDGE,
    HOUR,
    MAX_INSTANT,
    MIN_INSTANT,
    day_number,
    parse_iso,
)
from segment_engine.values.zones import zone

Int64s = np.ndarray[Any, np.dtype[np.int64]]


def iso_parts(texts: pl.Series) -> pl.Series:
    """Struct{day: Int32, instant: Int64} of a String series, by `parse_iso`.

    At most one field is set; both are null where the text is neither. Each distinct text is
    parsed once.
    """
    distinct = texts.unique().drop_nulls()
    read = [parse_iso(text) for text in distinct]
    known = pl.DataFrame(
        {
            "text": distinct,
            "day": pl.Series([as_day(value) for value in read], dtype=pl.Int32),
            "instant": pl.Series(
                [value if isinstance(value, int) else None for value in read], dtype=pl.Int64
            ),
        }
    )
    rows = texts.alias("text").to_frame().join(known, on="text", how="left", maintain_order="left")
    return rows.select("day", "instant").to_struct(texts.name)


def as_day(value: date | int | None) -> int | None:
    """The day number of what `parse_iso` read, if it is a day."""
    return day_number(value) if isinstance(value, date) else None


def stamp_instant(stamps: pl.Expr, unit: StampUnit) -> pl.Expr:
    """Int64 instants of a Datetime of that unit, floored; null outside the years 1 to 9999."""
    raw = stamps.to_physical()
    if unit == "us":
        return within(raw, MIN_INSTANT, MAX_INSTANT)
    # DuckDB reads the outermost values as infinity.
    return within(raw, 2 - 2**63, 2**63 - 2) // 1000


def day_of_date(days: pl.Expr) -> pl.Expr:
    """Int32 days of a Date, null outside the years 1 to 9999."""
    low, high = MIN_INSTANT // DAY, MAX_INSTANT // DAY
    return within(days.to_physical(), low, high)


def within(numbers: pl.Expr, low: int, high: int) -> pl.Expr:
    """The numbers from low to high, both included; null elsewhere."""
    return pl.when(numbers.is_between(low, high)).then(numbers)


def local_day(instants: pl.Series, zone_name: str) -> pl.Series:
    """Int32 days on the zone's wall calendar of Int64 instants.

    Null less than two days from either end of the years 1 to 9999.
    """
    return by_wall(instants, zone_name, lambda wall: wall // DAY)


def local_hour(instants: pl.Series, zone_name: str) -> pl.Series:
    """Int32 hours 0 to 23 on the zone's wall clock of Int64 instants; null as `local_day`."""
    return by_wall(instants, zone_name, lambda wall: wall % DAY // HOUR)


def by_wall(instants: pl.Series, zone_name: str, part: Callable[[Int64s], Int64s]) -> pl.Series:
    """Int32 of `part` of the wall times in microseconds, null near the ends and for null."""
    known = instants.is_between(MIN_INSTANT + EDGE, MAX_INSTANT - EDGE).fill_null(False)
    numbers = instants.fill_null(0).to_numpy()
    changes, offsets = table(zone_name)
    at = np.where(known.to_numpy(), numbers, 0)
    wall = at + offsets[np.searchsorted(changes, at, side="right")]
    parts = pl.Series(instants.name, part(wall)).cast(pl.Int32)
    return parts.zip_with(known, pl.Series([None], dtype=pl.Int32))


@lru_cache(maxsize=64)
def table(zone_name: str) -> tuple[Int64s, Int64s]:
    """The zone's transitions as arrays."""
    instants, offsets = zone(zone_name).transitions()
    return np.array(instants, dtype=np.int64), np.array(offsets, dtype=np.int64)


def year(days: pl.Expr) -> pl.Expr:
    """The year of Int32 days, 1 to 9999."""
    return days.cast(pl.Date).dt.year()


def quarter(days: pl.Expr) -> pl.Expr:
    """The quarter of Int32 days, 1 to 4."""
    return days.cast(pl.Date).dt.quarter()


def month(days: pl.Expr) -> pl.Expr:
    """The month of Int32 days, 1 to 12."""
    return days.cast(pl.Date).dt.month()


def day(days: pl.Expr) -> pl.Expr:
    """The day of the month of Int32 days, 1 to 31."""
    return days.cast(pl.Date).dt.day()


def weekday(days: pl.Expr) -> pl.Expr:
    """The weekday of Int32 days, Monday = 1 to Sunday = 7."""
    return days.cast(pl.Date).dt.weekday()
