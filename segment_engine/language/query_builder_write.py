"""Query-builder JSON of an expression: what `query_builder.read` reads back as the same one."""

from decimal import Decimal
from typing import Any

from segment_engine.expression.nodes import Call, Constant, Expr, Field, fold
from segment_engine.expression.spelling import spell
from segment_engine.operators.row import Shape
from segment_engine.operators.table import operator
from segment_engine.values.moments import Duration, Moment
from segment_engine.values.numbers import plain
from segment_engine.values.patterns import Pattern
from segment_engine.values.types import TRUTH

Piece = dict[str, Any]

CONSTANTS = {"true": True, "false": False}
"""Fields of the rows that stand for the rules `true` and `false`."""

AUDIENCE = "audience"
"""The field of the rows that ask for membership; their operator is that of a list."""

_NOT, _IN = operator("not"), operator("in")


def write(expr: Expr) -> dict[str, Any]:
    """The rule as a react-querybuilder group, of plain JSON values only.

    A field goes by its name in the schema and any other value by its text. What is compared
    with another value has `"valueSource": "field"`. Numbers beyond a double go as text.
    """
    piece = fold(expr, _piece)
    return piece if "rules" in piece else _group("and", [piece])


def _piece(node: Expr, parts: tuple[Piece, ...]) -> Piece:
    if node.type != TRUTH:
        return {}
    if isinstance(node, Constant):
        return _rule("true", "=", node.value)
    assert isinstance(node, Call)
    if node.op is _NOT:
        return _negation(node.args[0], parts[0])
    if node.op.shape is Shape.LOGIC:
        return _group(node.op.json[0], list(parts))
    return _predicate(node)


def _group(combinator: str, rules: list[Piece], negated: bool = False) -> Piece:
    return {"combinator": combinator, "not": negated, "rules": rules}


def _rule(field: str, name: str, value: Any) -> Piece:
    return {"field": field, "operator": name, "value": value}


def _negation(inner: Expr, piece: Piece) -> Piece:
    if isinstance(inner, Call) and inner.op.shape is Shape.AUDIENCE:
        return piece | {"operator": _IN.json_negated[0]}
    if isinstance(inner, Call) and inner.op.json_negated:
        return piece | {"operator": inner.op.json_negated[0]}
    if piece.get("not") is False:
        return piece | {_NOT.json[0]: True}
    return _group("and", [piece], negated=True)


def _predicate(call: Call) -> Piece:
    left, *rights = call.args
    if call.op.shape is Shape.AUDIENCE:
        return _rule(AUDIENCE, _IN.json[0], literal(left, left))
    fixed = all(isinstance(right, Constant) for right in rights)
    values = [literal(right, left) if fixed else operand(right) for right in rights]
    several = call.op.shape is Shape.BETWEEN
    value = values if several else values[0] if values else None
    rule = _rule(operand(left), call.op.json[0], value)
    if not fixed:
        rule["valueSource"] = "field"
    if call.ignoring_case:
        rule["ignoreCase"] = True
    return rule


def operand(expr: Expr) -> str:
    """The value as its JSON names it: by its name in the schema, or by its text."""
    if isinstance(expr, Field) and expr.declared and expr.name not in CONSTANTS:
        return f"`{AUDIENCE}`" if expr.name == AUDIENCE else expr.name
    # A field may be called `2026-01`: in brackets a literal is no name of the schema.
    return f"({spell(expr)})" if isinstance(expr, Constant) else spell(expr)


def literal(right: Expr, left: Expr) -> Any:
    """The JSON value of a fixed right side; an object where no type is declared at the left."""
    assert isinstance(right, Constant)
    undeclared = isinstance(left, Field) and left.spec.open
    match right.value:
        case tuple() as items:
            return [literal(item, left) for item in items]
        case bool() | str() as plainly:
            return plainly
        case Moment(text=text):
            return {"datetime": text} if undeclared else text
        case Duration(text=text) | Pattern(text=text):
            return text
        case number:
            return _number(number, undeclared)


def _number(value: int | Decimal, undeclared: bool) -> Any:
    near = float(value)
    if Decimal(repr(near)) == value:
        return int(value) if value == int(value) else near
    return {"number": plain(value)} if undeclared else plain(value)
