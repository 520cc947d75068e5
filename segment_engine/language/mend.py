"""Mending: the fixes of the findings that have exactly one, applied to a rule's text."""

from collections.abc import Callable, Sequence

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.spans import Span

MAX_ROUNDS = 64
"""A round mends the innermost findings; those around them are looked at again after it."""

Edit = tuple[Span, str]


def mend(text: str, check: Callable[[str], Sequence[Diagnostic]]) -> tuple[str, list[Diagnostic]]:
    """The mended text, and what `check` still finds in it.

    `check` gives all findings of a text, as `Engine.diagnose`. An error with one fix is mended;
    one with several is left, and so is every fix around it: it would choose for the user.
    """
    found = check(text)
    for _ in range(MAX_ROUNDS):
        edits = _edits(found)
        if not edits:
            break
        text = apply(text, edits)
        found = check(text)
    return text, list(found)


def apply(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits made, none of which overlap."""
    for span, replacement in sorted(edits, key=lambda edit: edit[0].start, reverse=True):
        text = text[: span.start] + replacement + text[span.end :]
    return text


def _edits(found: Sequence[Diagnostic]) -> list[Edit]:
    """The fixes that are certain, the inner ones of those that overlap."""
    errors = [item for item in found if item.severity == "error"]
    unsure = [item.span for item in errors if len(item.fixes) != 1]
    chosen: list[Edit] = []
    for span, replacement in sorted(_single_fixes(errors), key=_length):
        taken = any(span.start < other.end and other.start < span.end for other, _ in chosen)
        if not taken and not any(_holds(span, place) for place in unsure):
            chosen.append((span, replacement))
    return chosen


def _single_fixes(errors: Sequence[Diagnostic]) -> list[Edit]:
    fixes = [item.fixes[0] for item in errors if len(item.fixes) == 1]
    return [(fix.span, fix.replacement) for fix in fixes if isinstance(fix.span, Span)]


def _length(edit: Edit) -> int:
    return edit[0].end - edit[0].start


def _holds(outer: Span, inner: object) -> bool:
    return isinstance(inner, Span) and outer.start <= inner.start and inner.end <= outer.end
