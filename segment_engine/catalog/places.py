"""Where the characters of a YAML value stand in its file, so that errors in a rule point there."""

import re
from collections.abc import Iterator

import yaml

from segment_engine.diagnostics.diagnostic import Diagnostic, Fix
from segment_engine.diagnostics.spans import Place, Pointer, Span

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_BLANKS = " \t\r\n\x85\u2028\u2029"
_PROPERTIES = re.compile(r"(?:[!&]\S*|#[^\r\n]*|\s)*")
_ESCAPED = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|.)|.", re.S)
_QUOTED = re.compile("''|.", re.S)
_ANY = re.compile(".", re.S)


def offset_of(text: str, line: int, column: int) -> int:
    """The offset of a line and a column, both from 1, lines counted as YAML does."""
    start = 0
    for _ in range(line - 1):
        found = _BREAK.search(text, start)
        start = found.end() if found else len(text)
    return min(start + column - 1, len(text))


def span_of(node: yaml.Node) -> Span:
    """A node in offsets of the file, never empty."""
    start, end = node.start_mark.index, node.end_mark.index
    return Span(start, max(end, start + 1))


def in_file(item: Diagnostic, node: yaml.Node, text: str) -> Diagnostic:
    """A finding in the rule that `node` holds, as one in the file's `text`."""
    places = [*characters(node, text)] if isinstance(node, yaml.ScalarNode) else []

    def moved(place: Place) -> Span:
        if isinstance(place, Pointer):
            return span_of(_below(node, place))
        first, last = (places[min(at, len(places) - 1)] for at in (place.start, place.end - 1))
        return Span(first[0], last[1] if place.end > place.start else first[0])

    fixes = tuple(Fix(moved(fix.span), fix.replacement) for fix in item.fixes)
    return Diagnostic(
        item.code, item.message, moved(item.span), item.severity, fixes, item.near, item.help
    )


def characters(node: yaml.ScalarNode, text: str) -> Iterator[tuple[int, int]]:
    """Where each character of a scalar's value, and then its end, starts and ends in the file.

    What is no blank stands there in the same order; blanks may have come from line breaks and
    indentation, and lie between what stands around them.
    """
    solid = _solid(node, text)
    at, last = _beginning(node, text), node.end_mark.index
    coming = next(solid, None)
    begun: int | None = None
    for index, char in enumerate(node.value):
        room = at + 1 if coming is None else min(at + 1, coming[0])
        start, end = at, min(room, last)
        if char not in _BLANKS and coming is not None:
            (start, end), coming = coming, next(solid, None)
        at = end
        begun = start if begun is None else begun
        # Two escapes of surrogates are one character.
        if not (_is_high(char) and _is_low(node.value[index + 1 : index + 2])):
            yield begun, end
            begun = None
    yield min(at, last), min(at, last)


def _is_high(char: str) -> bool:
    return "\ud800" <= char <= "\udbff"


def _is_low(char: str) -> bool:
    return "\udc00" <= char <= "\udfff"


def _beginning(node: yaml.ScalarNode, text: str) -> int:
    properties = _PROPERTIES.match(text, node.start_mark.index, node.end_mark.index)
    start: int = properties.end() if properties else node.start_mark.index
    if node.style in ("'", '"'):
        return start + 1
    header = _BREAK.search(text, start) if node.style in ("|", ">") else None
    return header.end() if header else start


def _solid(node: yaml.ScalarNode, text: str) -> Iterator[tuple[int, int]]:
    """Where each character that is no blank starts and ends in the file."""
    written = {'"': _ESCAPED, "'": _QUOTED}.get(node.style or "", _ANY)
    end = node.end_mark.index - (node.style in ("'", '"'))
    for found in written.finditer(text, _beginning(node, text), end):
        if not _is_blank(found[0]):
            yield found.span()


def _is_blank(written: str) -> bool:
    if len(written) == 1 or written[0] != "\\":
        return written in _BLANKS
    if written[1] in "xuU":
        return chr(int(written[2:], 16)) in _BLANKS
    return written[1] in _BLANKS + "ntrNLP"


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
