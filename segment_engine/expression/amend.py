"""Slips that were noted word by word, told better where the whole comparison is known."""

import re
from dataclasses import replace

from segment_engine.diagnostics.diagnostic import Diagnostic, Fix, Log
from segment_engine.diagnostics.spans import Span
from segment_engine.expression.nodes import Constant, Expr
from segment_engine.operators.row import Operator, Shape
from segment_engine.values.moments import MICROSECONDS, UNITS, Shifted
from segment_engine.values.paths import quote
from segment_engine.values.types import FAULTY

_TRUTHS = {"yes": "true", "no": "false"}
_AMOUNTS = re.compile("`(?:is )?(less than|at most|more than|greater than|at least)` is spelt")
_WORDS = {
    ("less than", "ago"): "within last",
    ("at most", "ago"): "within last",
    ("more than", "ago"): "older than",
    ("greater than", "ago"): "older than",
    ("at least", "ago"): "older than",
    ("less than", "now"): "within next",
    ("at most", "now"): "within next",
}


def amend(log: Log, op: Operator, left: Expr, rights: list[Expr]) -> None:
    """Tells the slips of a comparison as what they are in it."""
    if not log.found:
        return
    _bare_words(log, op, left, rights)
    if len(rights) == 1 and isinstance(rights[0], Constant):
        _amount_of_time(log, left, rights[0])


def _bare_words(log: Log, op: Operator, left: Expr, rights: list[Expr]) -> None:
    """Texts without their quotes were reported as unknown fields."""
    words = [word for right in rights for word in _listed(right) if _is_bare(word)]
    spans = {word.span: str(word.value) for word in words}
    for at in range(max(0, len(log.found) - 2 * len(words) - 8), len(log.found)) if words else ():
        item = log.found[at]
        if item.code == "unknown-field" and item.span in spans:
            log.found[at] = _quoted(item, op, left, spans[item.span])


def _listed(right: Expr) -> tuple[Constant, ...]:
    if not isinstance(right, Constant):
        return ()
    return right.value if isinstance(right.value, tuple) else (right,)


def _is_bare(word: Expr) -> bool:
    return word.type is FAULTY and isinstance(word, Constant) and isinstance(word.value, str)


def _quoted(item: Diagnostic, op: Operator, left: Expr, word: str) -> Diagnostic:
    if op.shape is Shape.LASTING:
        return _one_unit(item, word.lower())
    choices = _meant(left.type.family, word)
    if not choices:
        return item
    if item.near:
        return replace(item, help=f"a text stands in quotes: {choices[0]}")
    return replace(item, fixes=tuple(Fix(item.span, text) for text in choices), help=None)


def _one_unit(item: Diagnostic, unit: str) -> Diagnostic:
    """`within last day`; that of a longer unit may also mean the whole one on the calendar."""
    if unit not in UNITS:
        return replace(item, help="write a length of time, such as `30 days`")
    if unit in (*MICROSECONDS, "day"):
        return replace(item, fixes=(Fix(item.span, f"1 {unit}"),), help=None)
    return replace(item, help=f"write `1 {unit}`, or `during last {unit}` for the whole {unit}")


def _meant(family: str, word: str) -> tuple[str, ...]:
    truth = _TRUTHS.get(word.lower())
    if family == "boolean":
        return (truth,) if truth else ()
    quoted = (quote(word),) if family in ("text", "list", "any", "faulty") else ()
    return (truth, *quoted) if truth and family == "any" else quoted


def _amount_of_time(log: Log, left: Expr, right: Constant) -> None:
    """`less than 30 days ago` is later than that, not `<`."""
    item = log.found[-1]
    spelt = _AMOUNTS.match(item.message)
    if spelt is None or not isinstance(right.value, Shifted):
        return
    length, _, way = right.value.text.replace(" from now", " now").rpartition(" ")
    words = _WORDS.get((spelt[1], way))
    match left.span, item.span, right.span:
        case Span() as before, Span() as at, Span() as after if words and before.end <= at.start:
            message = f"`{spelt[1]} {right.value.text}` is spelt `{words} {length}`"
            span = at.to(after)
            fixes = (Fix(span, f"{words} {length}"),)
            log.found[-1] = replace(item, message=message, span=span, fixes=fixes)
