"""Loyalty tiers: half-open ranges of one attribute that do not overlap, and their rules."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from segment_engine.diagnostics.nearest import nearest
from segment_engine.errors import Problem
from segment_engine.expression.build import MOST_DIGITS
from segment_engine.expression.schema import Schema
from segment_engine.language.json_values import NUMERAL
from segment_engine.store.attributes import icon_of, name_of
from segment_engine.store.ids import is_id
from segment_engine.store.problems import refuse
from segment_engine.store.records import Audience
from segment_engine.values.folding import fold
from segment_engine.values.numbers import normal, plain
from segment_engine.values.paths import parse_name, spell_name

MOST_TIERS = 200
MOST_ORDER = 2**31
KEYS = ("name", "order", "startValue", "endValue", "iconName", "audienceId")


@dataclass(frozen=True, slots=True)
class Tier:
    """A range from `start` to `end`, which is not in it; without an `end` it is open.

    `icon` has its `icon_name` where one was told, `audience` is the id of the audience that it is
    to be where that was. `place` is where it stands in what was given.
    """

    name: str
    order: int
    start: int | Decimal
    end: int | Decimal | None
    icon: Mapping[str, str | None] = field(default_factory=dict)
    audience: str | None = None
    place: str = "tiers"

    def rows(self, attribute: str) -> list[dict[str, Any]]:
        """The rule of the tier; the attribute is the name of a field."""
        bounds = [("GREATER_THAN_OR_EQUAL", self.start)]
        if self.end is not None:
            bounds.append(("LESS_THAN", self.end))
        return [
            {"field": attribute, "operator": operator, "values": [value]}
            for operator, value in bounds
        ]

    @classmethod
    def of(cls, audience: Audience) -> "Tier":
        """The tier that an audience is."""
        held = audience.tier or {}
        range = held["startValue"], held["endValue"]
        return cls(audience.name, held["order"], *range, audience=audience.id)

    def kept(self) -> dict[str, Any]:
        """The tier as its audience keeps it."""
        return {"order": self.order, "startValue": self.start, "endValue": self.end}


def attribute_of(given: Any, schema: Schema) -> str:
    """The name of the number or currency field that is meant. Raises Invalid."""
    numeric = [name for name, spec in schema.specs.items() if spec.type.family == "number"]
    parsed = parse_name(given) if isinstance(given, str) else None
    name = given if parsed is None or given in schema.specs else spell_name(*parsed)
    if isinstance(name, str) and name in numeric:
        return name
    near = ", ".join(nearest(name, numeric)) if isinstance(name, str) else ""
    advice = f"did you mean {near}?" if near else f"there are {', '.join(numeric) or 'none'}"
    message = "tiers are ranges of a number or currency field of the schema"
    refuse([Problem("attribute", f"{message}; {advice}", "unknown-field")])
    raise AssertionError


def tiers_of(given: Any) -> list[Tier]:
    """The tiers in their order. Raises Invalid with all that is wrong."""
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= MOST_TIERS:
        refuse([Problem("tiers", f"there are 1 to {MOST_TIERS} tiers, in a list")])
    problems: list[Problem] = []
    tiers = [_tier(one, f"tiers.{number}", problems) for number, one in enumerate(given)]
    refuse(problems)
    sound = [tier for tier in tiers if tier is not None]
    refuse([*_twice(sound), *_overlaps(sound)])
    return sorted(sound, key=lambda tier: tier.order)


def gaps(tiers: Sequence[Tier]) -> list[str]:
    """What to say of the values between tiers that are in none."""
    return [
        f'no tier has the values from {plain(low.end)} to {plain(high.start)}, between "{low.name}"'
        f' and "{high.name}"'
        for low, high in _neighbours(tiers)
        if low.end is not None and low.end < high.start
    ]


def _tier(given: Any, place: str, problems: list[Problem]) -> Tier | None:
    if not isinstance(given, Mapping):
        problems.append(Problem(place, "a tier is an object"))
        return None
    before = len(problems)
    for key in sorted(map(str, given.keys() - set(KEYS))):
        problems.append(Problem(f"{place}.{key}", f"a tier has {', '.join(KEYS)}"))

    def read(key: str, check: Callable[[Any], Any]) -> Any:
        try:
            return check(given.get(key))
        except ValueError as fault:
            problems.append(Problem(f"{place}.{key}", str(fault)))

    name, order = read("name", name_of), read("order", _order)
    start, end = read("startValue", _number), read("endValue", _end)
    icon = {"icon_name": read("iconName", icon_of)} if "iconName" in given else {}
    audience = read("audienceId", _audience)
    if len(problems) == before and end is not None and start >= end:
        problems.append(Problem(f"{place}.endValue", "a tier ends above its start"))
    sound = len(problems) == before
    return Tier(name, order, start, end, icon, audience, place) if sound else None


def _order(value: Any) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or abs(value) >= MOST_ORDER:
        raise ValueError("the order is a whole number")
    return int(value)


def _end(value: Any) -> int | Decimal | None:
    return None if value is None else _number(value)


def _number(value: Any) -> int | Decimal:
    """A number, or the text of one, exactly. Raises ValueError."""
    if isinstance(value, str) and NUMERAL.fullmatch(value.strip()) and len(value) < 100:
        value = Decimal(value.strip())
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("it is a number, or the text of one")
    exact = Decimal(value)
    if not exact.is_finite() or _digits(exact) > MOST_DIGITS:
        raise ValueError(f"a number has at most {MOST_DIGITS} digits")
    return normal(exact)


def _digits(value: Decimal) -> int:
    """Digits before and behind the point, those that are written and the others."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    return max(len(digits) + exponent, 0) + max(-exponent, 0)


def _audience(value: Any) -> str | None:
    if value is not None and not is_id(value):
        raise ValueError("it is the id of an audience")
    return value if isinstance(value, str) else None


def _twice(tiers: Sequence[Tier]) -> Iterator[Problem]:
    """Two tiers of one name, one order or one audience."""
    for key, what in (("name", "name"), ("order", "order"), ("audience", "audienceId")):
        seen: set[Any] = set()
        for tier in tiers:
            value = getattr(tier, key)
            value = fold(value) if key == "name" else value
            if value is not None and value in seen:
                yield Problem(f"{tier.place}.{what}", f"two tiers have this {what}")
            seen.add(value)


def _overlaps(tiers: Sequence[Tier]) -> Iterator[Problem]:
    for low, high in _neighbours(tiers):
        if low.end is None or low.end > high.start:
            yield Problem(
                high.place, f'the tiers "{low.name}" and "{high.name}" overlap', "overlap"
            )


def _neighbours(tiers: Sequence[Tier]) -> Iterator[tuple[Tier, Tier]]:
    """Each tier behind the one that reaches furthest of those that begin before it."""
    first, *others = sorted(tiers, key=lambda tier: tier.start)
    for tier in others:
        yield first, tier
        if first.end is not None and (tier.end is None or tier.end > first.end):
            first = tier
