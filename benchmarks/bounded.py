"""The memory that the command line takes over many consumers, from a snapshot.

    python -m benchmarks.bounded [--consumers 10000000] [--audiences 1000] [--pool shared|wide]
        [--text-ids] [--memory 2GB] [--jobs 2] [--folder FOLDER]

The same command runs four times: it builds the snapshot and publishes the first generation,
publishes the first generation of another folder from the snapshot, the second one there, and, after
some of the consumers changed and an hour passed, the third one, asking only those and whom time
moves.
"""

import argparse
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import duckdb

from benchmarks import consumers, memory, pools

RUN = "from segment_engine.cli import app; app()"
PART = 1_000_000
"""Consumers in a file."""
FIRST = "00000.parquet"


def main() -> None:
    """Prints what each command takes above an interpreter that does nothing."""
    chosen = _options()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as made:
        folder = Path(made)
        _consumers(folder / "one", 1, chosen.text_ids)
        _consumers(folder / "all", chosen.consumers, chosen.text_ids)
        catalog = folder / "catalog.json"
        catalog.write_text(json.dumps(_catalog(chosen.pool, chosen.audiences)), "utf-8")
        told = f"{chosen.consumers:,} consumers x {chosen.audiences:,} audiences ({chosen.pool})"
        print(f"{told}, materialize on the command line; MB are of anonymous memory at most")
        bare = memory.watched([sys.executable, "-c", "import time; time.sleep(0.2)"])
        print(f"{'':40} {'seconds':>8} {'MB':>6} {'above a bare interpreter':>25}", flush=True)
        _show("an interpreter that does nothing", bare, bare)
        runs = {
            "one consumer, all that is loaded": ("one", "small", "none"),
            "snapshot built, first generation": ("all", "snapshot", "first"),
            "built snapshot, first generation": ("all", "snapshot", "second"),
            "built snapshot, second generation": ("all", "snapshot", "second"),
        }
        for name, (source, snapshot, out) in runs.items():
            command = [
                *(sys.executable, "-c", RUN, "materialize", str(catalog)),
                *("--consumers", f"{folder / source}/*.parquet", "--snapshot", folder / snapshot),
                *("--out", folder / out, "--as-of", pools.AS_OF.isoformat(), "--json"),
                *(("--memory", chosen.memory) if chosen.memory else ()),
                *(("--jobs", chosen.jobs) if chosen.jobs else ()),
            ]
            _show(name, memory.watched(command), bare)
        changed = _change(folder / "all" / FIRST, folder / "changed.parquet")
        later = (pools.AS_OF + timedelta(hours=1)).isoformat()
        # Of an option that is there twice the last one counts.
        command += ["--as-of", later, "--incremental", "--changed-ids", folder / "changed.parquet"]
        _show(f"third generation, {changed:,} changed", memory.watched(command), bare)


def _change(file: Path, ids: Path) -> int:
    """Changes each tenth consumer of a file and writes their ids to another one; how many."""
    with duckdb.connect() as connection:
        fresh = file.with_suffix(".fresh")
        orders = """case when i % 10 = 0 then 39 - "totalOrders" else "totalOrders" end"""
        numbered = f"(select *, row_number() over () - 1 as i from '{file}')"
        rows = f'select * exclude (i) replace ({orders} as "totalOrders") from {numbered}'
        changed = f"select id from {numbered} where i % 10 = 0"
        connection.execute(f"copy ({rows}) to '{fresh}' (format parquet)")
        connection.execute(f"copy ({changed}) to '{ids}' (format parquet)")
        fresh.replace(file)
        return connection.sql(f"from '{ids}'").count("*").fetchall()[0][0]  # type: ignore[no-any-return]


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--consumers", type=int, default=10_000_000)
    options.add_argument("--audiences", type=int, default=1_000)
    options.add_argument("--pool", choices=("shared", "wide"), default="shared")
    options.add_argument("--text-ids", action="store_true")
    options.add_argument("--memory")
    options.add_argument("--jobs")
    options.add_argument("--folder", help="where to make files; else where temporary ones go")
    return options.parse_args()


def _consumers(folder: Path, count: int, text_ids: bool) -> None:
    """Parquet files, each made without the others in memory."""
    folder.mkdir()
    identity = "'consumer-' || i as id" if text_ids else "i::bigint as id"
    with duckdb.connect() as connection:
        for number, at in enumerate(range(0, count, PART)):
            rows = consumers.QUERY.replace(
                "range({count})", f"range({at}, {min(at + PART, count)})"
            )
            rows = rows.replace("i as id", identity)
            file = folder / f"{number:05}.parquet"
            connection.execute(f"copy ({rows}) to '{file}' (format parquet)")


def _catalog(pool: str, number: int) -> dict[str, object]:
    audiences = pools.audiences(pools.pool(pool), number)
    rules = {audience.key: audience.condition.rule for audience in audiences}
    return {"schema": {"fields": pools.TYPES}, "audiences": rules}


def _show(name: str, taken: memory.Taken, bare: memory.Taken) -> None:
    above = (taken.most - bare.most) / 1e3
    print(f"{name:40} {taken.seconds:8.2f} {taken.most / 1e3:6,.0f} {above:25,.0f}", flush=True)


if __name__ == "__main__":
    main()
