"""Physical types: how a source really stores a column, whichever engine reads it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from segment_engine.values.types import Type

StampUnit = Literal["us", "ns"]


@dataclass(frozen=True, slots=True)
class Int:
    """Whole numbers of so many bits (8 to 128)."""

    bits: int = 64
    signed: bool = True

    def __str__(self) -> str:
        return f"{'' if self.signed else 'unsigned '}integer of {self.bits} bits"


@dataclass(frozen=True, slots=True)
class Dec:
    """Decimals of `precision` digits, `scale` of them after the point."""

    precision: int = 18
    scale: int = 2

    def __str__(self) -> str:
        return f"decimal({self.precision}, {self.scale})"


@dataclass(frozen=True, slots=True)
class Float:
    """IEEE floats of 32 or 64 bits. NaN is missing, infinities are ordinary."""

    bits: int = 64

    def __str__(self) -> str:
        return f"float of {self.bits} bits"


@dataclass(frozen=True, slots=True)
class Text:
    """Text, however it is encoded."""

    def __str__(self) -> str:
        return "text"


@dataclass(frozen=True, slots=True)
class Bool:
    """True and false."""

    def __str__(self) -> str:
        return "boolean"


@dataclass(frozen=True, slots=True)
class Day:
    """Calendar days."""

    def __str__(self) -> str:
        return "date"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Instants, without a zone UTC; sources make microseconds of coarser units."""

    unit: StampUnit = "us"
    zoned: bool = True

    def __str__(self) -> str:
        return f"timestamp in {self.unit}{' with time zone' if self.zoned else ''}"


@dataclass(frozen=True, slots=True)
class IsoText:
    """ISO 8601 text, each a day or a datetime: how text files give datetimes."""

    def __str__(self) -> str:
        return "ISO 8601 text"


@dataclass(frozen=True, slots=True)
class Json:
    """JSON text of any shape."""

    def __str__(self) -> str:
        return "JSON text"


@dataclass(frozen=True, slots=True)
class ListOf:
    """Lists of one physical type."""

    element: "Physical"

    def __str__(self) -> str:
        return f"list of {self.element}"


@dataclass(frozen=True, slots=True)
class Record:
    """A struct: names and types of its fields."""

    fields: tuple[tuple[str, "Physical"], ...]

    def __str__(self) -> str:
        return f"struct({', '.join(f'{name}: {kind}' for name, kind in self.fields)})"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from text, stored as a list of structs of key and value."""

    value: "Physical"

    def __str__(self) -> str:
        return f"map from text to {self.value}"


@dataclass(frozen=True, slots=True)
class Other:
    """A type that no field can have, by the source's own name."""

    name: str

    def __str__(self) -> str:
        return self.name


Physical: TypeAlias = (
    Int | Dec | Float | Text | Bool | Day | Stamp | IsoText | Json | ListOf | Record | MapOf | Other
)

_FAMILIES: dict[str, tuple[type, ...]] = {
    "number": (Int, Dec, Float),
    "text": (Text,),
    "boolean": (Bool,),
    "time": (Day, Stamp, IsoText),
}

_WANTED = {
    "number": "a number (integer, decimal or float)",
    "text": "text",
    "boolean": "a boolean",
    "time": "a date or a timestamp",
}


def fits(physical: Physical, wanted: Type) -> bool:
    """Whether a column stored so can back a field of that type."""
    if wanted.element is not None:
        listed = isinstance(physical, ListOf) and fits(physical.element, wanted.element)
        return listed or isinstance(physical, Json)
    return isinstance(physical, _FAMILIES[wanted.family])


def wanted_storage(wanted: Type) -> str:
    """What a field of that type wants to be stored as, in words."""
    if wanted.element is not None:
        return f"a list of {wanted.element}"
    return _WANTED[wanted.family]


def default_physical(wanted: Type) -> Physical:
    """How a field is taken to be stored where no source says: as the README documents it."""
    if wanted.element is not None:
        return ListOf(default_physical(wanted.element))
    defaults: dict[str, Physical] = {
        "text": Text(),
        "number": Float(64),
        "currency": Dec(18, 2),
        "boolean": Bool(),
        "date": Day(),
        "datetime": Stamp("us", True),
    }
    return defaults[wanted.name]
