"""A run after 1 % of the consumers changed and an hour passed, against runs over all of them.

    python -m benchmarks.changed [--consumers 1000000] [--runs 3] [--pool shared|wide|both]
        [--audiences 1000] [--without-metadata]

Each gives the members of all audiences and how many entered and left each since the run before: a
cold run, one over all consumers of a snapshot that is told who changed, and one that asks only
those and whom the hour moves. All read the same DuckDB table, which changes before each round; what
they give is compared in every round, and the first is not timed.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from benchmarks import pools
from benchmarks.contest import checked, described
from benchmarks.many import POOLS, argument_parser, stored
from segment_engine import Rule
from segment_engine.batch.memberships import Memberships

CHANGE = """
create or replace table consumers as
select mine.id, other.* exclude (id) from consumers mine join consumers other on other.id =
    case when hash(mine.id, {round}) % 100 = 0 then (mine.id * 7919 + {round}) % {count}
    else mine.id end
order by mine.id
"""
CHANGED = "select id from consumers where hash(id, {round}) % 100 = 0"
COLD, KEPT, OURS = "cold, and the difference", "from a snapshot, and the difference", "ours, since"
REACH = {COLD: 15, KEPT: 4}
"""How many times as fast as these ours is to be, with 1M consumers and 1,000 audiences."""

Moves = dict[str, tuple[int, int]]


class Rounds:
    """The same audiences again and again, while consumers change."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, rules: dict[str, Rule], folder: Path
    ) -> None:
        self._connection, self._rules, self._folder = connection, rules, folder
        self._engine = next(iter(rules.values())).engine
        self._round, self._as_of = 0, pools.AS_OF
        self._count = connection.sql("select count(*) from consumers").fetchall()[0][0]
        self._before = {name: self._run(snapshot=folder / name) for name in (KEPT, OURS)}
        self._before[COLD] = self._before[KEPT]

    def next(self) -> dict[str, float]:
        """The seconds that each takes, after a change."""
        self._round += 1
        self._as_of += timedelta(hours=1)
        self._connection.execute(CHANGE.format(round=self._round, count=self._count))
        changed = CHANGED.format(round=self._round)
        ids = [row[0] for row in self._connection.execute(changed).fetchall()]
        before = self._before
        ways: dict[str, Callable[[], Memberships]] = {
            COLD: self._run,
            KEPT: partial(self._run, snapshot=self._folder / KEPT, changed=ids),
            OURS: partial(self._run, snapshot=self._folder / OURS, changed=ids, since=before[OURS]),
        }
        found, seconds = {}, {}
        for name, run in ways.items():
            start = time.perf_counter()
            made = run()
            moves = dict(made.moves) if made.moves is not None else _moves(before[name], made)
            seconds[name] = time.perf_counter() - start
            found[name] = made, moves
        if found[OURS][0].moves is None:
            raise SystemExit("ours asked all consumers")
        _compare(found)
        self._before = {name: made for name, (made, _) in found.items()}
        return seconds

    def _run(self, **how: Any) -> Memberships:
        source = self._connection.table("consumers")
        return self._engine.materialize(
            self._rules, source, as_of=self._as_of, id_column="id", **how
        )


def _moves(before: Memberships, after: Memberships) -> Moves:
    shared = {key: before.bitmap(key).overlap(after.bitmap(key)) for key in after}
    sizes, were = after.counts(), before.counts()
    return {key: (sizes[key] - both, were[key] - both) for key, both in shared.items()}


def _compare(found: dict[str, tuple[Memberships, Moves]]) -> None:
    expected, moves = found[COLD]
    for name, (made, theirs) in found.items():
        for key in expected:
            if made.bitmap(key) != expected.bitmap(key) or theirs[key] != moves[key]:
                raise SystemExit(f"{name}: {key} is another one, {theirs[key]} for {moves[key]}")


def main() -> None:
    """Each pool: rounds of changes, and a table."""
    options = argument_parser(__doc__, runs=3)
    options.add_argument("--audiences", type=int, default=1_000)
    chosen = options.parse_args()
    for pool in POOLS[chosen.pool]:
        audiences = pools.audiences(pools.pool(pool, not chosen.without_metadata), chosen.audiences)
        with stored(chosen.consumers) as (connection, _), tempfile.TemporaryDirectory() as folder:
            print(f"\n{described(pool, audiences)}")
            rounds = Rounds(connection, checked(audiences), Path(folder))
            rounds.next()
            print("members, entered and left compared one by one, none differs; then in each round")
            times = [rounds.next() for _ in range(chosen.runs)]
        _show(times)


def _show(times: list[dict[str, float]]) -> None:
    taken = {name: median(one[name] for one in times) for name in times[0]}
    print(f"{f'median of {len(times)} rounds':40} {'seconds':>9} {'ours is':>7}  reach")
    for name, seconds in taken.items():
        ratio, wanted = seconds / taken[OURS], REACH.get(name)
        reached = f"{wanted}x {'yes' if ratio >= wanted else 'NO'}" if wanted else ""
        print(f"{name:40} {seconds:9.3f} {ratio:6.1f}x  {reached}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
