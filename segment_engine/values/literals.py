"""Time literals from their spelling: in rules, and in JSON as text."""

import re
from datetime import date, datetime

from segment_engine.values.isotime import (
    day_number,
    format_instant,
    instant_of,
    parse_iso,
    read_datetime,
)
from segment_engine.values.moments import (
    END_OF_DAYS,
    UNITS,
    Days,
    Duration,
    Instant,
    Moment,
    Now,
    Period,
    Shifted,
    WallTime,
)

_UNIT = "|".join(UNITS)
_AGO = re.compile(rf"([0-9]{{1,18}})\s+({_UNIT})s?\s+(ago|from\s+now)", re.I | re.A)
_DURATION = re.compile(rf"([0-9]{{1,18}})\s+({_UNIT})s?", re.I | re.A)
_PERIOD = re.compile(r"(this|last|next)\s+(week|month|quarter|year)", re.I | re.A)
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})", re.A)
_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}
_PERIODS = {"this": 0, "last": -1, "next": 1}
MOST_UNITS = 10_000_000_000


def read_moment(text: str) -> Moment | None:
    """The time that a whole text spells, in any form but a bare year; None for none."""
    text = text.strip()
    lower = text.lower()
    if lower == "now":
        return Now("now")
    if lower in _DAYS:
        return Shifted(lower, _DAYS[lower], "day")
    if found := _AGO.fullmatch(text):
        return _shifted(int(found[1]), found[2].lower(), found[3].lower())
    if found := _PERIOD.fullmatch(text):
        which, unit = found[1].lower(), found[2].lower()
        return Period(f"{which} {unit}", _PERIODS[which], unit)
    if found := _MONTH.fullmatch(text):
        return month_moment(int(found[1]), int(found[2]))
    return _dated(text)


def _shifted(count: int, unit: str, way: str) -> Moment | None:
    if not 1 <= count <= MOST_UNITS:
        return None
    ago = way == "ago"
    words = f"{Duration(count, unit).text} {'ago' if ago else 'from now'}"
    return Shifted(words, -count if ago else count, unit)


def _dated(text: str) -> Moment | None:
    found = parse_iso(text)
    if isinstance(found, date):
        return Days(text, day_number(found), day_number(found) + 1)
    parts = read_datetime(text)
    if found is None or parts is None:
        return None
    local, offset = parts
    if offset is None:
        return WallTime(local.isoformat(), local)
    return Instant(format_instant(found), found)


def read_duration(text: str) -> Duration | None:
    """The length of time that a whole text spells (`30 days`); None for none or for 0."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= MOST_UNITS:
        return None
    return Duration(int(found[1]), found[2].lower())


def month_moment(year: int, month: int) -> Moment | None:
    """The whole month `2026-01`."""
    if not (1 <= year <= 9999 and 1 <= month <= 12):
        return None
    first = day_number(date(year, month, 1))
    following = (year + month // 12, month % 12 + 1)
    last = day_number(date(*following, 1)) if following[0] <= 9999 else END_OF_DAYS
    return Days(f"{year:04}-{month:02}", first, last)


def year_moment(year: object) -> Moment | None:
    """The whole year that a number spells, where it has four digits."""
    if not isinstance(year, int) or not 1000 <= year <= 9999:
        return None
    last = day_number(date(year + 1, 1, 1)) if year < 9999 else END_OF_DAYS
    return Days(str(year), day_number(date(year, 1, 1)), last)


def of_python(value: date) -> Moment:
    """The literal for a Python date or datetime (naive: of the run's zone)."""
    if not isinstance(value, datetime):
        return Days(value.isoformat(), day_number(value), day_number(value) + 1)
    if value.tzinfo is None:
        return WallTime(value.isoformat(), value)
    at = instant_of(value)
    assert at is not None
    return Instant(format_instant(at), at)
