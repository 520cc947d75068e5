"""Numbers bound: exact against integers and decimals, IEEE doubles where one side is a float.

A JSON number is an integer of 64 bits or a double, consumer by consumer, so it is read both ways
where that makes a difference.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from math import inf, nextafter

from segment_engine.backends.bind_logic import all_of, any_of, complement
from segment_engine.backends.literals import normalise, safe_as_double
from segment_engine.backends.physical import Dec, Float, Int, Json, ListOf, Physical
from segment_engine.backends.reading import MISSING, Reading, Value
from segment_engine.expression.nodes import Call, Constant, Expr
from segment_engine.expression.resolve import EQ, FALSE, make
from segment_engine.operators.row import Operator
from segment_engine.operators.table import operator
from segment_engine.values.types import TRUTH

INT64 = Int(64)
DOUBLE = Float(64)
WIDEST = 38

_INTEGER_CALLS = {
    operator("local_hour"),
    *(operator(f"{part}_of_day") for part in ("year", "quarter", "month", "day", "weekday")),
}


def compare(op: Operator, x: Expr, y: Expr) -> Expr:
    """`x op y`; at most one of them is a constant, and then it is y."""
    if MISSING in (x, y):
        return FALSE
    if isinstance(y, Constant):
        return with_literal(op, x, y.value)
    return _of_two(op, x, y)


def with_literal(op: Operator, x: Expr, literal: int | Decimal) -> Expr:
    """A number against a literal."""
    kind = _kind(x)
    if not isinstance(kind, Json) or not isinstance(x, Reading):
        return _normal(op, x, literal, kind)
    integer, in_doubles = x.as_form("integer"), _as_json_double(op, x, float(literal))
    if safe_as_double(literal):
        return in_doubles
    return any_of(
        _normal(op, integer, literal, INT64),
        all_of(complement((make("exists", integer),)), in_doubles),
    )


def _as_json_double(op: Operator, x: Reading, literal: float) -> Expr:
    """A range, because that reads the document once and leaves out what is not finite."""
    number = x.as_form("number")
    low, high = _RANGES[op](literal)
    if low == high:
        return Call(EQ, (number, Value(literal, DOUBLE)), TRUTH)
    return make("in_range", number, Value(low, DOUBLE), Value(high, DOUBLE))


_MOST = sys.float_info.max
_RANGES: dict[Operator, Callable[[float], tuple[float, float]]] = {
    EQ: lambda c: (c, c),
    operator("gt"): lambda c: (nextafter(c, inf), _MOST),
    operator("ge"): lambda c: (c, _MOST),
    operator("lt"): lambda c: (-_MOST, nextafter(c, -inf)),
    operator("le"): lambda c: (-_MOST, c),
}


def _normal(op: Operator, x: Expr, literal: int | Decimal, kind: Physical) -> Expr:
    found = normalise(op, literal, kind)
    if isinstance(found, bool):
        return make("exists", x) if found else FALSE
    return _guarded(Call(found[0], (x, Value(found[1], kind)), TRUTH), x)


def _guarded(made: Expr, *numbers: Expr) -> Expr:
    """NaN is greater than everything on the engines; here it is missing."""
    return all_of(made, *(no_nan(x) for x in numbers if _may_be_nan(x)))


def _may_be_nan(x: Expr) -> bool:
    return isinstance(x, Reading) and isinstance(x.stored, Float)


def no_nan(x: Expr) -> Expr:
    """That a float is no NaN."""
    return make("is_number", x)


def one_of(x: Expr, literals: list[int | Decimal]) -> Expr:
    """A number among literals."""
    if x == MISSING:
        return FALSE
    kind = _kind(x)
    if isinstance(kind, Json) and isinstance(x, Reading):
        plain = [value for value in literals if safe_as_double(value)]
        rest = [with_literal(EQ, x, value) for value in literals if not safe_as_double(value)]
        return any_of(_among(x.as_form("number"), plain, DOUBLE), *rest)
    return _among(x, literals, kind)


def _among(x: Expr, literals: list[int | Decimal], kind: Physical) -> Expr:
    found = [normalise(EQ, value, kind) for value in literals]
    values = tuple(dict.fromkeys(item[1] for item in found if not isinstance(item, bool)))
    return _guarded(make("in", x, Value(values, kind)), x) if values else FALSE


def has(x: Expr, literal: int | Decimal) -> Expr:
    """A list of numbers that has the literal."""
    if not isinstance(x, Reading):
        return FALSE
    if isinstance(x.stored, ListOf):
        found = normalise(EQ, literal, x.stored.element)
        return FALSE if isinstance(found, bool) else _has(x, found[1], x.stored.element)
    doubles, integers = x.as_form("doubles"), x.as_form("integers")
    if safe_as_double(literal):
        return _has(doubles, float(literal), DOUBLE)
    exact = normalise(EQ, literal, INT64)
    whole = FALSE if isinstance(exact, bool) else _has(integers, exact[1], INT64)
    return any_of(whole, _has(x.as_form("fractions"), float(literal), DOUBLE))


def _has(x: Expr, value: object, kind: Physical) -> Expr:
    return make("has", x, Value(value, kind))


# ---- two values of the consumer


@dataclass(frozen=True, slots=True)
class _Side:
    """A number read exactly, as far as it can be, and as a double."""

    exact: Expr | None
    physical: Physical | None
    double: Expr
    sometimes: bool = False  # exact for some consumers only: a JSON number


def _side(x: Expr) -> _Side:
    kind = _kind(x)
    if isinstance(kind, Json) and isinstance(x, Reading):
        return _Side(x.as_form("integer"), INT64, x.as_form("double"), True)
    if isinstance(kind, Float):
        return _Side(None, None, as_double(x))
    return _Side(x, kind, as_double(x))


def _of_two(op: Operator, x: Expr, y: Expr) -> Expr:
    a, b = _side(x), _side(y)
    in_doubles = _guarded(Call(op, (a.double, b.double), TRUTH), a.double, b.double)
    if a.exact is None or b.exact is None:
        return in_doubles
    shared = _shared(a.physical, b.physical)
    if shared is None:
        return in_doubles
    exact = Call(op, (_as(a.exact, shared), _as(b.exact, shared)), TRUTH)
    doubtful = [make("exists", side.exact) for side in (a, b) if side.sometimes and side.exact]
    if not doubtful:
        return exact
    return any_of(exact, all_of(complement((all_of(*doubtful),)), in_doubles))


def _shared(x: Physical | None, y: Physical | None) -> Physical | None:
    """The type in which both compare exactly, if 38 digits are enough."""
    if x == y:
        return x
    if isinstance(x, Int) and isinstance(y, Int):
        return Int(128)
    (whole_x, scale_x), (whole_y, scale_y) = _digits(x), _digits(y)
    scale = max(scale_x, scale_y)
    return Dec(WIDEST, scale) if max(whole_x, whole_y) + scale <= WIDEST else None


def _digits(physical: Physical | None) -> tuple[int, int]:
    if isinstance(physical, Dec):
        return physical.precision - physical.scale, physical.scale
    assert isinstance(physical, Int)
    return len(str(2**physical.bits)), 0


def _as(x: Expr, shared: Physical) -> Expr:
    if not isinstance(x, Reading) or x.stored == shared:
        return x
    return replace(x, cast=shared)


# ---- doubles


def as_double(x: Expr) -> Expr:
    """A number as an IEEE double, for arithmetic."""
    if isinstance(x, Constant):
        return Value(float(x.value), DOUBLE)
    if isinstance(x, Reading):
        return x.as_form("double")
    return make("double", x) if _is_integer(x) else x


def _kind(x: Expr) -> Physical:
    """The type in which the engine will hold the value."""
    if isinstance(x, Reading):
        return DOUBLE if x.form == "double" else x.stored
    return INT64 if _is_integer(x) else DOUBLE


def _is_integer(x: Expr) -> bool:
    return isinstance(x, Call) and x.op in _INTEGER_CALLS
