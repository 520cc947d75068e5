"""The public kit for property tests: what is drawn, what equivalence finds, what is documented."""

import doctest
import importlib
import json
import math
import pkgutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from segment_engine import Engine, RuleError, RunError, Schema, testing
from segment_engine.expression.nodes import Call, walk
from segment_engine.testing import (
    EVERY_TYPE,
    assert_agreement,
    assert_equivalent,
    assert_partition,
    boundaries,
    consumers,
    counterexample,
    rules,
)
from segment_engine.testing.values import near_changes
from segment_engine.values.isotime import HOUR, instant_of
from segment_engine.values.zones import zone

README = Path(__file__).parents[1] / "README.md"
ENGINE = Engine(Schema(EVERY_TYPE), timezone="America/New_York")
QUICK = settings(max_examples=2_000, phases=[Phase.generate], suppress_health_check=HealthCheck)


# ---- strategies


@given(st.data())
def test_rules_keep_to_fields_operators_and_size(data: st.DataObject) -> None:
    fields, operators = ("email", "metadata.tier", "totalOrders"), ("<=", "not in", "and")
    text = data.draw(rules(ENGINE.schema, fields=fields, operators=operators, max_predicates=3))
    rule = ENGINE.rule(text)
    calls = [node.op.name for node in walk(rule.expression) if isinstance(node, Call)]
    assert set(rule.fields) <= set(fields)
    # `not in` is `not` of `in`, and `5 >= x` is `x <= 5`.
    assert set(calls) <= {"le", "ge", "in", "and", "not"}
    assert sum(name in ("le", "ge", "in") for name in calls) <= 3


def test_a_rule_that_cannot_be_is_refused() -> None:
    with pytest.raises(RunError, match="no field 'emial'; it has email"):
        rules(ENGINE.schema, fields=["emial"])
    with pytest.raises(RunError, match="no operator 'equals'; there are and, or"):
        rules(ENGINE.schema, operators=["equals"])
    with pytest.raises(RunError, match="no rule can be made"):
        rules(ENGINE.schema, fields=["vip"], operators=["contains"])


@pytest.mark.parametrize("kind", ["text", "number", "boolean", "datetime", "list of text", "any"])
def test_rules_of_a_schema_with_one_field(kind: str) -> None:
    engine = Engine(Schema({"f": kind}))

    @given(st.data())
    def accepted(data: st.DataObject) -> None:
        rule = engine.rule(data.draw(rules(engine.schema)))
        assert_partition(rule, data.draw(consumers(engine.schema, rule)), engines=["records"])

    settings(max_examples=20)(accepted)()


def drawn(rule: str, wanted: Any, **options: Any) -> dict[str, Any]:
    """The smallest consumer beside a rule of which something is wanted."""
    strategy = consumers(ENGINE.schema, ENGINE.rule(rule), max_size=1, **options)
    return find(strategy, lambda found: wanted(found[0]), settings=QUICK)[0]


def test_consumers_meet_boundaries() -> None:
    as_of = {"as_of": "2026-07-01T12:00:00Z"}
    assert drawn("totalOrders > 7", lambda c: c["totalOrders"] == 7)
    assert drawn("totalOrders > 7", lambda c: c["totalOrders"] == 8)
    assert drawn("score > 7", lambda c: c["score"] is None)
    assert drawn("score > 7", lambda c: c["score"] is not None and math.isnan(c["score"]))
    assert drawn(
        'email = "vip" ignoring case', lambda c: c["email"] == "VİP" or c["email"] == "vİp"
    )
    assert drawn('email = "ß"', lambda c: "\u0301" in (c["email"] or ""))
    assert drawn("metadata.n = 12", lambda c: c["metadata"] == '{"n": "12"}')
    edge = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert drawn("lastOrderAt within last 1 day", lambda c: c["lastOrderAt"] == edge, **as_of)
    changes = near_changes(zone(ENGINE.timezone))
    assert drawn(
        "hour(lastOrderAt) = 3",
        lambda c: (
            c["lastOrderAt"]
            and any(abs(instant_of(c["lastOrderAt"]) - at) <= HOUR for at in changes)
        ),
    )


def test_consumers_have_what_rules_read_and_all_without_rules() -> None:
    rule = ENGINE.rule('email exists and domain(email) = "a" and averageOrderValue > 5')
    both = [rule, ENGINE.rule("vip")]
    (one,) = find(consumers(ENGINE.schema, both), lambda found: len(found) == 1, settings=QUICK)
    assert set(one) == {"email", "totalOrders", "totalOrderValue", "vip"}
    assert set(find(consumers(ENGINE.schema), bool, settings=QUICK)[0]) == {
        *("email", "totalOrders", "score", "totalOrderValue", "lastOrderAt", "day", "vip", "tags"),
        *("scores", "metadata", "name"),
    }


def test_what_is_drawn_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    @settings(max_examples=10, phases=[Phase.generate])
    @given(consumers(Schema({"n": "number"}), min_size=1, max_size=1))
    def fails(people: Any) -> None:
        raise AssertionError

    with pytest.raises(AssertionError) as failure:
        fails()
    assert "{'n': " in "".join(failure.value.__notes__)


def test_boundaries_name_what_rules_say_of_each_field() -> None:
    found = boundaries([ENGINE.rule('totalOrders > 7 or metadata.tier = "a"')], None)
    assert found.fields["totalOrders", ()].numbers == [7]
    assert found.fields["metadata", ("tier",)].texts == ["a"]
    assert found.columns == {"totalOrders", "metadata"}


# ---- oracles


def test_several_rules_are_compared_at_once() -> None:
    both = [ENGINE.rule("totalOrders > 2"), ENGINE.rule("totalOrders != 2")]
    people = [{"totalOrders": 2}, {"totalOrders": None}, {"totalOrders": 3}]
    assert_agreement(both, people)
    assert_partition(both, people)
    assert_agreement([], people)
    assert_partition([], people)


# ---- equivalence

JULY = "2026-07-01T12:00:00Z"
UNLIKE: list[tuple[str, str, dict[str, Any]]] = [
    # the rule that keeps, the rule that drops, the smallest consumer
    ("true", "false", {}),
    ("totalOrders != 2", "totalOrders < 2 or totalOrders > 2", {}),
    ("not vip", "vip = false", {}),
    ("metadata.points <= 3 or metadata.points is missing", "metadata.points <= 3", {}),
    ("email is empty", "email is missing", {"email": ""}),
    ("totalOrders >= 3", "totalOrders > 3", {"totalOrders": 3}),
    ("totalOrders > 2", "totalOrders >= 3", {"totalOrders": 2.5}),
    ("totalOrders + score >= 10", "score + totalOrders > 10", {"totalOrders": 0, "score": 10}),
    (
        "averageOrderValue >= 20",
        "averageOrderValue > 20",
        {"totalOrderValue": 20, "totalOrders": 1},
    ),
    ('email = "vip" ignoring case', 'email in ("vip", "VIP", "Vip")', {"email": "VIp"}),
    ('email = "ΣΑΣ" ignoring case', 'email in ("ΣΑΣ", "σας", "σασ")', {"email": "ΣΑς"}),
    ('email starts with "a" and email ends with "c"', 'email matches "^a.+c$"', {"email": "ac"}),
    ('tags contains any ("a", "b")', 'tags contains all ("a", "b")', {"tags": ["a"]}),
    ("metadata.tier = 12", 'metadata.tier = "12"', {"metadata": {"tier": 12}}),
    ("metadata exists", "metadata.tier exists", {"metadata": {}}),
    (
        'metadata.items[0].sku = "x"',
        'metadata.items[0].sku = "x" and metadata.items[1] is missing',
        {"metadata": {"items": [{"sku": "x"}, False]}},
    ),
    ("number(metadata.n) > 5", "metadata.n > 5", {"metadata": {"n": "6"}}),
    (
        "hour(lastOrderAt) in (2, 3)",
        "hour(lastOrderAt) = 2",
        {"lastOrderAt": datetime(2026, 6, 1, 7, tzinfo=UTC)},
    ),
    (
        "lastOrderAt < 2026-03-09T05:00:00Z",
        "lastOrderAt <= 2026-03-08",
        {"lastOrderAt": datetime(2026, 3, 9, 4, tzinfo=UTC)},
    ),
    ("day < today", "day < yesterday", {"day": date(2026, 6, 30)}),
]


@pytest.mark.parametrize(("keeps", "drops", "smallest"), UNLIKE)
def test_the_smallest_consumer_on_whom_rules_differ(
    keeps: str, drops: str, smallest: dict[str, Any]
) -> None:
    for rule_a, rule_b in ((keeps, drops), (drops, keeps)):
        found = counterexample(rule_a, rule_b, engine=ENGINE)
        assert found is not None
        assert found.consumer == smallest
        assert (found.kept_by, found.dropped_by) == (ENGINE.rule(keeps), ENGINE.rule(drops))
        assert found.as_of == JULY


ALIKE = [
    (
        "totalOrders between 2 and 5",
        "totalOrders >= 2 and not (totalOrders > 5 or 2 > totalOrders)",
    ),
    ("year(lastOrderAt) = 2024", "lastOrderAt during 2024"),
    ("lastOrderAt < 2026-03-08T02:30:00", "lastOrderAt < 2026-03-08T03:30:00"),
    ('emailDomain = "a.test"', 'email ends with "@A.test" ignoring case'),
    ("metadata.a.b = 1", "metadata.a exists and metadata.a.b = 1"),
    ("day(lastOrderAt) = 31", "day(lastOrderAt) > 30"),
    ("lastOrderAt within last 2 hours", "lastOrderAt within last 120 minutes"),
    ("(vip or totalOrders > 2) and vip", "vip"),
]


@pytest.mark.parametrize(("rule_a", "rule_b"), ALIKE)
def test_rules_that_mean_the_same(rule_a: str, rule_b: str) -> None:
    assert_equivalent(rule_a, rule_b, engine=ENGINE)


def test_rules_of_twenty_fields_are_compared_at_once() -> None:
    parts = [f"metadata.f{number} > {number}" for number in range(20)]
    other = [*parts[:-1], "metadata.f19 >= 19"]
    found = counterexample(" and ".join(parts), " and ".join(other))
    assert found is not None
    assert found.consumer == {"metadata": {f"f{n}": n + (n < 19) for n in range(20)}}
    wide = " or ".join(f"metadata.f{number} = 1" for number in range(300))
    assert_equivalent(wide, f"{wide} or (metadata.f3 = 1 and vip is missing)",
                      engine=ENGINE)  # fmt: skip


def test_the_instants_at_which_rules_differ_are_sought_and_told() -> None:
    day, hours = "lastOrderAt within last 1 day", "lastOrderAt within last 24 hours"
    with pytest.raises(AssertionError) as failure:
        assert_equivalent(day, hours, engine=ENGINE)
    assert str(failure.value).splitlines()[0] == "the rules differ:"
    assert "as of       2026-11-01T18:00:00Z in America/New_York" in str(failure.value)
    assert_equivalent(day, hours, engine=ENGINE, as_of=JULY)
    assert_equivalent(day, hours, engine=Engine(ENGINE.schema))


def test_rules_may_be_text_json_or_rules_of_one_engine() -> None:
    rule = ENGINE.rule("totalOrders >= 2")
    assert_equivalent(rule, rule.to_json())
    assert_equivalent(json.dumps(rule.to_json()), "totalOrders >= 2.0", engine=ENGINE)
    assert_equivalent("totalOrders >= 2", "2 <= totalOrders")
    with pytest.raises(RunError, match="different engines"):
        assert_equivalent(rule, Engine().rule("totalOrders >= 2"))
    with pytest.raises(RuleError):
        assert_equivalent("totalOrders =>", "true")


@given(st.data())
def test_a_difference_that_is_found_is_one(data: st.DataObject) -> None:
    first, second = (ENGINE.rule(data.draw(rules(ENGINE.schema))) for _ in range(2))
    found = counterexample(first, second)
    if found is not None:
        assert found.kept_by.matches(found.consumer, found.as_of)
        assert not found.dropped_by.matches(found.consumer, found.as_of)
        assert_agreement([first, second], [found.consumer], as_of=found.as_of)
        assert found == counterexample(first, second)


# ---- documents


def test_every_public_name_is_documented() -> None:
    section = README.read_text("utf-8").split("## Property tests of your own")[1].split("\n## ")[0]
    for name in testing.__all__:
        assert f"`{name}" in section, f"README does not say what {name} is"
        public = getattr(testing, name)
        assert not callable(public) or (public.__doc__ or "").strip(), f"{name} has no docstring"


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(testing.__path__)])
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"segment_engine.testing.{name}")
    assert doctest.testmod(module).failed == 0
