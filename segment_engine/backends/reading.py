"""How a field is read from a source: where it is stored, and in which form it is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from segment_engine.backends.physical import (
    Json,
    ListOf,
    MapOf,
    Physical,
    Record,
    Text,
    default_physical,
    fits,
    wanted_storage,
)
from segment_engine.errors import SourceError
from segment_engine.expression.nodes import Field, Leaf
from segment_engine.values.paths import Steps
from segment_engine.values.types import Type

Form = Literal[
    "value",  # as it is stored; JSON: as the wanted scalar
    "present",  # whether JSON has a value there, as a boolean
    "double",  # a number as an IEEE double
    "number",  # the same of JSON, where only a finite one will be kept
    "integer",  # a JSON number that is an integer of 64 bits
    "instant",  # microseconds since 1970 of a timestamp
    "day",  # days since 1970 of a date
    "length",  # the number of elements of a JSON list
    "elements",  # the elements of a JSON list that are of the wanted scalar type
    "doubles",  # the elements of a JSON list that are numbers, as doubles
    "integers",  # those that are integers of 64 bits
    "fractions",  # the other numbers, as doubles
]


@dataclass(frozen=True, slots=True)
class Step:
    """One step into a struct (`field`), a map (`entry`) or a list (`item`)."""

    kind: Literal["field", "entry", "item"]
    at: str | int


@dataclass(frozen=True, slots=True)
class Reading(Leaf):
    """A value read from a column, as a leaf of a bound expression.

    `stored` is the physical type after `steps`; where that is Json, `json` leads on inside.
    `wanted` is the type asked for; `cast` the exact number type to compare in, if another.
    """

    column: str
    steps: tuple[Step, ...]
    json: Steps
    stored: Physical
    wanted: Type
    form: Form = "value"
    cast: Physical | None = None

    def as_form(self, form: Form) -> "Reading":
        """The same value in another form."""
        return replace(self, form=form)


@dataclass(frozen=True, slots=True)
class Value(Leaf):
    """A constant as an engine needs it, of the physical type that it is compared with."""

    value: Any
    physical: Physical | None


@dataclass(frozen=True, slots=True, eq=False)
class Member(Leaf):
    """Whether the consumer is in another audience: a condition of the engine's own kind."""

    condition: Any


MISSING = Value(None, None)
"""What is missing for every consumer: a path that a struct does not have."""

Columns = Mapping[str, Physical]

Members = Mapping[str, Any]
"""For each audience that a rule refers to, the engine's condition that a consumer is in it."""


def locate(field: Field, columns: Columns | None) -> Reading | None:
    """Where the field is stored; None where no consumer can have it.

    Without `columns` (no source given) the documented defaults are taken. Raises SourceError
    for a column that the source lacks or that is stored as something else.
    """
    steps, stored, rest = _descend(_stored(field, columns), field.path)
    if stored is None:
        return None
    found = Reading(field.spec.column, steps, rest, stored, field.type)
    if _readable(stored, field.type):
        return found
    if field.spec.path and not field.spec.open and fits_not_any(field):
        raise _mismatch(field, stored)
    return None


def fits_not_any(field: Field) -> bool:
    """Whether the field is read as the very type that the schema declares."""
    return field.type == field.spec.type


def _stored(field: Field, columns: Columns | None) -> Physical:
    spec = field.spec
    under = bool(spec.path) or spec.open
    if columns is None:
        return Json() if under else default_physical(spec.type)
    if spec.column not in columns:
        known = ", ".join(list(columns)[:20]) or "none"
        raise SourceError(
            f"the source has no column {spec.column!r}, which field `{spec.name}` reads; "
            f"its columns are {known}"
        )
    stored = columns[spec.column]
    if under:
        if isinstance(stored, Text):
            return Json()
        if isinstance(stored, Json | Record | MapOf):
            return stored
        raise SourceError(
            f"column {spec.column!r} is {stored}; field `{spec.name}` wants JSON text, "
            "a struct or a map from text"
        )
    if not fits(stored, spec.type):
        raise _mismatch(field, stored)
    return stored


def _mismatch(field: Field, stored: Physical) -> SourceError:
    spec = field.spec
    where = f"column {spec.column!r}" + (f" at `{spec.name}`" if spec.path else "")
    return SourceError(
        f"{where} is {stored}; field `{spec.name}` is {spec.type} and wants "
        f"{wanted_storage(spec.type)}"
    )


def _descend(stored: Physical, path: Steps) -> tuple[tuple[Step, ...], Physical | None, Steps]:
    """The steps through structs, maps and lists; the rest of the path lies inside JSON text."""
    steps: list[Step] = []
    for position, at in enumerate(path):
        match stored:
            case Json():
                return tuple(steps), stored, path[position:]
            case Record(fields) if isinstance(at, str) and at in dict(fields):
                steps.append(Step("field", at))
                stored = dict(fields)[at]
            case MapOf(value) if isinstance(at, str):
                steps.append(Step("entry", at))
                stored = value
            case ListOf(element) if isinstance(at, int):
                steps.append(Step("item", at))
                stored = element
            case _:
                return tuple(steps), None, ()
    return tuple(steps), stored, ()


def _readable(stored: Physical, wanted: Type) -> bool:
    """Whether a value stored so can be of the wanted type at all."""
    if isinstance(stored, Json) or wanted.family == "any":
        return True
    if wanted.element is not None:
        return isinstance(stored, ListOf) and _readable(stored.element, wanted.element)
    if wanted.family == "time" and isinstance(stored, Text):
        return True
    return fits(stored, wanted)
