"""Types of values in rules. Two values may meet in a predicate when their *family* is the same."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A scalar type, or a list of one. `family` is what operators are defined on.

    There is one object for each type, so that comparing types costs nothing.
    """

    name: str
    family: str
    element: "Type | None" = None

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> "tuple[Callable[[str], Type], tuple[str]]":
        return _restored, (self.name,)


TEXT = Type("text", "text")
NUMBER = Type("number", "number")
CURRENCY = Type("currency", "number")
BOOLEAN = Type("boolean", "boolean")
DATE = Type("date", "time")
DATETIME = Type("datetime", "time")
ANY = Type("any", "any")

TRUTH = Type("truth", "truth")
ANNIVERSARY = Type("anniversary", "anniversary")
DURATION = Type("duration", "duration")
PATTERN = Type("pattern", "pattern")
NULL = Type("null", "null")
AUDIENCE = Type("audience", "audience")
FAULTY = Type("faulty", "faulty")
"""The type of what was already reported: it meets everything, so one mistake is told once."""

_ALL = {
    type.name: type
    for type in (
        *(TEXT, NUMBER, CURRENCY, BOOLEAN, DATE, DATETIME, ANY),
        *(TRUTH, ANNIVERSARY, DURATION, PATTERN, NULL, AUDIENCE, FAULTY),
    )
}
SCALARS = {type.name: type for type in (TEXT, NUMBER, CURRENCY, BOOLEAN, DATE, DATETIME)}


@cache
def list_of(element: Type) -> Type:
    """The type of lists of `element`."""
    return Type(f"list of {element.name}", "list", element)


def type_named(name: str) -> Type | None:
    """The declared type spelled `name` (`number`, `list of text`, `any`), or None."""
    if name == "any":
        return ANY
    if name.startswith("list of "):
        element = SCALARS.get(name.removeprefix("list of ").strip())
        return element and list_of(element)
    return SCALARS.get(name)


def _restored(name: str) -> Type:
    """Types are compared by identity, so an unpickled one is the one of this process."""
    element = name.removeprefix("list of ")
    return _ALL[name] if name == element else list_of(_ALL[element])
