"""A diagnostic, its codes and the log in which one check collects them."""

from dataclasses import dataclass, field
from typing import Literal

from segment_engine.diagnostics.spans import Place

Severity = Literal["error", "warning", "hint"]


@dataclass(frozen=True, slots=True)
class Fix:
    """Characters of the rule (`span`) and the text that mends them."""

    span: Place
    replacement: str


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
