"""A contest over many audiences: results are compared first, then all are timed in turn."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contenders import BASELINE, Contender, Job, contenders, ids_by_hand
from benchmarks.pools import SCHEMA, Audience
from benchmarks.timing import in_turn
from segment_engine import Engine, Rule
from segment_engine.batch.memberships import Memberships

REACH = {
    ("a DuckDB table", "shared", 1_000): ("ours, from a snapshot", 120),
    ("a DuckDB table", "wide", 1_000): ("ours, from a snapshot", 40),
    ("a DuckDB table", "shared", 100): ("ours, from a snapshot", 30),
    ("a DuckDB table", "wide", 100): ("ours, from a snapshot", 30),
    ("a DuckDB table", "shared", 10): ("ours, from a snapshot", 8),
    ("a DuckDB table", "wide", 10): ("ours, from a snapshot", 8),
    ("a DuckDB table", "metadata", 20): ("ours", 4),
    ("Parquet", "shared", 1_000): ("ours", 45),
    ("Parquet", "wide", 1_000): ("ours", 30),
}
"""Who is to be how many times as fast as the baseline, with 1M consumers."""


def checked(audiences: list[Audience]) -> dict[str, Rule]:
    """The rules of the audiences, by key. Prints how long that took."""
    engine, start = Engine(SCHEMA), time.perf_counter()
    rules = {audience.key: engine.rule(audience.condition.rule) for audience in audiences}
    seconds = time.perf_counter() - start
    print(f"{len(rules):,} rules checked in {seconds:.2f} s, which is no part of the times below")
    return rules


def described(pool: str, audiences: list[Audience]) -> str:
    """How many audiences, and predicates in them."""
    leaves = [predicate.condition.rule for one in audiences for predicate in one.predicates]
    return (
        f"pool {pool}: {len(audiences):,} audiences of {len(leaves):,} predicates, "
        f"{len(set(leaves)):,} of them distinct"
    )


def contest(job: Job, runs: int, left_out: str = "") -> dict[str, float]:
    """Compares the results, then prints the times. Gives the ratio to the baseline, by name.

    `left_out` is a contender that would take too long.
    """
    rivals = [rival for rival in contenders(job) if rival[0] != left_out]
    _compare(job, rivals)
    seconds = in_turn(runs, *(partial(_timed, job, count) for _, count in rivals))
    times = dict(zip((name for name, _ in rivals), seconds, strict=True))
    ratios = {name: times[BASELINE] / taken for name, taken in times.items()}
    print(f"{f'on {job.stored}, median of {runs} runs':40} {'seconds':>9} {'ratio':>7}  reach")
    for name, taken in times.items():
        reached = _reached(job, name, ratios[name])
        print(f"{name:40} {taken:9.3f} {ratios[name]:6.1f}x  {reached}".rstrip(), flush=True)
    if (wanted := _wanted(job)) and wanted[0] not in times:
        print(f"{wanted[0]:40} {'-':>9} {'-':>7}  {wanted[1]}x, not there yet")
    return ratios


def _wanted(job: Job) -> tuple[str, int] | None:
    return REACH.get((job.stored, job.pool, len(job.audiences)))


def _reached(job: Job, name: str, ratio: float) -> str:
    wanted = _wanted(job)
    if wanted is None or wanted[0] != name:
        return ""
    return f"{wanted[1]}x {'yes' if ratio >= wanted[1] else 'NO'}"


def _timed(job: Job, count: Callable[[], list[int] | Memberships]) -> list[int]:
    return _counts(job, count())


def _counts(job: Job, found: list[int] | Memberships) -> list[int]:
    if isinstance(found, list):
        return found
    for key, fault in found.failed.items():
        raise SystemExit(f"{key} failed: {fault}")
    counts = found.counts()
    return [counts[audience.key] for audience in job.audiences]


def _compare(job: Job, rivals: list[Contender]) -> None:
    """All counts, and each member where they are given. Ends the program if one differs."""
    expected = _counts(job, rivals[0][1]())
    given = {}
    for name, count in rivals[1:]:
        found = count()
        _compare_counts(job, name, expected, _counts(job, found))
        if not isinstance(found, list):
            given[name] = found
    for audience in job.audiences:
        theirs = ids_by_hand(job, audience)
        for name, result in given.items():
            _compare_members(name, audience, theirs, result)
    print(f"{sum(expected):,} memberships; every count and every member compared, none differs")


def _compare_counts(job: Job, name: str, expected: list[int], found: list[int]) -> None:
    for audience, theirs, mine in zip(job.audiences, expected, found, strict=True):
        if theirs != mine:
            raise _differing(name, audience, f"{mine:,} members, {theirs:,} by hand")


def _compare_members(name: str, audience: Audience, theirs: Any, result: Memberships) -> None:
    mine = result.ids_of(result.bitmap(audience.key)).to_numpy()
    size = 1 + max(mine.max(initial=0), theirs.max(initial=0))
    if len(mine) != len(theirs) or not np.array_equal(_marks(mine, size), _marks(theirs, size)):
        first = np.setxor1d(mine, theirs)[:3].tolist()
        raise _differing(name, audience, f"not the same members, such as {first}")


def _marks(ids: Any, size: int) -> Any:
    """Which of the ids 0 to `size` are there: compared sooner than sorted ids are."""
    marks = np.zeros(size, dtype=bool)
    marks[ids] = True
    return marks


def _differing(name: str, audience: Audience, how: str) -> SystemExit:
    condition = audience.condition
    return SystemExit(f"{name}: {how}\nrule  {condition.rule}\nSQL   {condition.where}")
