"""A look at the members of a rule: their number, the first of them, and how they differ."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

from segment_engine.backends import duckdb_engine
from segment_engine.backends.bind import bind
from segment_engine.backends.profile import Asked, FieldProfile, asked_of, profiled
from segment_engine.backends.records import to_value
from segment_engine.backends.sources import Source, open_for
from segment_engine.backends.sources.beside import WithMembers
from segment_engine.backends.sources.fitting import misplaced
from segment_engine.backends.sources.rows import records
from segment_engine.backends.sql import identifier, to_sql
from segment_engine.expression.nodes import Field, walk
from segment_engine.expression.references import condition_of
from segment_engine.expression.resolve import expand_derived, resolve
from segment_engine.values.isotime import format_instant
from segment_engine.values.moments import Clock
from segment_engine.values.types import ANY

if TYPE_CHECKING:
    from segment_engine.rule import Rule

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule keeps of `total` consumers at the instant `as_of` (ISO 8601).

    `members` are the first ones by id: the id under its column's name, and the fields that the
    rule reads. `profile` tells of each field of the schema that the source has.
    """

    as_of: str
    count: int
    total: int
    members: tuple[Mapping[str, Any], ...]
    profile: tuple[FieldProfile, ...]

    @property
    def share(self) -> float:
        """The share of members, 0 to 1; 0 where there is nobody."""
        return self.count / self.total if self.total else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for `json.dumps`: decimals as floats, days as ISO text."""
        told: dict[str, Any] = _jsonable(asdict(self))
        return told | {"share": self.share}


def preview(
    rule: "Rule",
    clock: Clock,
    source: Any,
    first: int,
    id_column: str,
    progress: Progress | None = None,
    audiences: Mapping[str, Collection[Any]] | None = None,
) -> Preview:
    """As `Rule.preview`."""
    engine = rule.engine
    specs = [spec for spec in engine.schema.specs.values() if spec.derived is None]
    opened = open_for(engine, [rule], source, id_column, {spec.column for spec in specs})
    duckdb_engine.check_ids(opened, id_column)
    beside: dict[str, str] = {}
    if rule.audiences:
        known = {key: condition_of(key, audiences or {}) for key in rule.audiences}
        opened = joined = WithMembers(opened, known, id_column)
        beside = {key: joined.condition(key) for key in known}
    where = to_sql(bind(rule.resolved(clock), opened.columns, beside))
    counts = f"select count(*) as total, count(*) filter (where {where}) as kept"
    row = duckdb_engine.query(opened, counts).to_pylist()[0]
    members = tuple(_first(rule, clock, opened, where, first, id_column))
    asked = list(_askable(rule, clock, opened))
    profile = []
    for done, each in enumerate(asked, 1):
        profile.append(profiled(opened, each, where))
        if progress:
            progress(done, len(asked))
    as_of = format_instant(clock.as_of)
    return Preview(as_of, row["kept"], row["total"], members, tuple(profile))


def _askable(rule: "Rule", clock: Clock, opened: Source) -> Iterator[Asked]:
    """The fields that the source has, and those derived from them alone."""
    engine = rule.engine
    absent = {item.field for item in misplaced(opened, engine.schema)}
    for spec in engine.schema.specs.values():
        field = Field(spec.name, spec.type, spec, spec.path)
        read = {
            node.spec.name
            for node in walk(expand_derived(field, engine.derived))
            if isinstance(node, Field)
        }
        if not read & absent and (found := asked_of(field, opened.columns, clock, engine.derived)):
            yield found


def _first(
    rule: "Rule", clock: Clock, opened: Source, where: str, first: int, id_column: str
) -> Iterator[dict[str, Any]]:
    names = [id_column, *sorted({*rule.columns} - {id_column})]
    columns = ", ".join(map(identifier, names))
    kept = f"where {where} order by 1 limit {first}"
    readers = {field.name: _reader(field, rule, clock, opened) for field in _fields_read(rule)}
    for batch in duckdb_engine.query(opened, f"select {columns}", kept).to_batches():
        for row in records(batch, names, opened.columns):
            yield {id_column: row[id_column]} | {name: read(row) for name, read in readers.items()}


def _fields_read(rule: "Rule") -> list[Field]:
    """Each field once; an undeclared path as whatever is there."""
    found = [node for node in walk(rule.expression) if isinstance(node, Field)]
    return [field if field.declared else replace(field, type=ANY) for field in found]


def _reader(
    field: Field, rule: "Rule", clock: Clock, opened: Source
) -> Callable[[Mapping[str, Any]], Any]:
    value = to_value(resolve(field, clock, rule.engine.derived), opened.columns)
    if field.type.family != "time":
        return value

    def told(row: Mapping[str, Any]) -> Any:
        found = value(row)
        return format_instant(found) if isinstance(found, int) else found

    return told


def _jsonable(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _jsonable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_jsonable(inner) for inner in value]
        case Decimal():
            return float(value)
        case float() if not isfinite(value):
            return str(value)
        case date():
            return value.isoformat()
    return value
