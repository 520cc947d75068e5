"""Values that fields often have, for editors: counted by DuckDB in bounded memory."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from segment_engine.backends.bind import bind
from segment_engine.backends.duckdb_engine import query
from segment_engine.backends.physical import Json, Other
from segment_engine.backends.reading import Columns, Reading, locate
from segment_engine.backends.sources import Source, open_source
from segment_engine.backends.sql import reading, to_sql
from segment_engine.errors import RunError
from segment_engine.expression.nodes import Call, Field, walk
from segment_engine.expression.resolve import expand_derived
from segment_engine.expression.schema import FieldSpec
from segment_engine.values.types import TEXT, Type

if TYPE_CHECKING:
    from segment_engine.engine import Engine

LONGEST = 100
"""A longer text is nothing that anybody picks from a list."""
MOST = 10_000

_SOUND = {
    "text": f"v is not null and strlen(v) <= {4 * LONGEST} and len(v) <= {LONGEST}",
    "number": "isfinite(v::double)",
    "boolean": "v is not null",
}
"""By family of a single value, what is counted of a field; families not here are left out."""


def values_seen(engine: "Engine", source: Any, most: int) -> dict[str, list[Any]]:
    """As `Engine.values_seen`."""
    if not isinstance(most, int) or not 1 <= most <= MOST:
        raise RunError(f"most wants a whole number from 1 to {MOST:,}, not {most!r}")
    wanted = [spec for spec in engine.schema.specs.values() if _single(spec.type).family in _SOUND]
    opened = source if isinstance(source, Source) else _opened(engine, source, wanted)
    found = {spec.name: _most_frequent(engine, spec, opened, most) for spec in wanted}
    return {name: values for name, values in found.items() if values}


def _single(kind: Type) -> Type:
    return kind.element or kind


def _opened(engine: "Engine", source: Any, wanted: list[FieldSpec]) -> Source:
    columns = {field.spec.column for spec in wanted for field in _fields(engine, spec)}
    return open_source(source, engine.schema, columns)


def _fields(engine: "Engine", spec: FieldSpec) -> Iterator[Field]:
    """The stored fields that give the field's value."""
    whole = expand_derived(Field(spec.name, spec.type, spec, spec.path), engine.derived)
    return (node for node in walk(whole) if isinstance(node, Field))


def _fragment(engine: "Engine", spec: FieldSpec, columns: Columns) -> str | None:
    """SQL of the field's values, of a list's elements; None where the source has none.

    Of derived fields only texts: no value of a calculation comes up often.
    """
    fields = list(_fields(engine, spec))
    if any(isinstance(columns.get(field.spec.column, Other("")), Other) for field in fields):
        return None
    if spec.derived is not None:
        whole = expand_derived(engine.derived[spec.name], engine.derived)
        return (
            to_sql(bind(whole, columns)) if isinstance(whole, Call) and spec.type is TEXT else None
        )
    found = locate(fields[0], columns)
    return None if found is None else _read(found)


def _read(found: Reading) -> str:
    element = found.wanted.element
    if isinstance(found.stored, Json) and _single(found.wanted).family == "number":
        found = found.as_form("doubles" if element else "double")
    elif isinstance(found.stored, Json) and element:
        found = found.as_form("elements")
    return f"unnest({reading(found)})" if element else reading(found)


def _most_frequent(engine: "Engine", spec: FieldSpec, source: Source, most: int) -> list[Any]:
    """Candidates by an approximate count, ordered by an exact one."""
    fragment = _fragment(engine, spec, source.columns)
    if fragment is None:
        return []
    sound = _SOUND[_single(spec.type).family]
    found = query(
        source,
        f"with seen as (select {fragment} as v",
        f"), kept as (from seen where {sound}), "
        f"top as (select unnest(approx_top_k(v, {most + 1})) as v from kept) "
        "select v, count(*) as n from kept semi join top using (v) group by v order by n desc, v",
    ).to_pylist()
    if len(found) > most:
        found = [row for row in found if row["n"] > 1]
    return [row["v"] for row in found[:most]]
