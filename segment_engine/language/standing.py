"""Where a half-written rule stands: what the parser holds at its end and what it would take next.

What is wrong earlier in the text is read as the least that lets the parser go on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.expression.build import TooMany
from segment_engine.expression.nodes import Expr
from segment_engine.expression.schema import Schema
from segment_engine.language.limits import check_size
from segment_engine.language.misspellings import BEFORE_VALUES, TERMINALS
from segment_engine.language.parse import Partial, Word

MOST_WORDS = 5
"""No word of the language that is completed is made of more tokens, `30 days from now` of four."""
MOST_MENDED = 200

OPERATORS = frozenset(TERMINALS.values()) - BEFORE_VALUES
_FILLERS: tuple[tuple[str, ...], ...] = (
    *(("NAME",), ("_AND",), ("COMPARE",), ("RSQB",), ("STRING", "RSQB"), ("LPAR", "NAME", "RPAR")),
    *(("_AND", "NAME"), ("NAME", "_AND", "NAME"), ("POSTFIX",), ("COMPARE", "NAME")),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A place at which a token may begin.

    `stack` are the tokens and expressions that the parser holds there, `accepts` the kinds of
    tokens that it would take; `value` is the value just ended, where an operator or a sign may
    follow.
    `mended` says how often what stands before had to be read as something else.
    """

    start: int
    stack: Sequence[Any]
    accepts: frozenset[str]
    value: Expr | None
    mended: int


def standings(text: str, schema: Schema) -> list[Standing]:
    """The places at which what is being typed at the end of a text may have begun, last first.

    They are the end, unless a word touches it, and the beginnings of the last tokens. Empty in a
    comment and in a text beyond the limits.
    """
    if not check_size(text, Log()):
        return []
    try:
        return list(_standings(text, schema))[::-1][: MOST_WORDS + 1]
    except TooMany:
        return []


def _standings(text: str, schema: Schema) -> Iterator[Standing]:
    partial = Partial(text, schema)
    tokens = list(partial.tokens())
    end = tokens[-1].end_pos if tokens else 0
    if "#" in text[end:].rpartition("\n")[2]:
        return
    mended = 0
    for at, token in enumerate(tokens):
        if at >= len(tokens) - MOST_WORDS:
            yield _standing(token.start_pos, partial, mended)
        mended += _take(partial, token, mended < MOST_MENDED)
    if not tokens or end < len(text) or not _goes_on(tokens[-1]):
        yield _standing(len(text), partial, mended)


def _goes_on(token: Word) -> bool:
    """Whether what is typed behind the token belongs to it."""
    return token.type == "UNREADABLE" or token[-1:].isalnum() or token[-1:] == "_"


def _standing(start: int, partial: Partial, mended: int) -> Standing:
    accepts = partial.accepts()
    following = next(iter(sorted(accepts & {*OPERATORS, "PLUS"})), None)
    held = partial.stack(following) if following else None
    ended = [item for item in held[-3:-1] if not isinstance(item, Word)] if held else []
    value = ended[-1] if ended else None
    return Standing(start, partial.stack() or (), accepts, value, mended)


def _take(partial: Partial, token: Word, mends: bool) -> bool:
    """Feeds a token; whether something was put before it, or it fits nowhere and was left out."""
    if token.type == "UNREADABLE":
        return True
    if partial.stack(token.type) is not None:
        partial.feed(token)
        return False
    for kinds in _FILLERS if mends else ():
        if partial.stack(*kinds, token.type) is not None:
            for kind in kinds:
                partial.fill(kind)
            partial.feed(token)
            break
    return True
