"""Days and instants as DuckDB SQL text, equal to `values.isotime` and `values.zones` row by row.

Every `x` is an SQL fragment, written once in the result. Nothing reads the session's TimeZone, and
offsets come from the `tzdata` table rather than from the ICU data compiled into DuckDB.
"""

from bisect import bisect_left
from datetime import date
from functools import lru_cache
from itertools import pairwise

from segment_engine.backends.physical import StampUnit
from segment_engine.values.isotime import (
    DATE_PATTERN,
    DATETIME_PATTERN,
    DAY,
    EDGE,
    HOUR,
    MAX_INSTANT,
    MIN_DAY,
    MIN_INSTANT,
    DayPart,
    day_number,
)
from segment_engine.values.zones import CYCLE, CYCLE_YEARS, zone

# Zone rules reach at most to 2087; from 2100 on every zone repeats itself after 400 years.
REPEAT_YEAR = 2100
REPEAT = day_number(date(REPEAT_YEAR, 1, 1)) * DAY
REPEAT_END = day_number(date(REPEAT_YEAR + CYCLE_YEARS, 1, 1)) * DAY
BUCKET = 366 * DAY

PARTS: dict[DayPart, str] = {
    "year": "year",
    "quarter": "quarter",
    "month": "month",
    "day": "day",
    "weekday": "isodow",
}


def iso_instant(x: str) -> str:
    """BIGINT instant of a VARCHAR that is a whole ISO datetime, else NULL."""
    zoned = "(ends_with(v, 'Z') OR v[-6] IN ('+', '-'))"
    stamp = f"TRY_CAST(CASE WHEN {zoned} THEN v ELSE v || '+00' END AS TIMESTAMPTZ)"
    whole = f"regexp_full_match(v, '{DATETIME_PATTERN}')"
    return in_years(let(x, f"CASE WHEN {whole} THEN epoch_us({stamp}) END"))


def iso_day(x: str) -> str:
    """INTEGER day of a VARCHAR that is a whole ISO day, else NULL."""
    whole = f"regexp_full_match(v, '{DATE_PATTERN}')"
    return day_of_date(let(x, f"CASE WHEN {whole} THEN TRY_CAST(v AS DATE) END"))


def stamp_instant(x: str, unit: StampUnit) -> str:
    """BIGINT instant of a TIMESTAMP or TIMESTAMPTZ of that unit, floored to microseconds.

    NULL where infinite or outside the years 1 to 9999.
    """
    if unit == "us":
        return in_years(f"epoch_us({x})")
    # Infinity is the two outermost values; the lowest int is one more on other engines.
    floor = "CASE WHEN v > -9223372036854775807 THEN v // 1000 - (v % 1000 < 0)::BIGINT END"
    return let(f"epoch_ns({x})", floor)


def day_of_date(x: str) -> str:
    """INTEGER day of a DATE, NULL where infinite or outside the years 1 to 9999."""
    known = "v BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
    return let(x, f"CASE WHEN {known} THEN (v - DATE '1970-01-01')::INTEGER END")


def local_day(x: str, zone_name: str) -> str:
    """INTEGER day on the zone's wall calendar of a BIGINT instant.

    NULL less than two days from either end of the years 1 to 9999.
    """
    return let(local(x, zone_name), f"((v - {MIN_INSTANT}) // {DAY} + {MIN_DAY})::INTEGER")


def hour(x: str, zone_name: str) -> str:
    """INTEGER hour 0 to 23 on the zone's wall clock of a BIGINT instant; NULL as `local_day`."""
    return let(local(x, zone_name), f"((v - {MIN_INSTANT}) // {HOUR} % 24)::INTEGER")


def part(name: DayPart, x: str) -> str:
    """One calendar part of an INTEGER day; weekdays count from Monday = 1."""
    return f"{PARTS[name]}(DATE '1970-01-01' + ({x})::INTEGER)"


def in_years(x: str) -> str:
    """The instant, NULL outside the years 1 to 9999."""
    return let(x, f"CASE WHEN v BETWEEN {MIN_INSTANT} AND {MAX_INSTANT} THEN v END")


def let(x: str, body: str) -> str:
    """`body` with `v` for the value of `x`.

    A lambda, so that x is computed once and none of its column names can be taken for `v`.
    """
    return f"list_transform([{x}], lambda v: {body})[1]"


@lru_cache(maxsize=64)
def shifted(zone_name: str) -> str:
    """The SQL for `v` plus its offset in a zone.

    Transitions lie in buckets of about a year: one list access finds a bucket, and what is left
    to search are the few transitions in it.
    """
    instants, offsets = zone(zone_name).transitions()
    instants = instants[: bisect_left(instants, REPEAT_END)]
    if not instants:
        return f"v + {offsets[0]}"
    first = instants[0]
    edges = range(first, REPEAT_END + BUCKET, BUCKET)
    cuts = [bisect_left(instants, edge) for edge in edges]
    spans = list(pairwise(cuts))
    marks = big_lists([instants[low:high] for low, high in spans])
    shifts = big_lists([offsets[low : high + 1] for low, high in spans])
    year = f"CASE WHEN v < {REPEAT_END} THEN v ELSE {REPEAT} + (v - {REPEAT}) % {CYCLE} END"
    bucket = f"(greatest(w, {first}) - {first}) // {BUCKET} + 1"
    passed = f"len(list_filter({marks}[{bucket}], lambda t: t <= w))"
    offset = f"list_transform([{year}], lambda w: {shifts}[{bucket}][1 + {passed}])[1]"
    return f"v + {offset}"


def local(x: str, zone_name: str) -> str:
    """Microseconds on the zone's wall clock of an instant, NULL near the ends."""
    known = f"v BETWEEN {MIN_INSTANT + EDGE} AND {MAX_INSTANT - EDGE}"
    return let(x, f"CASE WHEN {known} THEN {shifted(zone_name)} END")


def big_lists(rows: list[list[int]]) -> str:
    """A constant BIGINT[][]; as one string it parses far faster than as a list expression."""
    return f"CAST('{str(rows).replace(' ', '')}' AS BIGINT[][])"
