"""Types out of values: which single type covers them, if any does."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isnan
from typing import Any

from segment_engine.values.isotime import format_instant, instant_of, parse_iso
from segment_engine.values.jsontext import decode
from segment_engine.values.numbers import plain
from segment_engine.values.types import DATETIME, SCALARS, TEXT, Type, list_of

OBJECT = "object"
LIST = "list"
OBJECTS = "list of objects"

_TIMES = {"date", "datetime"}
_SPELT_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.A)
_SHOWN = 40


def is_filled(value: Any) -> bool:
    """Whether there is a value: neither missing, nor "", nor a list without elements."""
    if value is None or value == "" or value == []:
        return False
    return not (isinstance(value, float | Decimal) and isnan(value))


def kind_of(value: Any) -> str:
    """The name of a filled value's type, of `list`, of `object`, or of its Python class."""
    match value:
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case str():
            return _kind_of_text(value)
        case datetime():
            return "datetime"
        case date():
            return "date"
        case Mapping():
            return OBJECT
        case list() | tuple():
            return LIST
    return type(value).__name__


def _kind_of_text(text: str) -> str:
    read = parse_iso(text)
    if read is None:
        return "text"
    return "date" if isinstance(read, date) else "datetime"


def one_type(values: Iterable[Any]) -> Type | None:
    """The one scalar type, or list of one, that covers all filled values; None where none does."""
    filled = [value for value in values if is_filled(value)]
    kinds = set(map(kind_of, filled))
    if kinds == {LIST}:
        element = one_type(item for value in filled for item in value)
        return list_of(element) if element is not None and element.element is None else None
    return covering(kinds)


def covering(kinds: Iterable[str]) -> Type | None:
    """The scalar type that covers values of all these kinds: a time is a text, too."""
    found = set(kinds)
    if len(found) == 1:
        return SCALARS.get(found.pop())
    if found and found <= _TIMES:
        return DATETIME
    return TEXT if found and found <= _TIMES | {"text"} else None


def shares(kinds: Mapping[str, int]) -> dict[str, float]:
    """Each kind's share, the most frequent first."""
    total = sum(kinds.values())
    return {kind: count / total for kind, count in Counter(kinds).most_common()}


def of_cell(text: str) -> Any:
    """What a cell of a text file seems to hold; a number with leading zeros is a text."""
    if _SPELT_NUMBER.fullmatch(text):
        return Decimal(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    held = decode(text) if text[:1] in ("{", "[") else None
    return text if held is None else held


def is_document(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    return text.lstrip()[:1] in ("{", "[") and decode(text) is not None


def spelt(value: Any) -> str:
    """A value as an example, cut where it is long."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            at = instant_of(value)
            text = str(value) if at is None else format_instant(at)
        case Decimal() if value.is_finite():
            text = plain(value)
        case _:
            text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
