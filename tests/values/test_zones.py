"""Time zones: the table equals zoneinfo, and every engine reads the table alike."""

import pickle
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.backends import time_series, time_sql
from segment_engine.values.isotime import (
    DAY,
    EDGE,
    HOUR,
    MAX_DAY,
    MAX_INSTANT,
    MIN_DAY,
    MIN_INSTANT,
    OutOfRange,
    day_number,
    instant_of,
    naive_microseconds,
    naive_of,
)
from segment_engine.values.zones import (
    CYCLE,
    UnknownZone,
    Zone,
    by_rule,
    period,
    step,
    tzdata_version,
    zone,
    zone_names,
)

NEW_YORK = zone("America/New_York")
MICROSECOND = timedelta(microseconds=1)
ENDS = [MIN_INSTANT, MIN_INSTANT + EDGE - 1, MIN_INSTANT + EDGE]
ENDS += [MAX_INSTANT - EDGE, MAX_INSTANT - EDGE + 1, MAX_INSTANT]

# Kinds of zone: rule to the end, none, seconds in old offsets, half-hour summer time, a skipped
# day, negative summer time, rules until 2087, and one that crossed the date line long ago.
TRICKY = [
    "UTC",
    "America/New_York",
    "Africa/Monrovia",
    "Europe/Amsterdam",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Europe/Dublin",
    "Africa/Casablanca",
    "Asia/Manila",
    "America/Nuuk",
    "Asia/Gaza",
    "America/Sao_Paulo",
]


def reference(name: str) -> ZoneInfo:
    """The zone as the standard library reads the same file."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def samples(known: Zone, count: int) -> Iterator[int]:
    """Instants on and about the zone's transitions, and anywhere."""
    draw = random.Random(known.name)
    instants, _ = known.transitions()
    changes = instants[:count] + draw.sample(instants, min(count, len(instants))) + instants[-2:]
    for change in changes:
        yield from (change - 1, change, change + HOUR // 2)
    yield from (draw.randrange(MIN_INSTANT + EDGE, MAX_INSTANT - EDGE) for _ in range(count))


def test_every_zone_equals_the_standard_library() -> None:
    assert len(zone_names()) > 500
    for name in zone_names():
        known, expected = zone(name), reference(name)
        for instant in samples(known, 12):
            wall = naive_of(instant).replace(tzinfo=UTC).astimezone(expected)
            assert known.offset_at(instant) * MICROSECOND == wall.utcoffset(), (name, instant)
            local = wall.replace(tzinfo=None, fold=0)
            assert known.local(instant) == local
            for near in (local, local - timedelta(minutes=61)):
                assert known.to_instant(near) == instant_of(near.replace(tzinfo=expected)), name


def test_a_rule_that_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone rule"):
        list(by_rule("EST5EDT,whenever", 2024))


def test_every_zone_repeats_after_400_years() -> None:
    start = day_number(date(2100, 1, 1)) * DAY
    for name in zone_names():
        instants, offsets = zone(name).transitions()
        first, second, third = (bisect_left(instants, start + n * CYCLE) for n in range(3))
        assert [at - CYCLE for at in instants[second:third]] == instants[first:second], name
        assert offsets[second:third] == offsets[first:second], name


def by_duckdb(name: str, instants: Sequence[int | None]) -> list[tuple[int | None, int | None]]:
    rows = pa.table({"n": range(len(instants)), "v": pa.array(instants, pa.int64())})
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.register("rows", rows)
        columns = f"{time_sql.local_day(chr(34) + 'v' + chr(34), name)}, {time_sql.hour('v', name)}"
        return connection.sql(f"SELECT {columns} FROM rows ORDER BY n").fetchall()


def by_polars(name: str, instants: Sequence[int | None]) -> list[tuple[int | None, int | None]]:
    series = pl.Series("at", instants, dtype=pl.Int64)
    days, hours = (part(series, name) for part in (time_series.local_day, time_series.local_hour))
    assert days.name == "at"
    assert [days.dtype, hours.dtype] == [pl.Int32, pl.Int32]
    return [*zip(days, hours, strict=True)]


@pytest.mark.parametrize("name", TRICKY)
def test_engines_agree_on_local_days_and_hours(name: str) -> None:
    known = zone(name)
    instants = [*samples(known, 300), *ENDS, 2**63 - 1, -(2**63)]
    expected = [(known.local_day_or_none(at), known.local_hour_or_none(at)) for at in instants]
    assert by_duckdb(name, [*instants, None]) == [*expected, (None, None)]
    assert by_polars(name, [*instants, None]) == [*expected, (None, None)]


def test_local_parts_are_missing_at_the_ends_of_the_calendar() -> None:
    for name in ("UTC", "Pacific/Kiritimati", "America/Adak"):
        known = [zone(name).local_day_or_none(at) is not None for at in ENDS]
        assert known == [False, False, True, True, False, False]
        assert [zone(name).local_hour_or_none(at) is not None for at in ENDS] == known


@pytest.mark.parametrize(
    ("wall", "utc"),
    [
        (datetime(2024, 3, 10, 1, 59), datetime(2024, 3, 10, 6, 59)),
        (datetime(2024, 3, 10, 2, 30), datetime(2024, 3, 10, 7, 30)),
        (datetime(2024, 3, 10, 3, 0), datetime(2024, 3, 10, 7, 0)),
        (datetime(2024, 11, 3, 1, 30), datetime(2024, 11, 3, 5, 30)),
        (datetime(2024, 11, 3, 2, 0), datetime(2024, 11, 3, 7, 0)),
        (datetime(2400, 7, 1, 0, 0), datetime(2400, 7, 1, 4, 0)),
    ],
)
def test_wall_times_on_new_york_clock_changes(wall: datetime, utc: datetime) -> None:
    assert NEW_YORK.to_instant(wall) == naive_microseconds(utc)


def test_a_skipped_wall_time_moves_forward_by_the_gap() -> None:
    moved = NEW_YORK.local(NEW_YORK.to_instant(datetime(2024, 3, 10, 2, 30)))
    assert moved == datetime(2024, 3, 10, 3, 30)
    skipped_day = zone("Pacific/Apia")
    moved = skipped_day.local(skipped_day.to_instant(datetime(2011, 12, 30, 8)))
    assert moved == datetime(2011, 12, 31, 8)


def test_the_days_of_new_york_clock_changes_have_23_and_25_hours() -> None:
    for day, hours in ((date(2024, 3, 10), 23), (date(2024, 11, 3), 25)):
        start = NEW_YORK.to_instant(datetime(day.year, day.month, day.day))
        inside = [start + n * HOUR for n in range(-1, 27)]
        number = day_number(day)
        assert [NEW_YORK.local_day(at) == number for at in inside].count(True) == hours
        assert sum(found == number for found, _ in by_duckdb(NEW_YORK.name, inside)) == hours


def test_the_ends_of_the_calendar_do_not_overflow() -> None:
    east, west = zone("Asia/Tokyo"), zone("America/New_York")
    assert west.local_day(MIN_INSTANT) == MIN_DAY - 1
    assert east.local_day(MAX_INSTANT) == MAX_DAY + 1
    assert east.to_instant(datetime.min) < MIN_INSTANT
    assert west.to_instant(datetime.max) > MAX_INSTANT
    for known, instant in ((west, MIN_INSTANT), (east, MAX_INSTANT)):
        with pytest.raises(OutOfRange):
            known.local(instant)


def test_zones_are_values() -> None:
    assert zone("UTC") == Zone("UTC")
    assert pickle.loads(pickle.dumps(NEW_YORK)) == NEW_YORK
    assert len({zone("UTC"), zone("UTC"), NEW_YORK}) == 2
    assert zone("UTC").transitions() == ([], [0])
    assert tzdata_version()[:4].isdigit()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("America/New York", "America/New_York"),
        ("europe/berlin", "Europe/Berlin"),
        ("Tokio", "Asia/Tokyo"),
        ("../zones", None),
        ("", None),
    ],
)
def test_an_unknown_zone_names_the_nearest(name: str, nearest: str | None) -> None:
    with pytest.raises(UnknownZone) as caught:
        zone(name)
    assert nearest is None or caught.value.nearest[0] == nearest
    assert set(caught.value.nearest) <= zone_names()


@pytest.mark.parametrize(
    ("start", "n", "unit", "end"),
    [
        ("2024-01-31T10:00", 1, "month", "2024-02-29T10:00"),
        ("2023-01-31T10:00", 1, "month", "2023-02-28T10:00"),
        ("2024-03-31T10:00", -1, "quarter", "2023-12-31T10:00"),
        ("2024-02-29T10:00", 1, "year", "2025-02-28T10:00"),
        ("2024-02-29T10:00", -4, "year", "2020-02-29T10:00"),
        ("2024-02-28T10:00", 2, "day", "2024-03-01T10:00"),
        ("2024-01-01T10:00", -1, "week", "2023-12-25T10:00"),
        ("9998-12-31T10:00", 12, "month", "9999-12-31T10:00"),
        ("0001-02-28T10:00", -1, "month", "0001-01-28T10:00"),
    ],
)
def test_calendar_steps_clamp_to_month_ends(start: str, n: int, unit: str, end: str) -> None:
    assert step(datetime.fromisoformat(start), n, unit) == datetime.fromisoformat(end)


@pytest.mark.parametrize("unit", ["day", "week", "month", "quarter", "year"])
def test_steps_and_periods_stay_inside_the_calendar(unit: str) -> None:
    last, first = datetime(9999, 12, 31, 23), datetime(1, 1, 1)
    for start, n in ((last, 1), (first, -1), (last, 10**5000), (first, -(10**20))):
        with pytest.raises(OutOfRange):
            step(start, n, unit)
        with pytest.raises(OutOfRange):
            period(unit, start.date(), n)
    assert period(unit, date(9999, 12, 31), 0)[1] == MAX_DAY + 1
    assert period(unit, date(1, 1, 1), 0)[0] == MIN_DAY


@given(
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.dates(date(100, 1, 1), date(9900, 1, 1)),
    st.integers(-50, 50),
)
def test_periods_tile_the_calendar(unit: str, day: date, offset: int) -> None:
    start, end = period(unit, day, 0)
    assert start <= day_number(day) < end
    assert period(unit, day, offset)[1] == period(unit, day, offset + 1)[0]
    moved = step(naive_of(start * DAY), offset, unit)
    assert period(unit, day, offset)[0] == day_number(moved)


def test_weeks_begin_on_monday_and_quarters_in_january() -> None:
    week = period("week", date(2024, 3, 10), 0)
    assert week == (day_number(date(2024, 3, 4)), day_number(date(2024, 3, 11)))
    quarter = period("quarter", date(2024, 3, 10), -1)
    assert quarter == (day_number(date(2023, 10, 1)), day_number(date(2024, 1, 1)))
