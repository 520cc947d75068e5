"""Every value worth trying for one field of some rules, the simplest first, without any luck."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import combinations, pairwise, permutations
from math import inf
from random import Random
from typing import Any

from segment_engine.testing.boundaries import Boundaries, example_of
from segment_engine.testing.values import near_changes, spelt_number, twin
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
from segment_engine.values.numbers import normal, plain
from segment_engine.values.types import ANY, CURRENCY, DATE, NUMBER, TEXT, Type
from segment_engine.values.zones import Zone

MANY = 12
"""Of more literals of a field only the first are combined with one another."""
_CENT, _HALF = Decimal("0.01"), Decimal("0.5")
_YEAR = 2026
_CORNERS = ("2024-02-28", "2024-02-29", "2024-03-01", "2023-02-28", "2000-01-01", "2025-12-31")


def samples(kind: Type, bounds: Boundaries) -> list[Any]:
    """Present values of a field of that type, at and around what `bounds` hold."""
    if kind.element is not None:
        return list(_lists(samples(kind.element, bounds), _literals(kind.element, bounds)))
    return _OF_FAMILY[kind.family](kind, bounds)


def _booleans(kind: Type, bounds: Boundaries) -> list[Any]:
    return [False, True]


# ---- numbers


def _numbers(kind: Type, bounds: Boundaries) -> list[Any]:
    exact = sorted(set(_around(bounds.numbers)), key=lambda n: (len(plain(n)), abs(n), n < 0))
    if kind is CURRENCY:
        return exact
    return [n if isinstance(n, int) else float(n) for n in exact] + [inf, -inf]


def _around(literals: list[int | Decimal]) -> Iterator[int | Decimal]:
    yield from (0, 1, 2, -1, 10**18, -(10**18))
    exact = list(dict.fromkeys(map(Decimal, literals)))
    for at in exact:
        step = Decimal((0, (1,), min(int(at.as_tuple().exponent), 0)))
        shifts = (Decimal(0), Decimal(1), _HALF, _CENT, step)
        yield from (normal(at + sign * shift) for shift in shifts for sign in (1, -1))
    yield from (normal((low + high) / 2) for low, high in pairwise(sorted(exact)))
    for x, y in permutations(exact[:MANY], 2):
        found = (x + y, x - y, x * y, x / y if y else x)
        yield from (normal(value) for value in found)


# ---- texts


def _texts(kind: Type, bounds: Boundaries) -> list[Any]:
    found = dict.fromkeys(("", "a", *_spelt(bounds)))
    return sorted(found, key=lambda text: (len(text), not text.isascii(), "\n" in text, text))


def _spelt(bounds: Boundaries) -> Iterator[str]:
    for needle in bounds.texts:
        yield from _like(needle)
    for first, second in permutations(bounds.texts[:MANY], 2):
        yield from (first + second, f"{first} {second}")
    for pattern in bounds.patterns:
        examples = {example_of(pattern, Random(seed)) for seed in range(30)}
        for example in sorted(examples):
            yield from _affixed(example)
    if bounds.numbers:
        yield from map(spelt_number, _numbers(CURRENCY, bounds))
    yield from _iso(bounds)


def _like(needle: str) -> Iterator[str]:
    """The needle in all its cases, character by character too, and with something around it."""
    for cased in (needle, needle.upper(), needle.lower(), needle.swapcase(), twin(needle)):
        yield from _affixed(cased)
    yield from (needle[1:], needle[:-1], f"a@{needle}")
    for at, char in enumerate(needle[:20]):
        for other in (char.upper(), char.lower(), twin(char), "a"):
            yield needle[:at] + other + needle[at + 1 :]


def _affixed(text: str) -> tuple[str, ...]:
    return text, f"{text}a", f"a{text}", f"{text}\n", f"\n{text}", f"a{text}a"


# ---- times


def _times(kind: Type, bounds: Boundaries) -> list[Any]:
    if kind is DATE:
        return list(map(date_of, _days(bounds)))
    return list(map(_stamp, _instants(bounds)))


def _stamp(instant: int) -> datetime:
    return naive_of(instant).replace(tzinfo=UTC)


def _days(bounds: Boundaries) -> list[int]:
    edges = [day + step for day in bounds.days for step in (0, -1, 1)]
    again = [_in_leap_year(day) for day in edges if MIN_DAY <= day <= MAX_DAY]
    corners = [day_number(date.fromisoformat(corner)) for corner in _CORNERS]
    found = dict.fromkeys([*edges, *corners, *again, *_calendar(bounds)])
    return [day for day in found if MIN_DAY <= day <= MAX_DAY]


def _in_leap_year(day: int) -> int:
    return day_number(date_of(day).replace(year=2000))


def _calendar(bounds: Boundaries) -> Iterator[int]:
    """A week, each day of a month, each month, in the years that are mentioned."""
    years = [int(n) for n in bounds.numbers if n == int(n) and 1 < n < 9999]
    for year in dict.fromkeys((*years, _YEAR)):
        first = day_number(date(year, 1, 1))
        yield from range(first, first + 31)
        yield from (day_number(date(year, month, 1)) for month in range(2, 13))
        yield day_number(date(year, 12, 31))


def _instants(bounds: Boundaries) -> list[int]:
    edges = [at + step for at in bounds.instants for step in (0, -1, 1, SECOND, -SECOND)]
    noons = (day * DAY + 12 * HOUR for day in _days(bounds))
    found = dict.fromkeys([*edges, *noons, *_midnights(bounds), *_hours(bounds.zone)])
    kept = [at for at in found if MIN_INSTANT <= at <= MAX_INSTANT]
    return sorted(kept, key=lambda at: (at % SECOND != 0, at % HOUR != 0))


def _midnights(bounds: Boundaries) -> Iterator[int]:
    for day in _days(bounds):
        midnight = day * DAY - bounds.zone.offset_at(day * DAY)
        yield from (midnight, midnight - 1)


def _hours(zone: Zone) -> Iterator[int]:
    """Each hour of a day, and each half of one near the changes of the clock."""
    start = day_number(date(_YEAR, 6, 1)) * DAY
    yield from (start + hour * HOUR for hour in range(24))
    for change in near_changes(zone, _YEAR - 1, _YEAR + 2):
        yield from (change + half * HOUR // 2 for half in range(-48, 49))


def _iso(bounds: Boundaries) -> list[str]:
    """Days and instants as ISO 8601 text, where rules mention times."""
    if not (bounds.instants or bounds.days):
        return []
    days = [date_of(day).isoformat() for day in _days(bounds)]
    return days + list(map(format_instant, _instants(bounds)))


# ---- lists and JSON


def _lists(elements: Iterable[Any], literals: list[Any]) -> Iterator[list[Any]]:
    yield []
    yield from ([element] for element in elements)
    few = literals[:MANY]
    yield from map(list, combinations(few, 2))
    yield from ([*few[:at], *few[at + 1 :]] for at in range(len(few) if len(few) > 2 else 0))
    yield literals


def _literals(kind: Type, bounds: Boundaries) -> list[Any]:
    match kind.family:
        case "number":
            return list(map(_json_number, bounds.numbers))
        case "text":
            return list(bounds.texts)
        case "time" if kind is DATE:
            return list(map(date_of, bounds.days))
        case "time":
            return list(map(_stamp, bounds.instants))
        case _:
            return [False, True]


def _anything(kind: Type, bounds: Boundaries) -> list[Any]:
    """JSON values as Python's own: those of the types that rules ask for, and their look-alikes."""
    numbers = list(map(_json_number, _numbers(CURRENCY, bounds)))
    texts = _texts(TEXT, bounds)
    literals = [*_literals(NUMBER, bounds), *bounds.texts]
    scalars = [False, True, *numbers, *texts]
    return [*scalars, {}, *_lists(scalars, literals)]


def _json_number(value: int | Decimal) -> int | float:
    return value if isinstance(value, int) else float(value)


_OF_FAMILY: dict[str, Callable[[Type, Boundaries], list[Any]]] = {
    "boolean": _booleans,
    "number": _numbers,
    "text": _texts,
    "time": _times,
    ANY.family: _anything,
}
