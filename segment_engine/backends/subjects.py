"""What conditions about one value of a consumer, such as one field, say of it all together.

Comparisons say the same of all values between two literals that they name. So what they say is
kept for each literal and each gap beside it, and found by bisection; other conditions are tested
one by one, by the records engine's own functions.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import Any, NamedTuple

from segment_engine.backends.records import Consumer, compares_numbers, to_test, to_value
from segment_engine.expression.logic import postfix
from segment_engine.expression.nodes import Call, Constant, Expr
from segment_engine.expression.resolve import IN, IN_AUDIENCE
from segment_engine.operators.row import Shape
from segment_engine.operators.table import operator

_IN_WINDOW, _HAS = operator("in_window"), operator("has")
_EXACT = Context(prec=200_000)
"""More digits than the text of a rule can have."""


class Bits(NamedTuple):
    """The bits to set where a condition is false, and where it is true."""

    false: int
    true: int


Test = Callable[[Any], Any]
Asked = tuple[Test, Bits]


class _Scale(NamedTuple):
    """Sorted literals, and the bits for the gap before each and for each, and for the last gap."""

    points: list[Any]
    bits: list[int]


class _Kind(NamedTuple):
    """How literals are written as values of a Python type, and a value of each gap."""

    point: Callable[[Any], Any]
    below: Callable[[Any], Any]
    between: Callable[[Any, Any], Any]
    above: Callable[[Any], Any]


def subject_of(condition: Expr) -> Expr | None:
    """The one value that all parts of a resolved condition are about; None for several or none."""
    found: set[Expr] = set()
    for part in postfix(condition):
        if isinstance(part, tuple | Constant):
            continue
        if not isinstance(part, Call) or part.op is IN_AUDIENCE:
            return None
        if not all(isinstance(other, Constant) for other in part.args[1:]):
            return None
        found.add(part.args[0])
    return found.pop() if len(found) == 1 else None


def whole(condition: Expr, bits: Bits) -> Callable[[Consumer], int]:
    """The bits to set for a consumer, by a condition that is asked as it stands."""
    value_of = to_value(condition)
    return lambda consumer: bits.true if value_of(consumer) else bits.false


def together(subject: Expr, conditions: Mapping[Expr, Bits]) -> Callable[[Consumer], int]:
    """The bits to set for a consumer, by all conditions about one value of it."""
    value_of = to_value(subject)
    asked = {one: (to_test(one, subject), bits) for one, bits in conditions.items()}
    named = {one: at for one in asked if (at := _named(one, subject)) is not None}
    kinds = _KINDS.get(subject.type.family, {})
    scales = {of: _scale(kind, named, asked) for of, kind in kinds.items()}
    scales[type(None)] = _Scale([], [_bits_of(None, (asked[one] for one in named))])
    others = [asked[one] for one in asked if one not in named]

    def found(consumer: Consumer) -> int:
        value = value_of(consumer)
        scale = scales.get(type(value))
        if scale is None:
            return _bits_of(value, asked.values())
        points, held = scale
        bits = held[bisect_left(points, value) + bisect_right(points, value)]
        for test, (false, true) in others:
            bits |= true if test(value) else false
        return bits

    return found


def _bits_of(value: Any, asked: Iterable[Asked]) -> int:
    return reduce(or_, (bits[bool(test(value))] for test, bits in asked), 0)


def _named(condition: Expr, subject: Expr) -> tuple[Any, ...] | None:
    """The literals at which alone a condition can change; None where it is no comparison."""
    found: list[Any] = []
    for part in postfix(condition):
        if isinstance(part, Call):
            literals = _literals(part, subject)
            if literals is None:
                return None
            found += literals
    return tuple(found)


def _literals(call: Call, subject: Expr) -> Sequence[Any] | None:
    constants = [one for one in call.args[1:] if isinstance(one, Constant)]
    if call.op is _IN_WINDOW:
        window = constants[0].value
        return window.start, window.end
    compares = compares_numbers(call.op, call) and call.op is not _HAS
    text = subject.type.family == "text" and (call.op.shape is Shape.COMPARE or call.op is IN)
    if not (compares or text):
        return None
    several = [c.value if isinstance(c.value, tuple) else (c,) for c in constants]
    return [one.value for values in several for one in values]


def _scale(
    kind: _Kind, named: Mapping[Expr, tuple[Any, ...]], asked: Mapping[Expr, Asked]
) -> _Scale:
    """Goes up the scale; each condition is tested beside and at its own literals only."""
    points = sorted({kind.point(one) for literals in named.values() for one in literals})
    places = {point: place for place, point in enumerate(points)}
    changes: list[list[tuple[int, int]]] = [[] for _ in range(2 * len(points) + 1)]
    for number, (condition, literals) in enumerate(named.items()):
        test, bits = asked[condition]
        own = sorted({kind.point(one) for one in literals})
        values = _beside(kind, own)
        steps = [0, *(2 * places[point] + more for point in own for more in (1, 2))]
        for step, value in zip(steps, values, strict=True):
            changes[step].append((number, bits[bool(test(value))]))
    now = [0] * len(named)
    held: list[int] = []
    for change in changes:
        for number, bits_now in change:
            now[number] = bits_now
        held.append(reduce(or_, now, 0))
    return _Scale(points, held)


def _beside(kind: _Kind, points: list[Any]) -> list[Any]:
    """A value before the first point, it, one between it and the next, and so on."""
    if not points:
        return [None]
    gaps = [kind.between(low, high) for low, high in pairwise(points)]
    gaps.append(kind.above(points[-1]))
    inside = [one for both in zip(points, gaps, strict=True) for one in both]
    return [kind.below(points[0]), *inside]


def _halfway(low: Any, high: Any) -> Decimal:
    return _EXACT.multiply(_EXACT.add(Decimal(low), Decimal(high)), Decimal("0.5"))


# Where nothing lies between two points, "between" may give one of them: nothing is looked up there.
_NUMBER = _Kind(
    lambda value: value,
    lambda first: Decimal("-Infinity"),
    _halfway,
    lambda last: Decimal("Infinity"),
)
_FLOAT = _Kind(
    float,
    lambda first: -float("inf"),
    lambda low, high: low / 2 + high / 2,
    lambda last: float("inf"),
)
_INSTANT = _Kind(
    lambda value: value,
    lambda first: first - 1,
    lambda low, high: (low + high) // 2,
    lambda last: last + 1,
)
_TEXT = _Kind(
    lambda value: value,
    lambda first: "",
    lambda low, high: f"{low}\0",
    lambda last: f"{last}\0",
)
_NUMBERS = {int: _NUMBER, Decimal: _NUMBER, float: _FLOAT}
_KINDS: Mapping[str, Mapping[type, _Kind]] = {
    "number": _NUMBERS,
    "anniversary": _NUMBERS,
    "time": {int: _INSTANT},
    "text": {str: _TEXT},
}
"""By family of a value and its Python type; others, such as days, are tested one by one."""
