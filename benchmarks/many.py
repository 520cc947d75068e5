"""Many audiences in one run against a count query an audience by an expert, on 1M consumers.

    python -m benchmarks.many [--consumers 1000000] [--audiences 1000] [--runs 5]
        [--pool shared|wide|both] [--parquet] [--without-metadata] [--without-polars]

Two pools of predicates: *shared*, which many audiences repeat, and *wide*. On the table Polars has
a copy of it in memory before it is timed. With --parquet all read the same file, too, every time.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from benchmarks import consumers, memory, pools
from benchmarks.contenders import POLARS, Job
from benchmarks.contest import checked, contest, described

POOLS = {"shared": ["shared"], "wide": ["wide"], "both": ["shared", "wide"]}


def main() -> None:
    """Each pool: compares the members, then the times, and prints a table."""
    options = argument_parser(__doc__, runs=5)
    options.add_argument("--audiences", type=int, default=1_000)
    options.add_argument("--parquet", action="store_true")
    options.add_argument("--without-polars", action="store_true")
    chosen = options.parse_args()
    with stored(chosen.consumers) as (connection, file):
        for pool in POOLS[chosen.pool]:
            both = round_of(connection, file, pool, chosen.audiences, not chosen.without_metadata)
            for job in both[: 1 + chosen.parquet]:
                contest(job, chosen.runs, POLARS if chosen.without_polars else "")
            print(memory.peak(file, pool, chosen.audiences, not chosen.without_metadata))


def argument_parser(described_as: str | None, runs: int) -> argparse.ArgumentParser:
    """The options that benchmarks of many audiences share."""
    options = argparse.ArgumentParser(
        description=described_as, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--consumers", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=runs)
    options.add_argument("--pool", choices=POOLS, default="both")
    options.add_argument("--without-metadata", action="store_true")
    return options


@contextmanager
def stored(count: int) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """That many consumers, in a table of a connection and in a Parquet file.

    The connection is in UTC because Polars gets its zone, and `Rule.polars` compares in UTC alone.
    """
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "consumers.parquet"
        connection.execute("set TimeZone = 'UTC'")
        consumers.table(connection, count)
        consumers.parquet(connection, file)
        print(f"{count:,} consumers; ratios are to the first row, what to reach is for 1,000,000")
        yield connection, file


def round_of(
    connection: duckdb.DuckDBPyConnection, file: Path, pool: str, number: int, metadata: bool
) -> tuple[Job, Job]:
    """The same audiences, to be counted on the table and on Parquet."""
    audiences = pools.audiences(pools.pool(pool, metadata), number)
    return jobs(connection, file, pool, audiences)


def jobs(
    connection: duckdb.DuckDBPyConnection, file: Path, pool: str, audiences: list[pools.Audience]
) -> tuple[Job, Job]:
    """Audiences of a pool, to be counted on the table and on Parquet."""
    print(f"\n{described(pool, audiences)}")
    rules = checked(audiences)
    table = connection.table("consumers")
    of_table = "consumers", table, table.pl().lazy()
    of_file = f"read_parquet('{file}')", str(file), pl.scan_parquet(file)
    return (
        Job(pool, "a DuckDB table", connection, *of_table, audiences, rules, file),
        Job(pool, "Parquet", connection, *of_file, audiences, rules, file),
    )


if __name__ == "__main__":
    main()
