"""Pytest plugin: audiences of catalogs and their examples as tests. PYTEST_DONT_REWRITE"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.entries import Entry, Example
from segment_engine.catalog.findings import Finding, SourceText
from segment_engine.errors import SegmentError
from segment_engine.rule import Rule

OPTION, INI = "--segment-catalog", "segment_catalogs"
ENDINGS = (".yaml", ".yml", ".json")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, which may come again and again, and its setting."""
    group = parser.getgroup("segment-engine", "audiences and their examples")
    group.addoption(
        OPTION,
        action="append",
        default=[],
        metavar="PATH",
        help="a catalog of audiences, a file or a folder, to be tested with the rest",
    )
    parser.addini(INI, "catalogs of audiences, files or folders, to be tested", "paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Adds catalogs to what is collected; those of the setting as `testpaths` are."""
    asked = _asked(config)
    here = config.invocation_params.dir == config.rootpath
    if here and config.args_source is not config.ArgsSource.ARGS:
        asked += _set_down(config)
    for path in asked:
        if not path.exists():
            raise pytest.UsageError(f"{OPTION}, {INI}: there is no {path}")
    given = _arguments(config)
    config.args += [str(path) for path in dict.fromkeys(asked) if path not in given]


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """A catalog that was asked for and not found is none that passes."""
    seen = config.stash.get(_LOADED, {})
    for path in sorted(_arguments(config) & {*_asked(config), *_set_down(config)}):
        if not any(root == path or path in root.parents for root in seen):
            message = (
                f"nothing was collected from {path}: there is no {', '.join(ENDINGS)} file, "
                "or pytest leaves the folder out"
            )
            items.append(CatalogItem.from_parent(session, name=str(path), wrong=[message]))


def _asked(config: pytest.Config) -> list[Path]:
    return [_absolute(config, name) for name in config.getoption(OPTION)]


def _set_down(config: pytest.Config) -> list[Path]:
    return [_absolute(config, path) for path in config.getini(INI)]


def _arguments(config: pytest.Config) -> set[Path]:
    return {_absolute(config, argument.split("::")[0]) for argument in config.args}


def _absolute(config: pytest.Config, name: str | Path) -> Path:
    return Path(os.path.abspath(config.invocation_params.dir / name))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A file of a catalog that was named, or that is an argument itself; other YAML is not ours."""
    if file_path.suffix.lower() not in ENDINGS:
        return None
    named = {*_asked(parent.config), *_set_down(parent.config)}
    root = next((path for path in (file_path, *file_path.parents) if path in named), None)
    if root is None and not parent.session.isinitpath(file_path):
        return None
    return CatalogFile.from_parent(parent, path=file_path, root=root or file_path)


_LOADED = pytest.StashKey[dict[Path, Catalog | SegmentError]]()


class CatalogFile(pytest.File):
    """One file of a catalog; `root` is the whole catalog, the file itself or a folder."""

    def __init__(self, *, root: Path, **given: Any) -> None:
        super().__init__(**given)
        self.root = root

    def collect(self) -> Iterator[pytest.Item]:
        """Each audience of the file, and each of its examples."""
        catalog = self._catalog()
        beside = [f for f in catalog.findings if f.failing and f.key is None and self._has(f.file)]
        if beside:
            yield CatalogItem.from_parent(self, name="(catalog)", wrong=_drawn(beside))
        for entry in filter(lambda entry: self._has(entry.file), catalog.audiences.values()):
            yield AudienceItem.from_parent(self, name=entry.key, entry=entry)
            rule = catalog.rules.get(entry.key)
            for example in entry.examples:
                name = f"{entry.key}[{example.number}]"
                yield ExampleItem.from_parent(
                    self, name=name, entry=entry, example=example, rule=rule
                )

    def _has(self, file: SourceText) -> bool:
        return self.path.samefile(file.path)

    def _catalog(self) -> Catalog:
        """The whole catalog, read once for all of its files."""
        loaded = self.config.stash.setdefault(_LOADED, {})
        if self.root not in loaded:
            loaded[self.root] = _load(_shown(self.root))
        found = loaded[self.root]
        if isinstance(found, ValueError):
            raise self.CollectError(str(found))
        return found


def _load(path: Path) -> Catalog | SegmentError:
    try:
        return Catalog.load(path)
    except SegmentError as fault:
        return fault


def _shown(path: Path) -> Path:
    """From here where it lies below, as people name files."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _drawn(findings: Iterable[Finding]) -> list[str]:
    return [found.draw() for found in findings]


class CatalogItem(pytest.Item):
    """Passes where nothing is wrong; fails with the pictures of all that is."""

    def __init__(self, *, wrong: list[str], **given: Any) -> None:
        super().__init__(**given)
        self.wrong = wrong

    def runtest(self) -> None:
        """Raises `Wrong` with all that is."""
        if self.wrong:
            raise Wrong("\n".join(self.wrong))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """The pictures alone: no line of this plugin helps anybody."""
        if isinstance(excinfo.value, Wrong):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class Wrong(Exception):
    """What is wrong with a catalog, an audience or an example, as text."""


class AudienceItem(CatalogItem):
    """An audience: its rule or list, and whatever else is no example of it."""

    def __init__(self, *, entry: Entry, **given: Any) -> None:
        super().__init__(wrong=_drawn(entry.about(None)), **given)
        self.entry = entry

    def reportinfo(self) -> tuple[str, int, str]:
        """Where the audience begins; lines are from 0 here."""
        return self.entry.file.path, self.entry.at.start_mark.line, self.name


class ExampleItem(CatalogItem):
    """A consumer whom the rule keeps, or does not keep, as the example says."""

    def __init__(self, *, entry: Entry, example: Example, rule: Rule | None, **given: Any) -> None:
        super().__init__(wrong=_drawn(entry.about(example)), **given)
        self.entry, self.example, self.rule = entry, example, rule
        self.wrong += self._context if self.wrong else []

    def runtest(self) -> None:
        """Raises `Wrong` with the pictures, the consumer and the rule."""
        if self.entry.errors:
            pytest.skip(f"audience {self.entry.key!r} itself is wrong")
        super().runtest()

    @property
    def _context(self) -> list[str]:
        columns = {name: given.value for name, given in self.example.consumer.items()}
        consumer = json.dumps(columns, ensure_ascii=False, default=float)
        return [f"consumer  {consumer}", f"rule      {self.rule}"]

    def reportinfo(self) -> tuple[str, int, str]:
        """Where the example begins; lines are from 0 here."""
        return self.entry.file.path, self.example.node.start_mark.line, self.name
