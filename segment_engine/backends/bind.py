"""From a resolved rule to what engines compare: readings of columns against typed literals.

Shared by the engines that compile; the records engine does without, as their reference. What
leaves here holds `and`, `or`, `not` directly above leaves, and rows with engine columns. A row
counts as false where it reads something missing, so `not` is the exact complement.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from segment_engine.backends import bind_numbers, bind_times
from segment_engine.backends.bind_logic import (
    LOGIC,
    all_of,
    any_of,
    complement,
    push_negations,
    settled,
)
from segment_engine.backends.physical import Bool, Float, Int, IsoText, Json, ListOf, Text
from segment_engine.backends.reading import (
    MISSING,
    Columns,
    Member,
    Members,
    Reading,
    Value,
    locate,
)
from segment_engine.expression.nodes import Call, Constant, Expr, Field, Leaf, fold
from segment_engine.expression.references import condition_of
from segment_engine.expression.resolve import EXISTS, IN_AUDIENCE, make
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import operator
from segment_engine.values.moments import Window
from segment_engine.values.types import DATETIME, NUMBER, TEXT, TRUTH

_COMPARES = {operator(name) for name in ("eq", "lt", "le", "gt", "ge")}
_IN, _IN_RANGE, _EMPTY = operator("in"), operator("in_range"), operator("is_empty")
_HAS, _FIRST, _TIME_ORDER = (operator(n) for n in ("has", "first_present", "time_order"))
_DATETIME = operator("datetime")


def bind(expr: Expr, columns: Columns | None, members: Members | None = None) -> Expr:
    """The rule over the columns of one source (None: the documented default storage)."""
    return push_negations(bind_plain(expr, columns, members or {}))


def bind_plain(expr: Expr, columns: Columns | None, members: Members) -> Expr:
    """As `bind`, with each `not` where it stands."""
    return fold(expr, _Binder(columns, members).node)


@dataclass(frozen=True, slots=True)
class _Binder:
    columns: Columns | None
    members: Members

    def node(self, node: Expr, args: tuple[Expr, ...]) -> Expr:
        """The bound form; fields and constants are bound by the call around them."""
        if not isinstance(node, Call):
            return node
        op = node.op
        if op in LOGIC:
            return LOGIC[op](args)
        made = self._special(op, args)
        if made is None:
            made = Call(op, tuple(self.value(argument) for argument in args), op.gives)
        return settled(made)

    def _special(self, op: Operator, args: tuple[Expr, ...]) -> Expr | None:
        """The form of a row, or of arguments, that needs another than its own."""
        binder = _SPECIAL.get(op)
        if binder is not None:
            return binder(self, args)
        if op in _COMPARES and isinstance(args[0], Call) and args[0].op is _TIME_ORDER:
            return bind_times.ordered(op, args[0])
        if op in _COMPARES and _is_number(args[0]):
            return bind_numbers.compare(op, *map(self.located, args))
        if op.shape is Shape.ARITHMETIC:
            return Call(op, tuple(map(self.double, args)), NUMBER)
        return None

    def located(self, argument: Expr) -> Expr:
        """A field's reading; other arguments as they are."""
        return (
            (locate(argument, self.columns) or MISSING) if isinstance(argument, Field) else argument
        )

    def value(self, argument: Expr) -> Expr:
        """A field as it is stored, a constant as a literal of the matching type."""
        if isinstance(argument, Constant):
            return literal(argument)
        found = self.located(argument)
        if isinstance(found, Reading) and found.wanted.element is not None:
            return found.as_form("elements") if isinstance(found.stored, Json) else found
        return found

    def double(self, argument: Expr) -> Expr:
        """A number as an IEEE double."""
        return bind_numbers.as_double(self.located(argument))


def _is_number(argument: Expr) -> bool:
    if isinstance(argument, Reading):
        return argument.form == "double"
    return not isinstance(argument, Leaf) and argument.type.family == "number"


def literal(constant: Constant) -> Value:
    """A constant that needs no matching with a number column."""
    match constant.value:
        case bool():
            return Value(constant.value, Bool())
        case str():
            return Value(constant.value, Text())
        case int():
            return Value(constant.value, Int(64))
        case tuple():
            return Value(tuple(item.value for item in constant.value), Text())
        case _:
            return Value(constant.value, None)


# ---- presence


def present(found: Expr) -> Expr:
    """Whether there is a value, whatever the type."""
    if isinstance(found, Call) and found.op is _DATETIME:
        return bind_times.in_window(found, bind_times.ALWAYS)
    if not isinstance(found, Reading):
        return settled(Call(EXISTS, (found,), TRUTH))
    if isinstance(found.stored, Json):
        yes = Value(True, Bool())
        return Call(operator("eq"), (found.as_form("present"), yes), TRUTH)
    stored = found.as_form("value")
    if isinstance(found.stored, Float):
        return all_of(make("exists", stored), bind_numbers.no_nan(stored))
    return bind_times.known(stored) or make("exists", stored)


def _exists(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    return present(binder.located(args[0]))


def _is_empty(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    found = binder.located(args[0])
    missing = complement((present(found),))
    if not isinstance(found, Reading):
        return missing
    blank = make("eq", replace(found, wanted=TEXT), Value("", Text()))
    if isinstance(found.stored, Json):
        none = make("eq", found.as_form("length"), Value(0, Int(64)))
        return any_of(missing, blank, none)
    if isinstance(found.stored, Text | IsoText):
        return any_of(missing, blank)
    if isinstance(found.stored, ListOf):
        return any_of(missing, make("list_is_empty", found.as_form("value")))
    return missing


# ---- lists


def _in(binder: _Binder, args: tuple[Expr, ...]) -> Expr | None:
    left, values = args
    assert isinstance(values, Constant)
    if not _is_number(left):
        return None
    return bind_numbers.one_of(binder.located(left), [item.value for item in values.value])


def _has(binder: _Binder, args: tuple[Expr, ...]) -> Expr | None:
    left, wanted = args
    assert isinstance(wanted, Constant)
    if wanted.type.family != "number":
        return None
    return bind_numbers.has(binder.located(left), wanted.value)


# ---- times


def _in_window(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    return bind_times.in_window(binder.located(args[0]), _window(args[1]))


def _has_in_window(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    return bind_times.has_in_window(binder.located(args[0]), _window(args[1]))


def _window(argument: Expr) -> Window:
    assert isinstance(argument, Constant)
    window: Window = argument.value
    return window


def _order(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    """Kept for the comparison around it, which alone knows what it asks of the order."""
    x, y, zone = args
    assert isinstance(zone, Constant)
    return Call(operator("time_order"), (binder.located(x), binder.located(y), zone), NUMBER)


def _datetime(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    """Kept for what asks the time, which reads the text as an instant or as a day."""
    return Call(_DATETIME, (binder.value(args[0]),), DATETIME)


def _local_day(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    return bind_times.local_day(binder.located(args[0]), Value(_zone(args[1]), None))


def _local_hour(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    return bind_times.local_hour(binder.located(args[0]), Value(_zone(args[1]), None))


def _zone(argument: Expr) -> Any:
    assert isinstance(argument, Constant)
    return argument.value


def _in_range(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    return Call(_IN_RANGE, (args[0], *map(binder.value, args[1:])), TRUTH)


def _first_present(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    values = [value for value in map(binder.double, args) if value != MISSING]
    if not values:
        return MISSING
    return Call(_FIRST, tuple(values), NUMBER) if len(values) > 1 else values[0]


def _in_audience(binder: _Binder, args: tuple[Expr, ...]) -> Expr:
    key = args[0]
    assert isinstance(key, Constant)
    return Call(IN_AUDIENCE, (Member(condition_of(key.value, binder.members)),), TRUTH)


_SPECIAL: dict[Operator, Callable[[_Binder, tuple[Expr, ...]], Expr | None]] = {
    EXISTS: _exists,
    IN_AUDIENCE: _in_audience,
    _EMPTY: _is_empty,
    _IN: _in,
    _HAS: _has,
    _IN_RANGE: _in_range,
    _FIRST: _first_present,
    operator("in_window"): _in_window,
    operator("has_in_window"): _has_in_window,
    operator("time_order"): _order,
    _DATETIME: _datetime,
    operator("local_day"): _local_day,
    operator("local_hour"): _local_hour,
}
