"""Random values, at the edges of types and of what rules mention. The simplest lie on an edge."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from segment_engine.testing import literals
from segment_engine.testing.boundaries import Boundaries, example_of
from segment_engine.testing.drawing import chance
from segment_engine.values.folding import FOLD, fold
from segment_engine.values.isotime import (
    DAY,
    HOUR,
    MAX_DAY,
    MAX_INSTANT,
    MIN_DAY,
    MIN_INSTANT,
    SECOND,
    date_of,
    day_number,
    format_instant,
    naive_of,
)
from segment_engine.values.numbers import plain
from segment_engine.values.types import Type
from segment_engine.values.zones import Zone, zone

Number = int | Decimal | float

FLOATS = (
    *(math.nan, math.nan, math.nan, math.inf, -math.inf, -0.0, 0.1, 1e308, 5e-324, 16777217.0),
    9007199254740992.0,
)
SHIFTS = (0, 0, 0, 1, -1, Decimal("0.01"), Decimal("-0.01"))
ZONES = ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo")
AFFIXES = ("", "", "", "a", "\n", "@", "é", " ", "x" * 40, "\u0301", "🙂", "%")
STEPS = (0, 0, 0, 1, -1, SECOND, -SECOND)
ISO_LIKE = (
    *("2026-07-01", "2026-07-01T02:00:00Z", "2026-06-30T10:00:00+05:00", "2024-02-30", "20240131"),
    *("2026-07-01T24:00:00", "05/01/2024", "infinity", "2026-07-01 10:00", "2026-W27-3", "now"),
    *("2026-07-01T02:00:00.1234567", "0001-01-01", "9999-12-31", "2026-7-1", "2026-07-01T10:00"),
    *("0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59.999999Z", "10000-01-01", " 2026-07-01"),
)
NUMERALS = (
    *("12", "-1.50", "007", "1e3", "1.", ".5", "+1", " 1", "0x1F", "١٢", "9" * 400, "NaN", "-0"),
)


class Scalars:
    """Draws single values; `bounds` are what rules mention, met most of the time."""

    def __init__(self, random: Random, bounds: Boundaries) -> None:
        self.random, self.bounds = random, bounds

    def chance(self, share: float) -> bool:
        """True that often; simplest is False."""
        return chance(self.random, share)

    def number(self) -> Number:
        """A number at or next to a literal, an edge of storage, or a special float."""
        if self.chance(0.1):
            return self.random.choice(FLOATS)
        if self.bounds.numbers and not self.chance(0.15):
            return self.beside(self.random.choice(self.bounds.numbers))
        return literals.number(self.random)

    def beside(self, at: int | Decimal) -> Number:
        """The number itself, or the next one of some storage."""
        if not self.chance(0.25):
            shifted: Number = at + self.random.choice(SHIFTS)
            return shifted
        near = float(at)
        return self.random.choice([near, math.nextafter(near, math.inf), math.nextafter(near, 0)])

    # ---- text

    def text(self) -> str:
        """A needle with something before or after it, or an odd text."""
        bounds = self.bounds
        near = [
            make
            for given, make in (
                (bounds.texts, self.around),
                (bounds.patterns, self.found),
                (bounds.instants or bounds.days, self.iso_text),
                (bounds.numbers, self.numeral),
            )
            if given
        ]
        if near and not self.chance(0.2):
            return self.random.choice(near)()
        if self.chance(0.3):
            return self.iso_text() if self.chance(0.5) else self.random.choice(NUMERALS)
        return literals.maybe_empty(self.random, False)

    def around(self) -> str:
        """A needle, cut, in another case, or inside a longer text."""
        needle = self.random.choice(self.bounds.texts)
        ways = (needle, needle, needle.upper(), needle.lower(), twin(needle), twin(needle))
        cased = self.random.choice(ways)
        if self.chance(0.2):
            return cased[1:] if self.chance(0.5) else cased[:-1]
        return self.affixed(cased)

    def found(self) -> str:
        """A text in which a pattern is mostly found."""
        return self.affixed(example_of(self.random.choice(self.bounds.patterns), self.random))

    def affixed(self, text: str) -> str:
        """The text with something before and after it, or with nothing."""
        if not self.chance(0.5):
            return text
        return self.random.choice(AFFIXES) + text + self.random.choice(AFFIXES)

    def numeral(self) -> str:
        """A number as text."""
        return spelt_number(self.number())

    def boolean(self) -> bool:
        """True or false."""
        return self.random.choice([False, True])

    # ---- times

    def instant(self) -> int:
        """Microseconds: an edge of a window, of a local day or hour, or a change of a clock."""
        step = self.random.choice(STEPS)
        if self.bounds.instants and not self.chance(0.2):
            return _within(self.random.choice(self.bounds.instants) + step)
        if self.chance(0.1):
            return self.random.choice([0, -1, MIN_INSTANT, MAX_INSTANT])
        return _within(self.turn(self.bounds.zone) + step)

    def turn(self, local: Zone) -> int:
        """An instant at which a local day begins, or near which some clock is changed."""
        if self.chance(0.5):
            return self.day() * DAY - local.offset_at(self.day() * DAY)
        at = zone(self.random.choice(ZONES)) if self.chance(0.3) else local
        changes = near_changes(at)
        hours = self.random.choice([0, 1, -1, 2, -2, 22, 23])
        return (self.random.choice(changes) if changes else 0) + hours * HOUR

    def day(self) -> int:
        """A day number: an edge of a window or a date of the calendar's corners."""
        if self.bounds.days and not self.chance(0.25):
            near = self.random.choice(self.bounds.days) + self.random.choice([0, 0, 1, -1])
            years = 365 * self.random.choice([0, 0, -1, -4])
            return min(max(near + years, MIN_DAY), MAX_DAY)
        return day_number(date.fromisoformat(self.random.choice(literals.DATES)))

    def date(self) -> date:
        """A day as Python's date."""
        return date_of(self.day())

    def datetime(self) -> datetime:
        """An instant as Python's aware datetime."""
        return naive_of(self.instant()).replace(tzinfo=UTC)

    def iso_text(self) -> str:
        """A time as text, or what looks like one."""
        if self.chance(0.2):
            return self.random.choice(ISO_LIKE)
        return self.date().isoformat() if self.chance(0.4) else format_instant(self.instant())

    def scalar(self, type: Type) -> Any:
        """A value of a scalar type."""
        return getattr(self, "number" if type.name == "currency" else type.name)()


def spelt_number(value: Number) -> str:
    """The shortest spelling; a float as JSON has it."""
    return repr(value) if isinstance(value, float) else plain(value)


def twin(text: str) -> str:
    """The text that folds to the same with every character as unlike as there is one: İ for i."""
    return "".join(twins().get(fold(char), char) for char in text)


@cache
def twins() -> dict[str, str]:
    """For characters without case the last character that folds to them."""
    return {chr(folded): chr(capital) for capital, folded in FOLD.items()}


@cache
def near_changes(at: Zone, since: int = 2015, before: int = 2040) -> list[int]:
    """The instants in those years at which a zone's clocks change, the latest first."""
    low, high = (day_number(date(year, 1, 1)) * DAY for year in (since, before))
    return [change for change in reversed(at.transitions()[0]) if low <= change < high]


def _within(instant: int) -> int:
    return min(max(instant, MIN_INSTANT), MAX_INSTANT)
