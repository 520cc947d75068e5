"""When time alone carries a relative time literal past a value.

The bounds of its window move with as-of: with the same speed, but for jumps where the wall clock
is put forward or back (at as-of or at the bound), and at midnight where the ends of months clamp.
They jump back, too: 30 January 09:00 plus a month lies before 29 January 10:00 plus a month. So
nothing is searched for by halving. Between two jumps a bound is as-of plus a constant, and where it
meets a value is a subtraction.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from segment_engine.values import moments
from segment_engine.values.isotime import (
    DAY,
    MAX_DAY,
    MAX_INSTANT,
    MIN_DAY,
    MIN_INSTANT,
    date_of,
    day_number,
    naive_microseconds,
    naive_of,
)
from segment_engine.values.moments import (
    MICROSECONDS,
    Clock,
    Duration,
    Now,
    Period,
    Shifted,
    Window,
)
from segment_engine.values.zones import DAYS, OutOfRange, Zone, load, period, step

Lasting = Callable[[Duration, Clock], Window]

AROUND = 3 * DAY
"""A local day and all of its midnights, repeated or skipped days too, lie this near to its UTC day;
so does an instant to every bound of the days around it."""

STEPPED = 4 * DAY
"""Further than this from where days lead back to, as-of is on one side for good: a day and a half
are the value's own, and zones differ from the calendar by little more than one."""

CLAMPED = 10 * DAY
"""The same of months: their ends clamp by three days on the way there, by three on the way back."""

_AT_ONCE = (0, "minute")
"""As-of itself: no days from it would be the first of two instants with its wall time."""

_SIGNS: dict[Lasting, tuple[int, ...]] = {
    moments.within_last: (-1, 0),
    moments.within_next: (0, 1),
    moments.older_than: (-1,),
}


@dataclass(frozen=True, slots=True)
class Moving:
    """A window as a function of the clock, and the steps by which its bounds lie from as-of."""

    window: Callable[[Clock], Window]
    steps: tuple[tuple[int, str], ...]
    whole: bool = False
    """Whether the step is one of whole periods, from the one with as-of."""

    def sides(self, value: date | int, clock: Clock) -> tuple[bool, bool] | None:
        """Whether each bound lies after the value; None where the years 1 to 9999 are left."""
        window = self.window_or_none(clock)
        if window is None:
            return None
        if isinstance(value, date):
            day = day_number(value)
            return window.first > day, window.last > day
        return window.start > value, window.end > value

    def window_or_none(self, clock: Clock) -> Window | None:
        """The window; None where the years 1 to 9999 are left."""
        try:
            return self.window(clock)
        except OutOfRange:
            return None


def moving(literal: Any, lasting: Lasting | None = None) -> Moving | None:
    """The window of a literal that moves with as-of; `lasting` is what a Duration does."""
    match literal:
        case Now():
            return Moving(literal.window, (_AT_ONCE,))
        case Shifted(count=count, unit=unit):
            return Moving(literal.window, ((count, unit),))
        case Period(count=count, unit=unit):
            return Moving(literal.window, ((count, unit),), whole=True)
        case Duration(count, unit):
            assert lasting is not None
            steps = tuple((sign * count, unit) if sign else _AT_ONCE for sign in _SIGNS[lasting])
            return Moving(lambda clock: lasting(literal, clock), steps)
        case _:
            return None


def crossings(bounds: Moving, value: date | int, zone: Zone, low: int, high: int) -> list[int]:
    """Each as-of after `low` and before `high` at which a bound comes to the value's other side."""
    found: list[int] = []
    places = {at for at in _candidates(bounds, value, zone, low, high) if low < at < high}
    before = bounds.sides(value, Clock(low, zone)) if places else None
    for at in sorted(places):
        now = bounds.sides(value, Clock(at, zone))
        if now != before:
            found.append(at)
        before = now
    return found


def _candidates(
    bounds: Moving, value: date | int, zone: Zone, low: int, high: int
) -> Iterator[int]:
    """Between two neighbours of these no bound changes its side."""
    instant = day_number(value) * DAY if isinstance(value, date) else value
    for count, unit in bounds.steps:
        if bounds.whole:
            yield from _turns(instant // DAY, count, unit, zone, low, high)
            continue
        middle, slack = _stepped_back(instant, count, unit)
        start, end = max(low, middle - slack), min(high, middle + slack)
        if start >= end:
            continue
        goals = [*_breaks(zone, instant - AROUND, instant + AROUND), instant, instant + 1]
        if unit in MICROSECONDS:
            yield from (goal - count * MICROSECONDS[unit] for goal in goals)
        else:
            yield from _met(goals, count, unit, zone, start, end)


def _turns(day: int, count: int, unit: str, zone: Zone, low: int, high: int) -> Iterator[int]:
    """Where as-of comes into or leaves a period that lies `count` of them before the day's."""
    near = AROUND // DAY
    edges: set[int] = set()
    for other in range(max(day - near, MIN_DAY), min(day + near, MAX_DAY) + 1):
        try:
            edges.update(period(unit, date_of(other), -count))
        except OutOfRange:
            continue
    for edge in edges:
        start, end = edge * DAY - AROUND, edge * DAY + AROUND
        yield from _breaks(zone, max(low, start), min(high, end))


def _stepped_back(instant: int, count: int, unit: str) -> tuple[int, int]:
    """About where a step to the instant starts, and how far from there it surely misses."""
    if unit in MICROSECONDS:
        return instant - count * MICROSECONDS[unit], AROUND + 1
    try:
        middle = naive_microseconds(step(naive_of(instant), -count, unit))
    except OutOfRange:
        middle = MIN_INSTANT if count > 0 else MAX_INSTANT
    return middle, STEPPED if unit in DAYS else CLAMPED


def _met(goals: list[int], count: int, unit: str, zone: Zone, low: int, high: int) -> Iterator[int]:
    """From `low` to `high`: where the bound jumps, and where it is at a goal."""
    for start, end in _days(zone, low, high):
        yield start
        try:
            wall = naive_microseconds(step(zone.local(start), count, unit))
        except OutOfRange:
            continue
        for since, until, offset in _offsets(zone, wall, end - start):
            yield start + since
            ahead = wall - offset - start
            yield from (goal - ahead for goal in goals if since <= goal - ahead - start < until)


def _offsets(zone: Zone, wall: int, length: int) -> Iterator[tuple[int, int, int]]:
    """The offsets by which a wall time and those up to the length after it mean instants."""
    table = load(zone.name)
    first, last = bisect_right(table.walls, wall), bisect_left(table.walls, wall + length)
    cuts = [0, *(at - wall for at in table.walls[first:last]), length]
    offsets = table.offsets[first : last + 1]
    for (since, until), offset in zip(pairwise(cuts), offsets, strict=True):
        yield since, until, offset


def _breaks(zone: Zone, low: int, high: int) -> list[int]:
    """Where the wall clock is put forward or back or shows midnight; and `low`."""
    return [start for start, _ in _days(zone, low, high)]


def _days(zone: Zone, low: int, high: int) -> Iterator[tuple[int, int]]:
    """The time from `low` to `high`, parted at local midnights and where the offset changes."""
    instants, offsets = zone.transitions()
    low, high = max(low, MIN_INSTANT), min(high, MAX_INSTANT + 1)
    at = bisect_right(instants, low)
    while low < high:
        end = min(high, instants[at]) if at < len(instants) else high
        while low < end:
            midnight = low + DAY - (low + offsets[at]) % DAY
            yield low, min(midnight, end)
            low = min(midnight, end)
        at += 1
