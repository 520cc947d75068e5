"""The command line killed at any point: the output holds a whole generation, a rerun finishes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from segment_engine import Engine
from segment_engine.batch.generations import Generation, Generations
from segment_engine.batch.packs import hash_of
from tests.profile import COMMIT

ROOT = Path(__file__).parents[2]
POINTS, SIZE = (1, 30_000) if COMMIT else (100, 1_000_000)
FINISHED_EVERY = 10
COMMAND = "from segment_engine.cli import app; app()"

CONSUMERS = """
select i::bigint as id, 'user' || i || '@' || (['mail.test', 'shop.example'])[h % 2 + 1] as email,
    case when i % 11 <> 0 then h % 40 end as "totalOrders",
    ((h % 200000) / 100)::decimal(18, 2) as "totalOrderValue",
    timestamptz '2026-07-01 00:00:00+00' - to_seconds((h % 63072000)::bigint) as "lastOrderAt"
from (select i, (hash(i, i % 50 = 0 and {version} = 1) % 998244353)::bigint as h
    from range({version}, {size} + 7 * {version}) t(i))
"""
AUDIENCES = (
    [f"totalOrders > {n}" for n in range(0, 40, 4)]
    + [f"totalOrderValue >= {n} and totalOrders exists" for n in range(0, 2_000, 200)]
    + [f"lastOrderAt within last {n} days" for n in range(30, 600, 60)]
    + [f'email contains "{n}" or totalOrders = {n}' for n in range(10)]
    + [f'email ends with "shop.example" and totalOrderValue < {n}' for n in range(100, 1_100, 100)]
)


ROWS = [{"id": 1, "totalOrders": 1}, {"id": 2, "totalOrders": 2}]


class Runs:
    """Runs of one catalog over two versions of the consumers, into one folder."""

    def __init__(self, folder: Path) -> None:
        self.out, self.snapshot, self.temporary = folder / "out", folder / "snap", folder / "tmp"
        self.temporary.mkdir()
        self._catalog = folder / "catalog.json"
        rules = {f"audience {number}": rule for number, rule in enumerate(AUDIENCES)}
        self._catalog.write_text(json.dumps({"audiences": rules}))
        self._files = [folder / f"version-{version}.parquet" for version in (0, 1)]
        with duckdb.connect() as connection:
            for version, file in enumerate(self._files):
                rows = CONSUMERS.format(version=version, size=SIZE)
                connection.execute(f"copy ({rows}) to '{file}' (format parquet)")

    def started(self, version: int, out: Path | None = None) -> "subprocess.Popen[str]":
        """The run of a version, by the command line."""
        command = [sys.executable, "-c", COMMAND, "materialize", self._catalog]
        command += ["--consumers", self._files[version], "--out", out or self.out]
        command += ["--snapshot", self.snapshot, "--as-of", "2026-07-01", "--keep-for", "0 minutes"]
        command += ["--incremental"] if version else []
        return subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finished(self, version: int, out: Path | None = None) -> float:
        """Runs to the end; the seconds that it took."""
        start = time.perf_counter()
        told = self.started(version, out).communicate()[1]
        assert told == ""
        return time.perf_counter() - start

    def version_of(self, generation: Generation) -> int:
        """The version of the consumers that a generation is of."""
        return [str(file) for file in self._files].index(str(generation.manifest.source))

    def left_over(self) -> Iterator[str]:
        """Files that nothing refers to."""
        yield from os.listdir(self.temporary)
        yield from (path.name for path in self.out.rglob("*.new"))
        told = (self.snapshot / "snapshot.json").read_text()
        names = os.listdir(self.snapshot)
        yield from (
            name
            for name in names
            if name.startswith("segment-") and name.rpartition(".")[0] not in told
        )


def contents(generation: Generation) -> dict[str, str]:
    """The ids of each audience's members, as a hash of them."""
    run = generation.memberships
    ids = {key: np.sort(run.ids_of(run.bitmap(key)).to_numpy()) for key in run}
    return {key: hash_of(found.tobytes()) for key, found in ids.items()}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_the_command_line_killed_at_any_point(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    expected, seconds = [], 0.0
    for version in (1, 0):
        alone = tmp_path / f"alone-{version}"
        seconds = runs.finished(version, alone)
        expected.insert(0, contents(Generations(alone).newest()))
    runs.finished(0)
    chance = random.Random(0 if COMMIT else None)
    through = 0
    for point in range(POINTS):
        before = Generations(runs.out).newest().number
        with runs.started(point % 2) as run:
            time.sleep(chance.uniform(0, seconds))
            run.send_signal(signal.SIGKILL)
        newest = Generations(runs.out).newest()
        through += newest.number > before
        assert newest.number - before in (0, 1)
        assert contents(newest) == expected[runs.version_of(newest)]
        if point % FINISHED_EVERY == FINISHED_EVERY - 1 or point == POINTS - 1:
            runs.finished(point % 2)
            newest = Generations(runs.out).newest()
            assert contents(newest) == expected[point % 2]
            assert [*runs.left_over()] == []
    print(f"killed {POINTS} runs over {SIZE:,} consumers, {through} of them after publishing")


def test_what_a_killed_run_left_in_a_snapshot_goes(tmp_path: Path) -> None:
    left, kept = tmp_path / "snap" / "segment-0123456789abcdef.bits", tmp_path / "snap"
    for _ in range(2):
        Engine().materialize({"a": "totalOrders > 1"}, ROWS, snapshot=kept)
        assert not left.exists()
        left.write_bytes(b"half a file")
    Engine().materialize({"a": "totalOrders > 1"}, ROWS, snapshot=kept)
    assert not left.exists()
