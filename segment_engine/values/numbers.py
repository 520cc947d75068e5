"""Numbers of one consumer in plain Python: exact where both are exact, else IEEE doubles."""

import math
import re
import struct
from decimal import Decimal

Number = int | Decimal | float

DIGITS = 38
"""Literals hold at most so many digits, as DECIMAL(38) does."""

_SPELLED = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)


def finite(value: float) -> float | None:
    """The value, or None for NaN and the infinities."""
    return value if math.isfinite(value) else None


def parse_number(text: str) -> float | None:
    """The double nearest to the number that `-?digits[.digits]` spells, else None."""
    return finite(float(text)) if _SPELLED.fullmatch(text) else None


def aligned(x: Number, y: Number) -> tuple[Number, Number]:
    """Both as they are where both are exact; both as doubles where one is a double."""
    if isinstance(x, float) or isinstance(y, float):
        return float(x), float(y)
    return x, y


def single(value: Number) -> float:
    """The nearest IEEE single, as a Python float. Literals are below 1e38, so it is finite."""
    near, exact = _cast(float(value)), Decimal(value)
    step = math.ulp(near) * 2**29
    around = (near, _cast(near - step), _cast(near + step))
    return min(around, key=lambda x: (abs(Decimal(x) - exact), struct.pack("<f", x)[0] & 1))


def _cast(value: float) -> float:
    single: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return single


def plain(value: Number) -> str:
    """The shortest spelling without an exponent: `5`, `19.9`, `-0.05`."""
    text = format(Decimal(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def normal(value: Decimal) -> int | Decimal:
    """The one Python value for a decimal: an int where it is whole."""
    whole = value.to_integral_value()
    return int(whole) if whole == value else Decimal(plain(value))
