"""Examples of a catalog: what is told of those that its rules do not bear out."""

from textwrap import dedent

import pytest

from segment_engine import Catalog, Engine, Schema
from segment_engine.catalog.entries import read_part
from segment_engine.catalog.examples import deciding
from segment_engine.catalog.findings import SourceText
from segment_engine.expression.spelling import spell
from segment_engine.testing import EVERY_TYPE

ENGINE = Engine(Schema(EVERY_TYPE), "America/New_York")


def read(text: str) -> Catalog:
    return Catalog([read_part(SourceText("a.yaml", dedent(text)))], ENGINE.schema, ENGINE.timezone)


def tried(rule: str, *examples: str) -> list[tuple[int, str]]:
    """Line and message of each finding about examples, which begin in line 4."""
    head = f"a:\n  rule: {rule}\n  examples:\n"
    catalog = read(head + "".join(f"    - {{{example}}}\n" for example in examples))
    found = [f for f in catalog.findings if f.failing]
    assert {f.item.code for f in found} <= {"example"}
    assert catalog.sound is not bool(found)
    return [(f.place[0], f.item.message) for f in found]


@pytest.mark.parametrize(
    ("rule", "example"),
    [
        ("totalOrders >= 3", "consumer: {totalOrders: 3}, in: true"),
        ("totalOrders >= 3", "consumer: {totalOrders: null}, in: false"),
        ("totalOrders >= 3", "consumer: {}, in: false"),
        ("totalOrders >= 3", "consumer: {id: anybody, totalOrders: 3}, in: true"),
        ("totalOrderValue = 0.1", "consumer: {totalOrderValue: 0.10}, in: true"),
        ("score = 12345678901234567.8", "consumer: {score: 12345678901234567.8}, in: true"),
        ("score = 12345678901234567.8", "consumer: {score: 12345678901234567.9}, in: false"),
        ('email = "00012"', "consumer: {email: 00012}, in: true"),
        ('email = "1.50"', "consumer: {email: 1.50}, in: true"),
        ('email = "true"', "consumer: {email: true}, in: true"),
        ("email is missing", "consumer: {email: ~}, in: true"),
        ('`full name` = "Ada"', "consumer: {name: Ada}, in: true"),
        ("vip", "consumer: {vip: true}, in: true"),
        ('tags contains "a"', "consumer: {tags: [b, a]}, in: true"),
        ("scores contains 1.5", "consumer: {scores: [1, 1.5]}, in: true"),
        ("day = 2026-01-31", "consumer: {day: 2026-01-31}, in: true"),
        (
            "lastOrderAt during 2026-01-31",
            "consumer: {lastOrderAt: 2026-02-01T04:59:59Z}, in: true",
        ),
        (
            "lastOrderAt during 2026-01-31",
            "consumer: {lastOrderAt: 2026-02-01T05:00:00Z}, in: false",
        ),
        ("lastOrderAt during 2026-01-31", "consumer: {lastOrderAt: 2026-01-31}, in: true"),
        ('metadata.tier = "gold"', "consumer: {metadata: {tier: gold}}, in: true"),
        ("metadata.a[0].b = 0.1", "consumer: {metadata: {a: [{b: 0.1}]}}, in: true"),
        ("metadata.a = 5", "consumer: {metadata: '{\"a\": 5}'}, in: true"),
        ("metadata.a = 5", 'consumer: {metadata: {a: "5"}}, in: false'),
        ("metadata.points > 5", "consumer: {metadata: {points: many}}, in: false"),
        ('emailDomain = "x.test"', "consumer: {email: a@x.test}, in: true"),
        (
            "lastOrderAt within last 30 days",
            "consumer: {lastOrderAt: 2026-06-02}, as_of: 2026-07-01, in: true",
        ),
        ('in audience "x y"', "consumer: {}, audiences: {x y: true}, in: true"),
    ],
)
def test_right_examples_say_nothing(rule: str, example: str) -> None:
    quoted = "'" + rule.replace("'", "''") + "'"
    other = "\nx y: totalOrders > 3" if "x y" in rule else ""
    text = f"a:\n  rule: {quoted}\n  examples:\n    - {{{example}}}{other}"
    for right, wanted in ((example, True), (_turned(example), False)):
        catalog = read(text.replace(example, right))
        assert catalog.sound is wanted, [finding.draw() for finding in catalog.findings]
        assert not catalog.failed


def _turned(example: str) -> str:
    rest, _, member = example.rpartition("in: ")
    return f"{rest}in: {'false' if member == 'true' else 'true'}"


def test_the_clauses_that_decided_are_named() -> None:
    rule = "totalOrders >= 3 and (vip or not (day exists))"
    wanted = "against `in: true`"
    assert tried(
        rule,
        "consumer: {totalOrders: 3, vip: true}, in: true",
        "consumer: {totalOrders: 2, vip: true}, in: true",
        "consumer: {totalOrders: 3, day: 2026-01-01}, in: true",
        "consumer: {totalOrders: 3}, in: false",
    ) == [
        (5, f"the rule drops this consumer, {wanted}: `totalOrders >= 3` is false"),
        (6, f"the rule drops this consumer, {wanted}: `vip = true` is false, `day exists` is true"),
        (
            7,
            "the rule keeps this consumer, against `in: false`: `totalOrders >= 3` is true, "
            "`day exists` is false",
        ),
    ]


@pytest.mark.parametrize(
    ("rule", "clauses"),
    [
        ("false or true", {"true": True}),
        ("not (score > 1 or score > 2)", {"score > 1": False, "score > 2": False}),
        ("not (score < 1 and score > 2)", {"score > 2": False}),
        ("score = 0 and score = 1 and score > 2", {"score = 1": False, "score > 2": False}),
        ("score = 0 or score = 1 or score >= 0", {"score = 0": True, "score >= 0": True}),
    ],
)
def test_deciding(rule: str, clauses: dict[str, bool]) -> None:
    made = ENGINE.rule(rule)
    found = deciding(made.expression, lambda part: ENGINE.rule(spell(part)).matches({"score": 0}))
    assert {spell(part): met for part, met in found} == clauses


def test_many_clauses_are_counted() -> None:
    rule = " or ".join(f"totalOrders = {number}" for number in range(8))
    ((_, message),) = tried(rule, "consumer: {}, in: true")
    assert message.endswith("`totalOrders = 4` is false, 3 more")


@pytest.mark.parametrize(
    ("example", "told"),
    [
        ("consumer: {totalOrder: 1}, in: true", "no field reads a column 'totalOrder'"),
        ("consumer: {metadata.tier: gold}, in: true", "no field reads a column 'metadata.tier'"),
        ("consumer: {full name: Ada}, in: true", "no field reads a column 'full name'"),
        (
            "consumer: {emailDomain: x}, in: true",
            "field `emailDomain` is derived by `domain(email)`; give what that reads",
        ),
        (
            'consumer: {totalOrders: "3"}, in: true',
            "column 'totalOrders' holds a number; it wants a number without quotes",
        ),
        (
            "consumer: {vip: yes}, in: true",
            "column 'vip' holds a boolean; it wants true or false without quotes",
        ),
        (
            "consumer: {day: 31.1.2026}, in: true",
            "column 'day' holds a date; it wants an ISO 8601 day or time, "
            "such as 2026-01-31T10:00:00Z",
        ),
        ("consumer: {email: [a]}, in: true", "column 'email' holds a text; it wants one text"),
        (
            "consumer: {scores: [1, x]}, in: true",
            "column 'scores' holds a list of number; it wants a list of such values",
        ),
        ("consumer: {}, audiences: {b: true}, in: true", 'the rule does not refer to audience "b"'),
        (
            "consumer: {}, as_of: soon, in: true",
            "as_of 'soon' is no ISO 8601 time such as 2026-01-31T10:00:00Z",
        ),
        ("consumer: {}, in: maybe", "an example wants `in:`, true or false"),
        ("in: true", "an example wants `consumer:`, a mapping of columns"),
        (
            "consumer: {}, in: true, an: 1",
            "unknown key 'an'; known are consumer, in, as_of, audiences",
        ),
        ("consumer: {vip: true, vip: true}, in: true", "'vip' stands twice, first in line 4; "),
        ("consumer: {}, in: true, audiences: [b]", "`audiences` says true or false for each key"),
    ],
)
def test_what_cannot_be_tried_is_told(example: str, told: str) -> None:
    found = tried("totalOrders > 0 and day = now" if "soon" in example else "true", example)
    assert [line for line, _ in found] == [4]
    assert found[0][1].startswith(told)


def test_names_that_are_near_are_proposed() -> None:
    catalog = read("""\
        a:
          rule: totalOrders > 1
          examples: [{consumer: {totalOrder: 2, metadata.tier: x, full name: A}, in: true}]
    """)
    near = [found.item.near[0] for found in catalog.findings]
    assert near == ["totalOrders", "metadata", "name"]


def test_a_rule_that_asks_the_clock_wants_as_of() -> None:
    told = "the rule asks for the time of the run, so an example wants `as_of:`"
    assert tried("day within last 2 days", "consumer: {}, in: false") == [(4, told)]
    assert tried("day = 2026-01-31", "consumer: {}, in: false") == []


def test_as_of_is_in_the_zone_of_the_catalog() -> None:
    example = "consumer: {lastOrderAt: '2026-07-01T03:00:00Z'}, as_of: 2026-06-30, in: true"
    assert tried("lastOrderAt during today", example) == []


def test_a_time_that_leaves_the_years_is_told() -> None:
    rule = "day older than 9000 years"
    ((_, told),) = tried(rule, "consumer: {}, as_of: 2026-07-01, in: false")
    assert told == "`day older than 9000 years` leaves the years 1 to 9999 at this as_of"


def test_examples_say_in_which_audiences_the_consumer_is() -> None:
    catalog = read("""\
        press: {id: p-1, members: [a]}
        a:
          rule: in audience "p-1" and not (in audience "old")
          examples:
            - {consumer: {}, audiences: {press: true, old: false}, in: true}
            - {consumer: {}, audiences: {p-1: true, old: true}, in: true}
            - {consumer: {}, audiences: {p-1: true}, in: true}
        old: totalOrders > 9
    """)
    assert [(f.place[0], f.item.message, f.item.help) for f in catalog.findings] == [
        (
            6,
            'the rule drops this consumer, against `in: true`: `in audience "old"` is true',
            "mend the rule, or the example",
        ),
        (7, 'the rule asks whether the consumer is in audience "old"', "`audiences: {old: true}`"),
    ]


def test_a_wrong_example_stops_no_run() -> None:
    catalog = read("""\
        a:
          rule: totalOrders > 1
          examples: [{consumer: {totalOrders: 1}, in: true}, {consumer: nobody, in: true}]
    """)
    assert not catalog.sound
    assert not catalog.failed
    made = catalog.materialize([{"id": 1, "totalOrders": 1}, {"id": 2, "totalOrders": 2}])
    assert made.members("a") == [2]


def test_a_list_has_no_examples() -> None:
    catalog = read("""\
        a:
          members: [x]
          examples: [{consumer: {}, in: true}]
    """)
    told = "a list of ids has no examples: there is no rule to try on them"
    assert [(f.place, f.item.message) for f in catalog.findings] == [((3, 13), told)]
    assert "a" not in catalog.failed


def test_examples_of_a_wrong_audience_are_not_tried() -> None:
    catalog = read("""\
        a:
          rule: totalOrders > 1 and in audience "b"
          examples: [{consumer: {}, audiences: {b: false}, in: true}]
        b: totalOrders >
    """)
    assert [f.item.code for f in catalog.findings] == ["failed-audience", "syntax"]
