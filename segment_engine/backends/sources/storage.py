"""How Arrow, DuckDB and Polars spell types, and which spelling of each all engines read alike.

Each `..._stored` gives the type to cast a column to (its own where it is read as it is) and the
physical type it then has. Stamps become microseconds, unless they are nanoseconds.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from segment_engine.backends.physical import (
    Bool,
    Day,
    Dec,
    Float,
    Int,
    Json,
    ListOf,
    MapOf,
    Other,
    Physical,
    Record,
    Stamp,
    StampUnit,
    Text,
)
from segment_engine.backends.sql import identifier
from segment_engine.values.types import Type

T = TypeVar("T")

_WIDEST = 38
_ALIKE = "which differ by case alone"

# DuckDB reads no field without a name; Polars takes these names for patterns of names.
_TAKEN_FOR_PATTERN = re.compile(r"|\*|\^.*\$", re.S)
_NESTED = ("decimal", "list", "array")


def arrow_stored(kind: Any, wanted: Type | None = None) -> tuple[Any, Physical]:
    """The Arrow type to cast to and the physical type; `wanted` types a column of nulls alone."""
    is_a = pa.types
    if is_a.is_null(kind):
        kind = _untyped_arrow(wanted)
    if is_a.is_dictionary(kind):
        return arrow_stored(kind.value_type, wanted)
    if isinstance(kind, pa.JsonType):
        return kind.storage_type, Json()
    kind = _ARROW_RESPELLED.get(kind, kind)
    if kind in _ARROW:
        return kind, _ARROW[kind]
    if is_a.is_timestamp(kind):
        unit: StampUnit = "ns" if kind.unit == "ns" else "us"
        zoned = kind.tz is not None
        return pa.timestamp(unit, "UTC" if zoned else None), Stamp(unit, zoned)
    if is_a.is_decimal(kind) and 0 <= kind.scale <= kind.precision <= _WIDEST:
        return pa.decimal128(kind.precision, kind.scale), Dec(kind.precision, kind.scale)
    if is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind):
        return _arrow_list(kind, wanted)
    if is_a.is_struct(kind):
        return _arrow_struct(kind)
    if is_a.is_map(kind):
        return _arrow_map(kind)
    return kind, Other(str(kind))


def duckdb_stored(kind: DuckDBPyType, wanted: Type | None = None) -> tuple[str, Physical]:
    """The SQL type to cast to and the physical type; `wanted` types a column of nulls alone."""
    if str(kind) == '"NULL"':
        kind = DuckDBPyType(_untyped_sql(wanted))
    name = _SQL_RESPELLED.get(str(kind), str(kind))
    children: Any = kind.children if kind.id in _NESTED else ()
    if name in _SQL:
        return name, Json() if str(kind) == "JSON" else _SQL[name]
    if kind.id == "enum":
        return "VARCHAR", Text()
    if kind.id == "decimal":
        parts = dict(children)
        return name, Dec(parts["precision"], parts["scale"])
    if kind.id in ("list", "array"):
        inner, element = duckdb_stored(children[0][1], wanted and wanted.element)
        return _unless(element, (f"{inner}[]", ListOf(element)), name)
    if kind.id == "struct":
        return _sql_struct(kind)
    return name, Other(name)


def duckdb_read(name: str, kind: DuckDBPyType, wanted: Type | None = None) -> tuple[str, Physical]:
    """The SQL that reads a column as all engines do, and the physical type that it then has."""
    quoted = identifier(name)
    if kind.id == "map":
        return _sql_map(quoted, kind)
    stored, physical = duckdb_stored(kind, wanted)
    plain = stored == str(kind) or isinstance(physical, Other)
    return quoted if plain else f"try_cast({quoted} as {stored})", physical


def polars_stored(kind: pl.DataType, wanted: Type | None = None) -> tuple[pl.DataType, Physical]:
    """The Polars type to cast to and the physical type; `wanted` types a column of nulls alone."""
    if isinstance(kind, pl.Null):
        kind = pl.Series(pa.array([], _untyped_arrow(wanted))).dtype
    if isinstance(kind, pl.Categorical | pl.Enum):
        return pl.String(), Text()
    if isinstance(kind, pl.BaseExtension):
        json = kind.ext_name() == "arrow.json"
        return (pl.String(), Json()) if json else (kind, Other(str(kind)))
    kind = _POLARS_RESPELLED.get(kind, kind)
    if kind in _POLARS:
        return kind, _POLARS[kind]
    if isinstance(kind, pl.Datetime):
        unit: StampUnit = "ns" if kind.time_unit == "ns" else "us"
        zoned = kind.time_zone is not None
        return pl.Datetime(unit, "UTC" if zoned else None), Stamp(unit, zoned)
    if isinstance(kind, pl.Decimal) and (kind.precision or _WIDEST) <= _WIDEST:
        return kind, Dec(kind.precision or _WIDEST, kind.scale)
    if isinstance(kind, pl.List | pl.Array):
        inner, element = polars_stored(_dtype(kind.inner), wanted and wanted.element)
        return _unless(element, (pl.List(inner), ListOf(element)), kind)
    if isinstance(kind, pl.Struct):
        return _polars_struct(kind)
    if isinstance(kind, pl.Map):
        inner, element = polars_stored(_dtype(kind.value))
        entries = pl.List(pl.Struct({"key": pl.String(), "value": inner}))
        keyed = kind.key == pl.String()
        return _unless(element, (entries, MapOf(element)), kind, keyed)
    return kind, Other(str(kind))


def without_twins(columns: Mapping[str, Physical]) -> dict[str, Physical]:
    """The columns, those Other whose names differ by case alone: DuckDB cannot tell them apart."""
    twins = _twins(columns)
    return {
        name: _twin(twins[name.lower()]) if name.lower() in twins else kind
        for name, kind in columns.items()
    }


def _twin(names: list[str]) -> Other:
    named = " and ".join(map(repr, names))
    return Other(f"one of {named}, {_ALIKE} (rename one)")


def is_twin(physical: Other) -> bool:
    """Whether it is the name of the column that stands against its use."""
    return _ALIKE in physical.name


def _twins(names: Iterable[str]) -> dict[str, list[str]]:
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.lower(), []).append(name)
    return {lower: found for lower, found in alike.items() if len(found) > 1}


def _unless(
    element: Physical, stored: tuple[T, Physical], kind: T, keyed: bool = True
) -> tuple[T, Physical]:
    usable = keyed and not isinstance(element, Other)
    return stored if usable else (kind, Other(str(kind)))


def _record(kind: Any, fields: list[tuple[str, Physical]]) -> Physical:
    names = [name for name, _ in fields]
    for odd in filter(_TAKEN_FOR_PATTERN.fullmatch, names):
        return Other(f"a struct with a field named {odd!r}, which not every engine can read")
    return Record(tuple(fields)) if fields and not _twins(names) else Other(str(kind))


def _arrow_list(kind: Any, wanted: Type | None) -> tuple[Any, Physical]:
    inner, element = arrow_stored(kind.value_type, wanted and wanted.element)
    plain = inner == kind.value_type and not pa.types.is_fixed_size_list(kind)
    make = pa.large_list if pa.types.is_large_list(kind) else pa.list_
    return _unless(element, (kind if plain else make(inner), ListOf(element)), kind)


def _arrow_struct(kind: Any) -> tuple[Any, Physical]:
    stored = [(field.name, *arrow_stored(field.type)) for field in kind]
    physical = _record(kind, [(name, element) for name, _, element in stored])
    same = [inner for _, inner, _ in stored] == [field.type for field in kind]
    if same or isinstance(physical, Other):
        return kind, physical
    return pa.struct([(name, inner) for name, inner, _ in stored]), physical


def _arrow_map(kind: Any) -> tuple[Any, Physical]:
    key, named = arrow_stored(kind.key_type)
    value, element = arrow_stored(kind.item_type)
    # DuckDB raises on an Arrow map with a key twice, and reads the same as a list of structs.
    entries = pa.list_(pa.struct([("key", key), ("value", value)]))
    return _unless(element, (entries, MapOf(element)), kind, named == Text())


def _sql_struct(kind: DuckDBPyType) -> tuple[str, Physical]:
    children: Any = kind.children
    stored = [(name, *duckdb_stored(inner)) for name, inner in children]
    physical = _record(kind, [(name, element) for name, _, element in stored])
    same = [inner for _, inner, _ in stored] == [str(inner) for _, inner in children]
    if same or isinstance(physical, Other):
        return str(kind), physical
    return f"STRUCT({', '.join(f'{identifier(name)} {inner}' for name, inner, _ in stored)})", (
        physical
    )


def _sql_map(quoted: str, kind: DuckDBPyType) -> tuple[str, Physical]:
    children: Any = kind.children
    (_, key), (_, value) = children
    stored, element = duckdb_stored(value)
    entries = f'try_cast(map_entries({quoted}) as STRUCT("key" VARCHAR, "value" {stored})[]'
    physical = MapOf(element)
    return _unless(element, (f"{entries})", physical), str(kind), str(key) == "VARCHAR")


def _polars_struct(kind: pl.Struct) -> tuple[pl.DataType, Physical]:
    stored = [(field.name, *polars_stored(_dtype(field.dtype))) for field in kind.fields]
    physical = _record(kind, [(name, element) for name, _, element in stored])
    return pl.Struct({name: inner for name, inner, _ in stored}), physical


def _dtype(kind: Any) -> pl.DataType:
    made: pl.DataType = kind() if isinstance(kind, type) else kind
    return made


def _untyped_arrow(wanted: Type | None) -> Any:
    if wanted is None:
        return pa.string()
    if wanted.element is not None:
        return pa.list_(_untyped_arrow(wanted.element))
    return _UNTYPED.get(wanted.name, (pa.string(), "VARCHAR"))[0]


def _untyped_sql(wanted: Type | None) -> str:
    if wanted is None:
        return "VARCHAR"
    if wanted.element is not None:
        return f"{_untyped_sql(wanted.element)}[]"
    return str(_UNTYPED.get(wanted.name, (pa.string(), "VARCHAR"))[1])


_UNTYPED: dict[str, tuple[Any, str]] = {
    "number": (pa.float64(), "DOUBLE"),
    "currency": (pa.decimal128(18, 2), "DECIMAL(18,2)"),
    "boolean": (pa.bool_(), "BOOLEAN"),
    "date": (pa.date32(), "DATE"),
    "datetime": (pa.timestamp("us", "UTC"), "TIMESTAMP WITH TIME ZONE"),
}

_ARROW: dict[Any, Physical] = {
    **{getattr(pa, f"int{bits}")(): Int(bits) for bits in (8, 16, 32, 64)},
    **{getattr(pa, f"uint{bits}")(): Int(bits, signed=False) for bits in (8, 16, 32, 64)},
    **{pa.float32(): Float(32), pa.float64(): Float(64)},
    **{kind: Text() for kind in (pa.string(), pa.large_string(), pa.string_view())},
    **{pa.bool_(): Bool(), pa.date32(): Day()},
}
_ARROW_RESPELLED = {pa.float16(): pa.float32(), pa.date64(): pa.date32()}

_SQL: dict[str, Physical] = {
    **{"TINYINT": Int(8), "SMALLINT": Int(16), "INTEGER": Int(32), "BIGINT": Int(64)},
    **{"UTINYINT": Int(8, False), "USMALLINT": Int(16, False), "UINTEGER": Int(32, False)},
    **{"UBIGINT": Int(64, False), "FLOAT": Float(32), "DOUBLE": Float(64)},
    **{"DECIMAL(38,0)": Dec(38, 0), "VARCHAR": Text(), "BOOLEAN": Bool(), "DATE": Day()},
    **{"TIMESTAMP": Stamp("us", False), "TIMESTAMP WITH TIME ZONE": Stamp("us", True)},
    **{"TIMESTAMP_NS": Stamp("ns", False), "TIMESTAMPTZ_NS": Stamp("ns", True)},
}
_SQL_RESPELLED = {
    "JSON": "VARCHAR",
    "UUID": "VARCHAR",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
}

_POLARS: dict[pl.DataType, Physical] = {
    **{pl.Int8(): Int(8), pl.Int16(): Int(16), pl.Int32(): Int(32), pl.Int64(): Int(64)},
    **{pl.UInt8(): Int(8, False), pl.UInt16(): Int(16, False), pl.UInt32(): Int(32, False)},
    **{pl.UInt64(): Int(64, False), pl.Float32(): Float(32), pl.Float64(): Float(64)},
    **{pl.Decimal(38, 0): Dec(38, 0), pl.String(): Text(), pl.Boolean(): Bool(), pl.Date(): Day()},
}
_POLARS_RESPELLED: dict[pl.DataType, pl.DataType] = {
    pl.Float16(): pl.Float32(),
    pl.Int128(): pl.Decimal(38, 0),
    pl.UInt128(): pl.Decimal(38, 0),
}
