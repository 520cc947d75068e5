"""From a rule to what one run asks: derived fields put in, shorthands spelt out, time fixed.

What leaves here holds `and`, `or`, `not` and rows that have a `python` column. Every time literal
has become a window of instants and days, so no engine reads a clock or knows a calendar step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.errors import RuleError
from segment_engine.expression.nodes import Call, Constant, Expr, Field, fold
from segment_engine.expression.spelling import spell
from segment_engine.operators.row import Operator
from segment_engine.operators.table import operator
from segment_engine.values import moments
from segment_engine.values.folding import fold as fold_text
from segment_engine.values.moments import Clock, Duration, Moment, Now, Period, Shifted, Window
from segment_engine.values.paths import spell_name
from segment_engine.values.types import (
    ANNIVERSARY,
    ANY,
    BOOLEAN,
    NUMBER,
    TEXT,
    TRUTH,
    Type,
    list_of,
)
from segment_engine.values.zones import OutOfRange

ZONE = Type("zone", "zone")
WINDOW = Type("window", "window")

TRUE, FALSE = Constant(True, TRUTH), Constant(False, TRUTH)

AND, OR, NOT, EXISTS, EQ, IN = (operator(n) for n in ("and", "or", "not", "exists", "eq", "in"))
IN_AUDIENCE = operator("in_audience")
_EMPTY, _FOLD, _CONTAINS = operator("is_empty"), operator("fold"), operator("contains")
_ANNIVERSARY, _NUMBER = operator("anniversary"), operator("number")
_ORDER, _HAS = operator("time_order"), operator("has")
_BETWEEN = operator("between")

_WINDOWS: dict[Operator, Callable[[Window], Window]] = {
    EQ: lambda window: window,
    operator("gt"): Window.after,
    operator("ge"): Window.since,
    operator("lt"): Window.before,
    operator("le"): Window.until,
}
LASTING: dict[Operator, Callable[[Duration, Clock], Window]] = {
    operator("within_last"): moments.within_last,
    operator("within_next"): moments.within_next,
    operator("older_than"): moments.older_than,
}
_PARTS = {
    operator(name): operator(f"{name}_of_day")
    for name in ("year", "quarter", "month", "day", "weekday")
}
_HOUR = operator("hour")


def make(name: str, *args: Expr) -> Call:
    """A call that needs no check, because it is made of checked parts."""
    op = operator(name)
    return Call(op, args, op.gives)


def resolve(expr: Expr, clock: Clock, derived: Mapping[str, Expr]) -> Expr:
    """The rule as one run at `clock` asks it; RuleError where a time leaves the years 1-9999."""
    whole = expand_derived(expr, derived)
    try:
        return fold(whole, _Resolver(clock).node)
    except _Outside as fault:
        message = f"`{spell(fault.node)}` leaves the years 1 to 9999 at this as_of"
        raise RuleError((Diagnostic("out-of-range", message, fault.node.span),)) from None


def expand_derived(expr: Expr, derived: Mapping[str, Expr]) -> Expr:
    """The expression with derived fields replaced by what they are derived by."""
    while any_derived(expr):
        expr = fold(expr, lambda node, args: _with_derived(node, args, derived))
    return expr


def any_derived(expr: Expr) -> bool:
    """Whether a derived field is read."""
    return fold(expr, lambda node, args: any(args) or _is_derived(node))


def _is_derived(node: Expr) -> bool:
    return isinstance(node, Field) and node.spec.derived is not None


def _with_derived(node: Expr, args: tuple[Expr, ...], derived: Mapping[str, Expr]) -> Expr:
    if isinstance(node, Call):
        return replace(node, args=args)
    if not isinstance(node, Field) or not _is_derived(node):
        return node
    made = derived[node.spec.name]
    if made.type is not ANY:
        return made
    assert isinstance(made, Field)
    # An undeclared path: read as the rule reads the derived field, and maybe followed further.
    name, path = spell_name(made.name, node.path), (*made.path, *node.path)
    return replace(made, type=node.type, name=name, path=path)


def uses_clock(expr: Expr, derived: Mapping[str, Expr]) -> bool:
    """Whether the run's instant can change what the rule means."""
    return fold(expand_derived(expr, derived), lambda node, args: any(args) or _reads_clock(node))


def _reads_clock(node: Expr) -> bool:
    if not isinstance(node, Constant):
        return False
    values = node.value if isinstance(node.value, tuple) else (node,)
    return any(isinstance(item.value, Now | Shifted | Period | Duration) for item in values)


class _Outside(Exception):
    def __init__(self, node: Expr) -> None:
        super().__init__(node)
        self.node = node


@dataclass(frozen=True, slots=True)
class _Resolver:
    clock: Clock

    def node(self, node: Expr, args: tuple[Expr, ...]) -> Expr:
        """The resolved form of a node whose arguments are resolved."""
        if not isinstance(node, Call):
            return node
        return self.call(node.op, args, node)

    def call(self, op: Operator, args: tuple[Expr, ...], node: Call) -> Expr:
        """The resolved form of a call; `node` says where it stands and whether case counts."""
        if op in (AND, OR, NOT, IN_AUDIENCE):
            return Call(op, args, TRUTH)
        left = args[0]
        if op is EXISTS or op is _EMPTY:
            return self._presence(op, left)
        if op is EQ and TRUTH in (left.type, args[1].type):
            return _truth_equals(*(args if left.type is TRUTH else args[::-1]))
        if op is IN:
            return self._among(left, args[1], node)
        if op is _BETWEEN and left.type is ANNIVERSARY:
            low, high = (self._window(bound, node).value for bound in args[1:])
            return _anniversary(left, low.to(high))
        if op.expand is not None:
            return self._expanded(op, args, node)
        if left.type is ANNIVERSARY:
            assert isinstance(args[1], Constant)
            return _anniversary(left, self._bounds(op, args[1], node).value)
        if op in LASTING or (op in _WINDOWS and left.type.family == "time"):
            return self._timed(op, left, args[1], node)
        if op in _PARTS or op is _HOUR or op is _ANNIVERSARY:
            return self._part(op, left)
        if op is _NUMBER and left.type is ANY and isinstance(left, Field):
            return make("first_present", as_type(left, NUMBER), make("number", as_type(left, TEXT)))
        if op is _CONTAINS:
            return self._contains(left, args[1], node)
        return self._folded(op, args, node)

    def _expanded(self, op: Operator, args: tuple[Expr, ...], node: Call) -> Expr:
        assert op.expand is not None
        values = [_listed(argument) for argument in args]

        def again(name: str, *parts: Any) -> Expr:
            if operator(name) in (AND, OR):
                return make(name, *parts) if len(parts) > 1 else parts[0]
            return self.call(operator(name), _typed_left(operator(name), parts), node)

        expanded: Expr = op.expand(again, *values)
        return expanded

    def _among(self, left: Expr, values: Expr, node: Call) -> Expr:
        """`in`, kept whole for texts and for numbers; other values one by one."""
        assert isinstance(values, Constant) and values.value
        parts: list[Expr] = []
        for family, kind in (("text", TEXT), ("number", NUMBER)):
            same = tuple(value for value in values.value if value.type.family == family)
            if same and left.type is not ANNIVERSARY:
                plain = as_type(left, kind) if left.type is ANY else left
                listed = Constant(same, kind)
                parts.append(self._folded(IN, (plain, listed), node))
        for value in values.value:
            if value.type.family not in ("text", "number"):
                parts.append(self.call(EQ, _typed_left(EQ, (left, value)), node))
        return make("or", *parts) if len(parts) > 1 else parts[0]

    def _presence(self, op: Operator, left: Expr) -> Expr:
        if left.type.family == "truth":
            return TRUE if op is EXISTS else FALSE
        if not isinstance(left, Field):
            return make("exists", left) if op is EXISTS else _missing_or_blank(left)
        return Call(op, (as_type(left, ANY),), TRUTH)

    def _folded(self, op: Operator, args: tuple[Expr, ...], node: Call) -> Expr:
        if node.ignoring_case:
            args = tuple(_folded_text(argument) for argument in args)
        return Call(op, args, op.gives)

    def _contains(self, left: Expr, wanted: Expr, node: Call) -> Expr:
        if left.type is ANY and isinstance(left, Field):
            in_list = self._has(as_type(left, list_of(wanted.type)), wanted, node)
            if wanted.type is not TEXT:
                return in_list
            inside = self._folded(_CONTAINS, (as_type(left, TEXT), wanted), node)
            return make("or", inside, in_list)
        if left.type.element is not None:
            return self._has(left, wanted, node)
        return self._folded(_CONTAINS, (left, wanted), node)

    def _has(self, left: Expr, wanted: Expr, node: Call) -> Expr:
        if wanted.type.family == "time":
            return make("has_in_window", left, self._window(wanted, node))
        return self._folded(_HAS, (left, wanted), node)

    def _timed(self, op: Operator, left: Expr, right: Expr, node: Call) -> Expr:
        if isinstance(right, Constant):
            return make("in_window", left, self._bounds(op, right, node))
        order = make("time_order", left, right, self._zone())
        return make(op.name, order, Constant(0, NUMBER))

    def _bounds(self, op: Operator, right: Constant, node: Call) -> Constant:
        if op not in LASTING:
            return Constant(_WINDOWS[op](self._window(right, node).value), WINDOW)
        try:
            return Constant(LASTING[op](right.value, self.clock), WINDOW)
        except OutOfRange:
            raise _Outside(node) from None

    def _window(self, right: Expr, node: Call) -> Constant:
        assert isinstance(right, Constant) and isinstance(right.value, Moment)
        try:
            return Constant(right.value.window(self.clock), WINDOW)
        except OutOfRange:
            raise _Outside(right) from None

    def _part(self, op: Operator, left: Expr) -> Expr:
        if op is _HOUR:
            return make("local_hour", left, self._zone())
        day = make("local_day", left, self._zone())
        if op is _ANNIVERSARY:
            return Call(operator("monthday_of_day"), (day,), ANNIVERSARY)
        return Call(_PARTS[op], (day,), NUMBER)

    def _zone(self) -> Constant:
        return Constant(self.clock.zone, ZONE)


def _anniversary(left: Expr, window: Window) -> Expr:
    ranges = [
        make("in_range", left, Constant(low, NUMBER), Constant(high, NUMBER))
        for low, high in moments.anniversaries(window)
    ]
    return make("or", *ranges) if len(ranges) > 1 else ranges[0] if ranges else FALSE


def as_type(field: Expr, wanted: Type) -> Field:
    """The same field, read as another type."""
    assert isinstance(field, Field)
    return replace(field, type=wanted)


def _listed(argument: Expr) -> Any:
    if isinstance(argument, Constant) and isinstance(argument.value, tuple):
        return argument.value
    return argument


def _typed_left(op: Operator, parts: tuple[Any, ...]) -> tuple[Expr, ...]:
    """In a list of mixed types every value reads an undeclared path as its own type."""
    left = parts[0]
    if op is EQ and left.type is ANY and isinstance(left, Field):
        return as_type(left, parts[1].type), *parts[1:]
    return parts


def _truth_equals(left: Expr, right: Expr) -> Expr:
    if isinstance(right, Constant):
        return left if right.value else make("not", left)
    other = right if right.type is TRUTH else make("eq", right, Constant(True, BOOLEAN))
    there = TRUE if right.type is TRUTH else make("exists", right)
    same = make("or", make("and", left, other), make("not", make("or", left, other)))
    return make("and", there, same)


def _missing_or_blank(left: Expr) -> Expr:
    missing = make("not", make("exists", left))
    if left.type.family != "text":
        return missing
    return make("or", missing, make("eq", left, Constant("", TEXT)))


def _folded_text(argument: Expr) -> Expr:
    if isinstance(argument, Constant):
        value = argument.value
        if isinstance(value, tuple):
            return replace(argument, value=tuple(_folded_text(item) for item in value))
        return replace(argument, value=fold_text(value)) if isinstance(value, str) else argument
    return make("fold", argument) if argument.type is TEXT else make("fold_all", argument)
