"""Days and instants: how they are written in ISO 8601 and which calendar parts they have.

An *instant* is an int, microseconds since 1970-01-01T00:00Z. A *day* is an int, days since
1970-01-01. Both are proleptic Gregorian and lie in the years 1 to 9999; the exclusive end of a
range may be one more than the greatest.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Literal

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

EPOCH = datetime(1970, 1, 1)
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
MIN_DAY = date.min.toordinal() - EPOCH_ORDINAL
MAX_DAY = date.max.toordinal() - EPOCH_ORDINAL
MIN_INSTANT = MIN_DAY * DAY
MAX_INSTANT = (MAX_DAY + 1) * DAY - 1

# Nearer than this to either end an instant has no local day or hour, whatever the zone.
EDGE = 2 * DAY

# Python and RE2 read these alike; the calendar itself is left to each engine's own date type.
DATE_PATTERN = r"(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-[0-9]{2}-[0-9]{2}"
OFFSET_PATTERN = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
DATETIME_PATTERN = (
    DATE_PATTERN
    + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?"
    + rf"(?:Z|[+-]{OFFSET_PATTERN})?"
)
DATE_FORM = re.compile(DATE_PATTERN)
DATETIME_FORM = re.compile(DATETIME_PATTERN)
ZONE_FORM = re.compile(r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))\Z")

DayPart = Literal["year", "quarter", "month", "day", "weekday"]


class OutOfRange(ValueError):
    """A calendar step or period that leaves the years 1 to 9999."""


def parse_iso(text: str) -> date | int | None:
    """The day (a `date`) or instant (an `int`) that `text` writes in full, else None.

    `YYYY-MM-DD`, or `YYYY-MM-DDTHH:MM[:SS[.f...]]` with nothing (UTC), `Z` or `±HH:MM` up to
    23:59. Fractions finer than a microsecond are floored.
    """
    if DATE_FORM.fullmatch(text):
        return read_date(text)
    read = read_datetime(text)
    if read is None:
        return None
    naive, offset = read
    return within_range(naive_microseconds(naive) - (offset or 0) * MINUTE)


def read_date(text: str) -> date | None:
    """The `YYYY-MM-DD` day of `text`, or None if there is no such day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def read_datetime(text: str) -> tuple[datetime, int | None] | None:
    """The wall time of `text` and its offset in minutes east, None where it names no offset."""
    if not DATETIME_FORM.fullmatch(text):
        return None
    zone = ZONE_FORM.search(text)
    wall, _, fraction = (text[: zone.start()] if zone else text).partition(".")
    try:
        naive = datetime.fromisoformat(wall)
    except ValueError:
        return None
    naive = naive.replace(microsecond=int(fraction[:6].ljust(6, "0")))
    return naive, offset_minutes(zone) if zone else None


def offset_minutes(zone: re.Match[str]) -> int:
    """Minutes east of UTC of a matched `Z` or `±HH:MM`."""
    sign, hours, minutes = zone.groups()
    if sign is None:
        return 0
    return int(sign + "1") * (int(hours) * 60 + int(minutes))


def within_range(instant: int) -> int | None:
    """`instant` itself in the years 1 to 9999, else None."""
    return instant if MIN_INSTANT <= instant <= MAX_INSTANT else None


def naive_microseconds(naive: datetime) -> int:
    """Microseconds from 1970-01-01T00:00 to a wall time."""
    delta = naive.replace(tzinfo=None) - EPOCH
    return delta.days * DAY + delta.seconds * SECOND + delta.microseconds


def naive_of(microseconds: int) -> datetime:
    """The wall time that many microseconds after 1970-01-01T00:00; OutOfRange off the calendar."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise OutOfRange("the time is outside the years 1 to 9999") from error


def instant_of(value: datetime) -> int | None:
    """The instant of a datetime (naive means UTC), None outside the years 1 to 9999."""
    offset = value.utcoffset() or timedelta()
    return within_range(naive_microseconds(value) - offset // timedelta(microseconds=1))


def day_number(value: date) -> int:
    """The day of a `date`; of a `datetime`, the day on its own clock."""
    return value.toordinal() - EPOCH_ORDINAL


def date_of(day: int) -> date:
    """The `date` of a day; OutOfRange outside the years 1 to 9999."""
    if not MIN_DAY <= day <= MAX_DAY:
        raise OutOfRange("the day is outside the years 1 to 9999")
    return date.fromordinal(day + EPOCH_ORDINAL)


def day_part(name: DayPart, day: int) -> int:
    """One calendar part of a day; weekdays count from Monday = 1."""
    value = date_of(day)
    match name:
        case "weekday":
            return value.isoweekday()
        case "quarter":
            return (value.month + 2) // 3
        case "year":
            return value.year
        case "month":
            return value.month
        case "day":
            return value.day


def format_instant(instant: int) -> str:
    """`2026-01-31T10:00:00Z`, with a fraction only where there is one; `parse_iso` reads it."""
    value = naive_of(instant).replace(tzinfo=UTC)
    fraction = f".{value.microsecond:06}".rstrip("0") if value.microsecond else ""
    return f"{value.replace(microsecond=0, tzinfo=None).isoformat()}{fraction}Z"
