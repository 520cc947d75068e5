"""What the name of a column tells."""

import pytest

from segment_engine.expression.column_names import field_name, tells_label, tells_money

NAMES = [
    ("totalOrders", "totalOrders"),
    ("snake_case", "snake_case"),
    ("and", "and"),
    ("Größe", "Größe"),
    ("Total spend ($)", "totalSpend"),
    ("SKU code", "skuCode"),
    ('E-Mail "work"', "eMailWork"),
    ("metadata.tier", "metadataTier"),
    ("a`b", "aB"),
    ("2024", "column2024"),
    ("€", "column7"),
    ("x" * 70, "x" * 64),
]


@pytest.mark.parametrize(("column", "name"), NAMES, ids=[repr(row[0][:20]) for row in NAMES])
def test_a_field_is_called_as_its_column_or_by_the_words_in_it(column: str, name: str) -> None:
    assert field_name(column, (), 7) == name


def test_no_two_fields_have_one_name() -> None:
    assert field_name("total spend", ["totalSpend", "totalSpend2"], 1) == "totalSpend3"


@pytest.mark.parametrize(
    "name", ["totalSpend", "order_value", "Lifetime Value", "REVENUE", "price"]
)
def test_names_of_money(name: str) -> None:
    assert tells_money(name) is not None


@pytest.mark.parametrize(
    "name", ["totalOrders", "value", "discount_rate", "spend_cents", "price_count", "spender"]
)
def test_names_of_no_money(name: str) -> None:
    assert tells_money(name) is None


def test_names_of_labels() -> None:
    assert all(map(tells_label, ("zip", "customerId", "phone_number")))
    assert not any(map(tells_label, ("identity", "totalOrders")))
