"""Random values of consumers, at the edges of types and of what rules mention."""

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

from segment_engine.expression.schema import FieldSpec, Schema
from segment_engine.testing import literals
from segment_engine.testing.boundaries import Boundaries, example_of
from segment_engine.testing.rules import random_path
from segment_engine.values.isotime import (
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
from segment_engine.values.paths import Steps
from segment_engine.values.types import Type
from segment_engine.values.zones import zone

Number = int | Decimal | float

FLOATS = (math.nan, math.inf, -math.inf, -0.0, 0.1, 1e308, 5e-324, 16777217.0, 9007199254740992.0)
ZONES = ("America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo")
AFFIXES = ("", "", "a", "\n", "@", "é", " ", "x" * 40, "\u0301", "🙂", "%")
ISO_LIKE = (
    *("2026-07-01", "2026-07-01T02:00:00Z", "2026-06-30T10:00:00+05:00", "2024-02-30", "20240131"),
    *("2026-07-01T24:00:00", "05/01/2024", "infinity", "2026-07-01 10:00", "2026-W27-3", "now"),
    *("2026-07-01T02:00:00.1234567", "0001-01-01", "9999-12-31", "2026-7-1", "2026-07-01T10:00"),
    *("0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59.999999Z", "10000-01-01", " 2026-07-01"),
)
NUMERALS = (
    "12",
    "-1.50",
    "007",
    "1e3",
    "1.",
    ".5",
    "+1",
    " 1",
    "0x1F",
    "١٢",
    "9" * 400,
    "NaN",
    "-0",
)
BROKEN = ("", "{bad", "[1,,2]", '{"a":}', '{"tier":1}}', '"\\ud800"', "nul", "[" * 120, "{'a': 1}")
SPELT_NUMBERS = (
    *("1.0", "1e0", "-0", "-0.0", "1e400", "12345678901234567890123", "9007199254740993"),
    *("9007199254740993.0", "9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("NaN", "1E-400", "0.1", "2.5", "100e-2"),
)


class Values:
    """Draws values; `bounds` are what rules mention, met about every second time."""

    def __init__(self, random: Random, bounds: Boundaries) -> None:
        self.random, self.bounds = random, bounds

    def at(self, column: str, path: Steps = ()) -> "Values":
        """Values that mostly meet what rules say of that field, if they say anything."""
        own = self.bounds.fields.get((column, path))
        return self if own is None or self.random.random() < 0.25 else Values(self.random, own)

    def often(self) -> bool:
        """True about every second time."""
        return self.random.random() < 0.5

    # ---- scalars

    def number(self) -> Number:
        """A number at or next to a literal, an edge of storage, or a special float."""
        way = self.random.randrange(4)
        if way and self.bounds.numbers:
            return self.beside(self.random.choice(self.bounds.numbers))
        if way == 1:
            return self.random.choice(FLOATS)
        return literals.number(self.random) if way == 2 else literals.small(self.random)

    def beside(self, at: int | Decimal) -> Number:
        """The number itself, or the next one of some storage."""
        shifts = (0, 0, 0, 1, -1, Decimal("0.01"), Decimal("-0.01"))
        if self.random.random() < 0.75:
            shifted: Number = at + self.random.choice(shifts)
            return shifted
        near = float(at)
        return self.random.choice([near, math.nextafter(near, math.inf), math.nextafter(near, 0)])

    def text(self) -> str:
        """A needle with something before or after it, or an odd text."""
        way = self.random.randrange(8)
        if way == 0 and self.bounds.patterns:
            inner = example_of(self.random.choice(self.bounds.patterns), self.random)
            return self.affixed(inner)
        if way < 4 and self.bounds.texts:
            return self.around(self.random.choice(self.bounds.texts))
        if way == 4:
            return self.iso_text()
        if way == 5:
            return self.random.choice(NUMERALS)
        return literals.text(self.random) if way == 6 else literals.maybe_empty(self.random, False)

    def around(self, needle: str) -> str:
        """The needle, cut, in another case, or inside a longer text."""
        cases = (needle, needle, needle, needle.upper(), needle.lower(), needle.swapcase())
        cased = self.random.choice(cases)
        return self.affixed(cased) if self.often() else cased[self.random.randrange(2) :]

    def affixed(self, text: str) -> str:
        """The text with something before and after it, or with nothing."""
        return self.random.choice(AFFIXES) + text + self.random.choice(AFFIXES)

    def boolean(self) -> bool:
        """True or false."""
        return self.random.choice([True, False])

    def instant(self) -> int:
        """Microseconds: an edge of a window, a change of some zone's clock, or an end of time."""
        way = self.random.randrange(4)
        step = self.random.choice([0, 0, 1, -1, SECOND, -SECOND])
        if way and self.bounds.instants:
            return _within(self.random.choice(self.bounds.instants) + step)
        if way == 1:
            changes, _ = zone(self.random.choice(ZONES)).transitions()
            return _within(self.random.choice(changes[-1200:] or [0]) + step)
        if way == 2:
            return _within(self.day() * 86_400 * SECOND + step)
        return self.random.choice([0, -1, MIN_INSTANT, MAX_INSTANT, 1_782_864_000 * SECOND])

    def day(self) -> int:
        """A day number: an edge of a window or a date of the calendar's corners."""
        if self.bounds.days and self.random.randrange(4):
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
        way = self.random.randrange(3)
        if way == 0:
            return self.random.choice(ISO_LIKE)
        return format_instant(self.instant()) if way == 1 else self.date().isoformat()

    def scalar(self, type: Type) -> Any:
        """A value of a scalar type."""
        return getattr(self, "number" if type.name == "currency" else type.name)()

    def elements(self, type: Type) -> list[Any]:
        """A list of up to four, None among them now and then."""
        return [
            None if self.random.random() < 0.1 else self.scalar(type)
            for _ in range(self.random.randrange(5))
        ]

    # ---- JSON

    def document(self, column: str) -> str:
        """JSON text with something at most of the paths read; one in ten is hostile."""
        if self.random.random() < 0.1:
            return self.hostile()
        tree: dict[str | int, Any] = {}
        paths = [path for path in self.bounds.paths.get(column, []) if self.often()]
        for path in [*paths, random_path(self.random)][:12]:
            _plant(tree, path, self.at(column, path).json_value(2))
        return self.spelt(tree)

    def hostile(self) -> str:
        """A document that is a scalar, broken or has a key twice."""
        way = self.random.randrange(3)
        if way == 0:
            return self.random.choice(BROKEN)
        if way == 1:
            return self.json_value(2)
        key = _quoted(self.random.choice(["tier", "city", ""]))
        return f"{{{key}: {self.json_value(1)}, {key}: {self.json_value(1)},}}"

    def json_value(self, depth: int) -> str:
        """The JSON text of a value of any type."""
        if self.bounds.numbers and not self.bounds.texts and self.often():
            return _spelt_number(self.beside(self.random.choice(self.bounds.numbers)))
        way = self.random.randrange(9 if depth else 6)
        if way < 2:
            return _quoted(self.text())
        if way == 2:
            return self.random.choice(SPELT_NUMBERS)
        if way == 3:
            return _spelt_number(self.number())
        if way == 4:
            return self.random.choice(["true", "false", "null"])
        if way == 5:
            return _quoted(self.iso_text())
        parts = [self.json_value(depth - 1) for _ in range(self.random.randrange(4))]
        if way < 8:
            return f"[{', '.join(parts)}]"
        names = (_quoted(str(self.random.choice(["tier", "sku", "0", ""]))) for _ in parts)
        return f"{{{', '.join(map(': '.join, zip(names, parts, strict=True)))}}}"

    def spelt(self, tree: Any) -> str:
        """JSON text of planted branches; steps that are numbers are places in lists."""
        if isinstance(tree, str):
            return tree
        numbers = [step for step in tree if isinstance(step, int)]
        if numbers and (len(numbers) == len(tree) or self.often()):
            places = (self.spelt(tree.get(at, "null")) for at in range(min(max(numbers), 9) + 1))
            return f"[{', '.join(places)}]"
        members = (
            f"{_quoted(key)}: {self.spelt(value)}"
            for key, value in tree.items()
            if isinstance(key, str)
        )
        return f"{{{', '.join(members)}}}"

    # ---- consumers

    def field(self, spec: FieldSpec, kind: str) -> Any:
        """A value for the column of a declared field; None now and then."""
        if self.random.random() < 0.1:
            return None
        if spec.open:
            return self.document(spec.column)
        if spec.type.element is not None:
            return self.at(spec.column).elements(spec.type.element)
        value = self.at(spec.column).scalar(spec.type)
        return as_kind(value, kind) if spec.type.family == "number" else value


def random_consumers(
    random: Random, schema: Schema, bounds: Boundaries, size: int
) -> list[dict[str, Any]]:
    """So many consumers, each a dict of source columns; a number column keeps to one kind."""
    values = Values(random, bounds)
    specs = [spec for spec in schema.specs.values() if spec.derived is None and not spec.path]
    kinds = {
        spec.name: "Decimal" if spec.type.name == "currency" else random.choice(["int", "float"])
        for spec in specs
    }
    return [
        {spec.column: values.field(spec, kinds[spec.name]) for spec in specs} for _ in range(size)
    ]


def as_kind(value: Number, kind: str) -> Number | None:
    """The number as an int of 64 bits, a Decimal of two places or a float; None without one."""
    if kind == "float":
        return float(value)
    if not math.isfinite(value):
        return None
    if kind == "int":
        whole = int(value)
        return whole if -(1 << 63) <= whole < 1 << 63 else None
    small = -(10**15) < value < 10**15
    return round(Decimal(value), 2) if small else None


def _within(instant: int) -> int:
    return min(max(instant, MIN_INSTANT), MAX_INSTANT)


def _spelt_number(value: Number) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=len(text) % 2 == 0)


def _plant(tree: dict[str | int, Any], path: Steps, leaf: str) -> None:
    for step in path[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    if path:
        tree.setdefault(path[-1], leaf)
