"""One consumer against all audiences: order, references, lists, failures, kinds of values."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from segment_engine import Catalog, Engine, RuleError, RunError, Schema

ENGINE = Engine()


def keys_of(rules: dict[str, Any], consumer: dict[str, Any], **more: Any) -> list[str]:
    return ENGINE.matcher(rules, as_of="2026-07-01", **more)(consumer)


def test_keys_come_in_the_order_of_the_rules_then_the_lists() -> None:
    rules = {"b": 'in audience "a"', "everybody": "true", "nobody": "false", "a": "totalOrders > 1"}
    lists = {"staff": [1], "others": [2]}
    found = keys_of(rules, {"id": 1, "totalOrders": 2}, lists=lists)
    assert found == ["b", "everybody", "a", "staff"]
    assert keys_of({}, {}) == []


def test_a_failed_audience_is_reported_and_so_are_those_that_refer_to_it() -> None:
    rules = {
        "wrong": "totalOrders >",
        "behind": 'not in audience "wrong"',
        "late": "createdAt within last 9000 years",
        "itself": 'in audience "itself"',
        "right": "totalOrders > 1",
    }
    matcher = ENGINE.matcher(rules, as_of="2026-07-01", lists={"list": "no list"})
    assert set(matcher.failed) == {"wrong", "behind", "late", "itself", "list"}
    assert isinstance(matcher.failed["behind"], RuleError)
    assert matcher({"totalOrders": 2}) == ["right"]
    assert repr(matcher) == "<Matcher of 1 audiences>"


def test_ids_of_lists_are_compared_as_in_a_run() -> None:
    matcher = ENGINE.matcher({}, lists={"one": ["1", "02"], "two": ["1", "2"]}, id_column="key")
    assert matcher({"key": "2"}) == ["two"]
    with pytest.raises(RunError, match="the ids of audience 'one' are str, the consumers' int"):
        matcher({"key": 1})
    with pytest.raises(RunError, match="with lists a consumer needs its id, under 'key'"):
        matcher({"id": 1})
    assert ENGINE.matcher({}, lists={"two": ["1", "2"]})({"id": 2}) == ["two"]


def test_what_is_no_consumer_or_no_mapping_of_rules_is_refused() -> None:
    with pytest.raises(RunError, match="a consumer is a mapping, not list"):
        ENGINE.matcher({"all": "true"})([])  # type: ignore[arg-type]
    with pytest.raises(RunError, match="audiences are a mapping of key to rule, not list"):
        ENGINE.matcher(["true"])  # type: ignore[arg-type]


class Whole(int):
    """A number of a type of its own."""


@pytest.mark.parametrize(
    "value", [None, 2, 3, 4, 3.0, 2.5, Decimal("2.5"), Decimal("3.0"), "3", True, Whole(3), 1e300]
)
def test_numbers_of_every_type_are_found_between_literals(value: Any) -> None:
    written = ("totalOrders < 3", "totalOrders between 2.5 and 3", "totalOrders in (2, 4)")
    rules = {text: ENGINE.rule(text) for text in (*written, *(f"not ({one})" for one in written))}
    consumer = {"totalOrders": value}
    assert keys_of(rules, consumer) == [key for key in rules if rules[key].matches(consumer)]


@pytest.mark.parametrize("literal", ["0.1", "16777217.1", "0.10000000000000000555"])
def test_literals_are_rounded_for_doubles_and_exact_for_others(literal: str) -> None:
    rules = {sign: ENGINE.rule(f"totalOrderValue {sign} {literal}") for sign in ("=", "<", ">")}
    for value in (float(literal), Decimal(literal), Decimal("0.1")):
        consumer = {"totalOrderValue": value, "totalOrders": 1}
        assert keys_of(rules, consumer) == [key for key in rules if rules[key].matches(consumer)]


@pytest.mark.parametrize(
    "value", ["2026-01-31", date(2026, 1, 31), "2026-01-31T23:59:59.999999Z", "2026-02-01", "?", 5]
)
def test_days_and_instants_are_told_apart(value: Any) -> None:
    written = ("lastOrderAt on 2026-01-31", "lastOrderAt < 2026-01-31", "lastOrderAt > 2026-01-31")
    rules = {text: ENGINE.rule(text) for text in written}
    consumer = {"lastOrderAt": value}
    assert keys_of(rules, consumer) == [key for key in rules if rules[key].matches(consumer)]


@pytest.mark.parametrize("value", ["", "a", "a\0", "b", "ab", None, 1])
def test_texts_are_found_between_literals(value: Any) -> None:
    engine = Engine(Schema({"name": "text"}))
    written = ('name < "a"', 'name >= "a"', 'name = ""', 'name in ("a", "b")', 'name > "ab"')
    rules = {text: engine.rule(text) for text in written}
    consumer = {"name": value}
    found = engine.matcher(rules)(consumer)
    assert found == [key for key in rules if rules[key].matches(consumer)]


def test_documents_may_be_text() -> None:
    rules = {"gold": 'metadata.tier = "gold"', "rich": "metadata.points > 5", "any": "true"}
    assert keys_of(rules, {"metadata": '{"tier": "gold", "points": 6}'}) == ["gold", "rich", "any"]
    assert keys_of(rules, {"metadata": '"{\\"tier\\": \\"gold\\"}"'}) == ["any"]


def test_parts_inside_parts_are_looked_up_level_by_level() -> None:
    """More parts than fit a byte, on several levels, each shared by two audiences."""
    parts = [f'(totalOrders = {n} or email = "e{n}")' for n in range(20)]
    deeper = [f"({one} and phone exists or totalOrders > 15)" for one in parts]
    rules = {f"{n}": f"{one} and fullName exists" for n, one in enumerate(deeper)}
    rules |= {f"not {n}": f"not ({one}) or fullName is missing" for n, one in enumerate(deeper)}
    checked = {key: ENGINE.rule(text) for key, text in rules.items()}
    matcher = ENGINE.matcher(checked)
    for orders in (None, 3, 11, 16):
        for more in ({}, {"phone": "1"}, {"fullName": "A"}, {"phone": "1", "fullName": "A"}):
            person = {"totalOrders": orders, "email": "e19", **more}
            assert matcher(person) == [key for key, one in checked.items() if one.matches(person)]


def test_a_catalog_has_one(tmp_path: Any) -> None:
    path = tmp_path / "audiences.yaml"
    path.write_text('loyal: totalOrders > 2\nrewarded: in audience "loyal" and phone exists\n')
    matcher = Catalog.load(path).matcher(as_of="2026-07-01")
    assert matcher({"totalOrders": 3, "phone": "1"}) == ["loyal", "rewarded"]
