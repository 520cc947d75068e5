"""YAML (and JSON) files read so that whatever is wrong in them is told with its place, all at once.

Scalars are taken as they are written: `00012` and `no` are texts.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from segment_engine.diagnostics.nearest import nearest
from segment_engine.errors import SegmentError

MAX_BYTES = 16 * 1024 * 1024

_NULL = "tag:yaml.org,2002:null"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{1,99})?(?:[eE][+-]?[0-9]{1,3})?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_QUOTING = "a text that holds `: `, or starts with a sign, stands in quotes or below a `|`"
_TAB = "a tab cannot stand here: indent with blanks"


class Fault(NamedTuple):
    """What is wrong at an offset of the text, in a line and a column, both from 1."""

    offset: int
    line: int
    column: int
    message: str


Entry = tuple[str, yaml.Node, yaml.Node]
"""A key, where it stands, and its value."""


def read_text(path: str | Path, error: type[SegmentError]) -> str:
    """The text of a UTF-8 file. Raises `error` where it cannot be read."""
    try:
        with open(path, "rb") as file:
            held = file.read(MAX_BYTES + 1)
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise error(f"{path}: {reason[:1].lower()}{reason[1:]}") from None
    except ValueError as fault:
        raise error(f"{str(path)!r}: {fault}") from None
    if len(held) > MAX_BYTES:
        raise error(f"{path}: the file is larger than {MAX_BYTES:,} bytes")
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = held.count(b"\n", 0, fault.start) + 1
        column = fault.start - held.rfind(b"\n", 0, fault.start)
        raise error(f"{path}:{line}:{column}: this is not UTF-8 text") from None


class Document:
    """One YAML text: its nodes, and what is wrong with them."""

    def __init__(self, text: str, name: str, error: type[SegmentError]) -> None:
        """`name` stands before the places in messages. What is no YAML is noted, and `broken`."""
        self._name, self._error = name, error
        self._faults: list[Fault] = []
        self.root = self._composed(text)
        self.broken = bool(self._faults)

    def _composed(self, text: str) -> yaml.Node | None:
        # JSON may be indented with tabs, and only there do they mean nothing.
        loose = text.replace("\t", " ") if text.lstrip().startswith(("{", "[")) else text
        try:
            return _Loader(loose).get_single_node()
        except yaml.MarkedYAMLError as fault:
            self._note(fault.problem_mark or fault.context_mark, _reason(fault))
        except yaml.reader.ReaderError as fault:
            before = text[: fault.position]
            column = len(before) - before.rfind("\n") - 1
            mark = yaml.Mark("", len(before), before.count("\n"), column, None, 0)
            self._note(mark, "this character cannot stand in YAML")
        except RecursionError:
            self._note(None, "this is nested too deep")
        return None

    def fault(self, node: yaml.Node, message: str) -> None:
        """Note what is wrong at a node."""
        self._note(node.start_mark, message)

    def place(self, node: yaml.Node) -> str:
        """`file:line` of a node."""
        return f"{self._name}:{node.start_mark.line + 1}"

    def _note(self, mark: yaml.Mark | None, message: str) -> None:
        at = (mark.index, mark.line + 1, mark.column + 1) if mark else (0, 1, 1)
        self._faults.append(Fault(*at, message))

    def _failure(self) -> SegmentError:
        rows = (f"{self._name}:{line}:{column}: {what}" for _, line, column, what in self._faults)
        return self._error("\n".join(rows))

    def taken(self) -> "list[Fault]":
        """What was noted since the last time, for whoever tells it in another way."""
        found, self._faults = sorted(self._faults), []
        return found

    def refuse(self) -> None:
        """Raises all that was noted, in the order of the file, if anything was."""
        self._faults.sort()
        if self._faults:
            raise self._failure()

    def entries(self, node: yaml.Node | None, wanted: str) -> list[Entry]:
        """The entries of a mapping; what is none, and keys that stand twice, are noted."""
        if node is None and self.broken:
            return []
        if node is None:
            self._note(None, f"the file is empty; it wants {wanted}")
            return []
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"this is {_kind(node)}, not {wanted}")
            return []
        if not node.value:
            self.fault(node, f"there is nothing in it; it wants {wanted}")
        first: dict[str, Entry] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if not isinstance(key, yaml.ScalarNode) or not name.strip():
                self.fault(key, "a key is a text that is not empty")
            elif name in first:
                line = first[name][1].start_mark.line + 1
                self.fault(
                    key, f"{name!r} stands twice, first in line {line}; rename or remove one"
                )
            else:
                first[name] = (_joined(name), key, value)
        return list(first.values())

    def known(self, entries: list[Entry], names: tuple[str, ...]) -> dict[str, yaml.Node]:
        """The values of known keys; other keys are noted, with the nearest known names."""
        for name, key, _ in entries:
            if name not in names:
                near = nearest(name, names)
                hint = (
                    f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(names)}"
                )
                self.fault(key, f"unknown key {name!r}; {hint}")
        return {name: value for name, _, value in entries if name in names}

    def text(self, node: yaml.Node, what: str) -> str | None:
        """A scalar as it is written; None, noted, for what is none or empty."""
        if not isinstance(node, yaml.ScalarNode):
            self.fault(node, f"{what} wants a text, not {_kind(node)}")
        elif says_nothing(node):
            self.fault(node, f"{what} is empty")
        else:
            return _joined(node.value)
        return None

    def plain(self, node: yaml.Node) -> Any:
        """The node as JSON has it: unquoted numbers, true, false and null, and texts."""
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item) for item in node.value]
        entries = self.entries(node, "a mapping") if node.value else []
        return {name: self.plain(value) for name, _, value in entries}


class _Loader(yaml.SafeLoader):
    """SafeLoader's nodes, without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (`*name`) are not read", mark)
        return super().compose_node(parent, index)


def says_nothing(node: yaml.Node) -> bool:
    """Whether a node is null, or blank text."""
    return node.tag == _NULL or (isinstance(node, yaml.ScalarNode) and not node.value.strip())


def _reason(fault: yaml.MarkedYAMLError) -> str:
    problem = fault.problem or "it cannot be read"
    if "\\t" in problem:
        return _TAB
    return problem if "aliases" in problem else f"this is no YAML: {problem}; {_QUOTING}"


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return "nothing" if node.tag == _NULL else f"the text {node.value[:40]!r}"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _joined(text: str) -> str:
    """Pairs of escaped surrogates, as JSON writes them, as the characters that they mean."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _scalar(node: yaml.ScalarNode) -> Any:
    if node.style is None:
        if node.value in _WORDS:
            return _WORDS[node.value]
        if _NUMBER.fullmatch(node.value):
            read: Callable[[str], Any] = int if node.value.lstrip("-").isdigit() else Decimal
            return read(node.value)
    return _joined(node.value)
