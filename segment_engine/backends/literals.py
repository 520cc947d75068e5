"""Number literals in a column's own type, so that no engine converts either side.

`x > 2.5` on integers is `x > 2`, `x = 2.5` is never; on decimals the same at the column's scale;
on floats the literal is rounded to the column's precision.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from segment_engine.backends.physical import Dec, Float, Int, Physical
from segment_engine.expression.resolve import EQ
from segment_engine.operators.row import Operator
from segment_engine.operators.table import operator
from segment_engine.values.numbers import single

Normal = tuple[Operator, int | Decimal | float] | bool
"""The operator and the literal to compare with, or whether every present value is meant."""

_EXACT = Context(prec=120)
_GT, _GE, _LE = (operator(name) for name in ("gt", "ge", "le"))


def normalise(op: Operator, literal: int | Decimal, physical: Physical) -> Normal:
    """`x op literal` for values stored as `physical`; False is never, True is always."""
    match physical:
        case Float(bits):
            return op, float(literal) if bits == 64 else single(literal)
        case Int(bits, signed):
            span: int = 2**bits
            low = -(span // 2) if signed else 0
            high = low + span - 1
            return _whole(op, Decimal(literal), low, high)
        case Dec(precision, scale):
            limit: int = 10**precision - 1
            found = _whole(op, Decimal(literal).scaleb(scale, _EXACT), -limit, limit)
            if isinstance(found, bool):
                return found
            return found[0], Decimal(found[1]).scaleb(-scale, _EXACT)
        case _:
            raise TypeError(f"no numbers are stored as {physical}")


def _whole(op: Operator, literal: Decimal, low: int, high: int) -> tuple[Operator, int] | bool:
    floor = int(literal.to_integral_value(ROUND_FLOOR))
    ceiling = int(literal.to_integral_value(ROUND_CEILING))
    if op is EQ:
        return (op, floor) if floor == ceiling and low <= floor <= high else False
    if op is _GT:
        return _bounded(op, floor, floor < low, floor >= high)
    if op is _LE:
        return _bounded(op, floor, floor >= high, floor < low)
    if op is _GE:
        return _bounded(op, ceiling, ceiling <= low, ceiling > high)
    return _bounded(op, ceiling, ceiling > high, ceiling <= low)


def _bounded(op: Operator, bound: int, always: bool, never: bool) -> tuple[Operator, int] | bool:
    if always or never:
        return always
    return op, bound


def safe_as_double(literal: int | Decimal) -> bool:
    """Whether comparing any 64-bit integer with the literal in doubles gives the exact answer."""
    near, exact = Decimal(float(literal)), Decimal(literal)
    whole = exact == int(exact)
    return abs(exact) < Decimal(2**53) and (near == exact if whole else near != int(near))
