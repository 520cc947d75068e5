"""One consumer in plain Python: the reference for every other engine.

Reads the resolved rule directly, without the binding that the compiled engines share, so that a
fault there shows as a difference.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from math import isnan
from typing import Any

from segment_engine.backends.physical import Float, Json
from segment_engine.backends.reading import Columns, Members
from segment_engine.expression.nodes import Call, Constant, Expr, Field, fold
from segment_engine.expression.references import condition_of
from segment_engine.expression.resolve import AND, IN, NOT, OR
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import operator
from segment_engine.values.isotime import instant_of, parse_iso
from segment_engine.values.jsontext import at as json_at
from segment_engine.values.jsontext import decode
from segment_engine.values.numbers import aligned, finite, single
from segment_engine.values.types import AUDIENCE, Type

Consumer = Mapping[str, Any]
Evaluate = Callable[[Consumer], Any]

_INT64 = 2**63
_HAS, _IN_RANGE = operator("has"), operator("in_range")


def to_predicate(
    resolved: Expr, columns: Columns | None = None, members: Members | None = None
) -> Callable[[Consumer], bool]:
    """A function from a consumer (a mapping of source columns) to whether the rule keeps it.

    `columns` tells which columns hold 32-bit floats, against which literals are rounded;
    `members` says of a consumer whether it is in the audiences that the rule refers to.
    """
    evaluate = to_value(resolved, columns, members)
    return lambda consumer: bool(evaluate(consumer))


def to_value(
    resolved: Expr, columns: Columns | None = None, members: Members | None = None
) -> Evaluate:
    """A function from a consumer to the value of the expression; None where it is missing.

    An instant is in microseconds since 1970.
    """
    known = members or {}
    return fold(resolved, lambda node, args: _compile(node, args, columns, known))


def to_test(resolved: Expr, subject: Expr) -> Callable[[Any], Any]:
    """`to_value` as a function of the value of `subject`, a part that alone reads the consumer."""
    return fold(
        resolved, lambda node, args: _itself if node == subject else _compile(node, args, None, {})
    )


def _itself(value: Any) -> Any:
    return value


def _compile(
    node: Expr, args: tuple[Evaluate, ...], columns: Columns | None, members: Members
) -> Evaluate:
    match node:
        case Constant() if node.type is AUDIENCE:
            member: Evaluate = condition_of(node.value, members)
            return member
        case Constant():
            value = _plain(node.value)
            return lambda consumer: value
        case Field():
            return _reader(node, columns)
        case Call():
            return _call(node, args, columns)
        case _:
            raise TypeError(f"unresolved {node!r}")


def _call(node: Call, args: tuple[Evaluate, ...], columns: Columns | None) -> Evaluate:
    op = node.op
    if op is AND:
        return lambda consumer: all(part(consumer) for part in args)
    if op is OR:
        return lambda consumer: any(part(consumer) for part in args)
    if op is NOT:
        part = args[0]
        return lambda consumer: not part(consumer)
    function = op.python
    assert function is not None, op
    if op.sees_missing:
        return lambda consumer: function(*[argument(consumer) for argument in args])
    if compares_numbers(op, node):
        return _numeric(node, args, function, columns)
    return _strict(node, args, function)


def _plain(value: Any) -> Any:
    """A list of literals as a set of their values."""
    return frozenset(item.value for item in value) if isinstance(value, tuple) else value


def _strict(node: Call, args: tuple[Evaluate, ...], function: Callable[..., Any]) -> Evaluate:
    """Missing in, missing out: false for a predicate."""
    first, *others = args
    if not others:
        return lambda consumer: None if (x := first(consumer)) is None else function(x)
    if len(others) == 1 and isinstance(given := node.args[1], Constant):
        value = _plain(given.value)
        if first is _itself:
            return lambda x: None if x is None else function(x, value)
        return lambda consumer: None if (x := first(consumer)) is None else function(x, value)

    def evaluate(consumer: Consumer) -> Any:
        values = [argument(consumer) for argument in args]
        return None if None in values else function(*values)

    return evaluate


# ---- numbers


def compares_numbers(op: Operator, node: Call) -> bool:
    """Whether a row compares numbers, of which those that a rule names are exact."""
    family = _family(node.args[0])
    if op is _HAS:
        element = node.args[0].type.element
        return element is not None and element.family == "number"
    compares = op.shape is Shape.COMPARE or op in (IN, _IN_RANGE)
    return compares and family in ("number", "anniversary")


def _family(node: Expr) -> str:
    return node.type.family


def _numeric(
    node: Call, args: tuple[Evaluate, ...], function: Callable[..., Any], columns: Columns | None
) -> Evaluate:
    """Literals compare exactly with exact numbers, rounded with floats."""
    round_to = single if _is_single(node.args[0], columns) else float
    left = args[0]
    if node.op in (IN, _HAS):
        return _listed(left, node, function, round_to)
    if isinstance(node.args[1], Constant):
        exact = [c.value for c in node.args[1:] if isinstance(c, Constant)]
        rounded = [round_to(value) for value in exact]

        def against_literal(consumer: Consumer) -> Any:
            x = left(consumer)
            if x is None:
                return False
            return function(x, *(rounded if isinstance(x, float) else exact))

        return against_literal
    right = args[1]

    def of_two(consumer: Consumer) -> Any:
        x, y = left(consumer), right(consumer)
        return x is not None and y is not None and function(*aligned(x, y))

    return of_two


def _listed(
    left: Evaluate, node: Call, function: Callable[..., Any], round_to: Callable[[Any], float]
) -> Evaluate:
    wanted = node.args[1]
    assert isinstance(wanted, Constant)
    literals = wanted.value if isinstance(wanted.value, tuple) else (wanted,)
    exact = {item.value for item in literals}
    rounded = {round_to(item.value) for item in literals}
    whole_list = node.op is _HAS

    def among(x: Any) -> bool:
        return x in (rounded if isinstance(x, float) else exact)

    def evaluate(consumer: Consumer) -> bool:
        x = left(consumer)
        if x is None:
            return False
        return any(map(among, x)) if whole_list else among(x)

    return evaluate


def _is_single(node: Expr, columns: Columns | None) -> bool:
    if columns is None or not isinstance(node, Field):
        return False
    return _holds_singles(columns.get(node.spec.column), node)


def _holds_singles(stored: Any, node: Field) -> bool:
    for step in node.path:
        fields = dict(getattr(stored, "fields", ()))
        stored = fields.get(step) or getattr(stored, "value", getattr(stored, "element", None))
    stored = getattr(stored, "element", stored)
    return isinstance(stored, Float) and stored.bits == 32


# ---- reading values


def _reader(field: Field, columns: Columns | None) -> Evaluate:
    column, path = field.spec.column, field.path
    as_json = columns is None or isinstance(columns.get(column), Json)
    convert = _converter(field.type, as_json)
    if not (path or field.spec.open or field.spec.path):
        if field.spec.type.element is not None:
            return lambda consumer: convert(_document(consumer.get(column)))
        return lambda consumer: convert(consumer.get(column))
    if as_json and field.type.element is None:
        return lambda consumer: convert(_json(json_at(_document(consumer.get(column)), path)))
    return lambda consumer: convert(json_at(_document(consumer.get(column)), path))


def _converter(kind: Type, as_json: bool) -> Callable[[Any], Any]:
    return _CONVERTERS.get(kind.family) or _list_of(kind, as_json)


def _json(value: Any) -> Any:
    """A number of a document as JSON holds it: an integer of 64 bits, else a finite double."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    if not isinstance(value, float) and -_INT64 <= value < _INT64 and value == int(value):
        return int(value)
    try:
        return finite(float(value))
    except OverflowError:
        return None


def _document(value: Any) -> Any:
    return _decoded(value) if isinstance(value, str) else value


_decoded = lru_cache(maxsize=1)(decode)
"""Fields of a consumer are mostly paths of one document, which nobody changes."""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | Decimal | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return None if isnan(value) else value
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        return value if value.is_finite() else _number(float(value))
    item = getattr(value, "item", None)
    return _number(item()) if callable(item) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _time(value: Any) -> date | int | None:
    if isinstance(value, datetime):
        return instant_of(value)
    if isinstance(value, date):
        return value
    return parse_iso(value) if isinstance(value, str) else None


def _anything(value: Any) -> Any:
    """A value of whatever type, None where it is missing."""
    if isinstance(value, float | Decimal) and isnan(value):
        return None
    return value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "time": _time,
    "any": _anything,
}


def _list_of(kind: Type, as_json: bool) -> Callable[[Any], list[Any] | None]:
    assert kind.element is not None
    convert = _CONVERTERS[kind.element.family]

    def elements(value: Any) -> list[Any] | None:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            return None
        held = map(_json, value) if as_json else value
        return [element for element in map(convert, held) if element is not None]

    return elements
