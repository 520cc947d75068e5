"""Where the characters of a YAML value stand in its file, so that errors in a rule point there."""

import re
from collections.abc import Iterator

import yaml

from segment_engine.diagnostics.diagnostic import Diagnostic, Fix
from segment_engine.diagnostics.spans import Place, Pointer, Span

_ESCAPED = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|.)", re.S)
_BLANKS = " \t\r\n"


def offset_of(text: str, line: int, column: int) -> int:
    """The offset of a line and a column, both from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    return min(start + column - 1, len(text))


def span_of(node: yaml.Node) -> Span:
    """The first line of a node, in offsets of the file."""
    start, end = node.start_mark.index, node.end_mark.index
    return Span(start, max(end, start + 1))


def in_file(item: Diagnostic, node: yaml.Node, text: str) -> Diagnostic:
    """A finding in the rule that `node` holds, as one in the file's `text`."""
    places = [*characters(node, text)] if isinstance(node, yaml.ScalarNode) else []

    def moved(place: Place) -> Span:
        if isinstance(place, Pointer):
            return span_of(_below(node, place))
        start, end = (places[min(at, len(places) - 1)] for at in (place.start, place.end - 1))
        return Span(start, max(start, end) + 1) if place.end > place.start else Span(start, start)

    fixes = tuple(Fix(moved(fix.span), fix.replacement) for fix in item.fixes)
    return Diagnostic(
        item.code, item.message, moved(item.span), item.severity, fixes, item.near, item.help
    )


def characters(node: yaml.ScalarNode, text: str) -> Iterator[int]:
    """The offset of each character of a scalar's value, and of its end.

    What is no blank stands in the file in the same order; blanks may have come from line breaks
    and indentation, and lie where the last character ended.
    """
    at, end = _beginning(node, text), node.end_mark.index
    high: int | None = None
    for index, char in enumerate(node.value):
        if char not in _BLANKS:
            while at < end and (text[at] in _BLANKS or _continued(node, text, at)):
                at += 2 if text[at] == "\\" else 1
        width = _width(node, text, at)
        # Two escapes of surrogates are one character.
        if high is None and "\ud800" <= char <= "\udbff" and _is_low(node.value, index + 1):
            high = at
        else:
            yield min(at if high is None else high, max(end - 1, 0))
            high = None
        if char not in _BLANKS or (at < end and text[at] in (*_BLANKS, "\\")):
            at += width
    yield min(at, end)


def _is_low(value: str, at: int) -> bool:
    return "\udc00" <= value[at : at + 1] <= "\udfff"


def _beginning(node: yaml.ScalarNode, text: str) -> int:
    start: int = node.start_mark.index
    if node.style in ("'", '"'):
        return start + 1
    return text.find("\n", start) + 1 if node.style in ("|", ">") else start


def _continued(node: yaml.ScalarNode, text: str, at: int) -> bool:
    return node.style == '"' and text[at] == "\\" and text[at + 1 : at + 2] in ("\n", "\r")


def _width(node: yaml.ScalarNode, text: str, at: int) -> int:
    if node.style == "'" and text[at : at + 2] == "''":
        return 2
    escaped = _ESCAPED.match(text, at) if node.style == '"' else None
    return len(escaped[0]) if escaped else 1


def _below(node: yaml.Node, place: Pointer) -> yaml.Node:
    """The node under a JSON pointer, or the last one on the way there."""
    for step in place.path.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, yaml.MappingNode):
            inner = next((v for k, v in node.value if getattr(k, "value", None) == name), None)
        elif isinstance(node, yaml.SequenceNode) and name.isdigit():
            inner = next(iter(node.value[int(name) :]), None)
        else:
            inner = None
        if inner is None:
            return node
        node = inner
    return node
