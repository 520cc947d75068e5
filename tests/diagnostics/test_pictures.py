"""Pictures of what is wrong, as people see them, compared with those in `golden/`.

A case is a rule behind `>>> ` (more lines behind `... `), then all its pictures. `>>>text "..."`
writes the rule as a JSON string; `>>>times [a, n, b, c]` is `a`, n times `b`, `c`. With
SEGMENT_ENGINE_REGENERATE=1 the pictures are drawn anew: read them before you keep them.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from segment_engine import Diagnostic, Engine, RuleError, Schema
from segment_engine.diagnostics.picture import draw
from segment_engine.diagnostics.spans import Span
from segment_engine.language.mend import apply

GOLDEN = Path(__file__).parent / "golden"
README = Path(__file__).parents[2] / "grammar" / "README.md"
AS_OF = "2026-07-01T12:00:00Z"
OF_CATALOGS = {
    *("catalog", "list", "schema", "example"),
    *("unknown-audience", "audience-cycle", "failed-audience"),
}
"""Codes that are drawn in catalog/."""
DECLARED = {
    "name": "text",
    "vip": "boolean",
    "tags": "list of text",
    "scores": "list of number",
    "price": {"type": "currency", "currency": "EUR"},
    "born": "date",
    "true": "boolean",
    "metadata": "any",
    "metadata.points": "number",
}


@dataclass(frozen=True)
class Case:
    """One wrong rule: how the file writes it, and the pictures that the file has."""

    file: str
    written: str
    pictures: str

    @property
    def text(self) -> str:
        first, *more = self.written.split("\n")
        kind, _, body = first.removeprefix(">>>").partition(" ")
        if kind == "text":
            return str(json.loads(body))
        if kind == "times":
            start, count, repeated, end = json.loads(body)
            return str(start + repeated * count + end)
        return "\n".join([body, *(line.removeprefix("...")[1:] for line in more)])

    @property
    def engine(self) -> Engine:
        return _engine(self.file)

    def found(self) -> tuple[Diagnostic, ...]:
        """Everything that checking says, and where that is no error, what running or rows say."""
        try:
            rule = self.engine.rule(self.text)
            rule.matches({}, as_of=AS_OF)
            if self.file == "not_in_rows":
                rule.to_rows()
        except RuleError as error:
            return error.diagnostics
        return rule.diagnostics

    def drawn(self) -> str:
        return "\n".join(draw(item, self.text) for item in self.found())

    def __str__(self) -> str:
        return f"{self.file}: {self.written[:60]}"


@cache
def _engine(file: str) -> Engine:
    return Engine(Schema(DECLARED) if file == "declared" else None)


def _cases(path: Path) -> Iterator[Case]:
    for part in re.split(r"\n\n(?=>>>)", path.read_text("utf-8").rstrip("\n")):
        lines = part.split("\n")
        count = next((n for n, line in enumerate(lines) if n and line[:3] != "..."), len(lines))
        yield Case(path.stem, "\n".join(lines[:count]), "\n".join(lines[count:]))


FILES = sorted(GOLDEN.glob("*.txt"))
CASES = [case for path in FILES for case in _cases(path)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pictures(path: Path) -> None:
    wanted = "\n\n".join(f"{case.written}\n{case.drawn()}" for case in _cases(path)) + "\n"
    if os.environ.get("SEGMENT_ENGINE_REGENERATE"):
        path.write_text(wanted, "utf-8")
    assert path.read_text("utf-8") == wanted


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_certain_fix_can_be_applied_as_it_stands(case: Case) -> None:
    """It makes its finding disappear, and no other text stop to parse."""
    found = case.found()
    told = [(item.code, item.message) for item in found]
    for item in found:
        if len(item.fixes) != 1 or not isinstance(item.fixes[0].span, Span):
            continue
        mended = apply(case.text, [(item.fixes[0].span, item.fixes[0].replacement)])
        left = [(one.code, one.message) for one in case.engine.diagnose(mended)]
        same = (item.code, item.message)
        assert left.count(same) < told.count(same) or len(left) < len(told), mended
        assert "syntax" in dict(told) or "syntax" not in dict(left), mended


@pytest.mark.parametrize(
    "text",
    [
        "vip",
        "born during 2026",
        "hour(born) = 1",
        'tags contains "A" ignoring case',
        "price between 2 and 2",
        "price > --5",
        "price > (1)",
        "price = price",
        'name exists and name != "x"',
        'not (name != "x")',
        "metadata.vip = false",
        "metadata.pionts > 5",
        "number(name) < 3",
        "name is not empty",
        "not (name exists)",
        "not (price > 3)",
        "born between this month and 2026-01-01T00:00:00",
    ],
)
def test_there_is_nothing_to_say(text: str) -> None:
    assert _engine("declared").diagnose(text) == ()


def test_every_code_has_a_picture() -> None:
    section = README.read_text("utf-8").partition("## 17. All codes")[2].partition("\n## ")[0]
    codes = set(re.findall(r"^\| `([a-z-]+)` \|", section, re.M))
    assert codes - OF_CATALOGS == {item.code for case in CASES for item in case.found()}


def test_there_are_enough_pictures() -> None:
    assert len({(case.file, case.text) for case in CASES}) == len(CASES) >= 90
    assert [str(case) for case in CASES if not case.pictures] == []
