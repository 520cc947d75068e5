"""What a syntax error says: what was found, what could stand there, what was perhaps meant."""

import re

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.nearest import nearest
from segment_engine.diagnostics.spans import Span
from segment_engine.language.misspellings import TERMINALS, WORDS
from segment_engine.operators.table import spelled

_OPERATOR_WORDS = [*spelled(*TERMINALS), *WORDS]
_OPERATORS = frozenset(TERMINALS.values()) - {"PREFIX"}


def empty_rule(text: str) -> Diagnostic:
    """A rule of nothing: nobody is meant, never everybody."""
    return Diagnostic(
        "empty-rule",
        "the rule is empty",
        Span(0, len(text)),
        help="write a comparison such as `totalOrders > 2`; `true` keeps everybody",
    )


def bad_character(text: str, at: int) -> Diagnostic:
    """A character with which nothing begins, or a text that does not end."""
    char = text[at]
    if char in "\"'":
        end = text.find("\n", at)
        return Diagnostic(
            "unterminated-text",
            "the text does not end on its line",
            Span(at, len(text) if end < 0 else end),
            help=f"close it with {char}; a line break inside is \\n",
        )
    if char.isdigit():
        word = re.compile(r"[\w.]+").match(text, at)
        end = word.end() if word else at + 1
        help = "a number is digits with at most one point, without an exponent"
        return Diagnostic("syntax", f"`{text[at:end]}` is no number", Span(at, end), help=help)
    return Diagnostic("bad-character", f"`{char}` means nothing here", Span(at, at + 1))


def unexpected(text: str, kind: str, start: int, end: int, expected: set[str]) -> Diagnostic:
    """A token that cannot stand where it stands."""
    if kind == "$END":
        end = len(text.rstrip())
        ending = f"the rule ends where {_wanted(expected)}"
        return Diagnostic("syntax", ending, Span(end, end + 1), help=_unclosed(text, expected))
    word = text[start:end]
    near = ()
    if kind == "NAME" and expected & _OPERATORS:
        following = re.compile(r"\w+(?:\s+\w+)?").match(text, start)
        phrase = following[0] if following else word
        near = nearest(phrase, _OPERATOR_WORDS, 2) or nearest(word, _OPERATOR_WORDS, 2)
    message = f"`{word}` stands where {_wanted(expected)}"
    return Diagnostic("syntax", message, Span(start, end), near=near, help=_reserved(kind, word))


def _wanted(expected: set[str]) -> str:
    if expected & _OPERATORS:
        ending = " or `)`" if "RPAR" in expected else ""
        return f"an operator, `and`, `or`{ending} was expected"
    if "NAME" in expected:
        return "a field or a value was expected"
    if expected == {"LPAR"}:
        return "a list in brackets, as in `(1, 2)`, was expected"
    if "_COMMA" in expected and "RPAR" in expected:
        return "`,` or `)` was expected"
    if "_AND" in expected and "_OR" not in expected and "$END" not in expected:
        return "the `and` of `between ... and ...` was expected"
    if "RPAR" in expected:
        return "`and`, `or` or `)` was expected"
    if "$END" in expected:
        return "`and`, `or` or the end was expected"
    return "something else was expected"


def _unclosed(text: str, expected: set[str]) -> str | None:
    return "close the bracket with `)`" if "RPAR" in expected and "(" in text else None


def _reserved(kind: str, word: str) -> str | None:
    reserved = kind in ("_AND", "_OR", "NOT", "BETWEEN", "LISTED", "TRUE", "FALSE", "NULL")
    if reserved or (kind == "MOMENT" and word.isalpha()):
        return f"a field of that name is written `{word}` in backticks"
    return None
