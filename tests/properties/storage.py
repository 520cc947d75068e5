"""The same kinds of values in every storage that a field may have, drawn from what it can hold."""

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from random import Random
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from segment_engine import Schema
from segment_engine.expression.schema import FieldSpec
from segment_engine.testing.boundaries import Boundaries
from segment_engine.testing.consumers import Values
from segment_engine.testing.values import Number
from segment_engine.values.isotime import MAX_DAY, MAX_INSTANT, MIN_DAY
from segment_engine.values.paths import Steps
from segment_engine.values.types import SCALARS, Type

PER_UNIT = {"s": 1_000_000, "ms": 1_000, "us": 1}
FAR = (2**63 - 1, -(2**63) + 1, 2**62, -(2**62))


@dataclass(frozen=True)
class Storage:
    """An Arrow type, and what to make a value of it from; None is always among the values."""

    type: Any
    make: Callable[[Values], Any]

    def draw(self, values: Values) -> Any:
        """A value, None now and then."""
        return None if values.random.random() < 0.08 else self.make(values)


def table(random: Random, schema: Schema, bounds: Boundaries, size: int) -> pa.Table:
    """Consumers of the schema, every column in some storage, with ids from 0."""
    values = Values(random, bounds)
    columns = {"id": pa.array(range(size), pa.int64())}
    for spec in schema.specs.values():
        if spec.derived is None and not spec.path:
            declared = {s.path: s.type for s in schema.specs.values() if s.path}
            storage = storage_of(random, spec, bounds, declared)
            drawn = [
                storage.draw(values if spec.open else values.at(spec.column)) for _ in range(size)
            ]
            columns[spec.column] = encoded(random, pa.array(drawn, storage.type))
    return pa.table(columns)


def encoded(random: Random, array: pa.Array) -> pa.Array:
    """The same texts in another layout."""
    if array.type != pa.string():
        return array
    layout = random.choice([None, pa.large_string(), pa.string_view(), "dictionary"])
    if layout == "dictionary":
        return array.dictionary_encode()
    return array.cast(layout) if layout else array


def storage_of(
    random: Random, spec: FieldSpec, bounds: Boundaries, declared: Mapping[Steps, Type]
) -> Storage:
    """Some storage for a declared field; paths in `declared` have those types."""
    if spec.open:
        return metadata(random, spec.column, bounds, declared)
    if spec.type.element is not None:
        return listed(random, scalar(random, spec.type.element))
    return scalar(random, spec.type)


def scalar(random: Random, kind: Type, times: Sequence[Storage] | None = None) -> Storage:
    """Some storage for a scalar type; datetimes in one of `times`, if given."""
    match kind.family:
        case "number":
            return random.choice(NUMBERS)
        case "time":
            return random.choice(times or TIMES if kind.name == "datetime" else TIMES[:1])
        case "boolean":
            return Storage(pa.bool_(), Values.boolean)
        case _:
            return Storage(pa.string(), Values.text)


def listed(random: Random, element: Storage) -> Storage:
    """A list of it."""
    make = random.choice([pa.list_, pa.large_list])
    return Storage(
        make(element.type),
        lambda values: [element.draw(values) for _ in range(values.random.randrange(4))],
    )


# ---- numbers


def whole(kind: Any, bits: int, signed: bool) -> Storage:
    """Integers; a number that does not fit is cut off to one that does."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)

    def make(values: Values) -> int | None:
        value = values.number()
        if not math.isfinite(value):
            return values.random.choice([low, high])
        return int(value) if low <= value <= high else values.random.choice([None, low, high])

    return Storage(kind, make)


def decimals(precision: int, scale: int) -> Storage:
    """Decimals, rounded to the scale; None for what is too large."""

    def make(values: Values) -> Decimal | None:
        value = values.number()
        if not math.isfinite(value) or abs(value) >= 10 ** (precision - scale) - 1:
            return None
        return Decimal(value).quantize(Decimal(1).scaleb(-scale), context=WIDE)

    return Storage(pa.decimal128(precision, scale), make)


def _single(value: Number) -> float:
    try:
        return struct.unpack("<f", struct.pack("<f", float(value)))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


WIDE = Context(prec=60)
NUMBERS = (
    *(whole(getattr(pa, f"int{bits}")(), bits, True) for bits in (8, 16, 32, 64)),
    *(whole(getattr(pa, f"uint{bits}")(), bits, False) for bits in (8, 16, 32, 64)),
    *(decimals(*shape) for shape in ((4, 2), (9, 0), (18, 2), (18, 9), (38, 4), (38, 0), (38, 20))),
    Storage(pa.float32(), lambda values: _single(values.number())),
    *[Storage(pa.float64(), lambda values: float(values.number()))] * 2,
)

# ---- times


def stamp(unit: str, zone: str | None, far: bool = True) -> Storage:
    """Timestamps, a few of them far outside the years 1 to 9999; ns also between microseconds."""

    def make(values: Values) -> int:
        if far and values.random.random() < 0.05:
            return values.random.choice([*FAR, (MAX_INSTANT + 1) // PER_UNIT.get(unit, 1)])
        instant = values.instant()
        if unit != "ns":
            return instant // PER_UNIT[unit]
        finer = instant * 1000 + values.random.choice([0, 0, 1, 999])
        return finer if abs(finer) < 2**63 - 1 else 0

    return Storage(pa.timestamp(unit, zone), make)


def _day(values: Values) -> int:
    if values.random.random() < 0.03:
        return values.random.choice([MAX_DAY + 1, MIN_DAY - 1, 2**31 - 1, -(2**31) + 1])
    return values.day()


TIMES = (
    Storage(pa.date32(), _day),
    *(stamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")),
    stamp("us", "America/New_York"),
)
NEAR = (TIMES[0], stamp("s", None, far=False), stamp("ms", "UTC", far=False), *TIMES[5:])

# ---- metadata


def metadata(
    random: Random, column: str, bounds: Boundaries, declared: Mapping[Steps, Type]
) -> Storage:
    """JSON text, a struct with some of the paths, or a map with some of their first keys."""
    paths = bounds.paths.get(column, [])
    way = random.randrange(4)
    keys = [path[0] for path in paths if path and isinstance(path[0], str)]
    if way == 0 and keys:
        return nested(random, [path for path in paths if path and path not in declared], declared)
    if way == 1:
        value = scalar(random, next(iter(declared.values()))) if declared else anything(random)
        return mapped(value, [*keys, "tier"])
    return Storage(pa.string(), lambda values: values.document(column))


def anything(random: Random) -> Storage:
    """Some storage of some type."""
    kind = scalar(random, random.choice(list(SCALARS.values())), NEAR)
    return listed(random, kind) if random.random() < 0.25 else kind


def nested(
    random: Random, paths: Iterable[Steps], declared: Mapping[Steps, Type] = MappingProxyType({})
) -> Storage:
    """A struct or list that has those paths; paths that do not fit one shape are left out."""
    rests: dict[Any, list[Steps]] = {}
    for first, *rest in paths:
        rests.setdefault(first, []).append(tuple(rest))
    inside = {
        first: nested(random, deeper) if (deeper := [r for r in rest if r]) else anything(random)
        for first, rest in rests.items()
    }
    inside |= {path[0]: scalar(random, kind) for path, kind in declared.items()}
    named = {first: kind for first, kind in inside.items() if isinstance(first, str)}
    if not named:
        return listed(random, next(iter(inside.values())))
    return structured(unlike(named))


def unlike(named: Mapping[str, Storage]) -> dict[str, Storage]:
    """Without names that some engine cannot read: none, `*`, and those alike but for case."""
    return {
        name: kind
        for name, kind in named.items()
        if [other.lower() for other in named].count(name.lower()) == 1 and name not in ("", "*")
    } or {"only": Storage(pa.int64(), lambda values: 1)}


def structured(named: Mapping[str, Storage]) -> Storage:
    """A struct of those fields."""
    return Storage(
        pa.struct([(name, kind.type) for name, kind in named.items()]),
        lambda values: {name: kind.draw(values) for name, kind in named.items()},
    )


def mapped(value: Storage, keys: Sequence[str]) -> Storage:
    """A map, now and then with a key twice."""
    return Storage(
        pa.map_(pa.string(), value.type),
        lambda values: [
            (values.random.choice(keys), value.draw(values))
            for _ in range(values.random.randrange(4))
        ],
    )
