"""Consumers in tables: what each engine reads of Arrow, Polars and DuckDB ones."""

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache, cached_property
from typing import Any, Protocol

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from segment_engine.backends.physical import Other, Physical
from segment_engine.backends.sources.rows import column_of, records
from segment_engine.backends.sources.storage import (
    arrow_stored,
    duckdb_read,
    polars_stored,
    without_twins,
)
from segment_engine.backends.sql import identifier
from segment_engine.errors import SourceError
from segment_engine.values.types import Type

Wanted = Collection[str] | None
Types = Mapping[str, Type]

_BATCH = 20_000
_UNREADABLE = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.IOException,
    duckdb.OutOfRangeException,
    duckdb.ResourceInUseException,
)


BESIDE = "segment_engine_members"
"""The name of the one table that a query may have beside the consumers."""


class Queries(Protocol):
    """What runs SQL: a DuckDB connection, or a user's relation on its own connection."""

    def sql(self, query: str) -> duckdb.DuckDBPyRelation: ...

    def register(self, view_name: str, python_object: object) -> object: ...


class Source(ABC):
    """Consumers, one a row, as each engine reads them.

    `columns` has the physical type of every column, `Other` for one that no field can have;
    `read` are the names of those that the engines are given; `describe` is for messages.
    """

    def __init__(self, describe: str, columns: Mapping[str, Physical], wanted: Wanted) -> None:
        self.describe = describe
        self.columns: Mapping[str, Physical] = without_twins(columns)
        self.read = tuple(
            name
            for name, kind in self.columns.items()
            if (wanted is None or name in wanted) and not isinstance(kind, Other)
        )

    @abstractmethod
    def duckdb(self) -> AbstractContextManager[tuple[Queries, str]]:
        """A connection to query, and what to write after FROM. SourceError for faulty data."""

    @abstractmethod
    def polars(self) -> pl.LazyFrame:
        """The columns as Polars reads them."""

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Arrow record batches of some of the columns read."""

    def frames(self, columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
        """Polars frames of some of the columns read, of `size` rows each but for the last."""
        with reading(self.describe):
            held = self.polars().select(columns).collect()
        yield from held.iter_slices(size)

    def those(self, columns: Sequence[str], condition: str, beside: Any = None) -> pl.DataFrame:
        """Some of the columns read, of those for whom the SQL holds.

        It may ask for a column `id` of the table `BESIDE`, which is `beside`.
        """
        with reading(self.describe), self.duckdb() as (connection, table):
            if beside is not None:
                connection.register(BESIDE, beside)
            names = ", ".join(map(identifier, columns))
            asked = connection.sql(f"select {names} from {table} where {condition}")
            return _framed(asked.to_arrow_table())

    def fingerprint(self) -> str | None:
        """A text that is another one when the consumers may be others; None where nothing tells."""
        return None

    def rows(self, columns: Sequence[str], every: int = 1) -> Iterator[dict[str, object]]:
        """Every so many-th consumer as plain Python values; None for a column not read.

        Stamps are floored to microseconds; a day or stamp outside the years 1 to 9999 is None.
        """
        held = [name for name in columns if name in self.read]
        passed = 0
        for batch in self.batches(held):
            taken = range(-passed % every, batch.num_rows, every)
            passed += batch.num_rows
            some = batch if every == 1 else batch.take(pa.array(taken, pa.int64()))
            yield from records(some, columns, self.columns)

    def __repr__(self) -> str:
        return f"<Source {self.describe}>"


class ArrowSource(Source):
    """Consumers in an Arrow table; columns are cast to what all engines read alike."""

    def __init__(
        self,
        describe: str,
        table: Any,
        types: Types,
        wanted: Wanted,
        columns: Mapping[str, Physical] | None = None,
    ) -> None:
        """`columns` has the physical types where the table's own types do not tell them all."""
        refuse_doubles(describe, table.schema.names)
        stored = {
            field.name: arrow_stored(field.type, types.get(field.name)) for field in table.schema
        }
        found = {name: physical for name, (_, physical) in stored.items()}
        super().__init__(describe, columns or found, wanted)
        self._given = table.select(self.read)
        self._targets = {name: stored[name][0] for name in self.read}

    @cached_property
    def table(self) -> Any:
        """The columns read, as an Arrow table."""
        arrays = [self._cast(name, target) for name, target in self._targets.items()]
        return pa.table(arrays, names=list(self._targets)) if arrays else self._given

    def _cast(self, name: str, target: Any) -> Any:
        array = self._given.column(name)
        if array.type == target:
            return array
        try:
            if pa.types.is_timestamp(array.type) and target.unit == "us":
                array = _within_range(array)
            return array.cast(target)
        except (pa.ArrowException, ValueError) as fault:
            raise SourceError(f"{self.describe}: column {name!r}: {first_line(fault)}") from fault

    @contextmanager
    def duckdb(self) -> Iterator[tuple[Queries, str]]:
        """See Source."""
        with reading(self.describe), database().cursor() as connection:
            connection.register("consumers", _never_narrow(self.table))
            yield connection, "consumers"

    def polars(self) -> pl.LazyFrame:
        """See Source."""
        return lazy(pl.DataFrame(self.table))

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """See Source."""
        held = _never_narrow(self.table)
        return iter(held.select(columns or held.schema.names[:1]).to_batches(_BATCH))


class PolarsSource(ArrowSource):
    """Consumers in a Polars frame, collected once, and only what is read of it, for the others."""

    def __init__(self, describe: str, frame: pl.LazyFrame, types: Types, wanted: Wanted) -> None:
        with reading(describe):
            schema = frame.collect_schema()
        stored = {name: polars_stored(kind, types.get(name)) for name, kind in schema.items()}
        Source.__init__(self, describe, {name: kind for name, (_, kind) in stored.items()}, wanted)
        # A frame of no column has no rows any more, and the rows count.
        self._frame = (
            lazy(frame, types).select(self.read) if self.read else frame.select(pl.first())
        )

    @cached_property
    def table(self) -> Any:
        """The columns read, as an Arrow table."""
        with reading(self.describe):
            return self._frame.collect().to_arrow()

    def polars(self) -> pl.LazyFrame:
        """See Source."""
        return self._frame


class DuckDBSource(Source):
    """Consumers that DuckDB reads when asked: a subclass says where from."""

    def __init__(
        self,
        describe: str,
        relation: duckdb.DuckDBPyRelation,
        types: Types,
        wanted: Wanted,
        names: Sequence[str] = (),
        unusable: Collection[str] = (),
    ) -> None:
        """`names` are the columns' own names, where DuckDB gives them others."""
        names = names or relation.columns
        refuse_doubles(describe, names)
        stored = {
            name: duckdb_read(name, kind, types.get(name))
            for name, kind in zip(names, relation.types, strict=True)
        }
        columns = {name: kind for name, (_, kind) in stored.items()}
        columns |= {name: Other("a decimal of more than 38 digits") for name in unusable}
        super().__init__(describe, columns, wanted)
        self._reads = {name: stored[name][0] for name in self.read}

    def of(self, table: str) -> str:
        """What to write after FROM to read the columns of `table`."""
        if all(sql == identifier(name) for name, sql in self._reads.items()):
            return table
        columns = ", ".join(f"{sql} as {identifier(name)}" for name, sql in self._reads.items())
        return f"(select {columns} from {table})"

    def polars(self) -> pl.LazyFrame:
        """See Source."""
        with self.duckdb() as (connection, table):
            return lazy(pl.DataFrame(connection.sql(self._query(table)).to_arrow_table()))

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """See Source."""
        with self.duckdb() as (connection, table):
            yield from connection.sql(self._query(table, columns)).to_arrow_reader(_BATCH)

    def frames(self, columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
        """See Source."""
        held: list[Any] = []
        for batch in self.batches(columns):
            held.append(batch)
            if sum(map(len, held)) >= size:
                whole = pa.Table.from_batches(held)
                yield _framed(whole[:size])
                held = whole[size:].to_batches()
        if held:
            yield _framed(pa.Table.from_batches(held))

    def _query(self, table: str, columns: Sequence[str] | None = None) -> str:
        names = self.read if columns is None else columns
        return f"select {', '.join(map(identifier, names)) or 'true as present'} from {table}"


class RelationSource(DuckDBSource):
    """A user's DuckDB relation, run on its own connection; nothing there is changed."""

    def __init__(
        self, relation: duckdb.DuckDBPyRelation, types: Types, wanted: Wanted = None
    ) -> None:
        self._relation = relation
        super().__init__("the DuckDB relation", relation, types, wanted)

    @contextmanager
    def duckdb(self) -> Iterator[tuple[Queries, str]]:
        """See Source."""
        with reading(self.describe):
            yield _Over(self._relation), self.of("consumers")

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """See Source."""
        # A reader would keep the user's connection busy until the last row is asked for.
        with self.duckdb() as (connection, table):
            held = connection.sql(self._query(table, columns)).to_arrow_table()
        return iter(held.to_batches(_BATCH))


class _Over:
    """SQL over a relation under the name of `consumers`."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation
        self._beside: object = None

    def register(self, view_name: str, python_object: object) -> None:
        """Puts a table beside the consumers, under the one name that there is for it."""
        assert view_name == BESIDE
        self._beside = python_object

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        segment_engine_members = self._beside  # noqa: F841 - DuckDB finds it by its name
        made = self._relation.query("consumers", query)
        assert made is not None, "only a statement that is no query makes no relation"
        return made


class RowsSource(ArrowSource):
    """Consumers as dicts, read as they stand by the records engine.

    The others read a table of them, see `column_of`. A key that a dict lacks is missing; so is a
    field of the schema that no dict has.
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], types: Types, wanted: Wanted = None
    ) -> None:
        # No rows at all lack no column.
        asked = () if rows else wanted or ()
        names = dict.fromkeys([*(key for row in rows for key in row), *types, *asked])
        read = [name for name in names if wanted is None or name in wanted]
        made = {name: column_of([row.get(name) for row in rows], types.get(name)) for name in read}
        kinds = {name: made[name][1] if name in made else Other("not read") for name in names}
        Source.__init__(self, f"the {len(rows)} rows", kinds, wanted)
        self._rows = rows
        # The column of trues keeps the number of rows where no other is read.
        present = pa.array([True] * len(rows), pa.bool_())
        self._made = {name: made[name][0] for name in self.read} or {"": present}

    @cached_property
    def table(self) -> Any:
        """The columns read, as an Arrow table."""
        return pa.table(self._made)

    def rows(self, columns: Sequence[str], every: int = 1) -> Iterator[dict[str, object]]:
        """The consumers' own values of those columns, None where one has none."""
        return ({name: row.get(name) for name in columns} for row in self._rows[::every])


def lazy(frame: pl.DataFrame | pl.LazyFrame, types: Types | None = None) -> pl.LazyFrame:
    """The columns of the frame that a field can have, cast to what all engines read alike."""
    frame = frame.lazy()
    casts = []
    for name, kind in frame.collect_schema().items():
        target, physical = polars_stored(kind, types.get(name) if types else None)
        column = pl.col(name)
        if isinstance(kind, pl.BaseExtension):
            column = column.ext.storage()
        if not isinstance(physical, Other):
            casts.append(column if kind == target else column.cast(target, strict=False))
    return frame.select(casts) if casts else frame


def _framed(table: Any) -> pl.DataFrame:
    return lazy(pl.DataFrame(table)).collect()


@contextmanager
def reading(describe: str) -> Iterator[None]:
    """Raises SourceError for what DuckDB, Arrow or Polars cannot read."""
    try:
        yield
    except duckdb.ResourceInUseException as fault:
        raise SourceError(
            f"{describe} cannot be read while its connection has an unfinished result: fetch that "
            "to the end, or make the relation on a cursor of its own"
        ) from fault
    except (*_UNREADABLE, pa.ArrowException, pl.exceptions.PolarsError, OSError) as fault:
        raise SourceError(f"{describe} cannot be read: {first_line(fault)}") from fault


def first_line(fault: BaseException) -> str:
    """The first line of an error's message, not too long, without the class that DuckDB writes."""
    line = next(iter(str(fault).splitlines()), "") or type(fault).__name__
    return line.partition(" Error: ")[2][:300] or line[:300]


def refuse_doubles(describe: str, names: Sequence[str]) -> None:
    """Raises SourceError where two columns have the same name."""
    if double := next((name for name in names if names.count(name) > 1), None):
        raise SourceError(f"{describe} has two columns named {double!r}; rename one of them")


def database() -> duckdb.DuckDBPyConnection:
    """A DuckDB of this process to take cursors from: opening one takes longer than most queries."""
    return _database(os.getpid())


@cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    # A DuckDB that was opened before a fork hangs in the child.
    return duckdb.connect()


def _within_range(stamps: Any) -> Any:
    """The stamps with null for one that no 64-bit number of microseconds can say."""
    bound = (2**63 - 1) // {"s": 1_000_000, "ms": 1_000}.get(stamps.type.unit, 1)
    numbers = stamps.cast(pa.int64())
    held = pc.and_(pc.less_equal(numbers, bound), pc.greater_equal(numbers, -bound))
    return pc.if_else(held, numbers, pa.scalar(None, pa.int64())).cast(stamps.type)


def _never_narrow(table: Any) -> Any:
    """The table with at least one column: without any, DuckDB and batches lose its rows."""
    if table.num_columns:
        return table
    return pa.table({"": pa.array([True] * table.num_rows, pa.bool_())})
