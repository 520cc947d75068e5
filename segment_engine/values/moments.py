"""Time literals: what they spell and the interval that they mean on one run's clock.

An instant is an int, microseconds since 1970-01-01T00:00Z; a day is an int, days since
1970-01-01. Intervals are half-open. Every literal means an interval of instants and one of
days, because a date value is compared by its day and a datetime by its instant.
"""

from calendar import isleap
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from segment_engine.values.isotime import MAX_INSTANT, MIN_INSTANT, date_of, day_number
from segment_engine.values.zones import OutOfRange, Zone, period, step

MICROSECONDS = {"minute": 60_000_000, "hour": 3_600_000_000}
UNITS = ("minute", "hour", "day", "week", "month", "quarter", "year")
FIRST_DAY = day_number(date.min)
END_OF_DAYS = day_number(date.max) + 1
END_OF_TIME = MAX_INSTANT + 1


@dataclass(frozen=True, slots=True)
class Clock:
    """The instant and the zone of one run."""

    as_of: int
    zone: Zone


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open bounds for instants (`start`, `end`) and for days (`first`, `last`)."""

    start: int
    end: int
    first: int
    last: int

    def holds(self, value: date | int) -> bool:
        """Whether a day (a date) or an instant (an int) lies inside."""
        if isinstance(value, date):
            return self.first <= day_number(value) < self.last
        return self.start <= value < self.end

    def after(self) -> "Window":
        """From the end of this window on."""
        return Window(self.end, END_OF_TIME, self.last, END_OF_DAYS)

    def since(self) -> "Window":
        """From the start of this window on."""
        return Window(self.start, END_OF_TIME, self.first, END_OF_DAYS)

    def before(self) -> "Window":
        """Before the start of this window."""
        return Window(MIN_INSTANT, self.start, FIRST_DAY, self.first)

    def until(self) -> "Window":
        """Before the end of this window."""
        return Window(MIN_INSTANT, self.end, FIRST_DAY, self.last)

    def to(self, other: "Window") -> "Window":
        """From the start of this window to the end of `other`."""
        return Window(self.start, other.end, self.first, other.last)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time literal. `text` is its canonical spelling."""

    text: str

    def window(self, clock: Clock) -> Window:
        """What it means on a run's clock; OutOfRange outside the years 1 to 9999."""
        raise OutOfRange(self.text)


@dataclass(frozen=True, slots=True)
class Now(Moment):
    """The run's as-of instant."""

    def window(self, clock: Clock) -> Window:
        """The as-of instant and its local day."""
        return instant_window(clock.as_of, clock)


@dataclass(frozen=True, slots=True)
class Instant(Moment):
    """A datetime with its own offset."""

    at: int

    def window(self, clock: Clock) -> Window:
        """The instant and its local day."""
        return instant_window(self.at, clock)


@dataclass(frozen=True, slots=True)
class WallTime(Moment):
    """A datetime of the run's zone."""

    at: datetime

    def window(self, clock: Clock) -> Window:
        """The instant of that wall time and its local day."""
        return instant_window(clock.zone.to_instant(self.at), clock)


@dataclass(frozen=True, slots=True)
class Days(Moment):
    """Whole days of the calendar: a date, a month or a year. `last` is excluded."""

    first: int
    last: int

    def window(self, clock: Clock) -> Window:
        """Those days in the run's zone."""
        return days_window(self.first, self.last, clock)


@dataclass(frozen=True, slots=True)
class Shifted(Moment):
    """So many units from now; minutes and hours are instants, the others whole days."""

    count: int
    unit: str

    def window(self, clock: Clock) -> Window:
        """The shifted instant, or the whole local day of it."""
        at = shift(clock, self.count, self.unit)
        if self.unit in MICROSECONDS:
            return instant_window(at, clock)
        day = clock.zone.local_day(at)
        return days_window(day, day + 1, clock)


@dataclass(frozen=True, slots=True)
class Period(Moment):
    """The whole week, month, quarter or year that lies `count` of them from now."""

    count: int
    unit: str

    def window(self, clock: Clock) -> Window:
        """All of the period's days in the run's zone."""
        today = clock.zone.local(clock.as_of).date()
        return days_window(*period(self.unit, today, self.count), clock)


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: a whole number (at least 1) of units."""

    count: int
    unit: str

    @property
    def text(self) -> str:
        """The canonical spelling: `1 day`, `30 days`."""
        return f"{self.count} {self.unit}{'s' * (self.count != 1)}"


def instant_window(at: int, clock: Clock) -> Window:
    """One instant, and the whole local day in which it lies."""
    if not MIN_INSTANT <= at <= MAX_INSTANT:
        raise OutOfRange("the time lies outside the years 1 to 9999")
    day = clock.zone.local_day(at)
    return Window(at, at + 1, day, day + 1)


def days_window(first: int, last: int, clock: Clock) -> Window:
    """Whole local days `first` (included) to `last` (excluded)."""
    return Window(_midnight(first, clock.zone), _midnight(last, clock.zone), first, last)


def within_last(length: Duration, clock: Clock) -> Window:
    """From as-of minus the length to as-of, both included."""
    return _span(shift(clock, -length.count, length.unit), clock.as_of, clock)


def within_next(length: Duration, clock: Clock) -> Window:
    """From as-of to as-of plus the length, both included."""
    return _span(clock.as_of, shift(clock, length.count, length.unit), clock)


def older_than(length: Duration, clock: Clock) -> Window:
    """Strictly before as-of minus the length; for days, before its local day."""
    return instant_window(shift(clock, -length.count, length.unit), clock).before()


def shift(clock: Clock, count: int, unit: str) -> int:
    """The instant `count` units from as-of: exact for minutes and hours, else by calendar."""
    if unit in MICROSECONDS:
        at = clock.as_of + count * MICROSECONDS[unit]
        if not MIN_INSTANT <= at <= MAX_INSTANT:
            raise OutOfRange(f"{abs(count)} {unit}s from as_of lies outside the years 1 to 9999")
        return at
    return clock.zone.to_instant(step(clock.zone.local(clock.as_of), count, unit))


def _span(start: int, end: int, clock: Clock) -> Window:
    return instant_window(start, clock).to(instant_window(end, clock))


def _midnight(day: int, zone: Zone) -> int:
    if day <= FIRST_DAY:
        return MIN_INSTANT
    if day >= END_OF_DAYS:
        return END_OF_TIME
    start = zone.to_instant(datetime(1970, 1, 1) + timedelta(days=day))
    return min(max(start, MIN_INSTANT), END_OF_TIME)


def anniversaries(window: Window) -> list[tuple[int, int]]:
    """Which birthdays have an anniversary inside: ranges of month * 100 + day, ends included.

    29 February falls on the 28th in common years.
    """
    if window.last - window.first >= 366:
        return [(101, 1231)]
    return _ranges({key for day in range(window.first, window.last) for key in _keys(day)})


def _keys(day: int) -> tuple[int, ...]:
    at = date_of(day)
    key = at.month * 100 + at.day
    return (228, 229) if key == 228 and not isleap(at.year) else (key,)


def _ranges(keys: set[int]) -> list[tuple[int, int]]:
    """Runs of neighbouring days of the year, as ranges."""
    runs: list[list[int]] = []
    for at, key in enumerate(_YEAR):
        if key not in keys:
            continue
        if runs and at and runs[-1][1] == at:
            runs[-1][1] = at + 1
        else:
            runs.append([at, at + 1])
    return [(_YEAR[first], _YEAR[last - 1]) for first, last in runs]


_YEAR = [
    at.month * 100 + at.day
    for at in (date(2024, 1, 1) + timedelta(days=number) for number in range(366))
]
