"""Audiences as a file: a YAML or JSON map of keys to rules."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from segment_engine.engine import RuleSource
from segment_engine.errors import RunError
from segment_engine.expression.placed_yaml import Document, read_text

_WANTED = "a map of audience keys to rules, such as `vips: totalOrders > 10`"


@dataclass(frozen=True, slots=True)
class Audience:
    """A rule as it is written, and the `file:line` of its key."""

    rule: RuleSource
    place: str


def read_audiences(path: Path) -> dict[str, Audience]:
    """The audiences by key, in the order of the file. Raises RunError with all that is wrong."""
    document = Document(read_text(path, RunError), str(path), RunError)
    found: dict[str, Audience] = {}
    for name, key, value in document.entries(document.root, _WANTED):
        rule = _rule(document, name, value)
        if rule is not None:
            found[name] = Audience(rule, document.place(key))
    document.refuse()
    return found


def _rule(document: Document, name: str, node: yaml.Node) -> RuleSource | None:
    if isinstance(node, yaml.MappingNode | yaml.SequenceNode):
        made: RuleSource = document.plain(node)
        return made
    return document.text(node, f"the rule of audience {name!r}")
