"""Who counts the members of many audiences: an expert by hand, Polars, and ours."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl

from benchmarks.pools import AS_OF, Audience
from segment_engine import Rule
from segment_engine.batch.memberships import Memberships

BASELINE = "expert, a query an audience"
POLARS = "Polars, one select"
FILTERED_AT_MOST = 200
"""One query with that many filters at most: its time grows with the square of their number."""


class Job(NamedTuple):
    """Audiences to count, and the consumers: as SQL, as a source of ours, and for Polars.

    `stored` says what the consumers are: "a DuckDB table" or "Parquet". `file` is a Parquet file
    of them in any case, which the snapshot is held against before each run.
    """

    pool: str
    stored: str
    connection: duckdb.DuckDBPyConnection
    place: str
    source: Any
    frame: pl.LazyFrame
    audiences: list[Audience]
    rules: dict[str, Rule]
    file: Path


Contender = tuple[str, Callable[[], list[int] | Memberships]]
"""A name, and what counts the members of each audience; from `Memberships` the ids are compared,
too, and `counts()` belongs to the time."""


def contenders(job: Job) -> list[Contender]:
    """The baseline first. What is compiled here, is compiled before anything is timed."""
    filtered = [("one query, count(*) filter", partial(_filtered, job))]
    return [
        (BASELINE, partial(_by_hand, job)),
        *(filtered if len(job.audiences) <= FILTERED_AT_MOST else []),
        (POLARS, partial(_in_polars, job.frame, _sums(job))),
        ("ours", partial(_ours, job)),
        ("ours, from a snapshot", partial(_ours_of_snapshot, job)),
    ]


def ids_by_hand(job: Job, audience: Audience) -> Any:
    """The ids of an audience's members by the expert's SQL, as a numpy array."""
    found = job.connection.execute(f"select id from {job.place} where {audience.condition.where}")
    return found.fetchnumpy()["id"]


def _by_hand(job: Job) -> list[int]:
    return [
        job.connection.execute(
            f"select count(*) from {job.place} where {audience.condition.where}"
        ).fetchall()[0][0]
        for audience in job.audiences
    ]


def _filtered(job: Job) -> list[int]:
    counts = ", ".join(
        f"count(*) filter (where {audience.condition.where})" for audience in job.audiences
    )
    return list(job.connection.execute(f"select {counts} from {job.place}").fetchall()[0])


def _sums(job: Job) -> list[pl.Expr]:
    return [
        rule.polars(as_of=AS_OF, source=job.frame).sum().alias(key)
        for key, rule in job.rules.items()
    ]


def _in_polars(frame: pl.LazyFrame, sums: list[pl.Expr]) -> list[int]:
    return list(frame.select(sums).collect().row(0))


def _ours(job: Job) -> Memberships:
    engine = next(iter(job.rules.values())).engine
    return engine.materialize(job.rules, job.source, as_of=AS_OF, id_column="id")


def _ours_of_snapshot(job: Job) -> Memberships:
    """The first time the snapshot is built; that is before anything is timed."""
    engine = next(iter(job.rules.values())).engine
    folder = snapshot_of(job.file)
    return engine.materialize(
        job.rules, str(job.file), as_of=AS_OF, id_column="id", snapshot=folder
    )


def snapshot_of(file: Path) -> Path:
    """The folder of the snapshot of a file's consumers."""
    return file.with_suffix(".snapshot")
