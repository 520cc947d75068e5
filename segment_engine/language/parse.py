"""Text to expression. The only user of lark: its tree never exists, callbacks build at once."""

import re
import sys
import threading
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lark import Lark
from lark.common import LexerConf
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.grammar import Rule
from lark.lexer import Lexer, LexerState, PatternRE, TerminalDef

from segment_engine.diagnostics.diagnostic import Diagnostic, Log
from segment_engine.diagnostics.spans import Span
from segment_engine.expression.build import Builder, TooMany
from segment_engine.expression.nodes import Expr
from segment_engine.expression.schema import Schema
from segment_engine.expression.spelling import RESERVED, spell
from segment_engine.language import syntax_errors
from segment_engine.language.callbacks import Callbacks
from segment_engine.language.limits import (
    MAX_DEPTH,
    MAX_FINDINGS,
    Limits,
    check_size,
    too_deep,
    too_many_findings,
)
from segment_engine.language.misspellings import READERS, TERMINALS, WORDS
from segment_engine.operators.table import spelled

_VALUE_ENDS = frozenset(
    {"NAME", "QUOTED_NAME", "DOTKEY", "NUMBER", "STRING", "PATTERN", "MONEY", "TRUE", "FALSE"}
    | {"NULL", "MOMENT", "DURATION", "RPAR", "RSQB"}
)
_WORD_OPERATORS = frozenset(TERMINALS.values()) | {"SLIP_WORDS", "SLIP_LIKE"}
_SPLITS = {"SLIP_THOUSANDS"}


class Parsing(threading.local):
    """What one thread parses just now: lark's callbacks are shared, their builder is not."""

    builder: Builder
    text: str
    deepest: int


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
        made: Any = _lark().parse(text)
        rule: Expr = made if value else builder.truth(made)
        if _now.deepest > MAX_DEPTH // 2 and not value:
            _refuse_deeper_spelling(rule, text, schema, log)
        return rule
    except TooMany:
        return None
    except UnexpectedCharacters as fault:
        log.found.append(syntax_errors.bad_character(text, fault.pos_in_stream or 0))
    except UnexpectedToken as fault:
        log.found.append(_unexpected(fault, text))
    return None


def _refuse_deeper_spelling(rule: Expr, text: str, schema: Schema, log: Log) -> None:
    """Canonical text brackets `and` inside `or`: it must be within the limits too."""
    canonical, found = spell(rule), Log()
    if canonical != text and not log.failed:
        parse(canonical, schema, found)
        if found.failed:
            too_deep(log, Span(0, len(text)))


def _unexpected(fault: UnexpectedToken, text: str) -> Diagnostic:
    token = fault.token
    expected = set(fault.accepts or fault.expected)
    return syntax_errors.unexpected(text, token.type, _start(token), _end(token), expected)


class Word(str):
    """A token: lark asks for no more, and its own compares in Python whenever it is looked up."""

    __slots__ = ("end_pos", "start_pos", "type")
    line = column = end_line = end_column = None

    type: str
    start_pos: int
    end_pos: int


def _word(kind: str, text: str, start: int, end: int) -> Word:
    token = Word(text)
    token.type, token.start_pos, token.end_pos = kind, start, end
    return token


class _Lexer(Lexer):
    """One regular expression over all terminals; lark's own lexer counts lines and columns too."""

    __future_interface__ = 2

    def __init__(self, conf: LexerConf) -> None:
        terminals = [item for item in conf.terminals if item.name not in conf.ignore]
        self._any = re.compile(_one_pattern(terminals)).match
        self._keywords = _keywords(terminals)

    def lex(self, lexer_state: LexerState, parser_state: object) -> Iterator[Any]:
        """The tokens of the text, white space and comments left out."""
        assert lexer_state.text is not None
        text = lexer_state.text.text
        assert isinstance(text, str)
        return self.words(text)

    def words(self, text: str, at: int = 0) -> Iterator[Word]:
        """The tokens from an offset on."""
        keywords, match, end = self._keywords, self._any, len(text)
        while at < end:
            name = _NAME(text, at)
            if name is not None and name[1].lower() not in keywords:
                at = name.end()
                yield _word("NAME", name[1], name.start(1), at)
                continue
            found = match(text, at)
            if found is None:
                raise UnexpectedCharacters(text, _after_blank(text, at), 1, 1)  # type: ignore[no-untyped-call]
            kind, at = found.lastgroup, found.end()
            if kind is not None:
                yield _word(kind, found[kind], found.start(kind), at)


_BLANK = r"(?:\s|#[^\n]*)*+"
_NAME = re.compile(rf"{_BLANK}([^\W\d]\w*)").match


def _one_pattern(terminals: list[TerminalDef]) -> str:
    """The terminals in lark's order: priority, then the longer pattern."""
    terminals = sorted(terminals, key=lambda item: (-item.priority, -item.pattern.max_width))
    choices = "|".join(f"(?P<{item.name}>{item.pattern.to_regexp()})" for item in terminals)
    return rf"{_BLANK}(?:{choices}|\Z)"


def _keywords(terminals: list[TerminalDef]) -> frozenset[str]:
    """Every word in a pattern: all other words are names, without a look at the patterns."""
    return frozenset(
        found for item in terminals for found in re.findall("[a-z]+", item.pattern.to_regexp())
    )


def _after_blank(text: str, at: int) -> int:
    blank = re.compile(_BLANK).match(text, at)
    return min(blank.end() if blank else at, len(text) - 1)


class _Tokens:
    """Between lexer and parser: words that are names, slips, limits."""

    always_accept = tuple(READERS)

    def process(self, stream: Iterator[Word]) -> Iterator[Word]:
        """The tokens that the grammar knows; slips are reported and replaced."""
        log, text = _now.builder.log, _now.text
        found = log.found
        _now.deepest = 0
        limits = Limits(text, log)
        watched = limits.watched
        before = previous = ""
        pending: list[Word] = []
        while True:
            token = pending.pop() if pending else next(stream, None)
            if token is None:
                return
            if len(found) >= MAX_FINDINGS:
                raise too_many_findings(log, Span(_start(token), _end(token)))
            kind = token.type
            if kind in _WORD_OPERATORS:
                if before not in _VALUE_ENDS and _may_be_name(token):
                    token.type = kind = "NAME"
            elif kind == "STRING" and before == "INFIX:matches":
                token.type = kind = "PATTERN"
            if kind in READERS:
                following = next(stream, None) if kind == "SLIP_LIKE" else None
                pending.extend(reversed(_meant(token, following, limits.in_list, log)))
                continue
            if watched is None or kind in watched:
                limits.see(token, previous)
                _now.deepest = limits.deepest
            previous = kind
            if kind == "INFIX" and token.lower() == "matches":
                kind = "INFIX:matches"
            if kind != "NOT" or before not in _VALUE_ENDS:
                before = kind
            yield token


def _may_be_name(word: str) -> bool:
    return word.isidentifier() and word.lower() not in RESERVED


def _meant(token: Word, following: Word | None, in_list: bool, log: Log) -> list[Word]:
    """The tokens in place of a slip; inside a list `100,200` is two values and no slip."""
    if token.type in _SPLITS and in_list:
        return _values(token)
    reading = READERS[token.type](str(token), None if following is None else str(following))
    last = following if reading.takes_next and following is not None else token
    if reading.message:
        span = Span(_start(token), _end(last))
        log.slip(reading.code, reading.message, span, *(_apart(fix, span) for fix in reading.fixes))
    start, end = _start(token), _end(last)
    made = [_word(kind, value, start, end) for kind, value in reading.tokens]
    return made + ([following] if following is not None and not reading.takes_next else [])


def _apart(fix: str, span: Span) -> str:
    """The fix with a blank where it would grow together with a word beside it: `3&&x`."""
    text = _now.text
    before, after = text[max(0, span.start - 1) : span.start], text[span.end : span.end + 1]
    left = " " if _WORDS_MEET.fullmatch(before + fix[:1]) else ""
    right = " " if _WORDS_MEET.fullmatch(fix[-1:] + after) else ""
    return f"{left}{fix}{right}"


_WORDS_MEET = re.compile(r"\w\w")


def _values(token: Word) -> list[Word]:
    made = []
    for found in re.finditer(r"[0-9.]+|,", token):
        start = _start(token) + found.start()
        kind = "_COMMA" if found[0] == "," else "NUMBER"
        made.append(_word(kind, found[0], start, start + len(found[0])))
    return made


def _start(token: Word) -> int:
    return token.start_pos or 0


def _end(token: Word) -> int:
    return token.end_pos or 0


@cache
def _lark() -> Lark:
    made = Lark(
        grammar(),
        parser="lalr",
        lexer=_Lexer,
        postlex=_Tokens(),
        transformer=Callbacks(_now),
        edit_terminals=_with_words,
        maybe_placeholders=False,
    )
    _with_plain_names(made)
    return made


def _with_plain_names(made: Lark) -> None:
    """Lark's tables are keyed by its own tokens and by copies of its rules, which compare in
    Python: a third of all time. The same tables with plain strings and one object a rule do not.
    """
    driver: Any = made.parser.parser.parser
    one = {rule: rule for rule in driver.callbacks}
    for rule in one:
        if isinstance(rule, Rule):
            rule.origin.name = sys.intern(str(rule.origin.name))
    states = driver.parse_table.states
    for state, actions in states.items():
        states[state] = {
            sys.intern(str(name)): (action, one.get(target, target))
            for name, (action, target) in actions.items()
        }


class Partial:
    """A parse of a text's beginning, on which further tokens can be tried."""

    def __init__(self, text: str, schema: Schema) -> None:
        _now.builder, _now.text = Builder(schema, Log()), text
        self._parser: Any = _lark().parse_interactive("")
        self._text = text

    def tokens(self) -> Iterator[Word]:
        """The tokens of the text, whatever is in it; raises TooMany beyond the limits."""
        return _Tokens().process(self._readable())

    def _readable(self) -> Iterator[Word]:
        """Also characters that begin no token, as one of the kind UNREADABLE."""
        connected: Any = _lark().parser.lexer
        at = 0
        while at < len(self._text):
            try:
                yield from connected.lexer.words(self._text, at)
                return
            except UnexpectedCharacters as fault:
                found = _UNREADABLE.match(self._text, fault.pos_in_stream or 0)
                assert found is not None
                at = found.end()
                yield _word("UNREADABLE", found[0], found.start(), at)

    def accepts(self) -> frozenset[str]:
        """The kinds of tokens that may come next."""
        return frozenset(map(str, self._parser.accepts()))

    def stack(self, *kinds: str) -> list[Any] | None:
        """The tokens and expressions held after tokens of these kinds; None where refused."""
        ahead = self._parser.copy(deepcopy_values=False)
        try:
            for kind in kinds:
                ahead.feed_token(_made_up(kind))
        except UnexpectedToken:
            return None
        return list(ahead.parser_state.value_stack)

    def feed(self, token: Word) -> None:
        """Goes on by a token that may come next."""
        self._parser.feed_token(token)

    def fill(self, kind: str) -> None:
        """Goes on by a token that nobody wrote."""
        self._parser.feed_token(_made_up(kind))


_UNREADABLE = re.compile(r"""["'`][^\n]*|[\w.]+|.""", re.S)
_MADE_UP = {
    "COMPARE": "=",
    "POSTFIX": "exists",
    "STRING": '""',
    "LISTED": "in",
    "BETWEEN": "between",
}


def _made_up(kind: str) -> Any:
    return _word(kind, _MADE_UP.get(kind, "_"), 0, 0)


def bare_parser() -> Lark:
    """Lark's own LALR parser of the same grammar, to trees: the baseline of a benchmark."""
    return Lark(grammar(), parser="lalr", lexer="basic", edit_terminals=_with_words)


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
