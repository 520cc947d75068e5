"""Processes that are killed, disks that are full, two runs at once: the newest is always whole."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest

from segment_engine.batch.folder import locked
from segment_engine.batch.generations import Generations
from segment_engine.batch.manifest import About
from segment_engine.batch.memberships import Memberships
from segment_engine.batch.publishing import publish
from segment_engine.errors import OutputError
from tests.batch.runs import files_of, members_of, run_of
from tests.profile import COMMIT

ROOT = Path(__file__).parents[2]
POINTS = 4 if COMMIT else 100
SIZE = 20_000
NO_TIME = timedelta(0)


def run_number(number: int) -> Memberships:
    """A run that is like no other: ids come, go and move with its number."""
    ids = list(range(number, SIZE + 7 * number))
    random.Random(number).shuffle(ids)
    audiences = {
        "still": [one for one in ids if one % 3 == 0 and one > SIZE // 2],
        "moves": [one for one in ids if one % 7 == number % 7],
        "one": [SIZE // 2 + number],
    }
    return run_of(ids, audiences)


def publish_for_ever(out: str) -> None:
    """Publish a run after the other, and print the number of each that is through."""
    number = max(Generations(out).numbers(), default=0)
    while True:
        number += 1
        about = About(source=str(number))
        publish(run_number(number), out, about, keep=1 + number % 2, keep_for=NO_TIME)
        print(number, flush=True)


def child(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process of its own that runs the code with the names of this module."""
    whole = f"from tests.batch.test_faults import *; {code}"
    return subprocess.Popen(
        [sys.executable, "-c", whole, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check_whole(out: Path, at_least: int) -> None:
    """The newest generation is the run of its number, nothing lacks, and none is half there."""
    generations = Generations(out)
    assert generations.newest().number >= at_least
    for number in generations.numbers():
        found = generations.open(number)
        assert found.manifest.source == str(number)
        assert members_of(found.memberships) == members_of(run_number(number))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_killed_at_any_point(tmp_path: Path) -> None:
    out = tmp_path / "out"
    chance = random.Random(0 if POINTS == 4 else None)
    for _ in range(POINTS):
        writer = child("publish_for_ever(sys.argv[1])", out)
        assert writer.stdout is not None and writer.stderr is not None
        with writer:
            first = int(writer.stdout.readline())
            time.sleep(chance.uniform(0, 0.3))
            writer.send_signal(signal.SIGKILL)
            through = [first, *map(int, writer.stdout.read().split())]
            assert writer.stderr.read() == ""
        check_whole(out, through[-1])
    number = Generations(out).numbers()[-1] + 1
    publish(run_number(number), out, About(source=str(number)), keep=1, keep_for=NO_TIME)
    check_whole(out, number)
    names = {path.rpartition("/")[2] for path in files_of(out) if not path.startswith("ids/")}
    assert names == {".lock", "manifest.json", "bitmaps.parquet", "bitmaps.bin"}
    assert sorted(os.listdir(out / "generations")) == [f"{number:06}"]
    assert [name for name in os.listdir(out / "ids") if name.startswith(".")] == []


def test_two_processes(tmp_path: Path) -> None:
    with locked(tmp_path / "out"):
        code = "publish(run_number(1), sys.argv[1], About(source='1'))"
        other = child(f"\ntry: {code}\nexcept OutputError as fault: print(fault)", tmp_path / "out")
        told, failed = other.communicate()
    assert failed == "" and told.startswith(f"another run is writing in {tmp_path / 'out'}; wait")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_the_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    code = "\nwith locked(sys.argv[1]): print('in', flush=True); time.sleep(60)"
    holder = child(code, tmp_path / "out")
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "in\n"
        with pytest.raises(OutputError, match="another run"):
            publish(run_number(1), tmp_path / "out", About(source="1"))
        holder.send_signal(signal.SIGKILL)
    publish(run_number(1), tmp_path / "out", About(source="1"))
    check_whole(tmp_path / "out", 1)


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    publish(run_number(2), sys.argv[1], About(source="2"))
    print("published")
except OutputError as fault:
    print(fault)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits")
@pytest.mark.parametrize("limit", [0, 100, 3_000, 6_000])
def test_a_disk_that_is_full(tmp_path: Path, limit: int) -> None:
    out = tmp_path / "out"
    publish(run_number(1), out, About(source="1"))
    before = files_of(out)
    writer = child(f"\n{LIMITED}", out, limit)
    told, failed = writer.communicate()
    assert (told, failed) == (f"{out} cannot be written: file too large\n", "") or (
        f"{out}/ids cannot be written: " in told and "too large" in told.lower()
    )
    check_whole(out, 1)
    assert {name for name in files_of(out) - before if not name.startswith("ids/")} == set()
    assert [name for name in files_of(out) if name.endswith(".new")] == []
    publish(run_number(2), out, About(source="2"))
    check_whole(out, 2)


READ_ONLY = """
publish(run_number(1), sys.argv[1], About(source="1"))
folders = [folder for folder, _, _ in os.walk(sys.argv[1])]
for folder in folders: os.chmod(folder, 0o555)
if not os.geteuid(): os.setuid(65534)
try: publish(run_number(2), sys.argv[1], About(source="2"))
except OutputError as fault: print(fault)
check_whole(Path(sys.argv[1]), 1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="users")
def test_a_folder_that_may_only_be_read() -> None:
    """Root may write anywhere, so the child becomes nobody once all is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        out = Path(folder) / "out"
        told, failed = child(f"\n{READ_ONLY}", out).communicate()
        assert (told, failed) == (f"{out} cannot be written: permission denied\n", "")
        for path in (out, out / "generations", out / "ids"):
            path.chmod(0o755)
        check_whole(out, 1)
