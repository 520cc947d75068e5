"""Rules run by Polars."""

from typing import TYPE_CHECKING, Any

import polars as pl

from segment_engine.backends.bind import bind
from segment_engine.backends.ids import refuse_ids
from segment_engine.backends.polars_expr import to_polars
from segment_engine.backends.reading import Members
from segment_engine.backends.sources import Source, open_for
from segment_engine.errors import SourceError
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    from segment_engine.rule import Rule


def compiled(rule: "Rule", clock: Clock, source: Any, members: Members | None = None) -> pl.Expr:
    """The rule as one expression over the source's columns, or over the default ones."""
    columns = None if source is None else open_for(rule.engine, [rule], source, None).columns
    return to_polars(bind(rule.resolved(clock), columns, members))


def check_ids(source: Source, id_column: str) -> int:
    """How many consumers there are. Raises RunError where an id is null or stands twice."""
    ids = pl.col(id_column)
    counted = source.polars().select(
        pl.len().alias("rows"), ids.count().alias("present"), ids.drop_nulls().n_unique()
    )
    rows, present, distinct = _collected(source, counted).row(0)
    refuse_ids(id_column, rows - present, present - distinct)
    return int(rows)


def members(rule: "Rule", clock: Clock, source: Source, id_column: str) -> list[Any]:
    """The ids that the rule keeps, sorted."""
    condition = to_polars(bind(rule.resolved(clock), source.columns))
    kept = source.polars().filter(condition).select(pl.col(id_column).sort())
    return _collected(source, kept)[id_column].to_list()


def count(rule: "Rule", clock: Clock, source: Source, id_column: str) -> int:
    """How many rows the rule keeps."""
    condition = to_polars(bind(rule.resolved(clock), source.columns))
    number: int = _collected(source, source.polars().filter(condition).select(pl.len())).item()
    return number


def _collected(source: Source, query: pl.LazyFrame) -> pl.DataFrame:
    try:
        return query.collect()
    except (pl.exceptions.PolarsError, OSError) as fault:
        reason = str(fault).splitlines()[0]
        raise SourceError(f"{source.describe} cannot be read: {reason}") from fault
