"""Figures of fields over a source, of the members of a rule beside everybody, by DuckDB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from segment_engine.backends import bind_numbers, bind_times
from segment_engine.backends.bind import bind
from segment_engine.backends.duckdb_engine import query
from segment_engine.backends.physical import Json
from segment_engine.backends.reading import Columns, Reading, locate
from segment_engine.backends.sources import Source
from segment_engine.backends.sql import to_sql
from segment_engine.expression.nodes import Expr, Field
from segment_engine.expression.resolve import make, resolve
from segment_engine.expression.schema import FieldSpec
from segment_engine.values.isotime import DAY, date_of, format_instant
from segment_engine.values.moments import Clock
from segment_engine.values.numbers import normal
from segment_engine.values.types import DATE

FEW = 20
"""Texts of no more different values are told with their most frequent ones."""
TOP = 5

Top = tuple[tuple[Any, float], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """One field over one group of consumers; shares are 0 to 1, of the whole group.

    `low`, `median`, `p90` and `high` are values that occur (numbers; dates; instants as ISO text),
    None for other types and where nothing is filled; `top` are the most frequent values, with
    their shares, of booleans and of texts with few different values.
    """

    filled: float = 0.0
    low: Any = None
    median: Any = None
    p90: Any = None
    high: Any = None
    top: Top = ()


@dataclass(frozen=True, slots=True)
class FieldProfile:
    """A field over the members of a rule, and over everybody."""

    name: str
    type: str
    members: Figures
    everybody: Figures


@dataclass(frozen=True, slots=True)
class Asked:
    """A field as SQL: whether it is filled, and its value where figures of that can be told."""

    spec: FieldSpec
    filled: str
    value: str | None
    ordered: bool
    days: bool = False

    def told(self, value: Any) -> Any:
        """A value out of DuckDB as it is shown."""
        if value is None or self.spec.type.family == "number":
            return normal(value) if hasattr(value, "as_tuple") else value
        if self.spec.type.family != "time":
            return value
        return date_of(value // DAY) if self.days else format_instant(value)


def asked_of(
    field: Field, columns: Columns, clock: Clock, derived: Mapping[str, Expr]
) -> Asked | None:
    """How to ask the source for a field; None where no consumer can have it."""
    spec = field.spec
    whole = resolve(field, clock, derived)
    found = locate(whole, columns) if isinstance(whole, Field) else bind(whole, columns)
    if found is None:
        return None
    family = spec.type.family
    if whole.type.family == "truth":
        return Asked(spec, "true", f"({to_sql(found)}) is true", False)
    empty = bind(resolve(make("is_empty", field), clock, derived), columns)
    filled = f"({to_sql(empty)}) is not true"
    if family == "time":
        instant, day = bind_times.instant_and_day(found)
        days = spec.type is DATE or instant is None
        return Asked(spec, filled, _microseconds(instant, day), True, days)
    if family not in ("number", "text", "boolean"):
        return Asked(spec, filled, None, False)
    return Asked(spec, filled, to_sql(_plain(found, family)), family == "number")


def _plain(found: Expr, family: str) -> Expr:
    """A stored number as exact as it is; one in JSON as a double."""
    in_json = isinstance(found, Reading) and isinstance(found.stored, Json)
    return bind_numbers.as_double(found) if in_json and family == "number" else found


def _microseconds(instant: Expr | None, day: Expr | None) -> str:
    parts = [to_sql(instant)] if instant is not None else []
    parts += [f"{to_sql(day)}::bigint * {DAY}"] if day is not None else []
    return f"coalesce({', '.join(parts)})"


def profiled(source: Source, asked: Asked, where: str) -> FieldProfile:
    """The figures of a field for the members, whom the SQL of `where` keeps, and for everybody."""
    members, everybody = _ordered(source, asked, where)
    if asked.value is not None and not asked.ordered:
        tops = _tops(source, asked, where)
        members, everybody = replace(members, top=tops[0]), replace(everybody, top=tops[1])
    return FieldProfile(asked.spec.name, asked.spec.type.name, members, everybody)


def _ordered(source: Source, asked: Asked, where: str) -> list[Figures]:
    """Both groups' figures without their most frequent values."""
    value = asked.value if asked.ordered else "null::integer"
    looked = _looked(asked, where, value)
    parts = [part for group in ("true", "m") for part in _aggregates(group)]
    named = ", ".join(f"{part} as c{at}" for at, part in enumerate(parts))
    row = list(query(source, f"select {named} from ({looked}", ")").to_pylist()[0].values())
    half = len(row) // 2
    return [_figures(asked, cells) for cells in (row[half:], row[:half])]


def _looked(asked: Asked, where: str, value: str | None) -> str:
    filled = f"({asked.filled}) is true as f"
    return f"select ({where}) is true as m, {filled}, {value} as v"


def _aggregates(group: str) -> list[str]:
    kept = f"filter (where f and {group})"
    values = ("min(v)", "quantile_disc(v, 0.5)", "quantile_disc(v, 0.9)", "max(v)")
    return [
        f"count(*) filter (where {group})",
        *(f"{each} {kept}" for each in ("count(*)", *values)),
    ]


def _figures(asked: Asked, cells: Sequence[Any]) -> Figures:
    total, filled, *values = cells
    return Figures(filled / total if total else 0.0, *map(asked.told, values))


def _tops(source: Source, asked: Asked, where: str) -> tuple[Top, Top]:
    """The most frequent values of the members and of everybody, where there are few."""
    looked = _looked(asked, where, asked.value)
    counts = "count(*) as everybody, count(*) filter (where m) as members"
    asking = f"select {counts}, v from ({looked}"
    few = f") where f group by v order by everybody desc, v limit {FEW + 1}"
    rows = query(source, asking, few).to_pylist()
    totals = query(source, f"select {counts} from ({looked}", ")").to_pylist()[0]
    if len(rows) > FEW:
        return (), ()
    return _top(rows, totals, "members"), _top(rows, totals, "everybody")


def _top(rows: Sequence[Mapping[str, Any]], totals: Mapping[str, int], group: str) -> Top:
    found = sorted((row for row in rows if row[group]), key=lambda row: -row[group])
    return tuple((row["v"], row[group] / totals[group]) for row in found[:TOP])
