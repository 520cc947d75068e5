"""Laws of the language: rules that must have the same members, and members that must be there."""

import datetime as dt
import json
import math
import re
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from segment_engine import Rule
from segment_engine.parts import ENGINES as NAMES
from segment_engine.testing import boundaries, random_consumers, random_rule
from segment_engine.testing import literals as write
from segment_engine.values.isotime import format_instant, instant_of
from segment_engine.values.paths import quote
from tests.properties.drawn import ENGINES, MOMENTS, SCHEMA, Case, cases, randoms

NEW_YORK = ENGINES["America/New_York"]
RANDOMS = randoms()
NUMBERS = ("totalOrders", "totalOrderValue", "score", "metadata.tier", "metadata.points")


def members(case: Case, text: str, engine: str) -> set[int]:
    """The ids that a rule keeps."""
    return set(case.engine.rule(text).members(case.consumers, case.as_of, engine))


def same(case: Case, *texts: str, engine: str) -> None:
    """All texts keep the same consumers."""
    first, *others = texts
    expected = members(case, first, engine)
    for other in others:
        assert members(case, other, engine) == expected, f"{first}\nunlike\n{other}"


@given(cases(rules=2, most=3), st.sampled_from(NAMES))
def test_logic_is_boolean_algebra(case: Case, engine: str) -> None:
    p, q = (f"({rule.text})" for rule in case.rules)
    same(case, p, f"{p} and true", f"{p} or false", f"not not {p}", f"{p} or {p}", engine=engine)
    same(case, f"not ({p} and {q})", f"not {p} or not {q}", engine=engine)
    same(case, f"not ({p} or {q})", f"not {q} and not {p}", engine=engine)
    both, either = members(case, p, engine), members(case, q, engine)
    assert members(case, f"{p} and {q}", engine) == both & either
    assert members(case, f"{q} or {p}", engine) == both | either


@given(cases(rules=3, most=3), st.sampled_from(NAMES))
def test_order_and_nesting_do_not_matter(case: Case, engine: str) -> None:
    p, q, r = (f"({rule.text})" for rule in case.rules)
    same(case, f"{p} and {q} and {r}", f"{r} and ({q} and {p})", engine=engine)
    same(case, f"{p} or {q} or {r}", f"({r} or {p}) or {q}", engine=engine)


@given(cases(most=1), RANDOMS, st.sampled_from(NAMES))
def test_in_is_an_or_and_between_two_comparisons(case: Case, random: Random, engine: str) -> None:
    field = random.choice(NUMBERS)
    numbers = [write.spell_number(write.number(random)) for _ in range(6)]
    listed = f"{field} in ({', '.join(numbers)})"
    same(case, listed, " or ".join(f"{field} = {n}" for n in numbers), engine=engine)
    low, high = sorted(numbers[:2], key=Decimal)
    between, bounds = f"{field} between {low} and {high}", f"{field} >= {low} and {field} <= {high}"
    same(case, between, bounds, engine=engine)
    same(case, f"{field} not between {low} and {high}", f"not ({bounds})", engine=engine)


@given(cases(), RANDOMS, st.sampled_from(NAMES))
def test_lists_of_mixed_types_are_an_or(case: Case, random: Random, engine: str) -> None:
    texts = [write.spell_text(random, write.text(random)) for _ in range(3)]
    mixed = [*texts, "true", write.time(random), write.spell_number(write.number(random))]
    random.shuffle(mixed)
    for word, one in (("in", "="), ("contains any", "contains")):
        parts = (f"metadata.tier {one} {item}" for item in mixed)
        same(case, f"metadata.tier {word} ({', '.join(mixed)})", " or ".join(parts), engine=engine)
    parts = (f"metadata.tags contains {item}" for item in mixed)
    everything = f"metadata.tags contains all ({', '.join(mixed)})"
    same(case, everything, " and ".join(parts), engine=engine)


@given(cases(most=12), st.sampled_from(NAMES))
def test_canonical_text_has_the_same_members(case: Case, engine: str) -> None:
    rule = case.rules[0]
    expected = rule.members(case.consumers, case.as_of, engine)
    assert case.engine.rule(rule.text).members(case.consumers, case.as_of, engine) == expected


# ---- relative and absolute times, by Python's own calendar


def absolute(random: Random, now: dt.datetime) -> tuple[str, str]:
    """A relative time and the same as it is written in full; `now` is local."""
    count, today = random.choice([1, 2, 7, 30, 400]), now.date()
    month = (now.year * 12 + now.month - 1) - count
    return random.choice(
        [
            ("now", now.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")),
            ("today", today.isoformat()),
            ("tomorrow", (today + dt.timedelta(1)).isoformat()),
            (f"{count} days ago", (today - dt.timedelta(count)).isoformat()),
            (f"{count} weeks from now", (today + dt.timedelta(7 * count)).isoformat()),
            (f"{count} hours ago", _shifted(now, dt.timedelta(hours=-count))),
            (f"{count} minutes from now", _shifted(now, dt.timedelta(minutes=count))),
            ("this month", f"{now:%Y-%m}"),
            (f"{count} months ago", _clamped(*divmod(month, 12), now.day)),
        ]
    )


def _shifted(now: dt.datetime, step: dt.timedelta) -> str:
    return (now.astimezone(dt.UTC) + step).isoformat().replace("+00:00", "Z")


def _clamped(year: int, month: int, day: int) -> str:
    following = dt.date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return dt.date(year, month + 1, min(day, (following - dt.timedelta(1)).day)).isoformat()


@given(cases(), RANDOMS, st.sampled_from(NAMES))
def test_relative_times_are_absolute_ones(case: Case, random: Random, engine: str) -> None:
    now = dt.datetime.fromisoformat(case.as_of).astimezone(ZoneInfo(case.engine.timezone))
    relative, spelt = absolute(random, now)
    field = random.choice(["lastOrderAt", "day", "metadata.tier", "datetime(email)"])
    operator = random.choice(["=", "<", "<=", ">", ">=", "!=", "on", "before", "after"])
    same(case, f"{field} {operator} {relative}", f"{field} {operator} {spelt}", engine=engine)


# ---- pivot: a predicate made to be true of one consumer


def true_of(random: Random, consumer: dict[str, Any]) -> str:
    """A predicate that holds for the consumer, by what its values are."""
    spec = random.choice([s for s in SCHEMA.specs.values() if s.column in consumer and not s.path])
    value, name = consumer[spec.column], f"`{spec.name}`"
    if spec.open:
        value, name = json.loads(value)["tier"], "metadata.tier"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return random.choice([f"{name} is missing", f"not ({name} exists)"])
    return random.choice([f"{name} exists", *_TRUE.get(type(value), _nothing)(name, value)])


def plain_document(*values: Any) -> str:
    """JSON with the first value that it can hold."""
    held = (v for v in values if v is not None and (isinstance(v, str) or math.isfinite(v)))
    return json.dumps({"tier": next(held, None)})


def _nothing(name: str, value: Any) -> list[str]:
    return []


def _true_of_number(name: str, value: Any) -> list[str]:
    if not math.isfinite(value) or abs(value) > 10**30:
        return [f"{name} != 5"]
    spelt = format(Decimal(value), "f")
    if len(spelt.strip("-0.")) > 37:
        return [f"{name} != 0.5" if value != 0.5 else f"{name} > 0"]
    return [
        *(f"{name} {word} {spelt}" for word in ("=", "<=", ">=", "is")),
        *(f"not {name} {word} {spelt}" for word in ("<", ">", "!=")),
        f"{name} in (7, {spelt})",
        f"{name} between {spelt} and {spelt}",
    ]


def _true_of_text(name: str, value: str) -> list[str]:
    whole, found = (
        quote(value),
        [f"{name} is {quote(value)}", f"{name} not in ({quote(value + 'z')})"],
    )
    if not value:
        return [*found, f"{name} is empty"]
    half = len(value) // 2
    pattern = re.sub(r"([\W_])", lambda m: m[1] if ord(m[1]) > 127 else f"\\{m[1]}", value)
    literal = value.isprintable() and '"' not in value
    return [
        *found,
        f"{name} contains {quote(value[half:])}",
        f"{name} starts with {quote(value[: half + 1])}",
        f"{name} ends with {quote(value[half:])}",
        f"{name} contains {quote(value[half:].swapcase().swapcase())} ignoring case"
        if value.isascii()
        else f"{name} = {whole} ignoring case",
        *([f'{name} matches "^{pattern}$"'] if literal else []),
    ]


def _true_of_time(name: str, value: dt.datetime) -> list[str]:
    at, local = instant_of(value), value.astimezone(ZoneInfo("America/New_York"))
    assert at is not None
    spelt, day = format_instant(at), local.date().isoformat()
    return [
        *(f"{name} {word} {spelt}" for word in ("=", "<=", ">=", "on")),
        *(f"not {name} {word} {spelt}" for word in ("<", ">", "!=")),
        *(f"{name} {word} {day}" for word in ("=", "<=", ">=", "during")),
        f"{name} during {day[:7]}",
        f"{name} on {day[:4]}" if local.year >= 1000 else f"{name} exists",
        f"year({name}) = {local.year} and month({name}) = {local.month}",
        f"weekday({name}) = {local.isoweekday()} and hour({name}) = {local.hour}",
        f"anniversary of {name} = {day}",
    ]


def _true_of_day(name: str, value: dt.date) -> list[str]:
    spelt = value.isoformat()
    return [
        *(f"{name} {word} {spelt}" for word in ("=", "<=", ">=", "on")),
        f"not {name} after {spelt}",
        f"day({name}) = {value.day} and quarter({name}) = {(value.month + 2) // 3}",
        f"{name} between {spelt[:7]} and {spelt}",
    ]


def _true_of_list(name: str, value: list[Any]) -> list[str]:
    texts = [item for item in value if isinstance(item, str) and item and name == "tags"]
    found = [f"{name} contains all ({', '.join(map(quote, texts))})"] if texts else []
    return [*found, f"{name} is {'not ' * bool(value)}empty"]


_TRUE = {
    int: _true_of_number,
    float: _true_of_number,
    Decimal: _true_of_number,
    str: _true_of_text,
    dt.datetime: _true_of_time,
    dt.date: _true_of_day,
    list: _true_of_list,
    bool: lambda name, value: [name if value else f"not {name}", f"{name} = {str(value).lower()}"],
}


@given(RANDOMS, st.sampled_from(MOMENTS), st.sampled_from(NAMES))
def test_a_rule_made_true_for_a_consumer_keeps_it(random: Random, as_of: str, engine: str) -> None:
    other = random_rule(random, SCHEMA, 3)
    bounds = boundaries([NEW_YORK.rule(other)], as_of)
    people = [
        {**person, "id": number, "metadata": plain_document(person["email"], person["score"])}
        for number, person in enumerate(random_consumers(random, SCHEMA, bounds, 6))
    ]
    chosen = random.choice(people)
    if isinstance(chosen["lastOrderAt"], dt.datetime) and not 2 < chosen["lastOrderAt"].year < 9998:
        chosen["lastOrderAt"] = None
    first, second = true_of(random, chosen), true_of(random, chosen)
    for text in (
        f"{first} and {second}",
        f"({other}) or {first}",
        f"not (({other}) and not {first})",
    ):
        kept = NEW_YORK.rule(text).members(people, as_of, engine)
        assert chosen["id"] in kept, f"{text}\n{chosen}"


# ---- data that must not matter


@given(cases(), RANDOMS, st.sampled_from(NAMES))
def test_order_and_unread_columns_do_not_matter(case: Case, random: Random, engine: str) -> None:
    rule: Rule = case.rules[0]
    expected = rule.members(case.consumers, case.as_of, engine)
    order = list(range(case.consumers.num_rows))
    random.shuffle(order)
    shuffled = pa.concat_tables(case.consumers.slice(at, 1) for at in order)
    other = shuffled.append_column("unread", case.consumers["id"])
    assert rule.members(other, case.as_of, engine) == expected
    few = other.slice(0, 3)
    assert rule.members(few, case.as_of, engine) == [i for i in expected if i in order[:3]]
