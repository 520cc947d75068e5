"""Text, expression, query-builder JSON and rule rows say the same; the hash sees meaning only."""

import json
import pickle
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine import Engine, Rule, RuleError
from segment_engine.expression.nodes import Call, Expr
from segment_engine.operators.table import operator
from segment_engine.testing import rules, schemas
from tests.properties.drawn import ENGINES, SCHEMA

ENGINE = ENGINES["America/New_York"]
TIMES = settings.default.max_examples
AND, OR = operator("and"), operator("or")


@settings(max_examples=10 * TIMES)
@given(rules(SCHEMA))
def test_canonical_text_is_a_fixed_point(text: str) -> None:
    rule = ENGINE.rule(text)
    again = ENGINE.rule(rule.text)
    assert again == rule
    assert again.text == rule.text
    assert again.hash == rule.hash


@settings(max_examples=10 * TIMES)
@given(rules(SCHEMA))
def test_query_builder_json_says_the_same(text: str) -> None:
    rule = ENGINE.rule(text)
    content = json.loads(json.dumps(rule.to_json()))
    again = ENGINE.rule(content)
    assert again.text == rule.text
    assert again == rule
    assert again.to_json() == content


@settings(max_examples=10 * TIMES)
@given(rules(SCHEMA))
def test_rule_rows_say_the_same_or_name_what_they_cannot_say(text: str) -> None:
    rule = ENGINE.rule(text)
    try:
        rows = rule.to_rows()
    except RuleError as error:
        assert {item.code for item in error.diagnostics} == {"not-in-rows"}
    else:
        assert_same(rule, rows)


@settings(max_examples=5 * TIMES)
@given(
    st.lists(
        st.lists(rules(SCHEMA, max_predicates=1), min_size=1, max_size=4), min_size=2, max_size=4
    ),
    st.randoms(use_true_random=False),
)
def test_rows_say_every_and_of_ors_of_what_they_say_alone(
    clauses: list[list[str]], random: Random
) -> None:
    said = [[part for part in parts if in_rows(part)] for parts in clauses]
    text = " and ".join(f"({' or '.join(parts)})" for parts in said if parts)
    rule = ENGINE.rule(text or "false")
    rows = rule.to_rows()
    assert_same(rule, rows)
    assert len(rows) == sum(map(len, said))
    random.shuffle(rows)
    assert_same(rule, rows)


def in_rows(text: str) -> bool:
    """Whether rule rows say the rule, and keep somebody."""
    try:
        return bool(ENGINE.rule(text).to_rows())
    except RuleError:
        return False


def assert_same(rule: Rule, rows: list[dict[str, Any]]) -> None:
    """The rows read back as the rule; a `contains any` of one value as `contains`."""
    again = ENGINE.rule(json.loads(json.dumps(rows)))
    assert again == rule or "contains any" in rule.text
    assert again.hash == rule.hash
    assert again.to_rows() == sorted(rows, key=lambda row: row["position"])


@given(schemas(), st.data())
def test_rules_of_any_schema_are_accepted(schema, data: st.DataObject) -> None:
    engine = Engine(schema)
    rule = engine.rule(data.draw(rules(schema)))
    assert all(found.severity != "error" for found in rule.diagnostics)
    assert pickle.loads(pickle.dumps(rule)) == rule


@settings(max_examples=5 * TIMES)
@given(rules(SCHEMA), st.randoms(use_true_random=False))
def test_the_hash_does_not_see_order_or_repetition(text: str, random: Random) -> None:
    rule = ENGINE.rule(text)
    other = ENGINE.rule(shuffled(rule.text, random))
    assert other.hash == rule.hash


def shuffled(text: str, random: Random) -> str:
    """The rule with the operands of its outermost `and` or `or` in another order, one twice."""
    expr = ENGINE.rule(text).expression
    if not (isinstance(expr, Call) and expr.op in (AND, OR)):
        return f"({text}) and ({text})"
    parts = [f"({spelt(part)})" for part in expr.args]
    parts.append(random.choice(parts))
    random.shuffle(parts)
    return f" {expr.op.name} ".join(parts)


def spelt(expr: Expr) -> str:
    """The text of a part."""
    return Rule(ENGINE, expr, "").text
