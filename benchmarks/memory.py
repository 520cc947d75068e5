"""The memory that a run of ours takes, in a process of its own that this one watches."""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import NamedTuple

from benchmarks import pools
from segment_engine import Engine


def peak(file: Path, pool: str, number: int, metadata: bool) -> str:
    """What a run over a Parquet file takes at most, in words.

    Anonymous memory is what the run allocated itself; resident memory has also the pages of files
    that it read. Both are known on Linux only.
    """
    arguments = (str(file), pool, str(number), "metadata" if metadata else "")
    command = (sys.executable, "-m", "benchmarks.memory", *arguments)
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as child:
        assert child.stdin and child.stdout
        child.stdout.readline()
        rollup = Path(f"/proc/{child.pid}/smaps_rollup")
        most = before = _kilobytes(rollup, "Anonymous")
        print("run", file=child.stdin, flush=True)
        while child.poll() is None:
            most = max(most, _kilobytes(rollup, "Anonymous"))
            time.sleep(0.002)
        said = child.stdout.read()
    if child.returncode:
        raise SystemExit(f"the run that was measured ended with {child.returncode}")
    return (
        f"memory of ours on Parquet: {(most - before) / 1e3:,.0f} MB anonymous at most, beside "
        f"{before / 1e3:,.0f} MB before the run; {int(said) / 1e3:,.0f} MB resident at most"
    )


class Taken(NamedTuple):
    """What a command took: seconds, and kilobytes of anonymous memory at most."""

    seconds: float
    most: int


def watched(command: Sequence[object]) -> Taken:
    """Runs a command; ends the program where it fails. Known on Linux only, as in `peak`."""
    start, most = time.perf_counter(), 0
    with Popen(list(map(str, command)), stdout=DEVNULL) as child:
        rollup = Path(f"/proc/{child.pid}/smaps_rollup")
        while child.poll() is None:
            most = max(most, _kilobytes(rollup, "Anonymous"))
            time.sleep(0.005)
    if child.returncode:
        raise SystemExit(f"{child.args} ended with {child.returncode}")
    return Taken(time.perf_counter() - start, most)


def _kilobytes(file: Path, name: str) -> int:
    """What Linux tells of a process; 0 for one that has ended, and where there is no such file.

    The maximum that `getrusage` tells is no use here: a process inherits it from its parent.
    """
    try:
        found = re.search(rf"^{name}:\s+(\d+) kB", file.read_text("ascii"), re.M)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def main() -> None:
    """The process that is watched: it says that it is ready, waits, runs, and says its maximum.

    One empty audience has been run by then, so that loading what runs need does not count.
    """
    file, pool, number, metadata = sys.argv[1:]
    engine = Engine(pools.SCHEMA)
    chosen = pools.audiences(pools.pool(pool, bool(metadata)), int(number))
    rules = {audience.key: engine.rule(audience.condition.rule) for audience in chosen}
    engine.materialize({"nobody": "false"}, file, as_of=pools.AS_OF, id_column="id")
    print("ready", flush=True)
    sys.stdin.readline()
    engine.materialize(rules, file, as_of=pools.AS_OF, id_column="id").counts()
    print(_kilobytes(Path("/proc/self/status"), "VmHWM"))


if __name__ == "__main__":
    main()
