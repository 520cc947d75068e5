"""Consumers loaded from a Parquet file into a fresh store, against bare inserts of the same rows.

    python -m benchmarks.loading [--consumers 1000000] [--store URL]

The consumers of `benchmarks.service` are loaded into SQLite, unless a URL is given: when all of
them are new, again when none has changed, when one in a hundred has, and when all have. Each time
the store's consumers are compared with the file, value by value. The baseline is `sqlite3` alone:
rows that stand ready as tuples go into a table of SQLite with the store's indexes and settings,
10,000 a transaction; nothing is read, checked or looked for.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl
from sqlalchemy import select

from benchmarks import consumers
from benchmarks.service import COLUMNS
from segment_engine.store.consumers import MOST_ROWS
from segment_engine.store.ids import new_ids
from segment_engine.store.loading import load
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.tables import consumers as table

CHANGED = 'hash("externalId") % 100 = 0'
CHANGE = """
select * replace (case when {which} then coalesce("totalOrders", 0) + 1 else "totalOrders" end
    as "totalOrders")
"""
KEPT = {
    "email": "email",
    "email_folded": "lower(email)",
    "phone": "phone",
    "full_name": '"fullName"',
    "external_id": '"externalId"',
    "total_orders": '"totalOrders"',
    "total_order_value": '"totalOrderValue"::varchar',
    "last_order_at": 'epoch_us("lastOrderAt")',
    "metadata": "metadata",
    "created_at": 'epoch_us("createdAt")',
}
"""What the columns of the store's table are of those of the file."""
WRITTEN = ("organization", "ordinal", "id", *KEPT, "updated_at", "change_seq")
PATHS = [f"$.{key}" for key in ("country", "points", "tags", "tier")]
MEANT = {
    **{name: name for name in ("ordinal", *KEPT)},
    "total_order_value": "total_order_value::decimal(18, 2)",
    "metadata": f"json_extract(metadata, {PATHS}), len(json_keys(metadata))",
}
"""The columns as values: numbers and documents are not spelt as in the file."""
SETTINGS = (
    "journal_mode = wal",
    "synchronous = normal",
    "foreign_keys = on",
    "cache_size = -65536",
)


class Taken(NamedTuple):
    """Seconds on the clock, and those in which this process had a processor."""

    seconds: float
    busy: float


def main() -> None:
    """Loads, compares what the store has with the files, and prints a table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--consumers", type=int, default=1_000_000)
    options.add_argument("--store")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        place, number = Path(folder), chosen.consumers
        first, second, third = _files(connection, place, number)
        (changed,) = connection.sql(f"select count(*) from '{first}' where {CHANGED}").fetchall()[0]
        bare = _inserted(connection, place, first)
        shop = _shop(chosen.store or f"sqlite:///{place / 'loaded.db'}", place)
        taken = {
            "all are new": _loaded(connection, shop, first, created=number),
            "the same again": _loaded(connection, shop, first, unchanged=number),
            "1 % have changed": _loaded(
                connection, shop, second, updated=changed, unchanged=number - changed
            ),
            "all have changed": _loaded(connection, shop, third, updated=number),
        }
    print(f"{number:,} consumers; compared with the file after each loading, none differs")
    print(f"{'':32} {'seconds':>8} {'of a processor':>14} {'rows a second':>14}")
    for name, (seconds, busy) in {"sqlite3 alone, all are new": bare, **taken}.items():
        print(f"{name:32} {seconds:8.1f} {busy:14.1f} {number / seconds:14,.0f}")


def _files(connection: duckdb.DuckDBPyConnection, place: Path, number: int) -> list[Path]:
    """The consumers, again with other orders of one in a hundred, and then with others of all."""
    first, second, third = (place / f"{name}.parquet" for name in ("first", "second", "third"))
    connection.execute("set TimeZone = 'UTC'")
    consumers.table(connection, number)
    connection.execute(f"copy (select {COLUMNS} from consumers) to '{first}'")
    for before, which, after in ((first, CHANGED, second), (second, "true", third)):
        connection.execute(f"copy ({CHANGE.format(which=which)} from '{before}') to '{after}'")
    return [first, second, third]


def _shop(url: str, place: Path) -> OrganizationStore:
    store = Store(url, b"a secret of benchmarks", place)
    store.migrate()
    name = f"loading {len(store.organizations.list())}"
    return store.of(store.organizations.create(name).id)


def _loaded(
    connection: duckdb.DuckDBPyConnection, shop: OrganizationStore, file: Path, **expected: int
) -> Taken:
    told, taken = _timed(lambda: load(shop, file))
    counts = {name: getattr(told, name) for name in ("created", "updated", "unchanged")}
    if counts != {"created": 0, "updated": 0, "unchanged": 0, **expected}:
        raise SystemExit(f"{counts} of {told.rows:,} rows, not {expected}")
    _compare(connection, shop, file)
    return taken


def _timed(do: Callable[[], Any]) -> tuple[Any, Taken]:
    start, began = time.perf_counter(), time.process_time()
    done = do()
    return done, Taken(time.perf_counter() - start, time.process_time() - began)


def _compare(connection: duckdb.DuckDBPyConnection, shop: OrganizationStore, file: Path) -> None:
    """Ends the program where the store has another value than the file."""
    columns = [table.c[name] for name in ("ordinal", *KEPT)]
    types = {one.name: pl.Int64 if one.type.python_type is int else pl.String for one in columns}
    mine = select(*columns).where(table.c.organization == shop.organization.id)
    with shop.store.database.reading() as reading:
        rows = list(map(tuple, reading.execute(mine)))
    connection.register("kept", pl.DataFrame(rows, types, orient="row").to_arrow())
    cells = ", ".join(f"{cell} as {name}" for name, cell in KEPT.items())
    source = f"read_parquet('{file}', file_row_number = true)"
    given = f"select file_row_number as ordinal, {cells} from {source}"
    held, told = (
        f"select {', '.join(MEANT.values())} from {one}" for one in ("kept", f"({given})")
    )
    (found,) = connection.execute(
        f"select count(*) from (({held} except all {told}) union all ({told} except all {held}))"
    ).fetchall()[0]
    if found:
        raise SystemExit(f"{found:,} rows differ between the store and {file.name}")


def _inserted(connection: duckdb.DuckDBPyConnection, place: Path, file: Path) -> Taken:
    """What bare inserts take, with all that is made of the file before and not timed."""
    cells, marks = ", ".join(KEPT.values()), ", ".join("?" * len(WRITTEN))
    rows = connection.execute(f"select {cells} from '{file}'")
    insert = f"insert into consumers ({', '.join(WRITTEN)}) values ({marks})"
    path = place / "bare.db"
    organization = _shop(f"sqlite:///{path}", place).organization.id
    taken = []
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for setting in SETTINGS:
            database.execute(f"pragma {setting}")
        for number in count():
            ids = new_ids("cons", 1_000 * number)
            part = zip(count(MOST_ROWS * number), ids, rows.fetchmany(MOST_ROWS), strict=False)
            ready = [(organization, n, id, *row, number, number) for n, id, row in part]
            if not ready:
                break
            taken.append(_timed(partial(_insert, database, insert, ready))[1])
    return Taken(sum(one.seconds for one in taken), sum(one.busy for one in taken))


def _insert(database: sqlite3.Connection, insert: str, rows: list[tuple[Any, ...]]) -> None:
    database.execute("begin immediate")
    database.executemany(insert, rows)
    database.execute("commit")


if __name__ == "__main__":
    main()
