"""One file of a catalog to its entries, as they are written; what is wrong is noted in place.

timezone: America/New_York
id: customer_id
schema: shop.yaml
audiences:
  loyal: totalOrders >= 3
  press:
    name: Press
    members: {file: press.csv, column: id}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from segment_engine.catalog.findings import Finding, SourceText
from segment_engine.catalog.places import span_of
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.spans import Span
from segment_engine.engine import RuleSource
from segment_engine.errors import RunError
from segment_engine.expression.placed_yaml import Document, Fault, says_nothing

TOP_KEYS = ("timezone", "id", "schema", "audiences")
AUDIENCE_KEYS = ("id", "name", "description", "tags", "rule", "members", "examples")
LIST_KEYS = ("file", "column")
EXAMPLE_KEYS = ("consumer", "in", "as_of", "audiences")
QUERY_KEYS = {"combinator", "rules", "field", "operator"}
"""A mapping with one of these is query-builder JSON."""

_AUDIENCES = "a map of audience keys to rules, such as `vips: totalOrders > 10`"
_EXAMPLE = "`{consumer: {...}, in: true}`"
_LONG = "a rule, or a mapping with `rule:` or `members:`"


@dataclass(frozen=True, slots=True)
class IdList:
    """The members of a static audience: ids as they are written, or a file of them."""

    ids: tuple[str, ...] = ()
    file: str | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A consumer, and whether it has to be a member; `audiences` are those that it is in."""

    consumer: Mapping[str, Any]
    member: bool
    as_of: str | None
    audiences: Mapping[str, bool]
    node: yaml.Node


@dataclass(slots=True)
class Entry:
    """An audience as its file has it. `node` holds the rule or the list, `at` its key.

    `flow`: it stands within brackets, where YAML takes fewer texts without quotes.
    """

    key: str
    file: SourceText
    at: yaml.Node
    node: yaml.Node
    flow: bool = False
    rule: RuleSource | None = None
    members: IdList | None = None
    id: str | None = None
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """What makes this audience wrong."""
        return [found for found in self.findings if found.item.severity == "error"]

    def fault(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        """Notes what is wrong with this audience."""
        item = Diagnostic(code, message, span, help=help)
        self.findings.append(Finding(self.file, item, self.key))


@dataclass(slots=True)
class Part:
    """What one file says: the nodes of its settings, its entries, and what is wrong beside them.

    `named`: its audiences stand below `audiences:`; else they are the whole file.
    """

    file: SourceText
    named: bool = False
    settings: dict[str, yaml.Node] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_part(file: SourceText) -> Part:
    """The entries of a file. Nothing is raised: what is wrong is in the findings."""
    part = Part(file)
    document = Document(file.text, file.path, RunError)
    root = document.root
    if isinstance(root, yaml.MappingNode) and _has_settings(root):
        part.settings = document.known(document.entries(root, _AUDIENCES), TOP_KEYS)
        part.named = "audiences" in part.settings
        root = part.settings.pop("audiences", None)
    part.findings += [_finding(file, fault) for fault in document.taken()]
    if root is not None or not part.settings:
        part.entries = _entries(document, root, part)
    part.findings += [_finding(file, fault) for fault in document.taken()]
    return part


def _finding(file: SourceText, fault: Fault, key: str | None = None) -> Finding:
    span = Span(fault.offset, fault.offset + 1)
    return Finding(file, Diagnostic("catalog", fault.message, span), key)


def _has_settings(root: yaml.MappingNode) -> bool:
    """Whether `audiences:` holds the audiences, or there are settings alone.

    Else the whole mapping is audiences.
    """
    held = {str(getattr(key, "value", "")): value for key, value in root.value}
    named = held.get("audiences")
    if named is None:
        return bool(held) and held.keys() <= set(TOP_KEYS)
    return not isinstance(named, yaml.ScalarNode) or says_nothing(named)


def _entries(document: Document, root: yaml.Node | None, part: Part) -> list[Entry]:
    if not isinstance(root, yaml.MappingNode):
        document.entries(root, _AUDIENCES)
        return []
    file = part.file
    first: dict[str, Entry] = {}
    for key, value in root.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name.strip() and name in first:
            held = first[name]
            for here, there in ((held.at, key), (key, held.at)):
                message = f"{name!r} stands twice: also in line {there.start_mark.line + 1}"
                held.fault("catalog", message, span_of(here), "rename or remove one")
            continue
        alone = yaml.MappingNode(root.tag, [(key, value)], root.start_mark, root.end_mark)
        for name, at, node in document.entries(alone, _AUDIENCES):
            entry = Entry(name, file, at, node, bool(root.flow_style))
            _read(document, entry)
            entry.findings += [_finding(file, fault, name) for fault in document.taken()]
            first[name] = entry
        part.findings += [_finding(file, fault) for fault in document.taken()]
    if not root.value:
        document.entries(root, _AUDIENCES)
    return list(first.values())


def _read(document: Document, entry: Entry) -> None:
    node = entry.node
    if isinstance(node, yaml.MappingNode) and not _is_query(node):
        _read_long(document, entry, node)
    else:
        entry.rule = _rule(document, node, entry.key)


def _is_query(node: yaml.MappingNode) -> bool:
    return any(getattr(key, "value", None) in QUERY_KEYS for key, _ in node.value)


def _rule(document: Document, node: yaml.Node, key: str) -> RuleSource | None:
    if isinstance(node, yaml.ScalarNode):
        return document.text(node, f"the rule of audience {key!r}")
    made: RuleSource = document.plain(node)
    return made


def _read_long(document: Document, entry: Entry, node: yaml.MappingNode) -> None:
    values = document.known(document.entries(node, _LONG), AUDIENCE_KEYS)
    for name in ("id", "name", "description"):
        if name in values:
            setattr(entry, name, document.text(values[name], name) or "")
    if "tags" in values:
        entry.tags = tuple(_texts(document, values["tags"], "tags"))
    entry.flow = entry.flow or bool(node.flow_style)
    if "rule" in values:
        entry.node = values["rule"]
        entry.rule = _rule(document, entry.node, entry.key)
    if "members" in values:
        entry.members = _members(document, values["members"])
        if "rule" in values:
            document.fault(values["members"], "an audience has a rule or members, not both")
        entry.node = values["members"]
    if node.value and not {"rule", "members"} & set(values):
        document.fault(node, f"audience {entry.key!r} has no rule; it wants {_LONG}")
    if "examples" in values:
        entry.examples = tuple(_examples(document, values["examples"]))


def _texts(document: Document, node: yaml.Node, what: str) -> list[str]:
    if not isinstance(node, yaml.SequenceNode):
        document.fault(node, f"{what} want a list, such as [a, b]")
        return []
    found = (document.text(item, f"one of the {what}") for item in node.value)
    return [text for text in found if text is not None]


def _members(document: Document, node: yaml.Node) -> IdList:
    if isinstance(node, yaml.MappingNode):
        values = document.known(document.entries(node, "`file: ...`"), LIST_KEYS)
        if node.value and "file" not in values:
            document.fault(node, "members want a list of ids, or the `file:` that has them")
        read = {name: document.text(value, name) for name, value in values.items()}
        return IdList((), read.get("file"), read.get("column"))
    return IdList(tuple(dict.fromkeys(_texts(document, node, "members"))))


def _examples(document: Document, node: yaml.Node) -> list[Example]:
    if not isinstance(node, yaml.SequenceNode):
        document.fault(node, f"examples want a list of {_EXAMPLE}")
        return []
    found = (_example(document, item) for item in node.value)
    return [example for example in found if example is not None]


def _example(document: Document, node: yaml.Node) -> Example | None:
    values = document.known(document.entries(node, _EXAMPLE), EXAMPLE_KEYS)
    plain = {name: document.plain(value) for name, value in values.items()}
    consumer, member = plain.get("consumer"), plain.get("in")
    audiences, as_of = plain.get("audiences", {}), plain.get("as_of")
    wrong = [
        (not isinstance(consumer, Mapping), "an example wants `consumer:`, a mapping of columns"),
        (not isinstance(member, bool), "an example wants `in:`, true or false"),
        (not _are_truths(audiences), "`audiences` says true or false for each key"),
        (not isinstance(as_of, str | None), "`as_of` is an ISO 8601 time"),
    ]
    for is_wrong, message in wrong if isinstance(node, yaml.MappingNode) and node.value else ():
        if is_wrong:
            document.fault(node, message)
    if any(is_wrong for is_wrong, _ in wrong):
        return None
    assert isinstance(consumer, Mapping) and isinstance(member, bool)
    return Example(consumer, member, as_of, audiences, node)


def _are_truths(given: Any) -> bool:
    return isinstance(given, Mapping) and all(isinstance(value, bool) for value in given.values())
