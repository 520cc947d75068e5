"""Pictures of diagnostics: the line, a caret under the place, and how to mend it."""

import unicodedata

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.spans import Pointer

WIDTH = 100
"""Longer lines are cut around the place, in columns."""


def draw(item: Diagnostic, text: str) -> str:
    """The picture of a diagnostic in the rule `text`: some lines, without a final newline."""
    head = f"{item.severity}[{item.code}]: {item.message}"
    if isinstance(item.span, Pointer):
        return "\n".join([head, f"  --> {item.span.path or '(the whole rule)'}", *_advice(item)])
    start = min(item.span.start, len(text))
    number = text.count("\n", 0, start) + 1
    begin = text.rfind("\n", 0, start) + 1
    line = text[begin:].split("\n", 1)[0]
    first, last = start - begin, max(min(item.span.end - begin, len(line)), start - begin + 1)
    line, first, last = _crop(line, first, last)
    shown, before = _printable(line), _columns(_printable(line[:first]))
    carets = "^" * max(1, _columns(_printable(line[first:last])))
    gutter = str(number)
    blank = " " * len(gutter)
    rows = [head, f"{gutter} | {shown}", f"{blank} | {' ' * before}{carets}"]
    return "\n".join(rows + [f"{blank} {row}" for row in _advice(item)])


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
