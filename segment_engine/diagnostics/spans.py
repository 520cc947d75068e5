"""Where something stands in what the user wrote: characters of a text, or a place in JSON."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Code points `start` (included) to `end` (excluded) of a rule's text."""

    start: int
    end: int

    def to(self, other: "Span") -> "Span":
        """From the beginning of this span to the end of `other`."""
        return Span(self.start, other.end)

    def to_json(self, text: str) -> dict[str, int]:
        """`{start, end, line, column}` in that text, the last two from 1."""
        start = min(self.start, len(text))
        line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
        return {"start": self.start, "end": self.end, "line": line, "column": column}


@dataclass(frozen=True, slots=True)
class Pointer:
    """A place in JSON, as a JSON pointer (RFC 6901): `/rules/0/field`."""

    path: str

    def to(self, other: "Place") -> "Pointer":
        """The place that holds both: a call is placed at its rule."""
        return self

    def at(self, step: str | int) -> "Pointer":
        """The place one step further in."""
        return Pointer(f"{self.path}/{str(step).replace('~', '~0').replace('/', '~1')}")


Place = Span | Pointer
NOWHERE = Span(0, 0)
