"""One file of a catalog to its entries, as they are written; what is wrong is noted in place.

timezone: America/New_York
id: customer_id
schema: shop.yaml
audiences:
  loyal: totalOrders >= 3
  press:
    name: Press
    members: {file: press.csv, column: id}
  vips:
    rule: totalOrders > 10 and in audience "loyal"
    examples:
      - {consumer: {totalOrders: 11}, audiences: {loyal: true}, in: true}
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
EXAMPLE = "example"
"""The code of findings of examples."""
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
class Column:
    """What an example says of one source column: plain as JSON has it, and where it stands."""

    value: Any
    key: yaml.Node
    node: yaml.Node


@dataclass(frozen=True, slots=True)
class Example:
    """A consumer by source columns, and whether it has to be a member.

    `audiences` says in which others it is; `number` is its place among the examples, from 1.
    """

    number: int
    consumer: Mapping[str, Column]
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
        """What makes this audience wrong; an example may be the one that is wrong."""
        return [found for found in self.findings if found.failing and found.item.code != EXAMPLE]

    def about(self, example: Example | None) -> list[Finding]:
        """What is wrong with one of its examples, or all that is no example's."""
        spans = {e.number: span_of(e.node) for e in self.examples}
        wrong = [(found, _owner(found, spans)) for found in self.findings if found.failing]
        number = example and example.number
        return [found for found, owner in wrong if owner == number]

    def fault(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        """Notes what is wrong with this audience."""
        item = Diagnostic(code, message, span, help=help)
        self.findings.append(Finding(self.file, item, self.key))


def _owner(found: Finding, spans: Mapping[int, Span]) -> int | None:
    at = found.item.span
    if found.item.code != EXAMPLE or not isinstance(at, Span):
        return None
    return next((n for n, span in spans.items() if span.start <= at.start < span.end), None)


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
    unsettled: list[Finding] = field(default_factory=list)
    """Those of the findings that are about settings, such as an unknown `timezon:`."""


def read_part(file: SourceText) -> Part:
    """The entries of a file. Nothing is raised: what is wrong is in the findings."""
    part = Part(file)
    document = Document(file.text, file.path, RunError)
    root = document.root
    if isinstance(root, yaml.MappingNode) and _has_settings(root):
        part.settings = document.known(document.entries(root, _AUDIENCES), TOP_KEYS)
        part.named = "audiences" in part.settings
        root = part.settings.pop("audiences", None)
    part.unsettled = [_finding(file, fault) for fault in document.taken()] if part.named else []
    part.findings += [*part.unsettled, *(_finding(file, fault) for fault in document.taken())]
    if root is not None or not part.settings:
        part.entries = _entries(document, root, part)
    part.findings += [_finding(file, fault) for fault in document.taken()]
    return part


def _finding(
    file: SourceText, fault: Fault, key: str | None = None, code: str = "catalog"
) -> Finding:
    span = Span(fault.offset, fault.offset + 1)
    return Finding(file, Diagnostic(code, fault.message, span), key)


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
            examples = _read(document, entry)
            entry.findings += [_finding(file, fault, name) for fault in document.taken()]
            if examples is not None:
                _read_examples(document, entry, examples)
            first[name] = entry
        part.findings += [_finding(file, fault) for fault in document.taken()]
    if not root.value:
        document.entries(root, _AUDIENCES)
    return list(first.values())


def _read(document: Document, entry: Entry) -> yaml.Node | None:
    """Reads all but the examples, which are returned: they can be wrong without the audience."""
    node = entry.node
    if isinstance(node, yaml.MappingNode) and not _is_query(node):
        return _read_long(document, entry, node)
    entry.rule = _rule(document, node, entry.key)
    return None


def _is_query(node: yaml.MappingNode) -> bool:
    return any(getattr(key, "value", None) in QUERY_KEYS for key, _ in node.value)


def _rule(document: Document, node: yaml.Node, key: str) -> RuleSource | None:
    if isinstance(node, yaml.ScalarNode):
        return document.text(node, f"the rule of audience {key!r}")
    made: RuleSource = document.plain(node)
    return made


def _read_long(document: Document, entry: Entry, node: yaml.MappingNode) -> yaml.Node | None:
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
    return values.get("examples")


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


def _read_examples(document: Document, entry: Entry, node: yaml.Node) -> None:
    if entry.members is not None:
        document.fault(node, "a list of ids has no examples: there is no rule to try on them")
    elif not isinstance(node, yaml.SequenceNode):
        document.fault(node, f"examples want a list of {_EXAMPLE}")
    else:
        found = (_example(document, item, number) for number, item in enumerate(node.value, 1))
        entry.examples = tuple(example for example in found if example is not None)
    faults = document.taken()
    entry.findings += [_finding(entry.file, fault, entry.key, EXAMPLE) for fault in faults]


def _example(document: Document, node: yaml.Node, number: int) -> Example | None:
    values = document.known(document.entries(node, _EXAMPLE), EXAMPLE_KEYS)
    plain = {name: document.plain(value) for name, value in values.items() if name != "consumer"}
    consumer, member = values.get("consumer"), plain.get("in")
    audiences, as_of = plain.get("audiences", {}), plain.get("as_of")
    wrong = [
        (
            not isinstance(consumer, yaml.MappingNode),
            "an example wants `consumer:`, a mapping of columns",
        ),
        (not isinstance(member, bool), "an example wants `in:`, true or false"),
        (not _are_truths(audiences), "`audiences` says true or false for each key"),
        (not isinstance(as_of, str | None), "`as_of` is an ISO 8601 time"),
    ]
    for is_wrong, message in wrong if isinstance(node, yaml.MappingNode) and node.value else ():
        if is_wrong:
            document.fault(node, message)
    if any(is_wrong for is_wrong, _ in wrong):
        return None
    assert isinstance(consumer, yaml.MappingNode) and isinstance(member, bool)
    return Example(number, _columns(document, consumer), member, as_of, audiences, node)


def _columns(document: Document, node: yaml.MappingNode) -> dict[str, Column]:
    entries = document.entries(node, "columns") if node.value else []
    return {name: Column(document.plain(value), key, value) for name, key, value in entries}


def _are_truths(given: Any) -> bool:
    return isinstance(given, Mapping) and all(isinstance(value, bool) for value in given.values())
