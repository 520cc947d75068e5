"""Hypothesis strategies: schemas, rules that a schema accepts, and consumers who meet them.

All of them shrink. What they draw with is an ordinary `random.Random`, so that `random_rule` and
`random_consumers` make millions of cases without Hypothesis too.
"""

from typing import Any

from hypothesis import strategies as st

from segment_engine.expression.schema import Schema
from segment_engine.rule import AsOf, Rule
from segment_engine.testing.boundaries import Boundaries, boundaries
from segment_engine.testing.consumers import random_consumers
from segment_engine.testing.rules import random_rule

Consumers = list[dict[str, Any]]

EVERY_TYPE: dict[str, Any] = {
    "email": "text",
    "totalOrders": "number",
    "score": "number",
    "totalOrderValue": "currency",
    "lastOrderAt": "datetime",
    "day": "date",
    "vip": "boolean",
    "tags": "list of text",
    "scores": "list of number",
    "metadata": "any",
    "metadata.points": "number",
    "full name": {"type": "text", "column": "name"},
    "emailDomain": {"type": "text", "derived": "domain(email)"},
    "averageOrderValue": {"type": "currency", "derived": "totalOrderValue / totalOrders"},
}
"""A schema with a field of each kind; the strategies take any other."""


def schemas() -> st.SearchStrategy[Schema]:
    """Schemas with some of the fields of `EVERY_TYPE`, always with an open `metadata`.

    >>> from hypothesis import given
    >>> @given(schemas())
    ... def test_metadata_is_open(schema):
    ...     assert schema.specs["metadata"].open
    """
    optional = [name for name in EVERY_TYPE if name != "metadata"]
    return st.sets(st.sampled_from(optional)).map(_closed).map(_schema)


def rules(schema: Schema, depth: int = 3) -> st.SearchStrategy[str]:
    """Texts of rules that the schema accepts, over every operator that fits its types.

    `depth` is how deep `and`, `or`, `not` may nest.

    >>> from hypothesis import given
    >>> from segment_engine import Engine, Schema
    >>> @given(rules(Schema.default()))
    ... def test_canonical_text_is_a_fixed_point(text):
    ...     rule = Engine().rule(text)
    ...     assert Engine().rule(rule.text) == rule
    """
    return _randoms().map(lambda random: random_rule(random, schema, depth))


def consumers(
    schema: Schema,
    rule: Rule | None = None,
    *,
    as_of: AsOf = None,
    min_size: int = 1,
    max_size: int = 10,
) -> st.SearchStrategy[Consumers]:
    """Lists of consumers, dicts of source columns to plain values, None where missing.

    With a rule they sit on its boundaries, relative times as they are at `as_of`: numbers and the
    next ones, needles with something around them, edges of days give or take a microsecond, values
    at the metadata paths that it reads.

    >>> from hypothesis import given, strategies as st
    >>> from segment_engine import Engine
    >>> engine = Engine()
    >>> @given(st.data())
    ... def test_engines_agree(data):
    ...     rule = engine.rule(data.draw(rules(engine.schema)))
    ...     assert_agreement(rule, data.draw(consumers(engine.schema, rule)))
    """
    bounds = Boundaries() if rule is None else boundaries([rule], as_of)
    sizes = st.integers(min_size, max_size)
    return st.builds(
        lambda random, size: random_consumers(random, schema, bounds, size), _randoms(), sizes
    )


def _randoms() -> st.SearchStrategy[Any]:
    return st.randoms(use_true_random=False)


def _closed(names: set[str]) -> set[str]:
    if "emailDomain" in names:
        names = names | {"email"}
    if "averageOrderValue" in names:
        names = names | {"totalOrderValue", "totalOrders"}
    return names | {"metadata"}


def _schema(names: set[str]) -> Schema:
    return Schema({name: given for name, given in EVERY_TYPE.items() if name in names})
