"""Rules run by DuckDB."""

from typing import TYPE_CHECKING, Any

import duckdb

from segment_engine.backends.bind import bind
from segment_engine.backends.ids import refuse_ids
from segment_engine.backends.reading import Members
from segment_engine.backends.sources import Source, open_for
from segment_engine.backends.sql import identifier, to_sql
from segment_engine.errors import SourceError
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    from segment_engine.rule import Rule


def compiled(rule: "Rule", clock: Clock, source: Any, members: Members | None = None) -> str:
    """The rule as one SQL expression over the source's columns, or over the default ones."""
    columns = None if source is None else open_for(rule.engine, [rule], source, None).columns
    return to_sql(bind(rule.resolved(clock), columns, members))


def check_ids(source: Source, id_column: str) -> int:
    """How many consumers there are. Raises RunError where an id is null or stands twice."""
    name = identifier(id_column)
    counts = f"count(*), count({name}), count(distinct {name})"
    rows, present, distinct = query(source, f"select {counts}").to_pylist()[0].values()
    refuse_ids(id_column, rows - present, present - distinct)
    return int(rows)


def members(rule: "Rule", clock: Clock, source: Source, id_column: str) -> list[Any]:
    """The ids that the rule keeps, sorted."""
    where = to_sql(bind(rule.resolved(clock), source.columns))
    name = identifier(id_column)
    found = query(source, f"select {name}", f"where {where} order by 1")
    ids: list[Any] = found.column(0).to_pylist()
    return ids


def count(rule: "Rule", clock: Clock, source: Source, id_column: str) -> int:
    """How many rows the rule keeps."""
    where = to_sql(bind(rule.resolved(clock), source.columns))
    found = query(source, "select count(*)", f"where {where}")
    number: int = found.column(0)[0].as_py()
    return number


def query(source: Source, before: str, after: str = "") -> Any:
    """The Arrow table of a query, given as what stands before and after `from <consumers>`."""
    with source.duckdb() as (connection, relation):
        try:
            return connection.sql(f"{before} from {relation} {after}").to_arrow_table()
        except duckdb.Error as fault:
            reason = str(fault).splitlines()[0]
            raise SourceError(f"{source.describe} cannot be read: {reason}") from fault
