"""Canonical text of an expression: stable, one line, operand order kept, comments gone.

It is made of words that know what they are, so that nothing has to read it again to colour it.
"""

from typing import Any

from segment_engine.display.words import Kind, Word, Words, joined, plain, said
from segment_engine.expression.nodes import Call, Constant, Expr, Field, fold
from segment_engine.operators.row import Shape
from segment_engine.operators.table import operator
from segment_engine.values.moments import Duration, Moment
from segment_engine.values.numbers import plain as plain_number
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

Piece = tuple[Words, int]

BLANK = Word("plain", " ")
_AND_BETWEEN = (BLANK, Word("keyword", "and"), BLANK)
_COMMA = (Word("mark", ","), BLANK)
_OPENING, _CLOSING = Word("mark", "("), Word("mark", ")")


def spell(expr: Expr) -> str:
    """The canonical text; parsing it gives the same expression."""
    return plain(spelt(expr))


def spelt(expr: Expr) -> Words:
    """The words of the canonical text, blanks included."""
    return fold(expr, _piece)[0]


def spell_field(name: str, root: str) -> str:
    """A field's name as text spells it: in backticks where its root is no plain word."""
    if WORD.fullmatch(root) and root.lower() not in RESERVED:
        return name
    return f"`{root}`{name[len(root) :]}"


def _piece(node: Expr, parts: tuple[Piece, ...]) -> Piece:
    if isinstance(node, Constant):
        return _constant(node), _ATOM
    if isinstance(node, Field):
        name = spell_field(node.name, node.spec.name if not node.declared else _root(node))
        return said(name, "field"), _ATOM
    assert isinstance(node, Call)
    if node.op in _LOGIC:
        inner = [bracketed(words) if level < _NOT else words for words, level in parts]
        return joined((BLANK, Word("keyword", node.op.words[0]), BLANK), inner), _LOGIC[node.op]
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
    return (Word("keyword", node.op.words[0]), BLANK, *_bracketed(part, _NOT)), _NOT


def _call(node: Call, parts: tuple[Piece, ...]) -> Piece:
    op = node.op
    match op.shape:
        case Shape.FUNCTION:
            return (Word("function", op.words[0]), *bracketed(parts[0][0])), _ATOM
        case Shape.PREFIX:
            return (Word("function", op.words[0]), BLANK, *_bracketed(parts[0], _ATOM)), _ATOM
        case Shape.ARITHMETIC if len(parts) == 1:
            return (Word("operator", op.words[0]), *_bracketed(parts[0], _ATOM)), _SIGN
        case Shape.ARITHMETIC:
            level = _ARITHMETIC[op]
            left, right = _bracketed(parts[0], level), _bracketed(parts[1], level + 1)
            return (*left, BLANK, Word("operator", op.words[0]), BLANK, *right), level
        case _:
            return _predicate(node, parts, op.words[0]), _PREDICATE


def _predicate(node: Call, parts: tuple[Piece, ...], word: str) -> Words:
    if node.op.shape is Shape.AUDIENCE:
        return (Word("operator", word), BLANK, *parts[0][0])
    left, *rights = (_bracketed(part, _SUM) for part in parts)
    words = [*left, BLANK, Word("operator", word)]
    for at, right in enumerate(rights):
        words += [*(_AND_BETWEEN if at else (BLANK,)), *right]
    if node.ignoring_case:
        words += [BLANK, Word("keyword", "ignoring case")]
    return tuple(words)


def _bracketed(part: Piece, level: int) -> Words:
    return part[0] if part[1] >= level else bracketed(part[0])


def bracketed(words: Words) -> Words:
    """The words in brackets."""
    return (_OPENING, *words, _CLOSING)


def _constant(constant: Constant) -> Words:
    if isinstance(constant.value, tuple):
        return bracketed(joined(_COMMA, [_constant(item) for item in constant.value]))
    return said(spell_value(constant.value), _KINDS.get(constant.type.family, "number"))


_KINDS: dict[str, Kind] = {
    **{"text": "text", "pattern": "text", "audience": "text"},
    **{"time": "time", "duration": "time", "boolean": "truth", "truth": "truth"},
}


def spell_value(value: Any) -> str:
    """A literal as rules write it, of any value that a Constant holds but a list."""
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
        case _:
            return plain_number(value)
