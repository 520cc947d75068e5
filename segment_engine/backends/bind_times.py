"""Times bound: windows in the column's own unit, and instants beside days.

A timestamp is an instant, a date is a day, a text is either, consumer by consumer.
"""

from dataclasses import replace

from segment_engine.backends.bind_logic import any_of
from segment_engine.backends.physical import Day, Int, Json, ListOf, Stamp
from segment_engine.backends.reading import MISSING, Reading, Value
from segment_engine.expression.nodes import Call, Constant, Expr
from segment_engine.expression.resolve import FALSE, make
from segment_engine.operators.row import Operator
from segment_engine.values.isotime import MIN_INSTANT
from segment_engine.values.moments import END_OF_DAYS, END_OF_TIME, FIRST_DAY, Window
from segment_engine.values.types import TEXT, TRUTH, list_of

ALWAYS = Window(MIN_INSTANT, END_OF_TIME, FIRST_DAY, END_OF_DAYS)
INT64 = Int(64)

# DuckDB takes the outermost nanoseconds for infinity.
_NANO_LOW, _NANO_END = 2 - 2**63, 2**63 - 1


def known(found: Reading) -> Expr | None:
    """That a stored time lies in the years 1 to 9999; None where the storage is no time."""
    if isinstance(found.stored, Stamp | Day):
        return in_window(found, ALWAYS)
    return None


def in_window(x: Expr, window: Window) -> Expr:
    """A time inside the window."""
    if isinstance(x, Reading) and isinstance(x.stored, Stamp | Day):
        return _ranged("in_range", x.as_form("value"), window, x.stored)
    instant, day = instant_and_day(x)
    return any_of(
        _within(instant, window.start, window.end), _within(day, window.first, window.last)
    )


def _within(x: Expr | None, low: int, high: int) -> Expr:
    if x is None:
        return FALSE
    return make("in_range", x, Value(low, INT64), Value(high - 1, INT64))


def _ranged(name: str, x: Expr, window: Window, stored: Stamp | Day) -> Expr:
    """From the first to the last value of the column's own type that lies inside."""
    low, end = window.first, window.last
    if isinstance(stored, Stamp):
        low, end = (_in_unit(at, stored.unit) for at in (window.start, window.end))
    return make(name, x, Value(low, stored), Value(end - 1, stored)) if low < end else FALSE


def _in_unit(instant: int, unit: str) -> int:
    return min(max(instant * 1000, _NANO_LOW), _NANO_END) if unit == "ns" else instant


def instant_and_day(x: Expr) -> tuple[Expr | None, Expr | None]:
    """The instant and the day that may be stored; each consumer has at most one."""
    if isinstance(x, Call):
        return make("iso_instant", x.args[0]), make("iso_day", x.args[0])
    if not isinstance(x, Reading):
        return None, None
    if isinstance(x.stored, Stamp):
        return x.as_form("instant"), None
    if isinstance(x.stored, Day):
        return None, x.as_form("day")
    text = replace(x, wanted=TEXT)
    return make("iso_instant", text), make("iso_day", text)


def ordered(op: Operator, order: Call) -> Expr:
    """Two times of the consumer: instants by instant, else local days."""
    x, y, zone = order.args
    assert isinstance(zone, Constant)
    (instant_x, day_x), (instant_y, day_y) = instant_and_day(x), instant_and_day(y)
    at = Value(zone.value, None)
    return any_of(
        _compared(op, instant_x, instant_y),
        _compared(op, day_x, day_y),
        _compared(op, _day_of(instant_x, at), day_y) if day_y is not None else FALSE,
        _compared(op, day_x, _day_of(instant_y, at)) if day_x is not None else FALSE,
    )


def _compared(op: Operator, x: Expr | None, y: Expr | None) -> Expr:
    return FALSE if x is None or y is None else Call(op, (x, y), TRUTH)


def _day_of(instant: Expr | None, zone: Value) -> Expr | None:
    return None if instant is None else make("local_day", instant, zone)


def local_day(x: Expr, zone: Value) -> Expr:
    """The number of the local day of a time."""
    instant, day = instant_and_day(x)
    found = [item for item in (day, _day_of(instant, zone)) if item is not None]
    if not found:
        return MISSING
    return make("first_present", *found) if len(found) > 1 else found[0]


def local_hour(x: Expr, zone: Value) -> Expr:
    """The local hour of a time; a day has none."""
    instant, _ = instant_and_day(x)
    return MISSING if instant is None else make("local_hour", instant, zone)


def has_in_window(x: Expr, window: Window) -> Expr:
    """A list that has a time inside the window."""
    if not isinstance(x, Reading):
        return FALSE
    element = x.stored.element if isinstance(x.stored, ListOf) else x.stored
    if isinstance(element, Stamp | Day):
        return _ranged("has_in_range", x, window, element)
    texts = replace(x, wanted=list_of(TEXT))
    texts = texts.as_form("elements") if isinstance(x.stored, Json) else texts
    bounds = ((window.start, window.end), (window.first, window.last))
    return any_of(
        *(
            make("has_in_range", make(read, texts), Value(low, INT64), Value(high - 1, INT64))
            for read, (low, high) in zip(("iso_instants", "iso_days"), bounds, strict=True)
        )
    )
