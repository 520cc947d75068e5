"""Faults planted in one engine are found by the public strategies and oracles, and shrink.

Each fault is a slip that someone could make in a dialect or in a row of the table. A property as
the README shows it has to find it in as many examples as the profile draws, and finds nothing in
the engine as it is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from segment_engine import Engine, Rule, Schema
from segment_engine.backends import bind_numbers, json_sql, polars_expr, sql, time_sql
from segment_engine.expression.nodes import Call, fold, walk
from segment_engine.operators.row import Shape
from segment_engine.operators.table import operator
from segment_engine.testing import EVERY_TYPE, assert_agreement, consumers, rules
from segment_engine.values.zones import Zone

ENGINE = Engine(Schema(EVERY_TYPE), timezone="America/New_York")
AS_OF = "2026-07-01T12:00:00Z"
WINTER = 1_767_225_600_000_000

COMPARING = ("=", "<", "<=", ">", ">=", "between", "in", "exists", "not")
READING = ("=", "in", "contains", "contains any", "starts with", "ends with", "not")
LASTING = ("within last", "within next", "older than", "on", "<=", "not")
PARTS = ("year", "month", "day", "weekday", "hour", "anniversary of", "=", "<=", "in")


# ---- how a fault is planted


@contextmanager
def row(name: str, **columns: Callable[..., Any]) -> Iterator[None]:
    """Other columns in a row of the table, which is frozen otherwise."""
    planted = operator(name)
    kept = {column: getattr(planted, column) for column in columns}
    for column, value in columns.items():
        object.__setattr__(planted, column, value)
    try:
        yield
    finally:
        for column, value in kept.items():
            object.__setattr__(planted, column, value)


def readers(**changed: Callable[[str], str]) -> AbstractContextManager[Any]:
    """Other ways of reading JSON."""
    return patch.object(json_sql, "READERS", {**json_sql.READERS, **changed})


def flipped_without_missing(node: Call) -> str:
    return f"(not {fold(node, sql._emit)})"


def truncated(op: Any, literal: Any, kind: Any, real: Any = bind_numbers.normalise) -> Any:
    return real(op, int(literal), kind)


def decimal_as_double(value: Any, kind: Any, real: Any = sql.literal) -> Any:
    one = isinstance(kind, sql.Dec) and not isinstance(value, tuple)
    return f"cast('{value}' as double)" if one else real(value, kind)


def day_of_winter(dialect: object, instant: Any, zone: Zone) -> Any:
    return (instant + zone.offset_at(WINTER)).floordiv(86_400_000_000)


def a_day_early(kind: str, day: str) -> str:
    return f"{kind}(DATE '1969-12-31' + ({day})::INTEGER)"


@dataclass(frozen=True)
class Fault:
    """A slip in one engine, and the fields and operators of a property that is about them."""

    engine: str
    plant: Callable[[], AbstractContextManager[Any]]
    operators: tuple[str, ...]
    fields: tuple[str, ...]


NUMBERS = ("totalOrders", "score", "metadata.points")
AMOUNTS = ("totalOrderValue", "totalOrders")
TEXTS = ("email", "full name")
TIMES = ("lastOrderAt", "day")

FAULTS = {
    "<= is <": Fault(
        "duckdb", lambda: row("le", sql=lambda x, y: f"{x} < {y}"), COMPARING, NUMBERS
    ),
    "NaN is kept": Fault(
        "duckdb", lambda: row("is_number", sql=lambda x: f"{x} is not null"), COMPARING, NUMBERS
    ),
    "missing is not kept by not": Fault(
        "duckdb",
        lambda: patch.object(sql, "_complement", flipped_without_missing),
        COMPARING,
        NUMBERS,
    ),
    "case is folded by lower()": Fault(
        "duckdb",
        lambda: patch.object(sql._DuckDB, "fold", lambda dialect, text: f"lower({text})"),
        READING,
        TEXTS,
    ),
    "within last is open at its end": Fault(
        "duckdb",
        lambda: row("in_range", sql=lambda x, low, high: f"({x} >= {low} and {x} < {high})"),
        LASTING,
        TIMES,
    ),
    "a day in summer begins an hour late": Fault(
        "polars",
        lambda: patch.object(polars_expr._Polars, "local_day", day_of_winter),
        PARTS,
        TIMES,
    ),
    "weekdays are a day early": Fault(
        "duckdb",
        lambda: patch.object(
            time_sql, "part", lambda name, day: a_day_early(time_sql.PARTS[name], day)
        ),
        PARTS,
        TIMES,
    ),
    "a literal is cut to a whole number": Fault(
        "polars", lambda: patch.object(bind_numbers, "normalise", truncated), COMPARING, NUMBERS
    ),
    '"12" in JSON is read as 12': Fault(
        "duckdb",
        lambda: readers(number=lambda value: f"try_cast(({value})->>'$' as double)"),
        COMPARING,
        ("metadata.points", "metadata.tier"),
    ),
    "% in a needle is a wildcard": Fault(
        "duckdb",
        lambda: row("contains", sql=lambda text, needle: f"{text} like '%' || {needle} || '%'"),
        READING,
        TEXTS,
    ),
    "amounts are compared as doubles": Fault(
        "duckdb", lambda: patch.object(sql, "literal", decimal_as_double), COMPARING, AMOUNTS
    ),
    "elements of a list may be of any type": Fault(
        "duckdb",
        lambda: readers(texts=lambda value: json_sql._elements(value, lambda e: f"{e}->>'$'")),
        ("contains", "contains any", "contains all"),
        ("tags", "metadata.tags"),
    ),
    "ends with is contains": Fault(
        "polars",
        lambda: row("ends_with", polars=lambda text, end: text.str.contains(end, literal=True)),
        READING,
        TEXTS,
    ),
}


FOCUSES = list(dict.fromkeys((fault.operators, fault.fields) for fault in FAULTS.values()))
SHRINKING = ("missing is not kept by not", "within last is open at its end")
Failing = list[tuple[list[Rule], list[dict[str, Any]]]]


def drawn(operators: Sequence[str], fields: Sequence[str]) -> st.SearchStrategy[Rule]:
    texts = rules(ENGINE.schema, fields=fields, operators=operators, max_predicates=2)
    return texts.map(ENGINE.rule)


def property_of(fault: Fault, failing: Failing, least: int, most: int) -> Callable[[], None]:
    """A property of the fault's engine with so many rules; what fails, smallest last, is kept."""

    @given(st.data(), st.lists(drawn(fault.operators, fault.fields), min_size=least, max_size=most))
    def engine_agrees(data: st.DataObject, asked: list[Rule]) -> None:
        size = {"min_size": 30, "max_size": 40} if least > 1 else {}
        people = data.draw(consumers(ENGINE.schema, asked, as_of=AS_OF, **size))
        try:
            assert_agreement(asked, people, as_of=AS_OF, engines=(fault.engine, "records"))
        except AssertionError:
            failing.append((asked, people))
            raise

    return engine_agrees


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str) -> None:
    failing: Failing = []
    engine_agrees = property_of(FAULTS[name], failing, 10, 14)
    once = settings(
        phases=[Phase.generate], report_multiple_bugs=False, suppress_health_check=list(HealthCheck)
    )
    only_found = once(engine_agrees)
    with FAULTS[name].plant(), pytest.raises(AssertionError, match="unlike records"):
        only_found()
    for asked, people in failing:
        assert_agreement(asked, people, as_of=AS_OF)


@settings(suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(FOCUSES))
def test_nothing_is_found_without_a_fault(data: st.DataObject, focus: Any) -> None:
    asked = data.draw(st.lists(drawn(*focus), min_size=6, max_size=8))
    people = data.draw(consumers(ENGINE.schema, asked, as_of=AS_OF, min_size=20, max_size=30))
    assert_agreement(asked, people, as_of=AS_OF)


@pytest.mark.parametrize("name", SHRINKING)
def test_a_failure_shrinks_to_what_matters(name: str) -> None:
    failing: Failing = []
    engine_agrees = property_of(FAULTS[name], failing, 1, 1)
    whole = settings(max_examples=500, phases=[Phase.generate, Phase.shrink])(engine_agrees)
    with FAULTS[name].plant(), pytest.raises(AssertionError, match="unlike records"):
        whole()
    (rule,), people = failing[-1]
    predicates = [node for node in walk(rule.expression) if is_predicate(node)]
    assert len(predicates) == 1, rule
    assert len(people) <= 2, people


def is_predicate(node: object) -> bool:
    named = isinstance(node, Call) and node.type.name == "truth"
    return named and node.op.shape is not Shape.LOGIC  # type: ignore[attr-defined]
