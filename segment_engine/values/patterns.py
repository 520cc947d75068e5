"""The portable regular expressions of `matches`: one meaning in DuckDB, Polars and Python.

A pattern searches: it may match anywhere in the text. In the subset are

- any character for itself, `.` for all but the newline, `^` and `$` for the ends of the text;
- `[a-z_]`, `[^0-9]`; a dash is literal first or last, any of `[ && ~~` wants a backslash;
- `\\d \\w \\s \\D \\W \\S` (also in a class) and `\\b`, all ASCII, `\\s` with the vertical tab;
- `\\n \\t \\r`; a backslash before ASCII punctuation or a space takes it literally;
- `( )` and `(?: )`, at most 50 inside one another, `|`, and empty alternatives;
- `* + ? {m} {m,} {m,n}`, lazy with a further `?`, which changes nothing for a search.

`]` and `}` alone stand for themselves, `{` must be escaped. What is repeated inside a repeat
multiplies to at most 1,000, where `{m,n}` counts n, `{m,}` counts m and `* + ?` count one.
A pattern also has a size, of at most 20,000, which is less than a third of what the engines
compile: 2 for a character; for a class 1 and 1 a range, 12 where it goes beyond ASCII; 2 for an
alternative; all times its repeats.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from segment_engine.values.pattern_automaton import Automaton
from segment_engine.values.pattern_syntax import Parser, PatternError
from segment_engine.values.pattern_tree import (
    LAST,
    Chars,
    Choice,
    Node,
    Place,
    Ranges,
    Repeat,
    Sequence,
    complement,
    take,
)

__all__ = ["Pattern", "PatternError", "parse_pattern"]


@dataclass(frozen=True)
class Pattern:
    """A checked pattern; equal and hashed by its text. Raises PatternError when it is outside."""

    text: str

    def __post_init__(self) -> None:
        _ = self._nodes

    def __reduce__(self) -> tuple[type["Pattern"], tuple[str]]:
        return Pattern, (self.text,)

    @cached_property
    def _nodes(self) -> tuple[Node, ...]:
        return Parser(self.text).parse()

    @cached_property
    def _automaton(self) -> Automaton:
        return Automaton(self._nodes)

    @cached_property
    def re2(self) -> str:
        """The pattern for DuckDB's `regexp_matches`, without options."""
        return _emit(self._nodes, {place: place.value for place in Place})

    @cached_property
    def rust(self) -> str:
        """The pattern for Polars' `str.contains`."""
        ascii_only = {Place.BOUNDARY: r"(?-u:\b)"}
        return _emit(self._nodes, {place: place.value for place in Place} | ascii_only)

    def search(self, text: str) -> bool:
        """Returns whether the pattern matches anywhere in `text`, in time linear in `text`."""
        return self._automaton.search(text)


def parse_pattern(text: str) -> Pattern:
    """Returns the pattern that `text` spells; raises PatternError with the place and a hint."""
    return Pattern(text)


# How tightly an emitted piece holds together.
_CHOICE, _SEQUENCE, _REPEATED, _ATOM = range(4)
_EMPTY: Final = "(?:)"
_SPECIAL: Final = frozenset("\\.+*?()|[]{}^$-&~#")
_NAMED: Final = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}
_SIGNS: Final = {(0, None): "*", (1, None): "+", (0, 1): "?"}


def _emit(nodes: Iterable[Node], places: Mapping[Place, str]) -> str:
    stack: list[tuple[str, int]] = []
    for node in nodes:
        match node:
            case Chars(ranges):
                piece = _emit_chars(ranges), _ATOM
            case Place():
                piece = places[node], _REPEATED
            case Sequence(count):
                parts = [_held(part, _SEQUENCE) for part in take(stack, count)]
                # DuckDB takes a sequence of nothing but empty parts for an empty text.
                joined = "".join(part for part in parts if part != _EMPTY)
                piece = (joined, _SEQUENCE) if joined else (_EMPTY, _ATOM)
            case Choice(count):
                piece = "|".join(text for text, _ in take(stack, count)), _CHOICE
            case Repeat(low, high):
                piece = _held(stack.pop(), _ATOM) + _emit_counts(low, high), _REPEATED
        stack.append(piece)
    return stack[0][0]


def _held(piece: tuple[str, int], level: int) -> str:
    text, holds = piece
    return text if holds >= level else f"(?:{text})"


def _emit_counts(low: int, high: int | None) -> str:
    if sign := _SIGNS.get((low, high)):
        return sign
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _emit_chars(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _emit_code(ranges[0][0])
    negated = ranges[-1][1] == LAST and ranges[0][0] == 0 and len(ranges) > 1
    listed = complement(ranges) if negated else ranges
    return f"[{'^' * negated}{''.join(_emit_range(low, high) for low, high in listed)}]"


def _emit_range(low: int, high: int) -> str:
    # Both engines refuse to name a surrogate.
    low = 0xE000 if 0xD800 <= low <= 0xDFFF else low
    high = 0xD7FF if 0xD800 <= high <= 0xDFFF else high
    if low > high:
        return ""
    return _emit_code(low) + ("" if low == high else f"-{_emit_code(high)}")


def _emit_code(code: int) -> str:
    character = chr(code)
    if character in _SPECIAL:
        return f"\\{character}"
    if character in _NAMED:
        return _NAMED[character]
    return character if code >= 0xA0 or 0x20 <= code < 0x7F else f"\\x{{{code:X}}}"
