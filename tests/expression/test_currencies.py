"""Amounts with a sign or a code: the field's own currency is left out, another has no fix."""

import pytest

from segment_engine import Engine, Schema

DOLLARS = ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "MXN")
OWN = [
    *(("$5", code) for code in DOLLARS),
    ("€5", "EUR"),
    ("£5", "GBP"),
    ("¥5", "JPY"),
    ("¥5", "CNY"),
]


def suggestion(amount: str, currency: str) -> str | None:
    """The fix of an amount compared with a field of that currency."""
    engine = Engine(Schema({"price": {"type": "currency", "currency": currency}}))
    (found,) = engine.diagnose(f"price > {amount}")
    assert found.code == "currency-sign"
    assert found.message.endswith(f": `price` is in {currency}")
    return found.suggestion


@pytest.mark.parametrize(("amount", "currency"), [*OWN, ("5 CHF", "CHF"), ("5 chf", "CHF")])
def test_the_own_currency_is_left_out(amount: str, currency: str) -> None:
    assert suggestion(amount, currency) == "5"


@pytest.mark.parametrize("amount", ["$5", "€5", "£5", "¥5", "5 USD"])
def test_another_currency_has_no_fix(amount: str) -> None:
    assert suggestion(amount, "CHF") is None
