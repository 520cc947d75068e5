"""Hypothesis strategies: schemas, rules that a schema accepts, and consumers who meet them.

All of them shrink. `random_rule` and `random_consumers` draw the same from a plain `Random`, where
millions are wanted.
"""

from collections.abc import Collection, Iterable
from typing import Any

from hypothesis import strategies as st

from segment_engine.expression.schema import FieldSpec, Schema
from segment_engine.rule import AsOf, Rule
from segment_engine.testing.boundaries import Boundaries, boundaries
from segment_engine.testing.consumers import consumer_of, sources
from segment_engine.testing.drawing import Drawn, chance, whole
from segment_engine.testing.rules import MOST_PREDICATES, Writer
from segment_engine.testing.vocabulary import Vocabulary

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


def rules(
    schema: Schema,
    *,
    fields: Collection[str] | None = None,
    operators: Collection[str] | None = None,
    max_predicates: int = MOST_PREDICATES,
) -> st.SearchStrategy[str]:
    """Texts of rules that the schema accepts; they shrink to one predicate.

    `fields`: names of the schema, or paths below an open field, such as `metadata.tier`; only those
    are read. `operators`: words as rules spell them, such as `<=`, `contains`, `year`; only those
    are used, `and`, `or`, `not` too, while an operator and its negation are one. Raises RunError
    for a name that there is not, and where no rule can be made.

    >>> from hypothesis import given
    >>> from segment_engine import Engine, Schema
    >>> @given(rules(Schema.default(), fields=["email", "metadata.tier"], max_predicates=3))
    ... def test_canonical_text_is_a_fixed_point(text):
    ...     rule = Engine().rule(text)
    ...     assert Engine().rule(rule.text) == rule
    >>> test_canonical_text_is_a_fixed_point()
    """
    vocabulary = Vocabulary(schema, fields, operators)
    return _rules(vocabulary, max_predicates)


@st.composite
def _rules(draw: st.DrawFn, vocabulary: Vocabulary, most: int) -> str:
    return Writer(Drawn(draw), vocabulary).truth(most)


def consumers(
    schema: Schema,
    rules: Rule | Iterable[Rule] = (),
    *,
    as_of: AsOf = None,
    min_size: int = 1,
    max_size: int = 10,
) -> st.SearchStrategy[Consumers]:
    """Lists of consumers, dicts of source columns to plain values, None where missing.

    With rules they sit on the boundaries of those, relative times as they are at `as_of`: numbers
    and the next ones, needles in another case or with something around them, edges of days give or
    take a microsecond, hours in which clocks change, values at the metadata paths that are read,
    now and then of another type. Columns that no rule reads are left out.

    >>> from hypothesis import given, strategies as st
    >>> from segment_engine import Engine
    >>> engine = Engine()
    >>> @given(st.data())
    ... def test_engines_agree(data):
    ...     rule = engine.rule(data.draw(rules(engine.schema)))
    ...     assert_agreement(rule, data.draw(consumers(engine.schema, rule)))
    """
    given = [rules] if isinstance(rules, Rule) else list(rules)
    bounds = boundaries(given, as_of)
    specs = sources(schema, bounds.columns if given else None)
    return _consumers(specs, bounds, min_size, max_size)


@st.composite
def _consumers(
    draw: st.DrawFn, specs: list[FieldSpec], bounds: Boundaries, least: int, most: int
) -> Consumers:
    random = Drawn(draw)
    consumer = consumer_of(random, specs, bounds)

    def perhaps() -> dict[str, Any] | None:
        # Hypothesis shortens a list at its end; this lets it drop what stands before.
        return consumer() if chance(random, 0.9) else None

    drawn = draw(st.lists(whole(perhaps), min_size=least, max_size=most))
    found = [one for one in drawn if one is not None]
    return found + [draw(whole(consumer)) for _ in range(least - len(found))]


def _closed(names: set[str]) -> set[str]:
    if "emailDomain" in names:
        names = names | {"email"}
    if "averageOrderValue" in names:
        names = names | {"totalOrderValue", "totalOrders"}
    return names | {"metadata"}


def _schema(names: set[str]) -> Schema:
    return Schema({name: given for name, given in EVERY_TYPE.items() if name in names})
