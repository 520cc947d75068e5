"""JSON of requests and answers: numbers stay exact, and nothing is read two ways."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring as quoted
from typing import Any

MAX_DEPTH = 100
"""Lists and objects inside one another; metadata and rules stay far below."""

_MOST_DIGITS = 100
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.S,
)


class Refused(ValueError):
    """A body that is no JSON, or JSON that has no meaning or two; says why, without values."""


def loads(body: bytes) -> Any:
    """What a body says: its numbers are int or Decimal. Raises Refused."""
    try:
        text = body.decode("utf-8")
        if "\\u" in text and any(found[1] for found in _ESCAPES.finditer(text)):
            raise Refused("text has no NUL and no half of a surrogate pair")
        read = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise Refused("it is not UTF-8") from None
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}"
        raise Refused(f"it is no JSON: {fault.msg} at {place}") from None
    except RecursionError:
        raise Refused(_TOO_DEEP) from None
    if _is_deep(read):
        raise Refused(_TOO_DEEP)
    return read


_TOO_DEEP = f"lists and objects are nested at most {MAX_DEPTH} deep"


def _is_deep(read: Any) -> bool:
    level = [read] if isinstance(read, dict | list) else []
    for _ in range(MAX_DEPTH):
        parts = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Refused("a key stands twice in one object")
    return members


def _number(digits: str) -> int | Decimal:
    # int() refuses thousands of digits, and Decimal exponents of twenty.
    try:
        whole = len(digits) < _MOST_DIGITS and digits.lstrip("-").isdigit()
        return int(digits) if whole else Decimal(digits)
    except InvalidOperation:
        raise Refused("a number is out of range") from None


def _refuse(name: str) -> None:
    raise Refused(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_number, parse_float=_number, parse_constant=_refuse
)


def dumps(value: Any) -> bytes:
    """JSON of plain Python values; a Decimal is written as the number that it is."""
    return "".join(_parts(value)).encode()


def _parts(value: Any) -> Iterator[str]:
    match value:
        case None | bool():
            yield {None: "null", True: "true", False: "false"}[value]
        case str():
            yield quoted(value)
        case int() | Decimal():
            yield str(value)
        case dict():
            yield from _bracketed("{}", (_member(*item) for item in value.items()))
        case list() | tuple():
            yield from _bracketed("[]", map(_parts, value))
        case _:
            yield json.dumps(value, allow_nan=False)


def _member(key: str, value: Any) -> Iterator[str]:
    yield f"{quoted(key)}:"
    yield from _parts(value)


def _bracketed(brackets: str, members: Iterator[Iterator[str]]) -> Iterator[str]:
    yield brackets[0]
    for number, member in enumerate(members):
        if number:
            yield ","
        yield from member
    yield brackets[1]
