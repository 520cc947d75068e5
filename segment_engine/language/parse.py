"""Text to expression. The only user of lark: its tree never exists, callbacks build at once."""

import re
import threading
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.lexer import PatternRE, TerminalDef

from segment_engine.diagnostics.diagnostic import Diagnostic, Log
from segment_engine.diagnostics.spans import Span
from segment_engine.expression.build import Builder, TooMany
from segment_engine.expression.nodes import Expr
from segment_engine.expression.schema import Schema
from segment_engine.expression.spelling import RESERVED
from segment_engine.language import syntax_errors
from segment_engine.language.callbacks import Callbacks
from segment_engine.language.limits import Limits, check_size
from segment_engine.language.misspellings import READERS, TERMINALS, WORDS
from segment_engine.operators.table import spelled

_VALUE_ENDS = frozenset(
    "NAME QUOTED_NAME DOTKEY NUMBER STRING PATTERN MONEY TRUE FALSE NULL MOMENT DURATION "
    "RPAR RSQB".split()
)
_WORD_OPERATORS = frozenset(TERMINALS.values()) | {"SLIP_WORDS", "SLIP_LIKE"}
_SPLITS = {"SLIP_THOUSANDS"}


class Parsing(threading.local):
    """What one thread parses just now: lark's callbacks are shared, their builder is not."""

    builder: Builder
    text: str


_now = Parsing()


def parse(text: str, schema: Schema, log: Log, *, value: bool = False) -> Expr | None:
    """The expression of a rule's text, or None; what is wrong goes to the log.

    A text that does not parse gives the slips before its first syntax error and that error.
    With `value`, any value may stand for the rule (derived fields, query-builder fields).
    """
    if not check_size(text, log):
        return None
    if not text.strip():
        log.found.append(syntax_errors.empty_rule(text))
        return None
    builder = Builder(schema, log)
    _now.builder, _now.text = builder, text
    try:
        made = _lark().parse(text)
        return made if value else builder.truth(made)
    except TooMany:
        return None
    except UnexpectedCharacters as fault:
        log.found.append(syntax_errors.bad_character(text, fault.pos_in_stream))
    except UnexpectedToken as fault:
        log.found.append(_unexpected(fault, text))
    return None


def _unexpected(fault: UnexpectedToken, text: str) -> Diagnostic:
    token = fault.token
    expected = set(fault.accepts or fault.expected)
    return syntax_errors.unexpected(text, token.type, _start(token), _end(token), expected)


class _Tokens:
    """Between lexer and parser: words that are names, slips, limits."""

    always_accept = tuple(READERS)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """The tokens that the grammar knows; slips are reported and replaced."""
        log, text = _now.builder.log, _now.text
        limits = Limits(text, log)
        before = ""
        pending: list[Token] = []
        while True:
            token = pending.pop() if pending else next(stream, None)
            if token is None:
                return
            kind = token.type
            if kind in _WORD_OPERATORS and before not in _VALUE_ENDS and _may_be_name(token):
                token.type = kind = "NAME"
            elif kind == "STRING" and before == "INFIX:matches":
                token.type = kind = "PATTERN"
            elif kind in READERS:
                following = next(stream, None) if kind == "SLIP_LIKE" else None
                pending.extend(reversed(_meant(token, following, limits.in_list, log)))
                continue
            limits.see(token)
            if kind == "INFIX" and token.lower() == "matches":
                kind = "INFIX:matches"
            if kind != "NOT" or before not in _VALUE_ENDS:
                before = kind
            yield token


def _may_be_name(word: str) -> bool:
    return word.isidentifier() and word.lower() not in RESERVED


def _meant(token: Token, following: Token | None, in_list: bool, log: Log) -> list[Token]:
    """The tokens in place of a slip; inside a list `100,200` is two values and no slip."""
    if token.type in _SPLITS and in_list:
        return _values(token)
    reading = READERS[token.type](str(token), None if following is None else str(following))
    last = following if reading.takes_next and following is not None else token
    if reading.message:
        span = Span(_start(token), _end(last))
        log.slip(reading.code, reading.message, span, *reading.fixes)
    made = [Token.new_borrow_pos(kind, value, token) for kind, value in reading.tokens]
    for item in made:
        item.end_pos = _end(last)
    return made + ([following] if following is not None and not reading.takes_next else [])


def _values(token: Token) -> list[Token]:
    made = []
    for found in re.finditer(r"[0-9.]+|,", token):
        start = _start(token) + found.start()
        kind = "_COMMA" if found[0] == "," else "NUMBER"
        made.append(Token(kind, found[0], start, end_pos=start + len(found[0])))
    return made


def _start(token: Token) -> int:
    return token.start_pos or 0


def _end(token: Token) -> int:
    return token.end_pos or 0


@cache
def _lark() -> Lark:
    return Lark(
        grammar(),
        parser="lalr",
        lexer="basic",
        postlex=_Tokens(),
        transformer=Callbacks(_now),
        edit_terminals=_with_words,
        maybe_placeholders=False,
    )


def grammar() -> str:
    """The text of audience.lark: from the package, or from the repository it is developed in."""
    inside = resources.files("segment_engine") / "grammar" / "audience.lark"
    if inside.is_file():
        return inside.read_text("utf-8")
    return (Path(__file__).parents[2] / "grammar" / "audience.lark").read_text("utf-8")


def _with_words(terminal: TerminalDef) -> None:
    words = _words_of(terminal.name)
    if words:
        terminal.pattern = PatternRE("|".join(map(_word_pattern, sorted(words, key=_longest))))


@cache
def _by_terminal() -> dict[str, list[str]]:
    words: dict[str, list[str]] = {"SLIP_WORDS": list(WORDS)}
    for shape, terminal in TERMINALS.items():
        known = spelled(shape)
        words[terminal] = [word for word in known if not word.startswith("not ")]
    return words


def _words_of(terminal: str) -> list[str]:
    return _by_terminal().get(terminal, [])


def _longest(word: str) -> tuple[int, str]:
    return -len(word), word


def _word_pattern(word: str) -> str:
    if not word[0].isalpha():
        return re.escape(word)
    return r"(?ai:" + r"\s+".join(map(re.escape, word.split())) + r")(?!\w)"
