"""Every engine has the same members, on plain dicts and on every storage of a column."""

from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine import Engine
from segment_engine.testing import assert_agreement, assert_partition, consumers, rules, schemas
from tests.properties.drawn import ENGINES, MOMENTS, SCHEMA, Case, as_parquet, cases

TIMES = settings.default.max_examples


@settings(max_examples=10 * TIMES)
@given(cases())
def test_engines_agree_whatever_the_storage(case: Case) -> None:
    assert_agreement(case.rules[0], case.consumers, as_of=case.as_of)


@given(cases(rules=3, size=20))
def test_engines_agree_on_parquet(case: Case) -> None:
    with TemporaryDirectory() as folder:
        path = as_parquet(case.consumers, folder)
        for rule in case.rules:
            assert_agreement(rule, path, as_of=case.as_of)


@given(st.data(), schemas(), st.sampled_from(MOMENTS))
def test_engines_agree_on_dicts_of_any_schema(data, schema, as_of) -> None:
    rule = Engine(schema, timezone="America/New_York").rule(data.draw(rules(schema)))
    assert_agreement(rule, data.draw(consumers(schema, rule, as_of=as_of)), as_of=as_of)


@settings(max_examples=10 * TIMES)
@given(st.data(), st.sampled_from(MOMENTS), st.sampled_from(sorted(ENGINES)))
def test_all_rules_at_once_are_each_alone(data, as_of, zone) -> None:
    drawn = data.draw(st.lists(rules(SCHEMA), min_size=1))
    checked = [ENGINES[zone].rule(text) for text in drawn]
    people = data.draw(consumers(SCHEMA, checked, as_of=as_of))
    matcher = ENGINES[zone].matcher({str(n): rule for n, rule in enumerate(checked)}, as_of=as_of)
    for person in people:
        alone = [str(n) for n, rule in enumerate(checked) if rule.matches(person, as_of)]
        assert matcher(person) == alone


@given(cases())
def test_a_rule_and_its_not_are_a_partition(case: Case) -> None:
    assert_partition(case.rules[0], case.consumers, as_of=case.as_of)
