"""A diagnostic, its codes and the log in which one check collects them."""

from dataclasses import dataclass, field
from typing import Any, Literal

from segment_engine.diagnostics.spans import Place, Span

Severity = Literal["error", "warning", "hint"]


@dataclass(frozen=True, slots=True)
class Fix:
    """Characters of the rule (`span`) and the text that mends them."""

    span: Place
    replacement: str

    def to_json(self) -> dict[str, Any]:
        """`{start, end, replacement}`; the replacement alone where the rule came as JSON."""
        place = self.span
        at = {"start": place.start, "end": place.end} if isinstance(place, Span) else {}
        return {**at, "replacement": self.replacement}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `code` is stable, `message` is for people.

    `fixes` are alternatives: each alone mends the finding. `near` are nearest known names.
    `help` says how to mend it where no fix can be applied as it stands.
    """

    code: str
    message: str
    span: Place
    severity: Severity = "error"
    fixes: tuple[Fix, ...] = ()
    near: tuple[str, ...] = ()
    help: str | None = None

    @property
    def suggestion(self) -> str | None:
        """What to write instead, where exactly one thing is suggested; else None."""
        choices = [fix.replacement for fix in self.fixes] or list(self.near)
        return choices[0] if len(choices) == 1 else None

    def to_json(self, text: str) -> dict[str, Any]:
        """The finding in the rule `text`, ready for `json.dumps`.

        `{code, severity, message, span, pointer, suggestion, fixes, near, help}`: `span` is
        `{start, end, line, column}` in code points, the last two from 1, or null for a rule that
        came as JSON, where `pointer` is its JSON pointer.
        """
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "span": self.span.to_json(text) if isinstance(self.span, Span) else None,
            "pointer": None if isinstance(self.span, Span) else self.span.path,
            "suggestion": self.suggestion,
            "fixes": [fix.to_json() for fix in self.fixes],
            "near": list(self.near),
            "help": self.help,
        }


@dataclass(slots=True)
class Log:
    """Collects the diagnostics of one check, in the order in which they were found."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(
        self,
        code: str,
        message: str,
        span: Place,
        *,
        fixes: tuple[Fix, ...] = (),
        near: tuple[str, ...] = (),
        help: str | None = None,
    ) -> None:
        """Note an error."""
        self.found.append(Diagnostic(code, message, span, "error", fixes, near, help))

    def slip(self, code: str, message: str, span: Place, *replacements: str) -> None:
        """Note a slip: read as what was meant, refused with the text that mends it."""
        self.error(code, message, span, fixes=tuple(Fix(span, text) for text in replacements))

    def hint(self, code: str, message: str, span: Place) -> None:
        """Note what is right but often not what people expect."""
        self.found.append(Diagnostic(code, message, span, "hint"))

    @property
    def failed(self) -> bool:
        """Whether any finding is an error."""
        return any(item.severity == "error" for item in self.found)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """All findings, errors first, then by place."""
        return tuple(sorted(self.found, key=_rank)) if self.found else ()


def _rank(item: Diagnostic) -> tuple[bool, int, str]:
    start = getattr(item.span, "start", 0)
    return item.severity != "error", start, getattr(item.span, "path", "")
