"""Text whose pieces know what they are, so that every display colours the same things."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal, NamedTuple

Kind = Literal[
    "plain",
    "mark",  # brackets, commas
    "field",
    "operator",
    "keyword",
    "function",
    "text",
    "number",
    "time",
    "truth",
    "comment",
    "sql",
    "error",
    "warning",
    "hint",
]


class Word(NamedTuple):
    """A piece of text and what it is."""

    kind: Kind
    text: str


Words = tuple[Word, ...]


class Table(NamedTuple):
    """Rows below headings; the columns numbered in `right` are aligned there."""

    headings: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...]
    right: frozenset[int] = frozenset()


Block = Words | Table


def plain(words: Iterable[Word]) -> str:
    """The text alone."""
    return "".join(word.text for word in words)


def said(text: str, kind: Kind = "plain") -> Words:
    """All of the text as one word."""
    return (Word(kind, text),)


def joined(between: Words, parts: Sequence[Words]) -> Words:
    """The parts with the same words between every two."""
    apart = ((*between, *part) if at else part for at, part in enumerate(parts))
    return tuple(chain.from_iterable(apart))
