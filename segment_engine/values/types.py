"""Types of values in rules. Two values may meet in a predicate when their *family* is the same."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """A scalar type, or a list of one. `family` is what operators are defined on."""

    name: str
    family: str
    element: "Type | None" = None

    def __str__(self) -> str:
        return self.name


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
FAULTY = Type("faulty", "faulty")
"""The type of what was already reported: it meets everything, so one mistake is told once."""

SCALARS = {type.name: type for type in (TEXT, NUMBER, CURRENCY, BOOLEAN, DATE, DATETIME)}


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
