"""ISO text, stamps and day parts: Python, DuckDB and Polars give the same ints."""

import random
from datetime import UTC, date, datetime, timedelta, timezone

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine.backends import time_series, time_sql
from segment_engine.backends.physical import StampUnit
from segment_engine.values.isotime import (
    DAY,
    HOUR,
    MAX_DAY,
    MAX_INSTANT,
    MIN_DAY,
    MIN_INSTANT,
    DayPart,
    OutOfRange,
    date_of,
    day_number,
    day_part,
    format_instant,
    instant_of,
    naive_microseconds,
    parse_iso,
    read_datetime,
)

NOON = naive_microseconds(datetime(2024, 1, 31, 12))

NEITHER = [
    "",
    "2024-02-30",
    "2023-02-29",
    "1900-02-29",
    "0000-01-01",
    "2024-13-01",
    "2024-00-01",
    "2024-1-5",
    "20240131",
    "2024-W05-3",
    "05/01/2024",
    "12024-01-01",
    "2024-01-31 ",
    "2024-01-31\n",
    "2024-01-31Z",
    "٢٠٢٤-٠١-٣١",
    "infinity",
    "epoch",
    "now",
    "2024-01-31 (BC)",
    "2024-01-31 12:00:00",
    "2024-01-31t12:00Z",
    "2024-01-31T12:00z",
    "2024-01-31T12",
    "2024-01-31T24:00",
    "2024-01-31T12:60",
    "2024-01-31T12:00:60",
    "2024-01-31T12:00:00.",
    "2024-01-31T12:00:00,5",
    "2024-01-31T12:00.5",
    "2024-01-31T12:00+01",
    "2024-01-31T12:00+0100",
    "2024-01-31T12:00+24:00",
    "2024-01-31T12:00+01:60",
    "2024-01-31T12:00+01:00:30",
    "2024-01-31T12:00−01:00",
    "2024-01-31T12:00Z\n",
    "2024-01-31T12:00 UTC",
    "2024-01-31T12:00 America/New_York",
    "2024-02-30T12:00",
    "0000-12-31T23:00-05:00",
    "0001-01-01T00:00+00:01",
    "9999-12-31T23:59-00:01",
]

READ = {
    "2024-01-31": date(2024, 1, 31),
    "2024-02-29": date(2024, 2, 29),
    "0001-01-01": date(1, 1, 1),
    "9999-12-31": date(9999, 12, 31),
    "2024-01-31T12:00": NOON,
    "2024-01-31T12:00Z": NOON,
    "2024-01-31T12:00-00:00": NOON,
    "2024-01-31T12:00+05:30": NOON - 5 * HOUR - HOUR // 2,
    "2024-01-31T12:00-23:59": NOON + DAY - HOUR // 60,
    "2024-01-31T12:00:00.5": NOON + 500_000,
    "2024-01-31T12:00:00.9999999Z": NOON + 999_999,
    "2024-01-31T12:00:00." + "9" * 3000: NOON + 999_999,
    "1969-12-31T23:59:59.999999": -1,
    "1969-12-31T23:59:59.9999999": -1,
    "0001-01-01T00:00:00": MIN_INSTANT,
    "0001-01-01T05:00+05:00": MIN_INSTANT,
    "9999-12-31T23:59:59.999999Z": MAX_INSTANT,
    "9999-12-31T18:59:59.999999-05:00": MAX_INSTANT,
}

Parts = tuple[int | None, int | None]


def python_parts(text: str | None) -> Parts:
    value = parse_iso(text) if text is not None else None
    if isinstance(value, date):
        return day_number(value), None
    return None, value


def duckdb_parts(texts: list[str | None]) -> list[Parts]:
    rows = pa.table({"n": range(len(texts)), "v": pa.array(texts, pa.string())})
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/New_York'")
        connection.register("rows", rows)
        parts = f"{time_sql.iso_day('v')}, {time_sql.iso_instant(chr(34) + 'v' + chr(34))}"
        return connection.sql(f"SELECT {parts} FROM rows ORDER BY n").fetchall()


def polars_parts(texts: list[str | None]) -> list[Parts]:
    parts = time_series.iso_parts(pl.Series("texts", texts, dtype=pl.String))
    assert parts.dtype == pl.Struct({"day": pl.Int32, "instant": pl.Int64})
    return [(row["day"], row["instant"]) for row in parts]


def assert_same_parts(texts: list[str | None]) -> None:
    expected = [python_parts(text) for text in texts]
    for parts in (duckdb_parts(texts), polars_parts(texts)):
        assert [*zip(texts, parts, strict=True)] == [*zip(texts, expected, strict=True)]


def mutated(seed: int) -> str:
    """A text that is ISO or nearly so."""
    draw = random.Random(seed)
    year = draw.choice(["2024", "1900", "0001", "0000", "9999", f"{draw.randrange(10_000):04}"])
    text = f"{year}-{draw.randrange(14):02}-{draw.choice([1, 28, 29, 30, 31, 32]):02}"
    if draw.random() < 0.8:
        text += f"T{draw.choice([0, 5, 23, 24]):02}:{draw.choice([0, 59, 60]):02}"
        if draw.random() < 0.7:
            text += f":{draw.choice([0, 59, 60]):02}"
            text += draw.choice(["", "", ".", f".{draw.randrange(10 ** draw.choice([1, 6, 9]))}"])
        text += draw.choice(["", "Z", f"{draw.choice('+-')}{draw.randrange(25):02}:30"])
    if draw.random() < 0.4:
        at = draw.randrange(len(text) + 1)
        bit = draw.choice([*"0123456789:-.TtZz+ \n\0٣é", "(BC)", "+00", "infinity", ""])
        text = text[:at] + bit + text[at + draw.randrange(3) :]
    return text


def test_the_texts_that_are_days_or_instants() -> None:
    assert {text: parse_iso(text) for text in READ} == READ
    assert {type(parse_iso(text)) for text in READ} == {date, int}
    assert_same_parts([*READ, None])


def test_the_texts_that_are_neither() -> None:
    assert [text for text in NEITHER if parse_iso(text) is not None] == []
    assert_same_parts([*NEITHER])


def test_engines_agree_on_thousands_of_nearly_iso_texts() -> None:
    texts: list[str | None] = [mutated(seed) for seed in range(40_000)]
    read = [text for text in texts if python_parts(text) != (None, None)]
    assert 5_000 < len(read) < 30_000
    assert_same_parts(texts)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), min_size=1, max_size=40))
def test_engines_agree_on_any_text(texts: list[str | None]) -> None:
    assert_same_parts(texts)


@given(st.integers(MIN_INSTANT, MAX_INSTANT))
def test_an_instant_survives_its_text(instant: int) -> None:
    assert parse_iso(format_instant(instant)) == instant


def test_an_instant_prints_no_needless_fraction() -> None:
    assert format_instant(NOON) == "2024-01-31T12:00:00Z"
    assert format_instant(NOON + 500_000) == "2024-01-31T12:00:00.5Z"
    with pytest.raises(OutOfRange):
        format_instant(MAX_INSTANT + 1)


def test_a_wall_time_is_told_from_one_with_an_offset() -> None:
    assert read_datetime("2024-01-31T12:00") == (datetime(2024, 1, 31, 12), None)
    assert read_datetime("2024-01-31T12:00Z") == (datetime(2024, 1, 31, 12), 0)
    assert read_datetime("2024-01-31T12:00-05:30") == (datetime(2024, 1, 31, 12), -330)
    assert read_datetime("2024-01-31") is None


@given(st.datetimes(timezones=st.one_of(st.none(), st.just(UTC))), st.integers(-1439, 1439))
def test_a_datetime_is_its_instant(value: datetime, minutes: int) -> None:
    naive = value.replace(tzinfo=None)
    assert instant_of(value) == (naive - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    shifted = naive_microseconds(naive) - minutes * HOUR // 60
    expected = shifted if MIN_INSTANT <= shifted <= MAX_INSTANT else None
    assert instant_of(naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))) == expected


RAW = [0, 1, -1, 999, 1000, -999, -1000, -1001, 10**15 + 1, -(10**15) - 1]
EDGES = [MIN_INSTANT, MIN_INSTANT - 1, MAX_INSTANT, MAX_INSTANT + 1]
FAR = [2**63 - 1, 2 - 2**63, 1 - 2**63, -(2**63), 2**62, -(2**62)]


def exact_instant(raw: int, unit: str) -> int | None:
    """What a raw stamp means; the three outermost ints are some engine's infinity."""
    instant = raw // 1000 if unit == "ns" else raw
    return instant if abs(raw) < 2**63 - 1 and MIN_INSTANT <= instant <= MAX_INSTANT else None


@pytest.mark.parametrize(
    ("unit", "zone"),
    [("us", None), ("us", "UTC"), ("ns", None), ("ns", "UTC")],
)
def test_stamps_of_every_unit_are_floored(unit: StampUnit, zone: str | None) -> None:
    raw = RAW + FAR + EDGES
    expected = [exact_instant(value, unit) for value in raw] + [None]
    stamps = pa.array([*raw, None], pa.timestamp(unit, zone))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.register("rows", pa.table({"n": range(len(stamps)), "x": stamps}))
        sql = f"SELECT {time_sql.stamp_instant('x', unit)} FROM rows ORDER BY n"
        assert [value for (value,) in connection.sql(sql).fetchall()] == expected
    series = pl.Series("x", [*raw, None], dtype=pl.Int64).cast(pl.Datetime(unit, zone))
    read = pl.select(time_series.stamp_instant(pl.lit(series), unit)).to_series()
    assert read.to_list() == expected
    assert read.dtype == pl.Int64


def test_infinite_and_far_dates_are_missing() -> None:
    texts = ["infinity", "-infinity", "0001-01-01", "9999-12-31", "10000-01-01", "0001-12-31 (BC)"]
    expected = [None, None, MIN_DAY, MAX_DAY, None, None]
    with duckdb.connect() as connection:
        sql = ", ".join(time_sql.day_of_date(f"DATE '{text}'") for text in texts)
        assert connection.sql(f"SELECT {sql}").fetchall() == [tuple(expected)]
    days = pl.Series([MIN_DAY - 1, MIN_DAY, MAX_DAY, MAX_DAY + 1, None], dtype=pl.Int32)
    read = pl.select(time_series.day_of_date(pl.lit(days.cast(pl.Date)))).to_series()
    assert read.to_list() == [None, MIN_DAY, MAX_DAY, None, None]


def test_day_parts_are_the_same_on_every_engine() -> None:
    days = [*range(MIN_DAY, MAX_DAY, 97), MAX_DAY, *range(-800, 800)]
    names: tuple[DayPart, ...] = ("year", "quarter", "month", "day", "weekday")
    expected = [tuple(day_part(name, day) for name in names) for day in days]
    assert expected[0] == (1, 1, 1, 1, 1)
    frame = pl.DataFrame({"d": pl.Series(days, dtype=pl.Int32)})
    parts = [getattr(time_series, name)(pl.col("d")).alias(name) for name in names]
    assert frame.select(parts).rows() == expected
    with duckdb.connect() as connection:
        connection.register("rows", pa.table({"n": range(len(days)), "d": pa.array(days)}))
        columns = ", ".join(time_sql.part(name, "d") for name in names)
        assert connection.sql(f"SELECT {columns} FROM rows ORDER BY n").fetchall() == expected


def test_days_outside_the_calendar_have_no_date() -> None:
    assert date_of(day_number(date(2024, 2, 29))) == date(2024, 2, 29)
    assert (date_of(MIN_DAY), date_of(MAX_DAY)) == (date.min, date.max)
    for day in (MIN_DAY - 1, MAX_DAY + 1):
        with pytest.raises(OutOfRange):
            date_of(day)
