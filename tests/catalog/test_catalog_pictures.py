"""Pictures of what is wrong in catalogs, as people see them, compared with those in `golden/`.

A case is a title behind `=== `, its files, each behind `>>> ` and its name, and behind `<<<` all
findings: pictures, or in `github.txt` the commands that GitHub shows. With
SEGMENT_ENGINE_REGENERATE=1 they are drawn anew: read them before you keep them.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from segment_engine.catalog.catalog import ENDINGS, Catalog
from segment_engine.catalog.findings import CatalogError, Finding
from segment_engine.diagnostics.spans import Span
from segment_engine.errors import SegmentError

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Case:
    """A small catalog: the golden file's own text of it, and the findings below that."""

    title: str
    written: str
    told: str

    @property
    def files(self) -> dict[str, str]:
        parts = re.split(r"^>>> (.+)\n", self.written, flags=re.M)[1:]
        return dict(zip(parts[::2], parts[1::2], strict=True))

    def load(self) -> Catalog:
        """The catalog, from its files in the folder where this runs."""
        for name, text in self.files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(text, "utf-8")
        catalogs = [name for name in self.files if name.endswith(ENDINGS)]
        return Catalog.load(catalogs[0] if len(catalogs) == 1 else ".")

    def findings(self) -> tuple[Finding, ...]:
        try:
            return self.load().findings
        except CatalogError as error:
            return error.findings


def cases(path: Path) -> Iterator[Case]:
    for part in re.split(r"^=== ", path.read_text("utf-8"), flags=re.M)[1:]:
        title, _, rest = part.partition("\n")
        written, _, told = rest.partition("<<<\n")
        yield Case(title, written, told)


FILES = sorted(GOLDEN.glob("*.txt"))
CASES = [case for path in FILES for case in cases(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pictures(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    for number, case in enumerate(cases(path)):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        draw = Finding.for_github if path.stem == "github" else Finding.draw
        told = "".join(f"{draw(found)}\n" for found in case.findings())
        drawn.append(f"=== {case.title}\n{case.written}<<<\n{told}")
    wanted = "\n".join(drawn)
    if os.environ.get("SEGMENT_ENGINE_REGENERATE"):
        path.write_text(wanted, "utf-8")
    assert path.read_text("utf-8") == wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_each_finding_lies_in_a_file(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for found in case.findings():
        line, column = found.place
        lines = case.files[found.file.path].split("\n")
        assert 1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1
        assert isinstance(found.item.span, Span) and found.item.span.start <= found.item.span.end
        told = found.to_json()
        assert (told["file"], told["audience"]) == (found.file.path, found.key)
        assert (told["span"]["line"], told["span"]["column"]) == (line, column)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_audiences_that_are_wrong_are_never_computed(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        catalog = case.load()
    except SegmentError as error:
        assert str(error)
        return
    errors = [found for found in catalog.findings if found.item.severity == "error"]
    # An example that is wrong stops no audience.
    wrong = {found.key for found in errors if found.item.code != "example"}
    try:
        made = catalog.materialize([{catalog.id_column: "c1", "totalOrders": 3}])
    except CatalogError as error:
        assert error.findings and all(found.key is None for found in error.findings)
        return
    assert wrong - {None} == set(catalog.failed) == set(made.failed)
    assert [*made.counts()] == [key for key in catalog.audiences if key not in wrong]


def test_every_code_of_catalogs_has_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = {item.item.code for case in CASES for item in case.findings()}
    assert {
        *("catalog", "list", "schema", "unknown-audience", "audience-cycle", "failed-audience"),
    } <= found
    assert [case.title for case in CASES if not case.told] == []
