"""JSON whose numbers stay as they are written: whole ones are int, others Decimal.

`loads` and `dumps` are for what is kept; `received` and `answer` for what clients send and get.
"""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_DEPTH = 64
MOST_DIGITS = 1_000
MOST_RECEIVED = 100
"""Lists and objects inside one another in a body, which holds what is kept."""
_DIGITS_OF_INT = 100
_UNSPEAKABLE = re.compile("[\ud800-\udfff]")
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.S,
)


class Refused(ValueError):
    """A body that is no JSON, or JSON that has no meaning or two; says why, without values."""


def loads(text: str) -> Any:
    """What JSON text says. Raises ValueError, and RecursionError where it is very deep."""
    return _DECODER.decode(text)


def received(body: bytes) -> Any:
    """What a body says: UTF-8, of texts without NUL and objects without a key twice.

    Raises Refused.
    """
    try:
        text = body.decode("utf-8")
        if "\\u" in text and any(found[1] for found in _ESCAPES.finditer(text)):
            raise Refused("text has no NUL and no half of a surrogate pair")
        read = _STRICT.decode(text)
    except UnicodeDecodeError:
        raise Refused("it is not UTF-8") from None
    except json.JSONDecodeError as fault:
        place = f"line {fault.lineno}, column {fault.colno}"
        raise Refused(f"it is no JSON: {fault.msg} at {place}") from None
    except RecursionError:
        raise Refused(_too_deep(MOST_RECEIVED)) from None
    if _is_deep(read):
        raise Refused(_too_deep(MOST_RECEIVED))
    return read


def _too_deep(most: int) -> str:
    return f"lists and objects are nested at most {most} deep"


def _is_deep(read: Any) -> bool:
    level = [read] if isinstance(read, dict | list) else []
    for _ in range(MOST_RECEIVED):
        parts = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def dumps(value: Any) -> str:
    """The value as JSON on one line, keys sorted: one text for what means the same.

    Raises ValueError, telling why there is none of it.
    """
    return _written(value, MOST_DEPTH, _SORTED)


def answer(value: Any) -> bytes:
    """The value as JSON on one line, keys as they stand. Raises ValueError as `dumps`."""
    return _written(value, MOST_RECEIVED, _AS_GIVEN).encode()


def _written(value: Any, depth: int, encoder: json.JSONEncoder) -> str:
    if depth < 0:
        raise ValueError(_too_deep(MOST_DEPTH))
    if _is_plain(value, depth):
        text = encoder.encode(value)
        if not text.isascii() and _UNSPEAKABLE.search(text):
            raise ValueError("a text holds no lone surrogate")
        return text
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return _text(value)
        case int() | float() | Decimal():
            return _number(value)
        case Mapping():
            spelt = {
                key: f"{_key(key)}:{_written(one, depth - 1, encoder)}"
                for key, one in value.items()
            }
            keys: Iterable[str] = sorted(spelt) if encoder.sort_keys else spelt
            return "{" + ",".join(spelt[key] for key in keys) + "}"
        case list() | tuple():
            return "[" + ",".join(_written(one, depth - 1, encoder) for one in value) + "]"
    raise ValueError(f"{type(value).__name__} is no value of JSON")


def _is_plain(value: Any, depth: int) -> bool:
    """Whether it is of texts and small whole numbers, as most is: the library writes that fast."""
    waiting = [(value, depth)]
    for one, left in waiting:
        kind = type(one)
        if kind is dict and left > 0 and _TEXTS.issuperset(map(type, one)):
            waiting += [(inner, left - 1) for inner in one.values() if type(inner) is not str]
        elif kind is list and left > 0:
            waiting += [(inner, left - 1) for inner in one if type(inner) is not str]
        elif kind is int and -_SMALL < one < _SMALL:
            continue
        elif kind is not str and kind is not bool and one is not None:
            return False
    return True


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError("the keys of an object are texts")
    return _text(key)


def _text(value: str) -> str:
    if not value.isascii() and _UNSPEAKABLE.search(value):
        raise ValueError("a text holds no lone surrogate")
    return _SORTED.encode(value)


def _number(value: int | float | Decimal) -> str:
    exact = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    if not exact.is_finite():
        raise ValueError("a number is finite")
    if len(exact.as_tuple().digits) > MOST_DIGITS:
        raise ValueError(f"a number has at most {MOST_DIGITS:,} digits")
    return str(exact)


def _fraction(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise Refused("a number has an exponent that nobody can count to") from None


def _whole(digits: str) -> int | Decimal:
    # int() refuses thousands of digits, and takes long for hundreds.
    return int(digits) if len(digits) < _DIGITS_OF_INT else _fraction(digits)


def _refuse(name: str) -> Any:
    raise Refused(f"{name} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise Refused("a key stands twice in one object")
    return members


_TEXTS = frozenset([str])
_SMALL = 1 << 63
_SORTED = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_AS_GIVEN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_float=_fraction, parse_constant=_refuse)
_STRICT = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_whole, parse_float=_fraction, parse_constant=_refuse
)
