"""JSON whose numbers stay as they are written: whole ones are int, others Decimal."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_DEPTH = 64
MOST_DIGITS = 1_000
_UNSPEAKABLE = re.compile("[\ud800-\udfff]")


def loads(text: str) -> Any:
    """What JSON text says. Raises ValueError, and RecursionError where it is very deep."""
    return _DECODER.decode(text)


def dumps(value: Any, depth: int = MOST_DEPTH) -> str:
    """The value as JSON on one line, keys sorted: one text for what means the same.

    Raises ValueError, telling why there is none of it.
    """
    if depth < 0:
        raise ValueError(f"lists and objects are nested at most {MOST_DEPTH} deep")
    if _is_plain(value, depth):
        text = _ENCODER.encode(value)
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
            spelt = {key: f"{_key(key)}:{dumps(one, depth - 1)}" for key, one in value.items()}
            return "{" + ",".join(spelt[key] for key in sorted(spelt)) + "}"
        case list() | tuple():
            return "[" + ",".join(dumps(one, depth - 1) for one in value) + "]"
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
    return _ENCODER.encode(value)


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
        raise ValueError("a number has an exponent that nobody can count to") from None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_TEXTS = frozenset([str])
_SMALL = 1 << 63
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_DECODER = json.JSONDecoder(parse_float=_fraction, parse_constant=_refuse)
