"""Rules changed in their files: only a rule's own characters, everything around them as it was."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.entries import Entry, read_part
from segment_engine.catalog.findings import SourceText
from segment_engine.errors import OutputError
from segment_engine.language.layout import layout
from segment_engine.language.mend import mend

_BLOCKS = ("|", ">")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A file with some of its rules spelt anew: its new text, and the keys of those."""

    file: SourceText
    text: str
    keys: tuple[str, ...]


def formatted(catalog: Catalog) -> list[Rewritten]:
    """The files in which a right rule is not in its canonical layout."""
    wanted = {}
    for key, rule in catalog.rules.items():
        entry = catalog.audiences[key]
        if isinstance(entry.node, yaml.ScalarNode) and isinstance(entry.rule, str):
            block = entry.node.style in _BLOCKS
            wanted[key] = layout(entry.rule, rule.expression) if block else rule.text
    return _rewritten(catalog, wanted)


def mended(catalog: Catalog) -> list[Rewritten]:
    """The files in which a rule has findings with one fix each, those applied."""
    wanted = {}
    for key in catalog.failed:
        entry = catalog.audiences[key]
        if isinstance(entry.node, yaml.ScalarNode) and isinstance(entry.rule, str):
            text, _ = mend(entry.rule, catalog.engine.diagnose)
            wanted[key] = text.rstrip()
    return _rewritten(catalog, wanted)


def _rewritten(catalog: Catalog, wanted: Mapping[str, str]) -> list[Rewritten]:
    found: dict[str, list[Entry]] = {}
    for key, text in wanted.items():
        entry = catalog.audiences[key]
        if isinstance(entry.rule, str) and entry.rule.rstrip() != text:
            found.setdefault(entry.file.path, []).append(entry)
    return [_in_file(entries, wanted) for entries in found.values()]


def _in_file(entries: list[Entry], wanted: Mapping[str, str]) -> Rewritten:
    file = entries[0].file
    text = file.text
    for entry in sorted(entries, key=lambda entry: -entry.node.start_mark.index):
        assert isinstance(entry.node, yaml.ScalarNode)
        for start, end, spelt in _edits(entry.node, entry.flow, file.text, wanted[entry.key]):
            text = text[:start] + spelt + text[end:]
    keys = tuple(entry.key for entry in entries)
    _check_kept(file, text, {key: wanted[key] for key in keys})
    return Rewritten(file, text, keys)


def _check_kept(file: SourceText, text: str, changed: dict[str, str]) -> None:
    """Nothing may be written in which another audience, or another rule, is read."""
    if _rules(SourceText(file.path, text)) != {**_rules(file), **changed}:
        raise OutputError(f"{file.path}: its rules cannot be rewritten; change them by hand")


def _rules(file: SourceText) -> dict[str, Any]:
    rules = ((entry.key, entry.rule) for entry in read_part(file).entries)
    return {key: rule.rstrip() if isinstance(rule, str) else rule for key, rule in rules}


Edit = tuple[int, int, str]
"""A range of the file and what comes in its place; later ranges first."""


def _edits(node: yaml.ScalarNode, flow: bool, text: str, rule: str) -> Iterable[Edit]:
    start, end = node.start_mark.index, node.end_mark.index
    if node.style not in _BLOCKS:
        kept = text[start:end].rstrip()
        return [(start, start + len(kept), _scalar(node.style, flow, rule))]
    body = text.find("\n", start) + 1
    content = text[body:end]
    lines = [line for line in content.splitlines() if line.strip()]
    indent = min((len(line) - len(line.lstrip(" ")) for line in lines), default=2)
    spelt = "\n".join(" " * indent + line if line else "" for line in rule.split("\n"))
    edits = [(body, body + len(content.rstrip()), spelt)]
    # Folding would join the lines, and a comment would swallow what follows it.
    return [*edits, (start, start + 1, "|")] if "\n" in rule and node.style == ">" else edits


def _scalar(style: str | None, flow: bool, rule: str) -> str:
    """The rule on one line: as it was written, if it can be, else in quotes."""
    single = "'" + rule.replace("'", "''") + "'"
    spellings = {None: (rule, single), "'": (single,)}.get(style, ())
    return next((s for s in spellings if _reads_as(s, flow, rule)), _double(rule))


def _double(rule: str) -> str:
    return re.sub("[\x7f-\x9f]", lambda char: f"\\u{ord(char[0]):04x}", _dumped(rule))


def _dumped(rule: str) -> str:
    return json.dumps(rule, ensure_ascii=False)


def _reads_as(spelt: str, flow: bool, rule: str) -> bool:
    try:
        node = yaml.compose(f"[{spelt}]" if flow else f"key: {spelt}\nnext: 1", yaml.SafeLoader)
    except yaml.YAMLError:
        return False
    assert isinstance(node, yaml.CollectionNode)
    found = node.value[0] if flow else node.value[0][1]
    alone = len(node.value) == (1 if flow else 2)
    return alone and isinstance(found, yaml.ScalarNode) and found.value == rule
