"""`rule.next_change` against `matches` asked at many instants, and where the calendar is sharp."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine import Engine, Rule, RuleError, RunError, Schema
from segment_engine.backends.changes import REGULAR
from segment_engine.testing import boundaries, random_consumers, random_rule
from segment_engine.values.crossings import crossings, moving
from segment_engine.values.isotime import (
    DAY,
    HOUR,
    MAX_INSTANT,
    MIN_INSTANT,
    instant_of,
    naive_of,
    parse_iso,
)
from segment_engine.values.moments import (
    UNITS,
    Clock,
    Duration,
    Shifted,
    older_than,
    within_last,
    within_next,
)
from segment_engine.values.zones import (
    CYCLE,
    DAYS,
    MONTHS,
    OutOfRange,
    Zone,
    read_tzif,
    step,
    zone,
    zone_names,
)
from tests.properties.drawn import MOMENTS, SCHEMA, ZONES, randoms

ODD_ZONES = ("America/Havana", "Pacific/Apia", "America/Asuncion", "Africa/Casablanca")
"""Midnights that come twice or not at all, a day that was left out, four changes a year."""

ENGINES = {name: Engine(SCHEMA, timezone=name) for name in (*ZONES, *ODD_ZONES)}
TIMES = ("lastOrderAt", "day", "metadata.tier", "metadata.points", "metadata")
YEARS = 5 * 366 * DAY
MICROSECOND = timedelta(microseconds=1)
AFTERS = (
    *MOMENTS,
    *("2024-03-10T06:59:59.999999Z", "2024-11-03T06:00:00Z", "2024-10-05T15:30:00Z"),
    *(
        "2024-04-06T15:00:00Z",
        "2023-02-28T12:00:00Z",
        "2011-12-29T23:00:00Z",
        "2024-01-30T23:00:00Z",
    ),
    *("2022-10-02T04:00:00Z", "2021-11-07T04:59:59Z", "2026-03-29T00:59:59.5Z"),
)


def moment(instant: int) -> datetime:
    return naive_of(instant).replace(tzinfo=UTC)


def truth(rule: Rule, consumer: dict[str, Any], at: int) -> bool | None:
    """What `matches` says; None where a time leaves the years 1 to 9999."""
    try:
        return rule.matches(consumer, moment(at))
    except RuleError:
        return None


# ---- the law


def times_of(value: Any) -> Iterator[int]:
    """Every time that a consumer holds, also inside texts, as an instant."""
    match value:
        case dict():
            for inner in value.values():
                yield from times_of(inner)
        case list():
            for inner in value:
                yield from times_of(inner)
        case datetime():
            yield instant_of(value) or 0
        case date():
            yield (value.toordinal() - date(1970, 1, 1).toordinal()) * DAY
        case str():
            for text in re.findall(r"\d{4}-\d\d-\d\d[-0-9T:.+Z]*", value):
                yield from times_of(date_or_instant(text))


def date_or_instant(text: str) -> Any:
    found = parse_iso(text)
    return moment(found) if isinstance(found, int) else found


def near(random: Random, value: int, at_zone: Zone) -> int:
    """An instant at which a bound may be on the value: some step from it, or nearly."""
    count = random.choice([0, 0, 1, 2, 7, 30, 60, 90, 365]) * random.choice([-1, 1])
    unit = random.choice(UNITS)
    try:
        if unit in ("minute", "hour"):
            at = value + count * {"minute": 60, "hour": 3600}[unit] * 1_000_000
        else:
            at = at_zone.to_instant(step(at_zone.local(value), count, unit))
        at += random.choice([0, 0, 1, -1, 2, DAY, -DAY, 3_600_000_000, -1_800_000_000])
        return at if random.random() < 0.6 else midnight(at, at_zone)
    except OutOfRange:
        return value


def midnight(at: int, at_zone: Zone) -> int:
    return at_zone.to_instant(at_zone.local(at).replace(hour=0, minute=0, second=0, microsecond=0))


def month_start(at: int, at_zone: Zone) -> int:
    try:
        return midnight(at_zone.to_instant(at_zone.local(at).replace(day=1)), at_zone)
    except OutOfRange:
        return at


def probes(
    random: Random, consumer: dict[str, Any], at_zone: Zone, low: int, high: int, most: int
) -> list[int]:
    """Instants from `low` to before `high`: any, starts of days and months, changes of clocks,
    and where a bound may come upon a time of the consumer."""
    last = MAX_INSTANT - 9 * DAY
    values = [at for at in times_of(consumer) if MIN_INSTANT + 9 * DAY < at < last]
    any_times = [random.randrange(low, high) for _ in range(most)]
    days = [at for at in any_times + [low + n * DAY for n in range(40)] if at < last]
    days = [midnight(at, at_zone) + random.choice([0, -1]) for at in days]
    months = [month_start(at, at_zone) for at in any_times]
    changes = [at for at in at_zone.transitions()[0] if low <= at < high][:most]
    steps = [near(random, random.choice(values), at_zone) for _ in range(3 * most if values else 0)]
    found = any_times + days + months + changes + [at - 1 for at in changes] + steps
    return [at for at in found if low <= at < high]


def check(
    rule: Rule, consumer: dict[str, Any], after: int, random: Random, most: int = 50
) -> int | None:
    """The change that is found, held against what `matches` says around it and before it."""
    at_zone = zone(rule.engine.timezone)
    before = truth(rule, consumer, after)
    if before is None:
        with pytest.raises(RuleError):
            rule.next_change(consumer, moment(after))
        return None
    found = rule.next_change(consumer, moment(after))
    end = min(after + YEARS, MAX_INSTANT) if found is None else instant_of(found)
    assert end is not None
    if found is not None:
        assert end > after
        assert truth(rule, consumer, end) is (not before)
        assert truth(rule, consumer, end - 1) is before
    known = (before, None) if found is None else (before,)
    for at in probes(random, consumer, at_zone, after, end, most) if end > after else ():
        assert truth(rule, consumer, at) in known, moment(at)
    return None if found is None else end


def drawn(random: Random, name: str, as_of: str, fields: Any) -> tuple[Rule, dict[str, Any]]:
    """A rule and a consumer at its boundaries."""
    engine = ENGINES[name]
    rule = engine.rule(random_rule(random, SCHEMA, random.randint(1, 4), fields=fields))
    (consumer,) = random_consumers(random, SCHEMA, boundaries([rule], as_of), 1)
    return rule, consumer


@given(
    randoms(),
    st.sampled_from([*ENGINES]),
    st.sampled_from(AFTERS),
    st.sampled_from(AFTERS),
    st.sampled_from([None, TIMES, TIMES]),
    st.randoms(use_true_random=False),
)
def test_a_change_is_where_matches_changes_and_the_first(
    random: Random, name: str, as_of: str, after: str, fields: Any, probing: Random
) -> None:
    rule, consumer = drawn(random, name, as_of, fields)
    at = parse_iso(after)
    assert isinstance(at, int)
    for _ in range(3):
        found = check(rule, consumer, at, probing)
        if found is None:
            break
        at = found


# ---- sharp cases


def changes(
    text: str, consumer: dict[str, Any], after: Any, name: str = "UTC", **more: Any
) -> Iterator[str | None]:
    """One change after the other, as ISO text; None where no more comes."""
    rule = Engine(Schema(FIELDS), timezone=name).rule(text)
    while True:
        after = rule.next_change(consumer, after, **more)
        yield after and after.isoformat().removesuffix("+00:00")
        if after is None:
            return


FIELDS: dict[str, Any] = {
    **{"lastOrderAt": "datetime", "createdAt": "datetime", "day": "date", "metadata": "any"},
    **{"totalOrders": "number", "recent": {"type": "boolean", "derived": "day during this year"}},
}
NEW_YORK = "America/New_York"
SHARP: list[tuple[str, str, dict[str, Any], str, list[str | None]]] = [
    # The day on which 02:30 is left out: the bound jumps from before 02:00 to 03:00.
    (
        *("lastOrderAt within last 1 day", NEW_YORK),
        *({"lastOrderAt": "2024-03-09T07:30:00Z"}, "2024-03-09T12:00:00Z"),
        ["2024-03-10T07:00:00", None],
    ),
    # The day after: 02:15 leads to the skipped 02:15, which is 03:15, and 03:00 leads to 03:00.
    (
        *("lastOrderAt within last 1 day", NEW_YORK),
        *({"lastOrderAt": "2024-03-10T07:15:00Z"}, "2024-03-11"),
        ["2024-03-11T06:15:00.000001", "2024-03-11T07:00:00", "2024-03-11T07:15:00.000001", None],
    ),
    # 01:30 comes twice.
    (
        *("lastOrderAt within last 1 day", NEW_YORK),
        *({"lastOrderAt": "2024-11-02T05:30:00Z"}, "2024-11-03"),
        ["2024-11-03T05:30:00.000001", "2024-11-03T06:00:00", "2024-11-03T06:30:00.000001", None],
    ),
    # The second 01:30 is skipped by the bound, which is at the first one until 02:00.
    (
        *("lastOrderAt within last 1 day", NEW_YORK),
        *({"lastOrderAt": "2024-11-03T06:30:00Z"}, "2024-11-04"),
        ["2024-11-04T07:00:00", None],
    ),
    # As-of comes to the second 01:30 itself, not to the first.
    (
        *("lastOrderAt within last 1 day", NEW_YORK),
        *({"lastOrderAt": "2024-11-03T06:30:00Z"}, "2024-11-03"),
        ["2024-11-03T06:30:00", "2024-11-04T07:00:00", None],
    ),
    # 28 to 31 March lead back to 28 February.
    (
        *("lastOrderAt within last 1 month", "UTC"),
        *({"lastOrderAt": "2023-02-28T12:00:00Z"}, "2023-03-01"),
        [
            "2023-03-28T12:00:00.000001",
            *("2023-03-29T00:00:00", "2023-03-29T12:00:00.000001"),
            *("2023-03-30T00:00:00", "2023-03-30T12:00:00.000001"),
            *("2023-03-31T00:00:00", "2023-03-31T12:00:00.000001", None),
        ],
    ),
    (
        *("lastOrderAt within last 1 hour", NEW_YORK),
        *({"lastOrderAt": "2024-07-01T12:00:00Z"}, "2024-01-01"),
        ["2024-07-01T12:00:00", "2024-07-01T13:00:00.000001", None],
    ),
    (
        *("lastOrderAt within next 2 hours", "UTC"),
        *({"lastOrderAt": "2024-07-01T12:00:00Z"}, "2024-01-01"),
        ["2024-07-01T10:00:00", "2024-07-01T12:00:00.000001", None],
    ),
    *(
        ("day older than 60 days", name, {"day": date(2024, 1, 10)}, "2024-01-10", [at, None])
        for name, at in (("UTC", "2024-03-11T00:00:00"), (NEW_YORK, "2024-03-11T04:00:00"))
    ),
    (
        *("lastOrderAt older than 60 days", NEW_YORK),
        *({"lastOrderAt": "2024-02-01T07:30:00Z"}, "2024-02-02"),
        ["2024-04-01T06:30:00.000001", None],
    ),
    (
        *("day = today", NEW_YORK, {"day": "2024-11-03"}, "2024-01-01"),
        ["2024-11-03T04:00:00", "2024-11-04T05:00:00", None],
    ),
    (
        *("lastOrderAt during this quarter", NEW_YORK),
        *({"lastOrderAt": datetime(2024, 5, 5)}, "2024-01-01"),
        ["2024-04-01T04:00:00", "2024-07-01T04:00:00", None],
    ),
    (
        *("lastOrderAt < last week", "Asia/Kolkata"),
        *({"lastOrderAt": "2024-06-30T18:29:59.999999Z"}, "2024-06-01"),
        ["2024-07-07T18:30:00", None],
    ),
    *(
        (
            f"lastOrderAt {op} now",
            "UTC",
            {"lastOrderAt": "2024-05-05T10:00:00Z"},
            "2024-01-01",
            [at, None],
        )
        for op, at in (("<=", "2024-05-05T10:00:00"), ("<", "2024-05-05T10:00:00.000001"))
    ),
    (
        *("lastOrderAt > 3 hours ago", "UTC"),
        *({"lastOrderAt": "2024-05-05T10:00:00Z"}, "2024-01-01"),
        ["2024-05-05T13:00:00", None],
    ),
    (
        *("lastOrderAt between yesterday and 2024-06-01", "UTC"),
        *({"lastOrderAt": "2024-05-05T10:00:00Z"}, "2024-01-01"),
        ["2024-05-07T00:00:00", None],
    ),
    (
        *("metadata.visits contains today", "UTC"),
        *({"metadata": '{"visits": ["2024-05-05", "2024-05-07T10:00:00Z", 3]}'}, "2024-01-01"),
        [f"2024-05-0{day}T00:00:00" for day in (5, 6, 7, 8)] + [None],
    ),
    (
        *("metadata.seen in (today, 2 days ago, 7)", "UTC"),
        *({"metadata": {"seen": "2024-05-05"}}, "2024-01-01"),
        [f"2024-05-0{day}T00:00:00" for day in (5, 6, 7, 8)] + [None],
    ),
    (
        *("recent = true", "UTC", {"day": "2024-05-05"}, "2023-01-01"),
        ["2024-01-01T00:00:00", "2025-01-01T00:00:00", None],
    ),
    # Two that take turns leave the rule as it is.
    (
        *("day < today or day >= today", "UTC"),
        *({"day": "2024-05-05"}, "2023-01-01"),
        [None],
    ),
    (
        *("anniversary of createdAt = today", "UTC"),
        *({"createdAt": "2020-02-29"}, "2023-01-01"),
        [
            *("2023-02-28T00:00:00", "2023-03-01T00:00:00", "2024-02-29T00:00:00"),
            *("2024-03-01T00:00:00", "2025-02-28T00:00:00", "2025-03-01T00:00:00"),
        ],
    ),
    (
        *("anniversary of createdAt within next 7 days", NEW_YORK),
        *({"createdAt": "2020-11-08T03:00:00Z"}, "2024-01-01"),
        ["2024-10-31T04:00:00", "2024-11-08T05:00:00", "2025-10-31T04:00:00"],
    ),
    (
        *("anniversary of createdAt = today and lastOrderAt within last 30 days", "UTC"),
        *({"createdAt": "2020-05-05", "lastOrderAt": "2024-04-20T10:00:00Z"}, "2024-01-01"),
        ["2024-05-05T00:00:00", "2024-05-06T00:00:00", None],
    ),
    (
        *("anniversary of createdAt during this month or lastOrderAt older than 30 days", "UTC"),
        *({"createdAt": "2020-05-05", "lastOrderAt": "2024-05-20T10:00:00Z"}, "2024-04-10"),
        ["2024-05-01T00:00:00", "2024-06-01T00:00:00", "2024-06-19T10:00:00.000001", None],
    ),
    # 29 February, no other day, and a Monday.
    (
        "anniversary of createdAt = today and anniversary of lastOrderAt != today"
        " and anniversary of day during this week",
        "UTC",
        {"createdAt": "2020-02-29", "lastOrderAt": "2020-02-28", "day": "2020-03-06"},
        "2100-01-01",
        ["2112-02-29T00:00:00", "2112-03-01T00:00:00", "2140-02-29T00:00:00"],
    ),
    # 2 and 8 March are in one week when the 2nd is a Monday.
    (
        *("anniversary of createdAt during this week and anniversary of day = today", "UTC"),
        *({"createdAt": "2020-03-02", "day": "2020-03-08"}, "2024-01-01"),
        ["2026-03-08T00:00:00", "2026-03-09T00:00:00", "2037-03-08T00:00:00"],
    ),
    (
        *("anniversary of createdAt between today and 2900-03-04", "UTC"),
        *({"createdAt": "2020-03-02"}, "2024-01-01"),
        ["2900-03-03T00:00:00", None],
    ),
    (
        *("anniversary of createdAt = today and anniversary of day = today", "UTC"),
        *({"createdAt": "2020-03-02", "day": "2020-03-08"}, "2024-01-01"),
        [None],
    ),
    *(
        (text, "UTC", {"totalOrders": 5}, "2024-01-01", [None])
        for text in (
            *("totalOrders > 3", "month(createdAt) = 3", "createdAt before 2025-01-01"),
            *("lastOrderAt older than 3 days", "not (lastOrderAt within last 3 days)"),
            *("anniversary of createdAt = today", "metadata.visits contains today"),
            "totalOrders < 3 and lastOrderAt = today",
        )
    ),
]


@pytest.mark.parametrize(
    ("text", "name", "consumer", "after", "expected"),
    SHARP,
    ids=[f"{case[0]} in {case[1]}" for case in SHARP],
)
def test_sharp(
    text: str, name: str, consumer: dict[str, Any], after: str, expected: list[str | None]
) -> None:
    found = changes(text, consumer, after, name)
    assert [next(found) for _ in expected] == expected


@pytest.mark.parametrize(
    ("text", "name", "consumer", "expected"),
    [(case[0], case[1], case[2]["lastOrderAt"], case[4][:-1]) for case in SHARP[:4] + SHARP[5:6]],
)
def test_every_crossing_is_found_at_once(
    text: str, name: str, consumer: str, expected: list[str]
) -> None:
    """The same without starting anew at each of them."""
    value = parse_iso(consumer)
    assert isinstance(value, int)
    count, unit = text.split()[-2:]
    bounds = moving(Duration(int(count), unit), within_last)
    assert bounds is not None
    found = crossings(bounds, value, zone(name), MIN_INSTANT, MAX_INSTANT + 1)
    entered, *left = (moment(at) for at in found if at >= value)
    assert entered == moment(value)
    assert [at.isoformat().removesuffix("+00:00") for at in left] == expected


def test_audiences_stay_as_they_are() -> None:
    rule = Engine().rule('in audience "x" and lastOrderAt older than 1 day')
    consumer, after = {"lastOrderAt": "2024-01-01T10:00:00Z"}, "2024-01-01T12:00:00Z"
    expected = datetime(2024, 1, 2, 10, tzinfo=UTC) + MICROSECOND
    assert rule.next_change(consumer, after, audiences={"x": True}) == expected
    assert rule.next_change(consumer, after, audiences={"x": False}) is None
    for given_audiences in (None, {}, {"x": 1}):
        with pytest.raises(RunError):
            rule.next_change(consumer, after, audiences=given_audiences)  # type: ignore[arg-type]


def test_after_is_any_as_of() -> None:
    engine = Engine(timezone=NEW_YORK)
    rule = engine.rule("lastOrderAt <= now")
    consumer = {"lastOrderAt": "9000-01-01T00:00:00Z"}
    expected = datetime(9000, 1, 1, tzinfo=UTC)
    assert rule.next_change(consumer) == rule.next_change(consumer, None) == expected
    for after in ("2024-01-01", "2024-01-01T10:00:00", datetime(2024, 1, 1, tzinfo=UTC)):
        assert rule.next_change(consumer, after) == expected
    assert rule.next_change(consumer, expected - MICROSECOND) == expected
    assert rule.next_change(consumer, expected) is None
    with pytest.raises(RunError):
        rule.next_change(consumer, datetime(2024, 1, 1))
    with pytest.raises(RunError):
        rule.next_change([], "2024-01-01")  # type: ignore[arg-type]


def test_nothing_is_known_of_times_that_leave_the_calendar() -> None:
    rule = Engine().rule("lastOrderAt = today or createdAt < 7000 years from now")
    consumer = {"createdAt": "9999-12-31T12:00:00Z", "lastOrderAt": "2999-12-31T12:00:00Z"}
    assert rule.next_change(consumer, "2024-01-01") == datetime(2999, 12, 31, tzinfo=UTC)
    late = consumer | {"lastOrderAt": "4000-01-01T12:00:00Z"}
    assert rule.next_change(late, "2024-01-01") is None
    with pytest.raises(RuleError):
        rule.next_change(consumer, "3000-01-02")


def test_zones_are_regular_from_then_on() -> None:
    """What the search for anniversaries rests on, for every zone of this tzdata."""
    for name in zone_names():
        path = files("tzdata").joinpath("zoneinfo", *name.split("/"))
        _, listed, _ = read_tzif(path.read_bytes())
        assert not listed or listed[-1][0] < REGULAR
    instants, offsets = zone("Europe/London").transitions()
    kept = {at: offset for at, offset in zip(instants, offsets[1:], strict=True) if at > REGULAR}
    later = [at for at in kept if at + CYCLE <= instants[-1]]
    assert later and all(kept[at + CYCLE] == kept[at] for at in later)


MINUTE = 60_000_000
STEPS = {*DAYS, *MONTHS}


@given(
    st.sampled_from([*ENGINES, "America/Juneau", "Antarctica/Troll"]),
    st.sampled_from([within_last, within_next, older_than, None]),
    st.sampled_from([*UNITS, "day", "month"]),
    st.sampled_from([1, 1, 2, 3, 12, 30]),
    st.randoms(use_true_random=False),
)
def test_crossings_are_all_that_a_fine_grid_sees(
    name: str, lasting: Any, unit: str, count: int, random: Random
) -> None:
    """For values within hours of a change of clocks, around a step from them and around them."""
    at_zone = zone(name)
    changed = [at for at in at_zone.transitions()[0] if at < REGULAR] or [0]
    value = random.choice(changed) + random.randrange(-180, 180) * MINUTE + random.choice([0, 1])
    literal = Duration(count, unit) if lasting else Shifted("", -count, unit)
    bounds = moving(literal, lasting)
    assert bounds is not None
    sign = 0 if random.random() < 0.3 else -1 if lasting is within_next else 1
    there = step(naive_of(value), sign * count, unit) if unit in STEPS else naive_of(value)
    middle = at_zone.to_instant(there)
    low, high = middle - 30 * HOUR, middle + 30 * HOUR
    for asked in (value, naive_of(value).date()):
        sides = {low: bounds.sides(asked, Clock(low, at_zone))}
        for at in crossings(bounds, asked, at_zone, low, high):
            sides[at] = bounds.sides(asked, Clock(at, at_zone))
        turns = [*sides]
        grid = [*range(low, high, 10 * MINUTE), *(at - 1 for at in turns[1:])]
        for at in grid:
            last = turns[bisect_right(turns, at) - 1]
            assert bounds.sides(asked, Clock(at, at_zone)) == sides[last], moment(at)
