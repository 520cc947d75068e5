"""JSON with exact numbers: there and back, one text for what means the same, nothing odd."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.store.exact_json import Refused, answer, dumps, loads, received

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(10**40), 10**40) | st.decimals(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert loads(dumps([True, 1, Decimal("1.0")])) == [True, 1, 1]
    assert [type(one) for one in loads("[true, 1, 1.0]")] == [bool, int, Decimal]


@given(VALUES)
def test_what_was_read_is_written_the_same(value: Any) -> None:
    text = dumps(value)
    assert dumps(loads(text)) == text


@given(VALUES)
def test_what_is_answered_is_received(value: Any) -> None:
    told = answer(value)
    if b"\\u0000" not in told:
        assert received(told) == value and loads(told.decode()) == value
        assert answer(received(told)) == told, "keys stand as they were sent"


@pytest.mark.parametrize(
    "body",
    [b'{"a": 1, "a": 1}', b'"\\u0000"', b'"\\udc00"', b'"\\ud800 "', b"\xff",
     b"[" * 101 + b"]" * 101, b"-Infinity", b"1e99999999999999999999", b"", b"[" * 100_000],
)  # fmt: skip
def test_what_has_no_meaning_or_two_is_not_received(body: bytes) -> None:
    with pytest.raises(Refused):
        received(body)
    assert received(b'"\\\\u0000 \\ud83c\\udf88"') == "\\u0000 🎈"
    assert received(b"9" * 5_000) == Decimal("9" * 5_000)


@given(st.dictionaries(TEXTS, st.integers()), st.randoms())
def test_the_order_of_keys_says_nothing(value: dict[str, int], random: Any) -> None:
    keys = list(value)
    random.shuffle(keys)
    assert dumps({key: value[key] for key in keys}) == dumps(value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), Decimal("Infinity"), "\ud800", {"\udfff": 1}, {1: 2}, {1, 2}, b"x", 10**1_001],
)
def test_what_is_no_json_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError):
        dumps([value])


def test_depth_has_an_end() -> None:
    deep: Any = 1
    for _ in range(64):
        deep = [deep]
    assert loads(dumps(deep)) == deep
    with pytest.raises(ValueError, match="64 deep"):
        dumps([deep])


@pytest.mark.parametrize("text", ["", "{", "NaN", "-Infinity", "1e99999999999999999999", "[1,]"])
def test_what_is_no_json_is_not_read(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)
