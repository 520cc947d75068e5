"""Canonical text of an expression: stable, one line, operand order kept, comments gone."""

from segment_engine.expression.nodes import Call, Constant, Expr, Field, fold
from segment_engine.operators.row import Shape
from segment_engine.operators.table import operator
from segment_engine.values.moments import Duration, Moment
from segment_engine.values.numbers import plain
from segment_engine.values.paths import WORD, quote
from segment_engine.values.patterns import Pattern

RESERVED = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "between",
        "true",
        "false",
        "null",
        "now",
        "today",
        "yesterday",
        "tomorrow",
    ]
)

# How tightly a piece of text holds together; an operand that holds less gets brackets.
_OR, _AND, _NOT, _PREDICATE, _SUM, _PRODUCT, _SIGN, _ATOM = range(8)
_LOGIC = {operator("or"): _OR, operator("and"): _AND}
_ARITHMETIC = {
    operator("add"): _SUM,
    operator("subtract"): _SUM,
    operator("multiply"): _PRODUCT,
    operator("divide"): _PRODUCT,
}
_NEGATION = operator("not")

Piece = tuple[str, int]


def spell(expr: Expr) -> str:
    """The canonical text; parsing it gives the same expression."""
    return fold(expr, _piece)[0]


def spell_field(name: str, root: str) -> str:
    """A field's name as text spells it: in backticks where its root is no plain word."""
    if WORD.fullmatch(root) and root.lower() not in RESERVED:
        return name
    return f"`{root}`{name[len(root) :]}"


def _piece(node: Expr, parts: tuple[Piece, ...]) -> Piece:
    if isinstance(node, Constant):
        return spell_constant(node), _ATOM
    if isinstance(node, Field):
        return spell_field(node.name, node.spec.name if not node.declared else _root(node)), _ATOM
    assert isinstance(node, Call)
    if node.op in _LOGIC:
        level = _LOGIC[node.op]
        inner = [_bracketed(part, _NOT) for part in parts]
        return f" {node.op.words[0]} ".join(inner), level
    if node.op is _NEGATION:
        return _negation(node, parts[0])
    return _call(node, parts)


def _root(node: Field) -> str:
    return node.spec.name if not node.path else node.name.split(".")[0].split("[")[0]


def _negation(node: Call, part: Piece) -> Piece:
    inner = node.args[0]
    if isinstance(inner, Call) and inner.op.negated:
        parts = tuple(fold(argument, _piece) for argument in inner.args)
        return _predicate(inner, parts, inner.op.negated[0]), _PREDICATE
    return f"{node.op.words[0]} {_bracketed(part, _NOT)}", _NOT


def _call(node: Call, parts: tuple[Piece, ...]) -> Piece:
    op = node.op
    match op.shape:
        case Shape.FUNCTION:
            return f"{op.words[0]}({parts[0][0]})", _ATOM
        case Shape.PREFIX:
            return f"{op.words[0]} {_bracketed(parts[0], _ATOM)}", _ATOM
        case Shape.ARITHMETIC if len(parts) == 1:
            return f"{op.words[0]}{_bracketed(parts[0], _ATOM)}", _SIGN
        case Shape.ARITHMETIC:
            level = _ARITHMETIC[op]
            left, right = _bracketed(parts[0], level), _bracketed(parts[1], level + 1)
            return f"{left} {op.words[0]} {right}", level
        case _:
            return _predicate(node, parts, op.words[0]), _PREDICATE


def _predicate(node: Call, parts: tuple[Piece, ...], word: str) -> str:
    left, *rights = (_bracketed(part, _SUM) for part in parts)
    text = " ".join([left, word, " and ".join(rights)]).rstrip()
    return f"{text} ignoring case" if node.ignoring_case else text


def _bracketed(part: Piece, level: int) -> str:
    return part[0] if part[1] >= level else f"({part[0]})"


def spell_constant(constant: Constant) -> str:
    """A literal as rules write it."""
    value = constant.value
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value)
        case Moment() | Duration():
            return value.text
        case Pattern():
            return f'"{value.text}"'
        case tuple():
            return f"({', '.join(spell_constant(item) for item in value)})"
        case _:
            return plain(value)
