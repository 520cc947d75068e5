"""Whether the columns of a source fit a schema: everything that does not, at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from segment_engine.backends.reading import locate
from segment_engine.backends.sources.opening import open_source
from segment_engine.backends.sources.tables import Source
from segment_engine.errors import SourceError
from segment_engine.expression.nodes import Field
from segment_engine.expression.schema import FieldSpec, Schema


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field and what is wrong with its column: `message` says what is found and wanted."""

    field: str
    column: str
    message: str


def mismatches(source: Any, schema: Schema) -> list[Mismatch]:
    """The fields that the source cannot give. Raises SourceError where it cannot be read at all."""
    try:
        opened = open_source(source, schema)
    except SourceError:
        return _one_by_one(source, schema)
    return list(misplaced(opened, schema))


def misplaced(opened: Source, schema: Schema) -> Iterator[Mismatch]:
    """The fields that an open source cannot give."""
    for spec in _stored(schema):
        if message := _refused(opened, spec):
            yield Mismatch(spec.name, spec.column, message)


def _refused(opened: Source, spec: FieldSpec) -> str | None:
    try:
        locate(Field(spec.name, spec.type, spec, spec.path), opened.columns)
    except SourceError as fault:
        return str(fault)
    return None


def _one_by_one(source: Any, schema: Schema) -> list[Mismatch]:
    """A text file has a cell that does not read as its column's type; others may have, too."""
    # What cannot be read whatever the columns is no matter of the schema, and raised here.
    found = list(misplaced(open_source(source, schema, ()), schema))
    named = {item.column for item in found}
    for spec in _stored(schema):
        if spec.path or spec.column in named:
            continue
        try:
            open_source(source, schema, [spec.column])
        except SourceError as fault:
            found.append(Mismatch(spec.name, spec.column, str(fault)))
    order = list(schema.names)
    return sorted(found, key=lambda item: order.index(item.field))


def _stored(schema: Schema) -> list[FieldSpec]:
    return [spec for spec in schema.specs.values() if spec.derived is None]
