"""The normal form of a rule's content, and its hash: one spelling for each meaning."""

from decimal import Decimal
from hashlib import sha256
from typing import Any

from segment_engine.expression.nodes import Call, Constant, Expr, Field, fold
from segment_engine.expression.resolve import EQ, make
from segment_engine.operators.row import Operator
from segment_engine.operators.table import operator
from segment_engine.values.folding import fold as fold_text
from segment_engine.values.moments import Shifted
from segment_engine.values.numbers import plain

_AND, _OR, _NOT = (operator(name) for name in ("and", "or", "not"))


Form = tuple[Any, ...]


def content_hash(expr: Expr) -> str:
    """64 hexadecimal digits; equal for rules that differ in order, repetition or spelling."""
    return sha256(repr(normal_form(expr)).encode("utf-8", "surrogatepass")).hexdigest()


def normal_form(expr: Expr) -> Form:
    """The expression flat, sorted, without repetition, one spelling an operator."""
    return fold(fold(expr, _expanded), _form)


def _expanded(node: Expr, args: tuple[Expr, ...]) -> Expr:
    """Rows that are shorthands become what they stand for."""
    if not isinstance(node, Call):
        return node
    made = Call(node.op, args, node.type, node.span, node.ignoring_case)
    if node.op.expand is None:
        return made
    values = [_listed(argument) for argument in args]

    def again(name: str, *parts: Expr) -> Expr:
        op = operator(name)
        if op in (_AND, _OR):
            return make(name, *parts)
        nested = Call(op, parts, op.gives, ignoring_case=node.ignoring_case)
        return _expanded(nested, parts) if op.expand else nested

    expanded: Expr = node.op.expand(again, *values)
    return expanded


def _listed(argument: Expr) -> Any:
    if isinstance(argument, Constant) and isinstance(argument.value, tuple):
        return argument.value
    return argument


def _form(node: Expr, parts: tuple[Form, ...]) -> Form:
    match node:
        case Constant():
            return _constant(node.value)
        case Field():
            return "field", node.type.family, node.name
        case Call(op) if op in (_AND, _OR):
            return _joined(op, parts)
        case Call(op) if op is _NOT and parts[0][0] == _NOT.name:
            inner: Form = parts[0][1]
            return inner
        case Call(op, args, _, _, ignoring):
            return _call(op, args, parts, ignoring)
        case _:
            raise TypeError(f"no part of a rule: {node!r}")


def _joined(op: Operator, parts: tuple[Form, ...]) -> Form:
    flat: set[Form] = set()
    for part in parts:
        flat.update(part[1:] if part[0] == op.name else (part,))
    return (op.name, *sorted(flat, key=repr)) if len(flat) > 1 else flat.pop()


def _call(op: Operator, args: tuple[Expr, ...], parts: tuple[Form, ...], ignoring: bool) -> Form:
    if ignoring:
        parts = tuple(("text", fold_text(p[1])) if p[0] == "text" else p for p in parts)
    if op is EQ:
        parts = tuple(sorted(parts, key=repr))
    return f"{op.name}~" if ignoring else op.name, *parts


def _constant(value: Any) -> Form:
    match value:
        case bool() | None:
            return "constant", value
        case str():
            return "text", value
        case Shifted():
            return "shifted", value.count, value.unit
        case int() | Decimal():
            return "number", plain(value)
        case _:
            return type(value).__name__, value.text
