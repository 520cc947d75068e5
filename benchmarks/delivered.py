"""Memberships delivered in long form, consumer_id and audience, against an expert in DuckDB.

    python -m benchmarks.delivered [--consumers 1000000] [--audiences 200] [--runs 3]
        [--pool shared|wide|both] [--without-metadata]

The expert fills a table of a DuckDB file by an INSERT an audience, or writes a Parquet file by a
COPY an audience. Ours is a run from a snapshot and its export as one Parquet file. Reach: 8 and 5
times as fast. What was written is read back and compared first, all of it.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.contenders import Job, snapshot_of
from benchmarks.many import POOLS, argument_parser, round_of, stored
from benchmarks.pools import AS_OF
from benchmarks.timing import in_turn
from segment_engine.batch.exports import export

REACH = {"expert, INSERT an audience": 8, "expert, COPY an audience": 5}
TARGET = "memberships.duckdb"


def main() -> None:
    """Each pool: compares what is delivered, then the times, and prints a table."""
    options = argument_parser(__doc__, runs=3)
    options.add_argument("--audiences", type=int, default=200)
    chosen = options.parse_args()
    with stored(chosen.consumers) as (connection, file):
        for pool in POOLS[chosen.pool]:
            job, _ = round_of(connection, file, pool, chosen.audiences, not chosen.without_metadata)
            with tempfile.TemporaryDirectory() as folder:
                _contest(job, Path(folder), chosen.runs)


def _contest(job: Job, folder: Path, runs: int) -> None:
    ways = {
        "expert, INSERT an audience": partial(_inserted, job, folder / TARGET),
        "expert, COPY an audience": partial(_copied, job, folder / "copied"),
        "ours, run and export": partial(_ours, job, folder / "long.parquet"),
    }
    (folder / "copied").mkdir()
    _compare(job, folder, ways)
    seconds = dict(zip(ways, in_turn(runs, *ways.values()), strict=True))
    ours = seconds["ours, run and export"]
    sizes = (folder / TARGET, folder / "copied", folder / "long.parquet")
    print(f"{f'median of {runs} runs':40} {'seconds':>9} {'MB':>7} {'to ours':>8}  reach")
    for (name, taken), place in zip(seconds.items(), sizes, strict=True):
        ratio = taken / ours
        row = f"{name:40} {taken:9.3f} {_megabytes(place):7.0f} {ratio:7.1f}x  "
        print((row + _reached(name, ratio)).rstrip(), flush=True)


def _reached(name: str, ratio: float) -> str:
    wanted = REACH.get(name)
    return f"{wanted}x {'yes' if ratio >= wanted else 'NO'}" if wanted else ""


def _inserted(job: Job, file: Path) -> None:
    connection = job.connection
    file.unlink(missing_ok=True)
    connection.execute(f"attach '{file}' as target")
    connection.execute("create table target.memberships (consumer_id bigint, audience varchar)")
    connection.execute("begin")
    for audience in job.audiences:
        connection.execute(
            f"insert into target.memberships select id, '{audience.key}' from {job.place} "
            f"where {audience.condition.where}"
        )
    connection.execute("commit")
    connection.execute("detach target")


def _copied(job: Job, folder: Path) -> None:
    for audience in job.audiences:
        job.connection.execute(
            f"copy (select id as consumer_id, '{audience.key}' as audience from {job.place} "
            f"where {audience.condition.where}) to '{folder / audience.key}.parquet' "
            "(format parquet, compression zstd)"
        )


def _ours(job: Job, file: Path) -> None:
    engine = next(iter(job.rules.values())).engine
    snapshot = snapshot_of(job.file)
    run = engine.materialize(
        job.rules, str(job.file), as_of=AS_OF, id_column="id", snapshot=snapshot
    )
    if run.failed:
        raise SystemExit(f"failed: {dict(run.failed)}")
    export(run, "long", file)


def _compare(job: Job, folder: Path, ways: dict[str, Callable[[], None]]) -> None:
    """The rows of each, by audience: their number, and two digests of all their ids."""
    for write in ways.values():
        write()
    job.connection.execute(f"attach '{folder / TARGET}' as target (read_only)")
    places = (
        "target.memberships",
        f"read_parquet('{folder / 'copied'}/*.parquet')",
        f"read_parquet('{folder / 'long.parquet'}')",
    )
    told = [_told(job.connection, place) for place in places]
    job.connection.execute("detach target")
    for name, found in zip(ways, told, strict=True):
        if differing := {*told[0]} ^ {*found}:
            raise SystemExit(f"{name} has delivered others: {sorted(differing)[:2]}")
    count = sum(row[1] for row in told[0])
    print(f"{count:,} memberships written three ways and read back, none differs")


def _told(connection: duckdb.DuckDBPyConnection, place: str) -> list[tuple[str, int, int, int]]:
    return connection.execute(
        "select audience, count(*), sum(hash(consumer_id)), bit_xor(hash(consumer_id, 1)) "
        f"from {place} group by audience"
    ).fetchall()


def _megabytes(place: Path) -> float:
    files = place.iterdir() if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files) / 1e6


if __name__ == "__main__":
    main()
