"""Text, expression and query-builder JSON say the same, and the hash sees meaning only."""

import json
import pickle
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine import Engine, Rule
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
