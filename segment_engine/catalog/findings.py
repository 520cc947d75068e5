"""What is to be said of a catalog: diagnostics with their file, for people and for machines."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.picture import draw
from segment_engine.diagnostics.spans import Span
from segment_engine.errors import SHOWN, SegmentError


@dataclass(frozen=True, slots=True)
class SourceText:
    """A file of a catalog: its path as it was given, and its text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic whose span lies in a file; `key` is the audience that it is about, if one."""

    file: SourceText
    item: Diagnostic
    key: str | None = None

    @property
    def failing(self) -> bool:
        """Whether it is an error, no warning or hint."""
        return self.item.severity == "error"

    @property
    def place(self) -> tuple[int, int]:
        """Line and column, from 1."""
        assert isinstance(self.item.span, Span)
        found = self.item.span.to_json(self.file.text)
        return found["line"], found["column"]

    def draw(self) -> str:
        """The picture: file, line and column above the line itself."""
        line, column = self.place
        head, *rest = draw(self.item, self.file.text).split("\n")
        about = f" (audience {self.key!r})" if self.key is not None else ""
        return "\n".join([f"{self.file.path}:{line}:{column}: {head}{about}", *rest])

    def for_github(self) -> str:
        """A workflow command, which shows it beside the line that is changed."""
        line, column = self.place
        level = {"error": "error", "warning": "warning", "hint": "notice"}[self.item.severity]
        about = f"{self.key}: " if self.key is not None else ""
        where = f"file={_property(self.file.path)},line={line},col={column}"
        title = f"title={_property(self.item.code)}"
        told = f"{about}{self.item.message}{self._advice()}"
        return f"::{level} {where},{title}::{_escaped(told)}"

    def _advice(self) -> str:
        if self.item.suggestion is not None:
            return f" (fix: {self.item.suggestion})"
        return f" ({self.item.help})" if self.item.help else ""

    def to_json(self) -> dict[str, Any]:
        """As `Diagnostic.to_json`, with `file` and `audience`."""
        told = self.item.to_json(self.file.text)
        return {"file": self.file.path, "audience": self.key, **told}


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


class CatalogError(SegmentError):
    """A catalog, or an audience of it, is wrong; `findings` say where and how to mend it."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(self.findings)

    def __str__(self) -> str:
        errors = [finding for finding in self.findings if finding.failing]
        more = len(errors) - SHOWN
        shown = [finding.draw() for finding in errors[:SHOWN]]
        return "\n".join(shown + [f"... and {more:,} more"] * (more > 0))
