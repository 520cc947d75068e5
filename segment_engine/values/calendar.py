"""Local days and hours, calendar parts, and the order of times. A time is a date or an instant."""

from datetime import date

from segment_engine.values.isotime import date_of, day_number, day_part
from segment_engine.values.zones import Zone


def local_day(value: date | int, zone: Zone) -> int | None:
    """The number of the local day; missing within two days of the ends of the years 1-9999."""
    if isinstance(value, date):
        return day_number(value)
    return zone.local_day_or_none(value)


def local_hour(value: date | int, zone: Zone) -> int | None:
    """The local hour; a date has none."""
    return None if isinstance(value, date) else zone.local_hour_or_none(value)


def order(x: date | int, y: date | int, zone: Zone) -> int | None:
    """-1, 0 or 1. Instants by instant, days by day, a day and an instant by local day."""
    if isinstance(x, date) or isinstance(y, date):
        first, second = local_day(x, zone), local_day(y, zone)
    else:
        first, second = x, y
    if first is None or second is None:
        return None
    return (first > second) - (first < second)


def year_of_day(day: int) -> int:
    """The calendar year of a day number."""
    return day_part("year", day)


def quarter_of_day(day: int) -> int:
    """1 to 4."""
    return day_part("quarter", day)


def month_of_day(day: int) -> int:
    """1 to 12."""
    return day_part("month", day)


def day_of_day(day: int) -> int:
    """1 to 31."""
    return day_part("day", day)


def weekday_of_day(day: int) -> int:
    """Monday 1 to Sunday 7."""
    return day_part("weekday", day)


def monthday_of_day(day: int) -> int:
    """Month and day as one number: 229 is 29 February."""
    at = date_of(day)
    return at.month * 100 + at.day
