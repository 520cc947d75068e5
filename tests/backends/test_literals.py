"""Literals against whole columns: all values of small types, by Python's exact comparison."""

import operator as python
from collections.abc import Iterator
from decimal import Decimal

import pytest

from segment_engine.backends.literals import normalise, safe_as_double
from segment_engine.backends.physical import Dec, Float, Int, Physical
from segment_engine.operators.table import operator

COMPARES = {name: getattr(python, name) for name in ("eq", "lt", "le", "gt", "ge")}
TYPES: dict[Physical, list[Decimal]] = {
    Int(8): [Decimal(n) for n in range(-128, 128)],
    Int(8, signed=False): [Decimal(n) for n in range(256)],
    Dec(2, 1): [Decimal(n).scaleb(-1) for n in range(-99, 100)],
    Dec(2, 0): [Decimal(n) for n in range(-99, 100)],
}


def literals(values: list[Decimal]) -> Iterator[Decimal]:
    """Both ends, some values between and beyond, and points beside each."""
    edges = (*values[:2], *values[100:103], *values[-2:], values[0] - 1, values[-1] + 1)
    for value in (*edges, values[0] * 10**20, values[-1] * 10**20):
        for more in ("-0.1", "-0.05", "0", "0.05", "0.1", "0.000000000000000000000000000001"):
            yield value + Decimal(more)


@pytest.mark.parametrize("name", COMPARES)
@pytest.mark.parametrize("physical", TYPES, ids=str)
def test_a_literal_keeps_what_it_kept(physical: Physical, name: str) -> None:
    values, compare = TYPES[physical], COMPARES[name]
    for literal in literals(values):
        wanted = [compare(value, literal) for value in values]
        found = normalise(operator(name), literal, physical)
        if isinstance(found, bool):
            assert wanted == [found] * len(values), literal
            continue
        op, bound = found
        assert values[0] <= bound <= values[-1], literal
        assert type(bound) is (int if isinstance(physical, Int) else Decimal)
        assert [COMPARES[op.name](value, bound) for value in values] == wanted, literal


def test_floats_round_the_literal_to_their_precision() -> None:
    tenth = Decimal("0.1")
    assert normalise(operator("gt"), tenth, Float(64)) == (operator("gt"), 0.1)
    assert normalise(operator("gt"), tenth, Float(32)) == (operator("gt"), 0.10000000149011612)


@pytest.mark.parametrize(
    ("literal", "safe"),
    [
        ("0", True),
        ("1", True),
        ("-2.5", True),
        ("9007199254740991", True),
        ("-9007199254740991", True),
        ("9007199254740992", False),
        ("-9007199254740992", False),
        ("9007199254740993", False),
        ("2251799813685248.5", True),
        ("2251799813685248.9", False),
        ("4503599627370496.5", False),
        ("0.1", True),
        ("0.00000000000000000000000000000000000001", True),
        ("2.9999999999999999999", False),
    ],
)
def test_whether_doubles_compare_64_bit_integers_exactly(literal: str, safe: bool) -> None:
    assert safe_as_double(Decimal(literal)) is safe
