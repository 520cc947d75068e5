"""Pictures of diagnostics: the line, a caret under the place, and how to mend it."""

import unicodedata

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.spans import Pointer
from segment_engine.display.words import Word, Words, plain, said

WIDTH = 100
"""Longer lines are cut around the place, in columns."""


def draw(item: Diagnostic, text: str) -> str:
    """The picture of a diagnostic in the rule `text`: some lines, without a final newline."""
    return plain(drawn(item, text))


def drawn(item: Diagnostic, text: str) -> Words:
    """The words of `draw`, line breaks included."""
    head = (
        Word(item.severity, f"{item.severity}[{item.code}]"),
        Word("plain", f": {item.message}"),
    )
    if isinstance(item.span, Pointer):
        place = f"\n  --> {item.span.path or '(the whole rule)'}"
        return head + said("\n".join([place, *_advice(item)]))
    start = min(item.span.start, len(text))
    number = text.count("\n", 0, start) + 1
    begin = text.rfind("\n", 0, start) + 1
    line = text[begin:].split("\n", 1)[0].removesuffix("\r")
    first, last = start - begin, max(min(item.span.end - begin, len(line)), start - begin + 1)
    line, first, last = _crop(line, first, last)
    shown, before = _printable(line), _columns(_printable(line[:first]))
    carets = "^" * max(1, _columns(_printable(line[first:last])))
    gutter = str(number)
    blank = " " * len(gutter)
    place = f"\n{gutter} | {shown}\n{blank} | {' ' * before}"
    advice = "".join(f"\n{blank} {row}" for row in _advice(item))
    return (*head, Word("plain", place), Word(item.severity, carets), Word("plain", advice))


def _advice(item: Diagnostic) -> list[str]:
    rows = []
    if item.fixes:
        choices = " or ".join(f"`{_printable(fix.replacement)}`" for fix in item.fixes)
        rows.append(f"= fix: {choices}")
    elif item.near:
        rows.append("= did you mean " + ", ".join(item.near) + "?")
    if item.help:
        rows.append(f"= help: {item.help}")
    return rows


def _crop(line: str, first: int, last: int) -> tuple[str, int, int]:
    if len(line) <= WIDTH:
        return line, first, last
    begin = max(0, first - WIDTH // 2)
    end = min(len(line), begin + WIDTH)
    left, right = "…" * (begin > 0), "…" * (end < len(line))
    shift = len(left) - begin
    return left + line[begin:end] + right, first + shift, min(last, end) + shift


def _printable(text: str) -> str:
    """Every character visible and on one line, so that carets stand under what they mean."""
    return "".join(
        " " if char.isspace() else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def _columns(text: str) -> int:
    """Terminal columns: combining marks take none, wide characters two."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
