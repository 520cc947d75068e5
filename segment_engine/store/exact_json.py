"""JSON whose numbers stay as they are written: whole ones are int, others Decimal."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

MOST_DEPTH = 64
MOST_DIGITS = 1_000
_UNSPEAKABLE = re.compile("[\ud800-\udfff]")


def loads(text: str) -> Any:
    """What JSON text that `dumps` wrote says."""
    return _DECODER.decode(text)


def dumps(value: Any, depth: int = MOST_DEPTH) -> str:
    """The value as JSON on one line, keys sorted: one text for what means the same.

    Raises ValueError, telling why there is none of it.
    """
    if depth < 0:
        raise ValueError(f"lists and objects are nested at most {MOST_DEPTH} deep")
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return _text(value)
        case int() | float() | Decimal():
            return _number(value)
        case Mapping():
            spelt = {_key(key): dumps(one, depth - 1) for key, one in value.items()}
            members = (f"{key}:{one}" for key, one in sorted(spelt.items()))
            return "{" + ",".join(members) + "}"
        case list() | tuple():
            return "[" + ",".join(dumps(one, depth - 1) for one in value) + "]"
    raise ValueError(f"{type(value).__name__} is no value of JSON")


def _is_plain(value: Any) -> bool:
    """Whether it is of texts and small whole numbers, as most is: the library writes that fast."""
    waiting = [(value, MOST_DEPTH)]
    while waiting:
        one, depth = waiting.pop()
        kind = type(one)
        if kind is str or one is None or kind is bool or (kind is int and -_SMALL < one < _SMALL):
            continue
        if depth == 0 or kind not in (dict, list):
            return False
        if kind is dict:
            if any(type(key) is not str for key in one):
                return False
            one = one.values()
        waiting += [(inner, depth - 1) for inner in one]
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


_SMALL = 1 << 63
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_float=Decimal)
