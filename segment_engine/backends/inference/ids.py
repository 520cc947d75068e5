"""Which columns identify a consumer: those in which every value is there, and there once."""

from collections.abc import Sequence

from segment_engine.backends.duckdb_engine import query
from segment_engine.backends.sources import Source
from segment_engine.backends.sql import identifier


def identifying(source: Source, columns: Sequence[str]) -> list[str]:
    """Those of the columns that have no null and no value twice."""
    held = [name for name in columns if name in source.read]
    counts = ", ".join(
        f"count({name}) as present{at}, count(distinct {name}) as distinct{at}"
        for at, name in enumerate(map(identifier, held))
    )
    rows, *found = (
        query(source, f"select count(*) as rows_in_all, {counts}").to_pylist()[0].values()
    )
    pairs = zip(held, found[::2], found[1::2], strict=True)
    return [name for name, present, distinct in pairs if present == rows == distinct]
