"""Audiences kept in one YAML or JSON file, or a folder of them, read and checked as a whole."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import yaml

from segment_engine.catalog.entries import Entry, Part, read_part
from segment_engine.catalog.examples import Trial
from segment_engine.catalog.findings import CatalogError, Finding, SourceText
from segment_engine.catalog.places import in_file, offset_of, span_of
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.spans import Span
from segment_engine.engine import Engine
from segment_engine.errors import RuleError, RunError, SchemaError, SegmentError, SourceError
from segment_engine.expression.placed_yaml import read_text, says_nothing
from segment_engine.expression.references import Failures, dependency_order, references
from segment_engine.expression.schema import Schema
from segment_engine.parts import part
from segment_engine.rule import AsOf, Rule

if TYPE_CHECKING:
    from segment_engine.batch.matcher import Matcher
    from segment_engine.batch.memberships import Memberships
    from segment_engine.batch.planned import RunPlan

ENDINGS = (".yaml", ".yml", ".json")
DEFAULT_ID = "id"


class Catalog:
    """The audiences of one or more files, checked; immutable.

    `audiences` has all entries by key, in the order of the files; `rules` the checked rules;
    `failed` the error of each audience that is wrong, or refers to one that is. `findings` are
    all of it, warnings and hints too, each at its line and column.

    An example that its rule does not bear out is a finding, and the catalog is not sound; the
    audience runs all the same, as a program does whose test fails.
    """

    def __init__(
        self, parts: Iterable[Part], schema: Schema | None = None, timezone: str | None = None
    ) -> None:
        """Made by `Catalog.load`. Raises CatalogError where the settings themselves are wrong."""
        self._parts = _without_schemas(tuple(parts))
        settings = _Settings(self._parts)
        self.id_column = settings.text("id") or DEFAULT_ID
        self.engine = settings.engine(schema, timezone)
        self.audiences: Mapping[str, Entry] = MappingProxyType(self._by_key())
        self.rules: dict[str, Rule] = {}
        self.lists: dict[str, tuple[Any, ...]] = {}
        for entry in self.audiences.values():
            self._check(entry)
        self._check_references()
        self._check_examples()
        if not self.audiences and self.sound:
            raise RunError("there are no audiences in the catalog")

    @classmethod
    def load(
        cls, *paths: str | Path, schema: Schema | None = None, timezone: str | None = None
    ) -> "Catalog":
        """The catalog in files, and in all YAML and JSON files under folders.

        `schema` and `timezone` take the place of what the files say. Raises CatalogError for
        wrong settings and RunError where nothing can be read; audiences that are wrong are in
        `failed`.
        """
        parts = {name: part_ for path in paths for name, part_ in _read(path)}
        return cls(parts.values(), schema, timezone)

    # ---- what was found

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything there is to say, in the order of the files."""
        found: list[Finding] = []
        for part_ in self._parts:
            found += [*part_.findings, *(f for entry in part_.entries for f in entry.findings)]
        return _in_order(self._parts, found)

    @cached_property
    def failed(self) -> Mapping[str, CatalogError]:
        """The audiences that cannot be computed, with what is wrong."""
        failed = {
            key: CatalogError(wrong)
            for key, entry in self.audiences.items()
            if (wrong := entry.errors)
        }
        return MappingProxyType(failed)

    @property
    def sound(self) -> bool:
        """Whether nothing at all is wrong, examples included."""
        return not any(finding.failing for finding in self.findings)

    # ---- checking

    def _by_key(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for entry in (entry for part_ in self._parts for entry in part_.entries):
            if found.setdefault(entry.key, entry) is not entry:
                _collide(entry, found[entry.key], f"{entry.key!r} stands twice")
        names = dict(found)
        for entry in found.values():
            name = entry.id
            if name is not None and names.setdefault(name, entry) is not entry:
                _collide(entry, names[name], f"{name!r} names two audiences")
        self.aliases = {name: entry.key for name, entry in names.items() if name not in found}
        return found

    def _check(self, entry: Entry) -> None:
        if entry.members is not None:
            self._check_list(entry)
        elif entry.rule is not None:
            self._check_rule(entry)

    def _check_rule(self, entry: Entry) -> None:
        assert entry.rule is not None
        try:
            rule = self.rules[entry.key] = self.engine.rule(entry.rule)
            found = rule.diagnostics
        except RuleError as fault:
            found = fault.diagnostics
        for item in found:
            self._note(entry.key, item)

    def _check_list(self, entry: Entry) -> None:
        given = entry.members
        assert given is not None
        ids: tuple[Any, ...] = given.ids
        if given.file is not None:
            path = os.path.join(os.path.dirname(entry.file.path), given.file)
            try:
                ids = tuple(part("lists").read_ids(path, given.column, self.id_column))
            except SourceError as fault:
                entry.fault("list", str(fault), span_of(entry.node))
                return
        self.lists[entry.key] = ids

    def _check_references(self) -> None:
        """Unknown audiences, cycles, and those that refer to what failed, with the path."""
        graph = {k: references(rule.expression, self.aliases) for k, rule in self.rules.items()}
        order = dependency_order(graph, self.audiences)
        for key, fault in order.faults.items():
            self._note(key, fault)
        failed = {key for key, entry in self.audiences.items() if entry.errors}
        failures = Failures(graph, failed)
        for key in order.keys:
            behind = None if key in failed else failures.behind(key)
            if behind is not None:
                failed.add(key)
                self._note(key, behind)

    def _check_examples(self) -> None:
        trial = Trial(self.engine, self.id_column, self.aliases)
        for key, entry in self.audiences.items():
            if entry.examples and key in self.rules and not entry.errors:
                for item in trial.of(self.rules[key], entry.examples):
                    entry.findings.append(Finding(entry.file, item, key))

    def _note(self, key: str, item: Diagnostic) -> None:
        entry = self.audiences[key]
        placed = in_file(item, entry.node, entry.file.text)
        entry.findings.append(Finding(entry.file, placed, key))

    # ---- running

    def materialize(
        self,
        source: Any,
        *,
        as_of: AsOf = None,
        engine: str = "snapshot",
        id_column: str | None = None,
        only: Iterable[str] | None = None,
        **options: Any,
    ) -> "Memberships":
        """The members of all audiences at one instant, as `Engine.materialize`.

        Audiences that are wrong are in `.failed` and stop no other. `only` are the keys to
        compute, beside those that they refer to; None is all. `options` are the others that
        `Engine.materialize` has. Raises CatalogError where a setting is unknown: a misspelt
        `timezone` would be another run.
        """
        wanted = set(self.audiences) if only is None else self._with_those_behind(only)
        made: Memberships = part("batch").materialize(
            self.engine,
            source=source,
            as_of=as_of,
            engine_name=engine,
            id_column=id_column or self.id_column,
            **options,
            **self._asked(wanted),
        )
        return made.in_order(key for key in self.audiences if key in wanted)

    def plan(self, source: Any = None, *, as_of: AsOf = None) -> "RunPlan":
        """What `materialize` would read and ask, as `Engine.plan`."""
        found: RunPlan = part("batch").plan(
            self.engine, source=source, as_of=as_of, **self._asked(set(self.audiences))
        )
        return found

    def matcher(self, *, as_of: AsOf = None, id_column: str | None = None) -> "Matcher":
        """All audiences as a function of one consumer, as `Engine.matcher`."""
        made: Matcher = part("matcher").matcher(
            self.engine,
            as_of=as_of,
            id_column=id_column or self.id_column,
            **self._asked(set(self.audiences)),
        )
        return made

    def _asked(self, wanted: set[str]) -> dict[str, Any]:
        if unsettled := [finding for part_ in self._parts for finding in part_.unsettled]:
            raise CatalogError(unsettled)
        failed: dict[str, SegmentError] = {k: v for k, v in self.failed.items() if k in wanted}
        sound = wanted - failed.keys()
        return {
            "rules": {k: rule for k, rule in self.rules.items() if k in sound},
            "lists": {k: ids for k, ids in self.lists.items() if k in sound},
            "failed": failed,
            "aliases": self.aliases,
        }

    def _with_those_behind(self, keys: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = [self.aliases.get(key, key) for key in keys]
        while waiting:
            key = waiting.pop()
            if key not in self.audiences:
                raise RunError(f"there is no audience {key!r} in the catalog")
            if key not in found:
                found.add(key)
                rule = self.rules.get(key)
                behind = references(rule.expression, self.aliases) if rule else ()
                waiting += [r.key for r in behind if r.key in self.audiences]
        return found

    def __len__(self) -> int:
        return len(self.audiences)

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} wrong" if self.failed else ""
        return f"<Catalog of {len(self)} audiences{failed}>"


def _in_order(parts: Iterable[Part], findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order of the files, and of their places there."""
    places = {part_.file.path: at for at, part_ in enumerate(parts)}
    return tuple(sorted(findings, key=lambda f: (places.get(f.file.path, -1), f.place)))


def _content(node: yaml.Node) -> Any:
    """What a node says, however it is written."""
    if isinstance(node, yaml.MappingNode):
        return {str(_content(key)): _content(value) for key, value in node.value}
    return [*map(_content, node.value)] if isinstance(node, yaml.SequenceNode) else node.value


def _collide(entry: Entry, first: Entry, message: str) -> None:
    """Both fail: nobody can tell which is meant."""
    for one, other in ((entry, first), (first, entry)):
        place = f"{other.file.path}:{other.at.start_mark.line + 1}"
        one.fault("catalog", f"{message}: also in {place}", span_of(one.at), "rename or remove one")


def _without_schemas(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The files that are not the schema of another one in the same folder."""
    named = {
        os.path.realpath(os.path.join(os.path.dirname(part_.file.path), node.value))
        for part_ in parts
        for node in [part_.settings.get("schema")]
        if isinstance(node, yaml.ScalarNode) and "\0" not in node.value
    }
    return tuple(part_ for part_ in parts if os.path.realpath(part_.file.path) not in named)


class _Settings:
    """Schema, time zone and id column, which one file says, or several say the same."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = tuple(parts)
        self.findings: list[Finding] = []

    def engine(self, schema: Schema | None, timezone: str | None) -> Engine:
        """The engine that is asked for. Raises CatalogError with all that is wrong."""
        zone = timezone or self.text("timezone")
        try:
            Engine(timezone=zone or "UTC")
        except RunError as fault:
            self._fault("timezone", str(fault))
            zone = None
        schema = schema or self._schema()
        if not self.findings:
            try:
                return Engine(schema, zone or "UTC")
            except SchemaError as fault:
                self._fault("schema", str(fault))
        raise CatalogError(_in_order(self._parts, self.findings))

    def text(self, name: str) -> str | None:
        """A setting that is a text; None where no file has it, or it is none."""
        found = self._one(name)
        if found is None:
            return None
        part_, node = found
        if isinstance(node, yaml.ScalarNode) and not says_nothing(node):
            return str(node.value)
        self.findings.append(_at(part_, node, f"`{name}` wants a text"))
        return None

    def _schema(self) -> Schema | None:
        found = self._one("schema")
        if found is None:
            return None
        part_, node = found
        if says_nothing(node):
            message = "`schema` wants its file, or the schema itself below it"
            self.findings.append(_at(part_, node, message))
            return None
        try:
            if isinstance(node, yaml.ScalarNode):
                return Schema.load(os.path.join(os.path.dirname(part_.file.path), node.value))
            start, end = node.start_mark, node.end_mark
            # The lines before it stay, so that its errors tell the lines of the file.
            before = "\n" * start.line + " " * start.column
            text = before + part_.file.text[start.index : end.index]
            return Schema.from_yaml(text, part_.file.path)
        except SchemaError as fault:
            self.findings += _in_schema(part_, node, str(fault))
            return None

    def _one(self, name: str) -> tuple[Part, yaml.Node] | None:
        held = [(part_, part_.settings[name]) for part_ in self._parts if name in part_.settings]
        for part_, node in held[1:]:
            if _content(node) != _content(held[0][1]):
                first = held[0][0].file.path
                message = f"`{name}` differs from that in {first}; say it in one file"
                self.findings.append(_at(part_, node, message))
        return held[0] if held else None

    def _fault(self, name: str, message: str) -> None:
        held = next((p for p in self._parts if name in p.settings), self._parts[0])
        node = held.settings.get(name)
        self.findings.append(_at(held, node, message))


def _in_schema(part_: Part, node: yaml.Node, told: str) -> Iterator[Finding]:
    """What is wrong in a schema that stands in the catalog's own file has places there."""
    for row in told.splitlines():
        inside = re.match(re.escape(part_.file.path) + r":([0-9]+):([0-9]+): ", row)
        if inside is None:
            yield _at(part_, node, row)
            continue
        at = offset_of(part_.file.text, int(inside[1]), int(inside[2]))
        yield Finding(part_.file, Diagnostic("schema", row[inside.end() :], Span(at, at + 1)))


def _at(part_: Part, node: yaml.Node | None, message: str) -> Finding:
    span = span_of(node) if node is not None else Span(0, 1)
    return Finding(part_.file, Diagnostic("catalog", message, span))


def _read(path: str | Path) -> Iterator[tuple[str, Part]]:
    """What the files say; other JSON than catalogs may lie in a folder beside them."""
    folder = os.path.isdir(path)
    for name in _files(path):
        part_ = read_part(SourceText(name, read_text(name, RunError)))
        if part_.named or not folder or not name.lower().endswith(".json"):
            yield name, part_


def _files(path: str | Path) -> list[str]:
    """The file, or those under the folder, hidden ones left out, in the order of their names."""
    if not os.path.isdir(path):
        return [str(path)]
    found = sorted(
        str(file)
        for file in Path(path).rglob("*")
        if file.suffix.lower() in ENDINGS
        and file.is_file()
        and not any(step.startswith(".") for step in file.relative_to(path).parts)
    )
    if not found:
        raise RunError(f"{path}: there is no {', '.join(ENDINGS)} file in the folder")
    return found
