"""Generations: what is published is what is read, however the ids move and whatever breaks."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.batch.bitmaps import TILE
from segment_engine.batch.folder import locked
from segment_engine.batch.generations import Generations
from segment_engine.batch.memberships import Predicate
from segment_engine.batch.publishing import publish, writing
from segment_engine.errors import OutputError, RunError
from tests.batch.runs import ABOUT, files_of, members_of, published, run_of

NONE = timedelta(0)


def newest(out: Path) -> dict[str, list[Any]]:
    return members_of(Generations(out).newest().memberships)


def folders(out: Path) -> dict[str, list[str]]:
    return {path.name: sorted(os.listdir(path)) for path in sorted((out / "generations").iterdir())}


def test_a_run_comes_back(tmp_path: Path) -> None:
    run = run_of(["x", "y", "z"], {"some": ["z", "x"], "none": [], "all": "xyz"}, "broken")
    told = publish(run, tmp_path / "deep" / "out", ABOUT)
    found = Generations(tmp_path / "deep" / "out").newest()
    assert found.manifest == told and found.number == 1
    assert members_of(found.memberships) == {"some": ["x", "z"], "none": [], "all": ["x", "y", "z"]}
    assert all(found.memberships.bitmap(key) == run.bitmap(key) for key in run)
    assert found.memberships.ids.equals(run.ids) and found.memberships.consumers == 3
    assert found.memberships.page("all", 1, 1) == ["y"]
    assert found.memberships.overlap("some", "all") == 2
    with pytest.raises(RunError, match="'broken' failed in generation 1: broken is broken"):
        found.memberships.members("broken")
    assert files_of(tmp_path / "deep" / "out") == {
        ".lock",
        "ids/0000000000.parquet",
        "generations/000001/bitmaps.bin",
        "generations/000001/bitmaps.parquet",
        "generations/000001/manifest.json",
    }


def test_the_manifest(tmp_path: Path) -> None:
    published(tmp_path, [1, 2, 3], {"a": [1]}, "b")
    told = json.loads((tmp_path / "generations/000001/manifest.json").read_bytes())
    created = datetime.fromisoformat(told.pop("created"))
    assert created.tzinfo is not None and created.utcoffset() == NONE
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=5)
    assert told.pop("tzdata")[:2] == "20"
    assert told == {
        "format": "segment-engine generation",
        "version": 2,
        "number": 1,
        "consumers": 3,
        "ordinals": 3,
        "members": {"a": {"count": 1, "rule": None, "seconds": None}},
        "failed": {"b": "b is broken"},
        "carried": {},
        "packs": [1],
        "as_of": "2026-07-01T00:00:00Z",
        "timezone": "UTC",
        "engine": "snapshot",
        "source": "people.parquet",
        "fingerprint": None,
        "id_column": None,
        "basis": None,
    }


IDS = st.lists(st.integers(0, 30), unique=True, max_size=16)


@given(st.lists(IDS, min_size=1, max_size=4), st.data())
def test_ids_may_come_go_and_move(runs: list[list[int]], data: st.DataObject) -> None:
    out = Path(tempfile.mkdtemp())
    for ids in runs:
        some = st.lists(st.sampled_from(ids), unique=True) if ids else st.just([])
        audiences = {key: data.draw(some) for key in "ab"}
        run = run_of(np.array(ids, np.int64), audiences)
        publish(run, out, ABOUT, keep_for=NONE)
        found = Generations(out).newest().memberships
        assert members_of(found) == {key: sorted(one) for key, one in audiences.items()}
        assert found.consumers == len(ids)
        assert sorted(found.ids.drop_null().to_pylist()) == sorted(ids)
    shutil.rmtree(out)


def test_ordinals_span_tiles(tmp_path: Path) -> None:
    ids = list(range(TILE + 5))
    audiences = {"edge": [0, TILE - 1, TILE, TILE + 4], "odd": range(1, TILE + 5, 2)}
    published(tmp_path, ids, audiences)
    assert newest(tmp_path) == {key: list(members) for key, members in audiences.items()}
    rows = pq.read_table(tmp_path / "generations/000001/bitmaps.parquet").to_pylist()
    assert [row["tile"] for row in rows if row["audience"] == "edge"] == [0, 1]
    published(tmp_path, ids[::-1], audiences)
    assert newest(tmp_path) == {key: list(members) for key, members in audiences.items()}
    assert os.path.getsize(tmp_path / "generations/000002/bitmaps.bin") == 0


def test_a_run_read_back_can_be_published_again(tmp_path: Path) -> None:
    published(tmp_path, ["a", "b", "c"], {"x": ["a"]})
    published(tmp_path, ["c", "a"], {"x": ["c"]})
    read = Generations(tmp_path).newest().memberships
    assert read.ids.to_pylist() == ["a", None, "c"]
    publish(read, tmp_path, ABOUT)
    publish(read, tmp_path.with_name("other"), ABOUT)
    assert newest(tmp_path) == newest(tmp_path.with_name("other")) == {"x": ["c"]}
    assert Generations(tmp_path).newest().memberships.ids.equals(read.ids)


# ---- blobs


def test_blobs_are_held_once(tmp_path: Path) -> None:
    published(tmp_path, range(100), {"a": [1, 2], "same": [1, 2], "b": [3]})
    published(tmp_path, range(100), {"a": [1, 2], "same": [3], "b": [4]})
    index = [
        pq.read_table(tmp_path / f"generations/00000{number}/bitmaps.parquet").to_pylist()
        for number in (1, 2)
    ]
    first, second = ({row["audience"]: row for row in rows} for rows in index)
    assert {**first["a"], "audience": "same"} == first["same"]
    assert second["a"] == first["a"] and second[None] == first[None]
    assert {**second["same"], "audience": "b"} == first["b"]
    assert (second["b"]["pack"], second["b"]["offset"]) == (2, 0)
    pack = (tmp_path / "generations/000002/bitmaps.bin").read_bytes()
    assert len(pack) == second["b"]["length"]
    assert Generations(tmp_path).newest().manifest.packs == (1, 2)
    assert newest(tmp_path) == {"a": [1, 2], "same": [3], "b": [4]}


def test_a_blob_that_a_damaged_pack_held_is_written_again(tmp_path: Path) -> None:
    published(tmp_path, range(9), {"a": [1], "b": [2]})
    pack = tmp_path / "generations/000001/bitmaps.bin"
    pack.write_bytes(pack.read_bytes()[:-4])
    published(tmp_path, range(9), {"a": [1], "b": [2]})
    assert newest(tmp_path) == {"a": [1], "b": [2]}
    pack.unlink()
    published(tmp_path, range(9), {"a": [1], "b": [2]})
    assert newest(tmp_path) == {"a": [1], "b": [2]}


# ---- audiences that fail


def test_a_failed_audience_keeps_its_last_good_members(tmp_path: Path) -> None:
    published(tmp_path, "wxyz", {"a": "wx", "b": "yz"})
    published(tmp_path, "wxyz", {"b": "y"}, "a", "new")
    found = Generations(tmp_path).newest()
    assert members_of(found.memberships) == {"b": ["y"], "a": ["w", "x"]}
    assert found.manifest.carried == {"a": 1} and set(found.manifest.failed) == {"a", "new"}
    assert set(found.memberships.failed) == {"new"}
    published(tmp_path, "xyz", {"b": "y"}, "a")
    found = Generations(tmp_path).newest()
    assert found.memberships.members("a") == ["x"], "who is no consumer any more is no member"
    assert found.manifest.carried == {"a": 1} and found.manifest.audiences["a"].count == 1
    published(tmp_path, "xyz", {"b": "y", "a": "z"})
    assert Generations(tmp_path).newest().manifest.carried == {}
    published(tmp_path, "xyz", {"b": "y"})
    assert newest(tmp_path) == {"b": ["y"]}, "an audience that is no more is not carried over"


def test_carried_members_outlive_their_generation(tmp_path: Path) -> None:
    published(tmp_path, "wxyz", {"a": "wx", "b": "yz"}, keep=1, keep_for=NONE)
    for _ in range(4):
        published(tmp_path, "wxyz", {"b": "yz"}, "a", keep=1, keep_for=NONE)
        assert newest(tmp_path) == {"a": ["w", "x"], "b": ["y", "z"]}
    assert Generations(tmp_path).newest().manifest.carried == {"a": 1}


def test_members_that_cannot_be_carried_over_are_not_read_as_none(tmp_path: Path) -> None:
    published(tmp_path, "wxyz", {"b": "yz", "a": "wx"})
    pack = tmp_path / "generations/000001/bitmaps.bin"
    pack.write_bytes(pack.read_bytes()[:-1])
    published(tmp_path, "wxyz", {}, "a", "b")
    found = Generations(tmp_path).newest()
    assert found.manifest.carried == {"b": 1}
    with pytest.raises(RunError, match=r"cannot be carried over: .*damaged or cut short"):
        found.memberships.members("a")
    (tmp_path / "generations/000002/bitmaps.parquet").write_bytes(b"")
    published(tmp_path, "wxyz", {"c": "x"}, "b")
    assert newest(tmp_path) == {"c": ["x"]}


# ---- what stays


def test_the_last_generations_stay_and_the_young(tmp_path: Path) -> None:
    for number in range(5):
        published(tmp_path, range(9), {"a": [number]}, keep_for=NONE)
    assert Generations(tmp_path).numbers() == [4, 5]
    for number in range(3):
        published(tmp_path, range(9), {"a": [number]}, keep=1)
    assert Generations(tmp_path).numbers() == [4, 5, 6, 7, 8]
    published(tmp_path, range(9), {"a": [8]}, keep=1, keep_for=NONE)
    assert Generations(tmp_path).numbers() == [9]
    with pytest.raises(OutputError, match="at least 1"):
        published(tmp_path, range(9), {"a": [8]}, keep=0)


def test_packs_stay_while_they_are_referred_to_and_no_longer(tmp_path: Path) -> None:
    for number in range(12):
        published(tmp_path, range(9), {"still": [1], "moves": [number % 9]}, keep_for=NONE)
        found = Generations(tmp_path)
        for kept in found.numbers():
            members = members_of(found.open(kept).memberships)
            assert members == {"still": [1], "moves": [(kept - 1) % 9]}
        assert len(folders(tmp_path)) <= 4
    whole = ["bitmaps.bin", "bitmaps.parquet", "manifest.json"]
    held = folders(tmp_path)
    assert held["000011"] == held["000012"] == whole
    assert all(names == ["bitmaps.bin"] for name, names in held.items() if name < "000011")


def test_an_open_generation_can_be_read_after_it_was_removed(tmp_path: Path) -> None:
    published(tmp_path, "xyz", {"a": "xy"})
    opened = Generations(tmp_path).newest()
    for _ in range(3):
        published(tmp_path, "xyzw", {"a": "w"}, keep=1, keep_for=NONE)
    assert not (tmp_path / "generations/000001").exists()
    assert members_of(opened.memberships) == {"a": ["x", "y"]}
    with pytest.raises(OutputError, match="holds no generation 1; there are: 4"):
        Generations(tmp_path).open(1)


def test_what_could_not_be_removed_is_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path, "xyz", {"a": "x"})

    unlink = Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        if path.name == "manifest.json":
            raise OSError(16, "Device or resource busy")
        unlink(path, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", held)
        published(tmp_path, "xyz", {"a": "y"}, keep=1, keep_for=NONE)
    assert newest(tmp_path) == {"a": ["y"]} and Generations(tmp_path).numbers() == [1, 2]
    published(tmp_path, "xyz", {"a": "y"}, keep=1, keep_for=NONE)
    assert Generations(tmp_path).numbers() == [3]


# ---- readers


def test_nothing_to_read(tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "none"):
        assert Generations(out).numbers() == []
        with pytest.raises(OutputError, match="holds no generation"):
            Generations(out).newest()
        with pytest.raises(OutputError, match="there are: none"):
            Generations(out).open(3)


def test_a_folder_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "memberships.parquet").write_bytes(b"")
    (tmp_path / "run.json").write_text('{"format": "segment-engine memberships"}')
    with pytest.raises(OutputError, match=r"earlier versions wrote it.*name a new folder"):
        published(tmp_path, "x", {})
    with pytest.raises(OutputError, match="earlier versions wrote it"):
        Generations(tmp_path).newest()
    assert files_of(tmp_path) == {"memberships.parquet", "run.json"}


@pytest.mark.parametrize("cut", [0, 1, 30])
def test_a_pack_that_is_cut_short(tmp_path: Path, cut: int) -> None:
    published(tmp_path, range(50), {"a": [1], "b": range(30), "c": []})
    pack = tmp_path / "generations/000001/bitmaps.bin"
    held = pack.read_bytes()
    pack.write_bytes(held[: len(held) - cut])
    found = Generations(tmp_path).newest().memberships
    assert found.members("a") == [1] and found.members("c") == []
    assert found.counts() == {"a": 1, "b": 30, "c": 0}
    if cut:
        with pytest.raises(OutputError, match=r"000001/bitmaps\.bin is damaged .*audience 'b'"):
            found.members("b")
    else:
        assert found.members("b") == list(range(30))


def test_a_pack_with_other_bytes_or_none(tmp_path: Path) -> None:
    published(tmp_path, range(50), {"a": [1], "b": [2]})
    pack = tmp_path / "generations/000001/bitmaps.bin"
    held = bytearray(pack.read_bytes())
    held[-1] ^= 1
    pack.write_bytes(held)
    found = Generations(tmp_path).newest().memberships
    assert found.members("a") == [1]
    with pytest.raises(OutputError, match="holds audience 'b'"):
        found.members("b")
    pack.unlink()
    with pytest.raises(OutputError, match=r"bitmaps\.bin cannot be read: No such file"):
        Generations(tmp_path).newest().memberships.members("a")


DAMAGES: list[tuple[str, bytes, str]] = [
    ("manifest.json", b"", "is damaged: it is no manifest"),
    ("manifest.json", b"[" * 99_999, "is damaged: it is no manifest"),
    ("manifest.json", b'{"format": "other", "version": 1}', "is damaged: it is no manifest"),
    ("manifest.json", b'{"format": "segment-engine generation", "version": 3}', "of version 3"),
    ("bitmaps.parquet", b"PAR1", r"bitmaps\.parquet cannot be read"),
]


@pytest.mark.parametrize(("name", "held", "message"), DAMAGES)
def test_damaged_files_are_named(tmp_path: Path, name: str, held: bytes, message: str) -> None:
    published(tmp_path, "xyz", {"a": "x"})
    published(tmp_path, "xyz", {"a": "y"})
    (tmp_path / "generations/000002" / name).write_bytes(held)
    with pytest.raises(OutputError, match=message):
        Generations(tmp_path).newest()
    assert members_of(Generations(tmp_path).open(1).memberships) == {"a": ["x"]}


def test_predicates(tmp_path: Path) -> None:
    predicates = [Predicate("p", 2, ("a",)), Predicate("q", 1, ("a", "b"))]
    published(tmp_path, "xyz", {"a": "x", "b": ""}, predicates=predicates)
    found = Generations(tmp_path).newest().predicates
    assert found is not None and found.to_pylist() == [
        {"predicate": "p", "count": 2, "audiences": ["a"]},
        {"predicate": "q", "count": 1, "audiences": ["a", "b"]},
    ]
    published(tmp_path, "xyz", {"a": "x"})
    assert Generations(tmp_path).newest().predicates is None


# ---- who may write, and where


def test_one_run_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with writing(out) as first:
        with pytest.raises(OutputError, match=r"another run is writing in .*out; wait"):
            published(out, "xyz", {"a": "x"})
        first.publish(run_of("xyz", {"a": "y"}), ABOUT)
    published(out, "xyz", {"a": "z"})
    assert Generations(out).numbers() == [1, 2] and newest(out) == {"a": ["z"]}


def test_a_run_that_publishes_nothing_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), writing(tmp_path / "deep" / "out"):
        raise KeyError
    assert os.listdir(tmp_path) == []
    (tmp_path / "mine").mkdir()
    with locked(tmp_path / "mine"):
        pass
    published(tmp_path / "mine", "xyz", {"a": "x"})


def test_left_overs_are_removed(tmp_path: Path) -> None:
    published(tmp_path, "xyz", {"a": "x"})
    before = files_of(tmp_path)
    left = tmp_path / "generations/.000002.0123abcd.new"
    left.mkdir()
    (left / "bitmaps.bin").write_bytes(b"half")
    (tmp_path / "ids/.0000000003.parquet.0123abcd.new").write_bytes(b"half")
    assert newest(tmp_path) == {"a": ["x"]}
    published(tmp_path, "xyz", {"a": "x"}, keep=1, keep_for=NONE)
    moved = {name.replace("000001", "000002") for name in before}
    assert files_of(tmp_path) == moved


OTHERS = ("notes.txt", "ids/notes.txt", "generations/7", "generations/000001/notes.txt")


@pytest.mark.parametrize("name", OTHERS)
def test_what_no_run_wrote_is_never_touched(tmp_path: Path, name: str) -> None:
    published(tmp_path, "xyz", {"a": "x"})
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match=f"holds '{name}', which no run wrote"):
        published(tmp_path, "xyz", {"a": "y"}, keep=1, keep_for=NONE)
    assert newest(tmp_path) == {"a": ["x"]} and (tmp_path / name).read_text() == "mine"


FAULTS = {
    "read-only": (30, "Read-only file system"),
    "full": (28, "No space left on device"),
}
PLACES = ["os.open", "pathlib.Path.mkdir", "builtins.open", "os.fsync", "os.replace"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_faults_of_the_disk_leave_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: tuple[int, str], place: str
) -> None:
    published(tmp_path, "xyz", {"a": "x"})
    before = files_of(tmp_path)

    def fails(*_: object, **__: object) -> None:
        raise OSError(*fault)

    with monkeypatch.context() as patched:
        patched.setattr(place, fails)
        told = f"cannot be written: {fault[1].lower()}"
        with pytest.raises(OutputError, match=told):
            published(tmp_path, "xyzw", {"a": "y"})
    assert newest(tmp_path) == {"a": ["x"]}
    assert files_of(tmp_path) - before <= {"ids/0000000003.parquet"}
    published(tmp_path, "xyzw", {"a": "w"})
    assert newest(tmp_path) == {"a": ["w"]}


@pytest.mark.parametrize("make", [str, Path], ids=["text", "path"])
def test_folders_are_named_by_text_or_path(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    published(make(tmp_path), "xyz", {"a": "x"})
    assert newest(make(tmp_path)) == {"a": ["x"]}
