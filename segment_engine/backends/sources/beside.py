"""Consumers with the members of audiences beside them, for SQL that asks for both."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import polars as pl
import pyarrow as pa

from segment_engine.backends.json_sql import literal
from segment_engine.backends.sources.tables import BESIDE, Queries, Source
from segment_engine.backends.sql import identifier
from segment_engine.errors import RunError


class WithMembers(Source):
    """A source in whose queries the ids of audiences are a table, too."""

    def __init__(
        self, source: Source, members: Mapping[str, Collection[Any]], id_column: str
    ) -> None:
        """`members` are ids by audience. Raises RunError for ids of another type."""
        super().__init__(source.describe, source.columns, source.read)
        self._source, self._id = source, id_column
        keys = [key for key, ids in members.items() for _ in ids]
        found = [found for ids in members.values() for found in ids]
        try:
            ids = pa.array(found, id_type(source, id_column))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as fault:
            raise RunError(f"the ids of an audience are not those of consumers: {fault}") from None
        self._table = pa.table({"audience": pa.array(keys, pa.string()), "id": ids})

    def condition(self, key: str) -> str:
        """SQL that is true for the members of an audience."""
        held = f"select id from {BESIDE} where audience = {literal(key)}"
        return f"{identifier(self._id)} in ({held})"

    @contextmanager
    def duckdb(self) -> Iterator[tuple[Queries, str]]:
        """See Source."""
        with self._source.duckdb() as (connection, relation):
            connection.register(BESIDE, self._table)
            yield connection, relation

    def polars(self) -> pl.LazyFrame:
        """See Source."""
        return self._source.polars()

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """See Source."""
        return self._source.batches(columns)


def id_type(source: Source, id_column: str) -> pa.DataType:
    """The Arrow type of the ids, so that an empty audience has it too."""
    with source.duckdb() as (connection, relation):
        empty = connection.sql(f"select * from {relation} limit 0").to_arrow_table()
    return empty.schema.field(id_column).type
