"""JSON metadata as one consumer's value: the reference reading of a document.

The grammar is RFC 8259 plus what DuckDB's reader lets through: one trailing comma in a list or
object, and `NaN`, `Infinity`, `inf` (any letter case, optional minus), which are read as null.
"""

import json
import math
import re
from itertools import accumulate

RECURSED = 100
"""Lists and objects inside one another that Python's recursive decoder is trusted with."""

_INT64 = range(-(2**63), 2**63)
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"?'
_STRINGS = re.compile(_STRING, re.S)
_BRACKETS = re.compile(rf"{_STRING}|([\[{{])|([\]}}])", re.S)
_PARTS = re.compile(
    r'[ \t\n\r]+|([\[\]{},:])|("[^"\\]*(?:\\.[^"\\]*)*"|[^\[\]{},:" \t\n\r]+|.)', re.S
)
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F])|\\.", re.S
)
_SURROGATES = re.compile("[\ud800-\udfff]")
# A comma after a bracket, a colon or a comma is kept, so that `[,]` and `[1,,]` stay errors.
_SLIPS = re.compile(
    rf"({_STRING}|[\[{{:,][ \t\n\r]*,)|(,)(?=[ \t\n\r]*[\]}}])|-?(?:nan|inf(?:inity)?)",
    re.A | re.I | re.S,
)


def decode(text: str | None) -> object:
    """Return the document in `text`: dict, list, str, bool, int (within 64 bits), float or None.

    The first of duplicate keys wins; null and non-finite numbers are None. The whole document is
    None if `text` is, does not parse or holds a lone surrogate. Never raises, however deep it is.
    """
    if text is None or _has_lone_surrogate(text):
        return None
    depths = _depths(text)
    if depths[-1] != 0:
        return None
    read = _decode_deep if max(depths) > RECURSED else _DECODER.decode
    try:
        return read(text)
    except ValueError:
        pass
    try:
        return read(_SLIPS.sub(_without_slip, text))
    except ValueError:
        return None


def at(document: object, path: tuple[str | int, ...]) -> object:
    """Return the value under `path`: text steps are keys of objects, whole numbers (from 0) are
    places in lists. None where the path leads nowhere."""
    for step in path:
        if isinstance(document, dict) and isinstance(step, str):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and 0 <= step < len(document):
            document = document[step]
        else:
            return None
    return document


def _without_slip(match: re.Match[str]) -> str:
    kept, comma = match.groups()
    return kept or ("" if comma else "null")


def _depths(text: str) -> list[int]:
    """How many lists and objects are open after each string and bracket; too few are not told."""
    if text.count("[") + text.count("{") <= RECURSED:
        return [0]
    return [*accumulate(bool(found[1]) - bool(found[2]) for found in _BRACKETS.finditer(text))]


def _decode_deep(text: str) -> object:
    """As the decoder, which reads the scalars; the lists and objects wait on a stack."""
    outside: list[object] = []
    waiting, holder, opened, last = [], outside, "", "start"
    for found in _PARTS.finditer(text):
        mark, scalar = found.groups("")
        if mark and mark in "[{" and _takes_value(opened, last):
            waiting.append((holder, opened))
            holder, opened, last = [], mark, "start"
        elif mark and mark in "]}" and opened + mark in ("[]", "{}") and last in ("start", "value"):
            made = holder if opened == "[" else _members(holder)
            holder, opened = waiting.pop()
            holder.append(made)
            last = "value"
        elif mark == "," and opened and last == "value":
            last = "comma"
        elif mark == ":" and last == "key":
            last = "colon"
        elif scalar and _takes_value(opened, last):
            holder.append(_DECODER.decode(scalar))
            last = "value"
        elif scalar.startswith('"') and last in ("start", "comma"):
            holder.append(_DECODER.decode(scalar))
            last = "key"
        elif mark or scalar:
            raise ValueError(f"{mark or scalar} stands after {last}")
    if opened or last != "value":
        raise ValueError("the document ends too early")
    return outside[0]


def _takes_value(opened: str, last: str) -> bool:
    return last == "colon" or (opened != "{" and last in ("start", "comma"))


def _members(parts: list[object]) -> dict[str, object]:
    return _first_wins([(str(key), parts[at + 1]) for at, key in enumerate(parts) if at % 2 == 0])


def _has_lone_surrogate(text: str) -> bool:
    if not text.isascii() and _SURROGATES.search(text):
        return True
    return ("\\ud" in text or "\\uD" in text) and any(_ESCAPES.findall(text))


def _first_wins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else dict(reversed(pairs))


def _whole(digits: str) -> int | float | None:
    # int() refuses thousands of digits; 20 characters hold every 64-bit integer.
    if len(digits) <= 20 and (number := int(digits)) in _INT64:
        return number
    return _fraction(digits)


def _fraction(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _non_finite(_name: str) -> None:
    return None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_first_wins,
    parse_int=_whole,
    parse_float=_fraction,
    parse_constant=_non_finite,
)
