"""Who a row means: what a consumer is given, checked, and the identifiers that it is known by."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import phonenumbers

from segment_engine.errors import Problem
from segment_engine.store import exact_json
from segment_engine.store.attributes import is_speakable
from segment_engine.store.records import Organization
from segment_engine.values.folding import fold
from segment_engine.values.isotime import DAY, SECOND, parse_iso, within_range

MOST_TEXT, MOST_METADATA = 1_000, 64 * 1024
WHOLE_DIGITS, FRACTION_DIGITS = 32, 6
_INT64 = 1 << 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPELT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_NO_NUMBER = "it is a number such as 12 or 19.99"
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")

Values = dict[str, Any]
"""By column of the table; `metadata` is a patch by top-level key, or None to clear it."""


def checked(
    row: Mapping[str, Any], organization: Organization, place: str
) -> tuple[Values, list[Problem]]:
    """What a row gives, and what is wrong with it, at paths that begin with `place`.

    A day is its first instant in the organization's zone, a telephone number without a country of
    its region. None clears a value.
    """
    values, problems = read(row, organization, place)
    if not problems and not any(map(values.get, _NAMED)):
        problems.append(Problem(place, "a consumer has an id, externalId, email or phone"))
    return values, problems


def read(
    row: Mapping[str, Any], organization: Organization, place: str
) -> tuple[Values, list[Problem]]:
    """As `checked`, also of a row that names nobody; what is wrong is None, or not there."""
    region = organization.phone_region
    values: Values = {}
    problems: list[Problem] = []
    for key, given in row.items():
        column, check = _CHECKS.get(key, _UNKNOWN)
        try:
            values[column] = None if given is None and column else check(given)
        except ValueError as fault:
            problems.append(Problem(f"{place}.{key[:60]}", str(fault)))
    for column in _INSTANTS:
        if isinstance(day := values.get(column), date):
            values[column] = organization.engine.clock(day.isoformat()).as_of
    if (phone := values.get("phone")) and not _E164.fullmatch(phone):
        values["phone"] = found = _phone(phone, region)
        if found is None:
            where = "" if region else ", with + and its country's code"
            problems.append(Problem(f"{place}.phone", f"it is no telephone number{where}"))
    if "email" in values:
        email = values["email"]
        values["email_folded"] = None if email is None else fold(email)
    return values, problems


IDENTIFIERS = {"external_id": "externalId", "email_folded": "email", "phone": "phone"}
"""What a consumer is known by beside its id, in the order in which it is looked for."""
_NAMED = (*IDENTIFIERS, "id")
_INSTANTS = ("last_order_at", "created_at")


@lru_cache(1 << 14)
def _phone(text: str, region: str | None) -> str | None:
    """In the form of E.164; None for what is no number."""
    try:
        found = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(found):
        return None
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)


def _text(given: Any) -> str:
    if type(given) is str and len(given) <= MOST_TEXT and given.isascii() and "\0" not in given:
        return given
    if not isinstance(given, str):
        raise ValueError("it is a text")
    if len(given) > MOST_TEXT:
        raise ValueError(f"it has at most {MOST_TEXT:,} characters")
    if not is_speakable(given):
        raise ValueError("a text holds no NUL and no lone surrogate")
    return given


def _identifier(given: Any) -> str:
    found = _text(given).strip()
    if not found:
        raise ValueError("it is empty; null clears it")
    return found


def _email(given: Any) -> str:
    found = _identifier(given)
    name, _, domain = found.rpartition("@")
    if not name or not domain or len(found.split()) > 1:
        raise ValueError("it is no email address")
    return found


def _whole(given: Any) -> int:
    if type(given) is int and -_INT64 <= given < _INT64:
        return given
    number = _number(given)
    if number != number.to_integral_value() or not -_INT64 <= number < _INT64:
        raise ValueError("it is a whole number of 64 bits")
    return int(number)


def _money(given: Any) -> str:
    """A decimal without an exponent, as the text that its column keeps."""
    number = _number(given)
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if number and (len(digits) + exponent > WHOLE_DIGITS or -exponent > FRACTION_DIGITS):
        number = _trimmed(number)
    return f"{number:f}" if number else "0"


def _trimmed(number: Decimal) -> Decimal:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) + exponent <= WHOLE_DIGITS and -exponent <= FRACTION_DIGITS + len(digits):
        unused = -exponent - FRACTION_DIGITS
        if unused > 0 and not any(digits[-unused:]):
            return Decimal((sign, digits[:-unused] or (0,), -FRACTION_DIGITS))
    raise ValueError(f"it has at most {WHOLE_DIGITS} digits, and {FRACTION_DIGITS} behind the dot")


def _number(given: Any) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal | str):
        raise ValueError(_NO_NUMBER)
    if isinstance(given, str) and not _SPELT.fullmatch(given.strip()):
        raise ValueError(_NO_NUMBER)
    try:
        number = Decimal(given if isinstance(given, int | Decimal) else str(given).strip())
    except InvalidOperation:
        raise ValueError(_NO_NUMBER) from None
    if not number.is_finite() or abs(number.adjusted()) > 1_000:
        raise ValueError(_NO_NUMBER)
    return number


def _instant(given: Any) -> int | date:
    found: date | int | None = None
    if isinstance(given, datetime):
        found = _microseconds(given) if given.tzinfo else None
    elif isinstance(given, str | date):
        found = parse_iso(given) if isinstance(given, str) else given
    if found is None:
        raise ValueError("it is a day, or an instant such as 2026-01-31T10:00:00Z")
    return found


def _microseconds(given: datetime) -> int | None:
    since = given - _EPOCH
    return within_range(since.days * DAY + since.seconds * SECOND + since.microseconds)


def _metadata(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError("it is an object")
    return dict(given)


def written(metadata: Mapping[str, Any]) -> str:
    """Metadata as its column keeps it. Raises ValueError for what is no JSON, or too long."""
    text = exact_json.dumps(metadata)
    if len(text) > MOST_METADATA // 4 and len(text.encode()) > MOST_METADATA:
        raise ValueError(f"metadata has at most {MOST_METADATA // 1024} KB as JSON")
    if "\\u0000" in text and _NUL.search(text):
        raise ValueError("a text holds no NUL")
    return text


def _unknown(_: Any) -> Any:
    raise ValueError(f"a consumer has no such key; it has {', '.join(_CHECKS)}")


_CHECKS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "id": ("id", _identifier),
    "email": ("email", _email),
    "phone": ("phone", _identifier),
    "fullName": ("full_name", _text),
    "externalId": ("external_id", _identifier),
    "totalOrders": ("total_orders", _whole),
    "totalOrderValue": ("total_order_value", _money),
    "lastOrderAt": ("last_order_at", _instant),
    "createdAt": ("created_at", _instant),
    "metadata": ("metadata", _metadata),
}
_UNKNOWN = ("", _unknown)
KEYS = tuple(_CHECKS)
"""What a row may give, as the API names it."""
