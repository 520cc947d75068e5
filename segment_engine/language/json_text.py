"""JSON text of a rule to Python, strictly: numbers stay exact, and nothing is read two ways."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.spans import Pointer
from segment_engine.language.limits import MAX_DEPTH, MAX_WITH_LISTS
from segment_engine.values.paths import quote

MAX_BRACKETS = 4 * MAX_DEPTH
"""Brackets inside one another: a group has two, a rule's value two more, extra keys any."""

LARGEST = "the JSON of a rule has at most 1 MiB"
WHOLE = Pointer("")
_BRACKETS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|([\[{])|([\]}])', re.S)


class _Refused(ValueError):
    """JSON that Python would read, but that has no meaning or two."""


def load(text: str, log: Log) -> Any:
    """What the JSON says, its numbers as int or Decimal; None with an error where it fails."""
    if not _sized(text) or _too_deep(text):
        log.error("limit", f"{LARGEST}, nested at most {MAX_DEPTH} deep", WHOLE)
        return None
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}"
        message = f"this is no JSON: {fault.msg} at {place}"
        log.error("json-syntax", message, WHOLE, help="what begins with { or [ is read as JSON")
    except _Refused as fault:
        log.error("json-syntax", str(fault), WHOLE)
    return None


def _sized(text: str) -> bool:
    small = len(text) <= MAX_WITH_LISTS // 4
    return small or len(text.encode("utf-8", "surrogatepass")) <= MAX_WITH_LISTS


def _too_deep(text: str) -> bool:
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += bool(found[1]) - bool(found[2])
        if depth > MAX_BRACKETS:
            return True
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    keys = [key for key, _ in pairs]
    twice = next(key for key in keys if keys.count(key) > 1)
    raise _Refused(f"the key {quote(twice[:60])} stands twice in one object")


def _number(digits: str) -> int | Decimal:
    # int() refuses thousands of digits, and Decimal exponents of twenty; both are out of range.
    try:
        return (
            int(digits) if len(digits) < 100 and digits.lstrip("-").isdigit() else Decimal(digits)
        )
    except InvalidOperation:
        return Decimal("Infinity")


def _refuse(name: str) -> None:
    raise _Refused(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_number, parse_float=_number, parse_constant=_refuse
)
