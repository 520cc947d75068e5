"""Audiences as real catalogues have them, drawn from a pool of predicates; the same at every run.

*shared* has 220 predicates, which many audiences repeat; *wide* has 1,260. Metadata is a small part
of both, and can be left out.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations, islice
from random import Random
from typing import NamedTuple

from benchmarks import conditions as made
from benchmarks.conditions import Condition, bracketed, instant, joined, negated
from segment_engine import Schema
from segment_engine.expression.schema import DEFAULT_FIELDS

AS_OF = datetime(2026, 7, 1, tzinfo=UTC)
"""At midnight, so that bounds some days ago are whole days, too."""

TYPES = {**DEFAULT_FIELDS, "score": "number", "metadata.points": "number"}
"""One path of metadata is declared, the others are not."""

SCHEMA = Schema(TYPES)

SIZES = {"shared": 0, "wide": 1}
LOOK_AHEAD = 20
DOMAINS = ("example.com", "mail.test", "shop.example", "example.org")
NAMES = ("Ada", "Bob", "Cleo", "Dan", "Eve")
COUNTRIES = ("US", "CA", "DE", "JP")
TIERS = ("gold", "silver", "bronze")


class Predicate(NamedTuple):
    """A condition of one field."""

    field: str
    condition: Condition


class Audience(NamedTuple):
    """What one audience asks, and which predicates it is made of."""

    key: str
    condition: Condition
    predicates: tuple[Predicate, ...]


def pool(name: str, metadata: bool = True) -> list[Predicate]:
    """The distinct predicates of a pool: `shared` or `wide`."""
    return [
        Predicate(field, condition)
        for field, (draw, *sizes) in FIELDS.items()
        if metadata or not field.startswith("metadata.")
        for condition in _distinct(draw, Random(f"{name} {field}"), sizes[SIZES[name]])
    ]


def audiences(predicates: list[Predicate], number: int) -> list[Audience]:
    """That many audiences of the pool; fewer of them are the first of more.

    Each has 1 to 6 predicates, 3.3 on average, mostly of different fields. All predicates are
    used once before any is used again.
    """
    return list(islice(_audiences(predicates, Random("audiences")), number))


def _distinct(
    draw: Callable[[Random], Condition], random: Random, number: int
) -> Iterator[Condition]:
    found: dict[str, Condition] = {}
    for _ in range(1_000 * number + 1):
        if len(found) == number:
            return iter(found.values())
        condition = draw(random)
        found.setdefault(condition.rule, condition)
    raise ValueError(f"{len(found)} of {number} like {next(iter(found))}")


def _audiences(predicates: list[Predicate], random: Random) -> Iterator[Audience]:
    deck: list[Predicate] = []
    number = 0
    while True:
        [size] = random.choices((1, 2, 3, 4, 5, 6), (10, 20, 28, 22, 12, 8))
        chosen: list[Predicate] = []
        for _ in range(size):
            if len(deck) < LOOK_AHEAD:
                deck += random.sample(predicates, len(predicates))
            chosen.append(_draw(deck, {predicate.field for predicate in chosen}))
        leaves = [_leaf(predicate, random) for predicate in chosen]
        [word] = random.choices(("and", "or"), (75, 25))
        yield Audience(f"audience_{number}", _tree(word, leaves, random), tuple(chosen))
        number += 1


def _draw(deck: list[Predicate], used: set[str]) -> Predicate:
    """The next predicate of another field, if there is one not far away."""
    ahead = enumerate(deck[:LOOK_AHEAD])
    return deck.pop(next((place for place, one in ahead if one.field not in used), 0))


def _leaf(predicate: Predicate, random: Random) -> Condition:
    return negated(predicate.condition) if random.random() < 0.2 else predicate.condition


def _tree(word: str, leaves: list[Condition], random: Random) -> Condition:
    """The leaves joined; of three or more, some of them often by the other word, in brackets."""
    if len(leaves) < 3 or random.random() < 0.4:
        return joined(word, leaves)
    inside = random.randrange(2, len(leaves))
    group = _tree({"and": "or", "or": "and"}[word], leaves[:inside], random)
    group = negated(group) if random.random() < 0.15 else bracketed(group)
    return joined(word, [*leaves[inside:], group])


def _orders(random: Random) -> Condition:
    """Single numbers a quarter of the time, else as `_number`."""
    if random.random() < 0.75:
        return _number("totalOrders", lambda random: random.randrange(1, 39))(random)
    return made.equal("totalOrders", sorted(random.sample(range(40), random.choice((1, 1, 3, 6)))))


def _number(field: str, value: Callable[[Random], float]) -> Callable[[Random], Condition]:
    """Thresholds and ranges of a column."""

    def draw(random: Random) -> Condition:
        if random.random() < 0.15:
            low, high = sorted((value(random), value(random)))
            bounds = (">=", f"{low:g}"), ("<=", f"{high:g}")
            return made.bounded(field, f"between {low:g} and {high:g}", *bounds)
        sign, literal = random.choice((">", ">=", ">=", "<", "<=")), f"{value(random):g}"
        return made.bounded(field, f"{sign} {literal}", (sign, literal))

    return draw


def _money(random: Random) -> float:
    return random.randrange(25, 2000, 25) - (0.01 if random.random() < 0.3 else 0)


def _score(random: Random) -> float:
    return random.randrange(5, 100) if random.random() < 0.7 else random.randrange(1000) / 10


def _average(random: Random) -> Condition:
    value = random.choice((20, 50, 75, 100, 150, 19.99, *range(10, 250, 10)))
    return made.average(random.choice((">", ">=", "<")), f"{value:g}")


def _times(field: str, days: int) -> Callable[[Random], Condition]:
    """Times relative to as-of, and days, months and spans of the calendar."""

    def draw(random: Random) -> Condition:
        kind = random.randrange(100)
        if kind < 60:
            return _ago(field, random, days)
        day = AS_OF - timedelta(days=random.randrange(1, days))
        if kind < 84:
            return _beside(field, random, day)
        return _during(field, day) if kind < 92 else _span(field, random, day, days)

    return draw


def _ago(field: str, random: Random, days: int) -> Condition:
    [unit] = random.choices(
        ("day", "week", "month", "quarter", "year", "hour"), (62, 8, 16, 5, 5, 4)
    )
    length = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366, "hour": 1 / 24}[unit]
    most = max(2, min(int(days / length), 200))
    number = random.randrange(1, most)
    if unit == "day" and random.random() < 0.5:
        number = random.choice((7, 14, 30, 60, 90, 120, 180, 365))
    bound = instant(made.before(AS_OF, number, unit))
    period = f"{number} {unit}" + ("s" if number > 1 else "")
    if random.random() < 0.45:
        return made.bounded(field, f"older than {period}", ("<", bound))
    return made.bounded(field, f"within last {period}", (">=", bound), ("<=", instant(AS_OF)))


def _beside(field: str, random: Random, day: datetime) -> Condition:
    if random.random() < 0.5:
        return made.bounded(field, f"before {day:%Y-%m-%d}", ("<", instant(day)))
    following = instant(day + timedelta(days=1))
    return made.bounded(field, f"after {day:%Y-%m-%d}", (">=", following))


def _during(field: str, day: datetime) -> Condition:
    first = day.replace(day=1)
    bounds = (">=", instant(first)), ("<", instant(made.months_before(first, -1)))
    return made.bounded(field, f"during {day:%Y-%m}", *bounds)


def _span(field: str, random: Random, day: datetime, days: int) -> Condition:
    last = min(day + timedelta(days=random.randrange(1, days // 4)), AS_OF)
    bounds = (">=", instant(day)), ("<", instant(last + timedelta(days=1)))
    return made.bounded(field, f"between {day:%Y-%m-%d} and {last:%Y-%m-%d}", *bounds)


def _email(random: Random) -> Condition:
    name, digits = random.choice(DOMAINS), random.randrange(1, 1000)
    return random.choice(
        (
            made.searched("email", "ends with", f"@{name}"),
            made.searched("email", "ends with", f"{digits}@{name}"),
            made.searched("email", "ends with", name[name.index(".") :], ignoring_case=True),
            made.searched("email", "contains", f"{digits}"),
            made.searched("email", "starts with", f"user{digits}"),
            made.equal("email", [f"user{digits}@{name}"]),
            made.presence("email", exists=random.random() < 0.5),
        )
    )


def _domain(random: Random) -> Condition:
    one = [(name,) for name in DOMAINS]
    return made.domain(random.choice([*one, *combinations(DOMAINS, 2)]))


def _full_name(random: Random) -> Condition:
    name, digits = random.choice(NAMES), random.randrange(10, 1000)
    return random.choice(
        (
            made.searched("fullName", "starts with", name),
            made.searched("fullName", "contains", name),
            made.searched("fullName", "contains", f"{name} {digits}"),
            made.searched("fullName", "ends with", f"{digits}"),
            made.equal("fullName", [f"{name} {digits}"]),
            made.equal("fullName", [f"{name} {digits + more}" for more in range(3)]),
        )
    )


def _phone(random: Random) -> Condition:
    starts = made.searched("phone", "starts with", f"+4915{random.randrange(10)}")
    ends = made.searched("phone", "ends with", f"{random.randrange(10)}")
    return random.choice((made.presence("phone", random.random() < 0.5), starts, ends))


def _external(random: Random) -> Condition:
    ids = [f"{number:08}" for number in sorted(random.sample(range(20_000), 4))]
    return random.choice(
        (
            made.equal("externalId", ids),
            made.equal("externalId", ids[:1]),
            made.searched("externalId", "starts with", ids[0][:5]),
            made.searched("externalId", "ends with", ids[0][6:]),
        )
    )


def _texts_at(path: str, values: tuple[str, ...]) -> Callable[[Random], Condition]:
    """One value of a path, two of them, or that there is one."""
    choices = [(value,) for value in values] * 2 + list(combinations(values, 2))

    def draw(random: Random) -> Condition:
        if random.random() < 0.15:
            return made.json_exists(path)
        return made.json_text(path, random.choice(choices))

    return draw


def _metadata_points(random: Random) -> Condition:
    sign = random.choice((">", ">=", "<"))
    return made.json_number("points", sign, f"{random.randrange(250, 5000, 250)}")


def _tags(random: Random) -> Condition:
    return made.json_element("tags", f"t{random.randrange(9)}")


FIELDS: dict[str, tuple[Callable[[Random], Condition], int, int]] = {
    "totalOrders": (_orders, 34, 160),
    "totalOrderValue": (_number("totalOrderValue", _money), 40, 280),
    "averageOrderValue": (_average, 6, 40),
    "score": (_number("score", _score), 24, 180),
    "lastOrderAt": (_times("lastOrderAt", 730), 36, 240),
    "createdAt": (_times("createdAt", 1825), 30, 180),
    "email": (_email, 14, 50),
    "emailDomain": (_domain, 6, 10),
    "fullName": (_full_name, 12, 50),
    "phone": (_phone, 4, 10),
    "externalId": (_external, 4, 20),
    "metadata.tier": (_texts_at("tier", TIERS), 4, 6),
    "metadata.points": (_metadata_points, 4, 20),
    "metadata.country": (_texts_at("country", COUNTRIES), 2, 8),
    "metadata.tags": (_tags, 0, 6),
}
"""How to draw a predicate of each field, and how many of them *shared* and *wide* have."""
