"""What was found in a source: a schema, why each type was proposed, and what cannot be used."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import yaml

from segment_engine.errors import SourceError
from segment_engine.expression.schema import Schema

_PLAIN = re.compile(r"[^\W\d][\w.]*(?: [\w.<>=%]+)*")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_FEW = 10
"""A comment names no more paths than so many that nothing is declared for."""


@dataclass(frozen=True, slots=True)
class InferredField:
    """A column as a field. `filled` is the share (0 to 1) of consumers that have a value there.

    `distinct` is the number of different values among the consumers looked at, None for `any` and
    lists; `examples` are frequent values, as text; `why` says what the type was concluded from.
    `derived` is set where the field is read out of the text of another one.
    """

    name: str
    column: str
    type: str
    filled: float
    distinct: int | None
    examples: tuple[str, ...]
    why: str
    derived: str | None = None


@dataclass(frozen=True, slots=True)
class InferredPath:
    """A path into an `any` field. `filled` is the share (0 to 1) of all consumers that have it.

    `seen` maps the types of its values to their shares of these; `type` is the one that the path
    is declared with, None where no single one covers them.
    """

    name: str
    type: str | None
    filled: float
    seen: Mapping[str, float]
    examples: tuple[str, ...]

    @property
    def leads_on(self) -> bool:
        """Whether there is nothing to say of it but of the paths that it leads to."""
        return set(self.seen) <= {"object", "list of objects"}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that no field can have, and why."""

    column: str
    reason: str


@dataclass(frozen=True)
class Inferred:
    """A schema proposed for a source, from `sampled` of its `rows` consumers."""

    describe: str
    rows: int
    sampled: int
    fields: tuple[InferredField, ...]
    paths: tuple[InferredPath, ...]
    left_out: tuple[LeftOut, ...]
    currency: str = "USD"

    @cached_property
    def schema(self) -> Schema:
        """The schema. Raises SourceError where no column can be a field."""
        if not self.fields:
            reasons = "; ".join(f"{item.column!r} is {item.reason}" for item in self.left_out)
            raise SourceError(
                f"{self.describe} has no column for a field: {reasons or 'it is empty'}"
            )
        entries = {name: entry for name, entry, _ in self._entries()}
        return Schema(entries, currency=self.currency)

    def to_yaml(self) -> str:
        """The schema as a file, with what was seen as comments; `Schema.from_yaml` reads it."""
        return "\n".join([*self._heading(), *schema_lines(self), ""])

    def to_dict(self) -> dict[str, Any]:
        """The fields, paths and columns left out as plain values, ready for `json.dumps`."""
        told = asdict(self)
        return {key: told[key] for key in ("fields", "paths", "left_out")}

    def _heading(self) -> Iterator[str]:
        some = "all" if self.sampled == self.rows else f"{self.sampled:,} of"
        yield f"# Proposed for {_one_line(self.describe)} from {some} {self.rows:,} consumers."

    def _entries(self) -> Iterator[tuple[str, Any, str]]:
        """Each name, its entry in the schema, and a comment."""
        for field in self.fields:
            yield field.name, _entry(field), f"{percent(field.filled)} filled; {field.why}"
            for path in self.paths_of(field.name):
                if path.type is not None:
                    yield path.name, path.type, f"{percent(path.filled)} filled"

    def paths_of(self, field: str) -> list[InferredPath]:
        """The paths below a field."""
        return [path for path in self.paths if path.name.startswith((f"{field}.", f"{field}["))]


def _entry(field: InferredField) -> Any:
    if field.derived is not None:
        return {"type": field.type, "derived": field.derived}
    if field.column == field.name:
        return field.type
    return {"type": field.type, "column": field.column, "label": field.column}


def schema_lines(found: Inferred) -> Iterator[str]:
    """The lines of the schema in YAML, without a heading."""
    yield f"currency: {found.schema.currency}"
    yield "fields:"
    for name, entry, comment in found._entries():
        yield f"  {scalar(name)}: {_spelt(entry)}  # {_one_line(comment)}"
    mixed = [path for path in found.paths if path.type is None and not path.leads_on]
    for path in mixed[:_FEW]:
        told = f"{percent(path.filled)} filled; {_seen(path)}; not declared"
        yield f"  # {_one_line(path.name)}: {told}"
    if len(mixed) > _FEW:
        yield f"  # ... and {len(mixed) - _FEW:,} more paths that are not declared"
    for item in found.left_out:
        yield f"  # left out: column {_one_line(repr(item.column))}, {_one_line(item.reason)}"


def _seen(path: InferredPath) -> str:
    if len(path.seen) == 1:
        return next(iter(path.seen))
    return ", ".join(f"{percent(share)} {kind}" for kind, share in path.seen.items())


def _spelt(entry: Any) -> str:
    if isinstance(entry, str):
        return scalar(entry)
    return "{" + ", ".join(f"{key}: {scalar(value)}" for key, value in entry.items()) + "}"


def scalar(text: str) -> str:
    """A text in YAML, on one line, that no reader takes for anything but a text."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    style = "'" if text.isprintable() and '"' in text else '"'
    dumped: str = yaml.safe_dump(text, default_style=style, allow_unicode=True, width=float("inf"))
    return dumped.removesuffix("\n")


def percent(share: float) -> str:
    """A share in whole percent; what is neither nothing nor everything never looks so."""
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{share:.0%}"


def _one_line(text: str) -> str:
    return _BREAKS.sub(lambda found: repr(found[0])[1:-1], text)
