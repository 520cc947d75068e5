"""A run that asks only who has changed gives what a run over all gives, byte for byte."""

import math
import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine import Engine, OutputError, RunError
from segment_engine.batch.bitmaps import Bitmap, Tile, packed
from segment_engine.batch.generations import Generations
from segment_engine.batch.manifest import About
from segment_engine.batch.publishing import publish
from segment_engine.batch.since import Flips
from segment_engine.batch.snapshot import changes
from segment_engine.batch.snapshot.some import Layout
from segment_engine.batch.snapshot.store import MADE_BY
from tests.properties.drawn import MOMENTS, Case, as_parquet, cases, random_case

TIMES = settings.default.max_examples
RULES = {"some": "totalOrders > 1"}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few consumers are many."""
    monkeypatch.setattr("segment_engine.batch.snapshot_run.FEW", 6)


def blobs(run: Any) -> dict[str, Any]:
    """The bytes of each audience's tiles."""
    return {k: {n: bytes(t.blob) for n, t in run.bitmap(k).tiles.items()} for k in run}


@settings(max_examples=TIMES // 2)
@given(cases(rules=6, size=30), st.integers(0, 2**32), st.booleans())
def test_histories(case: Case, seed: int, on_disk: bool) -> None:
    """Rows change, come, go and come again; time and zones pass; rules and lists are edited."""
    with TemporaryDirectory() as folder:
        history = _History(case, Random(seed), folder, on_disk)
        for _ in range(5):
            history.step()


def test_histories_over_many_tiles(tmp_path: Path) -> None:
    """In a process of its own, in which tiles are small."""
    story = (
        "import segment_engine.batch.bitmaps as bitmaps; bitmaps.TILE = 64\n"
        "from tests.batch import test_since\n"
        "for seed in range(3): test_since.told(seed, consumers=150)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", story], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2_000:]


def told(seed: int, consumers: int) -> None:
    """One history."""
    random = Random(seed)
    case = random_case(random, rules=6, size=consumers)
    with TemporaryDirectory() as folder:
        history = _History(case, random, folder, on_disk=bool(seed % 2))
        for _ in range(4):
            history.step()


PEOPLE = [
    {"id": n, "totalOrders": n, "lastOrderAt": f"2026-06-{n:02}T02:00:00Z"} for n in range(1, 9)
]
DAY = {
    "day": "lastOrderAt = 2026-06-03",
    "all": "true",
    "some": 'in audience "day" or totalOrders > 6',
}


def since(tmp_path: Path, engine: Engine, people: list[dict[str, Any]], **how: Any) -> Any:
    return engine.materialize(how.pop("rules", DAY), people, snapshot=tmp_path / "s", **how)


def test_another_zone_or_time_zone_data_asks_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = since(tmp_path, Engine(), PEOPLE)
    assert since(tmp_path, Engine(), PEOPLE, since=first).asked == 0
    other = since(tmp_path, Engine(timezone="America/New_York"), PEOPLE, since=first)
    assert first.members("day") == [3] and other.members("day") == [4]
    assert other.moves is None and other.asked == 8
    monkeypatch.setitem(MADE_BY, "tzdata", "1999z")
    assert since(tmp_path, Engine(), PEOPLE, since=first).moves is None


def test_an_edited_catalog_asks_all_of_what_was_edited(tmp_path: Path) -> None:
    first = since(tmp_path, Engine(), PEOPLE)
    edited = {**DAY, "day": "lastOrderAt = 2026-06-04"}
    later = since(tmp_path, Engine(), PEOPLE, since=first, rules=edited)
    assert later.moves == {"all": (0, 0)} and later.asked == 8
    assert [later.members(key) for key in ("day", "some")] == [[4], [4, 7, 8]]


def test_an_ordinal_is_never_given_again(tmp_path: Path) -> None:
    """Whoever goes leaves a hole, and finds the place free on coming back."""
    first = since(tmp_path, Engine(), PEOPLE)
    gone = since(tmp_path, Engine(), [*PEOPLE[1:], {"id": 9}], since=first, changed=[1, 9])
    assert gone.ids.to_pylist() == [None, *range(2, 10)] and gone.moves["all"] == (1, 1)
    back = since(tmp_path, Engine(), PEOPLE, since=gone, changed=["1", "9"])
    assert back.ids.to_pylist() == [*range(1, 9), None] and back.members("all") == [*range(1, 9)]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"changed": "updated"}, "there is no column 'updated' to tell who changed"),
        ({"changed": 7}, "the members of those who changed are a list of ids, not 7"),
        ({"changed": ["x"]}, "the ids of those who changed are str, the consumers' int"),
        ({"since": "yesterday"}, "a run before is a Memberships or a Generation"),
    ],
)
def test_what_cannot_tell_who_changed(tmp_path: Path, how: dict[str, Any], message: str) -> None:
    first = since(tmp_path, Engine(), PEOPLE)
    with pytest.raises(RunError, match=message):
        since(tmp_path, Engine(), PEOPLE, **{"since": first, **how})
    with pytest.raises(RunError, match="only a snapshot can be asked for what has changed"):
        Engine().materialize(DAY, PEOPLE, since=first)


class _History:
    def __init__(self, case: Case, random: Random, folder: str, on_disk: bool) -> None:
        self.case, self.random, self.folder, self.on_disk = case, random, folder, on_disk
        self.table = case.consumers
        self.stamps = dict.fromkeys(self.ids(), 0)
        self.number = 0
        self.before: Any = None
        self.told: set[Any] = set()
        self.mode = random.choice(("ids", "column", None))

    def ids(self) -> list[Any]:
        return self.table.column("id").to_pylist()

    def step(self) -> None:
        random, engine = self.random, self.case.engine
        some = random.sample(self.case.rules, random.randint(1, len(self.case.rules)))
        rules: dict[str, Any] = {str(n): rule for n, rule in enumerate(some)}
        rules |= {"named": 'in audience "listed" or in audience "0"'}
        lists = {"listed": random.sample(self.ids(), min(3, len(self.ids())))}
        how = {"as_of": random.choice(MOMENTS[:2]), "lists": lists, "count_predicates": True}
        stamped = self.table.append_column(
            "updatedAt", pa.array([self.stamps[one] for one in self.ids()], pa.int64())
        )
        source = as_parquet(stamped, self.folder) if self.on_disk else stamped
        changed = {"ids": sorted(self.told), "column": "updatedAt", None: None}[self.mode]
        kept = engine.materialize(
            rules,
            source,
            snapshot=f"{self.folder}/s",
            since=self.before,
            changed=None if self.before is None and self.mode == "ids" else changed,
            **how,
        )
        alone = engine.materialize(rules, source, **how)
        assert kept.failed.keys() == alone.failed.keys()
        assert {k: kept.members(k) for k in kept} == {k: alone.members(k) for k in alone}
        assert set(kept.predicates) == set(alone.predicates)
        self._published(kept, alone)
        self._move()

    def _published(self, kept: Any, alone: Any) -> None:
        """Published over the same ids, the blobs are the same."""
        out = f"{self.folder}/out"
        publish(kept, out, About(), keep=9)
        mine = Generations(out).newest().memberships
        assert {k: mine.members(k) for k in alone} == {k: alone.members(k) for k in alone}
        publish(alone, out, About(), keep=9)
        theirs = Generations(out).newest().memberships
        assert blobs(mine) == blobs(theirs)
        if kept.moves is not None and self.before is not None:
            self._check_moves(kept)
        # A run that died after it had brought the snapshot up to date leaves an older one behind.
        self.before = self.random.choice((kept, mine, kept, mine, self.before))

    def _check_moves(self, kept: Any) -> None:
        for key, (entered, left) in kept.moves.items():
            was, now = set(self.before.members(key)), set(kept.members(key))
            assert (entered, left) == (len(now - was), len(was - now))

    def _move(self) -> None:
        random, before = self.random, self.ids()
        rows = list(range(self.table.num_rows))
        chance = random.choice((0, 0.05, 0.3))
        values = [random.choice(rows) if random.random() < chance else row for row in rows]
        moved = taken(self.table, values)
        moved = moved.set_column(moved.column_names.index("id"), "id", self.table.column("id"))
        kept = [row for row in rows if random.random() > chance / 2]
        again = [row for row in range(self.case.consumers.num_rows) if random.random() < chance / 2]
        old = taken(self.case.consumers, again)
        whole = taken(moved, kept)
        here = set(whole.column("id").to_pylist())
        fresh = [n for n, one in enumerate(old.column("id").to_pylist()) if one not in here]
        back = taken(old, fresh)
        self.table = pa.concat_tables([whole, back])
        self.number += 1
        touched = {before[row] for row in rows if values[row] != row}
        touched |= set(back.column("id").to_pylist())
        self.told = touched | (set(before) - set(self.ids()))
        if random.random() < 0.3:
            self.told |= set(random.sample(before, len(before) // 4))
        for one in self.ids():
            if one in self.told or one not in self.stamps:
                self.stamps[one] = self.number


def taken(table: Any, rows: list[int]) -> Any:
    return pa.concat_tables([table.slice(0, 0), *(table.slice(row, 1) for row in rows)])


def consumers(ids: Any, orders: Any, **more: Any) -> Any:
    """A table of consumers."""
    return pa.table({"id": ids, "totalOrders": pa.array(orders, pa.int64()), **more})


def test_another_id_column_begins_anew(tmp_path: Path) -> None:
    """Also where the conditions have read it before."""
    source = consumers(["a", "b"], [1, 2], email=["a@x", "b@x"])
    rules = {"some": 'email contains "b"'}
    before = Engine().materialize(rules, source, snapshot=tmp_path)
    run = Engine().materialize(rules, source, snapshot=tmp_path, since=before, id_column="email")
    assert run.members("some") == ["b@x"]


@pytest.mark.parametrize("changed", [["1", "2", "3", "4"], [1, 2, 3, 4], "updatedAt", None])
@pytest.mark.parametrize("on_disk", [True, False])
def test_all_may_go_and_come_again(tmp_path: Path, changed: Any, on_disk: bool) -> None:
    """Where nobody is left, nothing tells what their ids were."""
    run, rules = None, {"some": "totalOrders > 1"}
    for ids in ([1, 2, 3], [], [2, 4]):
        stamps = pa.array([len(ids)] * len(ids), pa.int64())
        table = consumers(pa.array(ids, pa.int64()), ids, updatedAt=stamps)
        source = as_parquet(table, str(tmp_path)) if on_disk else table
        kept = tmp_path / "kept"
        run = Engine().materialize(rules, source, snapshot=kept, since=run, changed=changed)
        assert run.members("some") == [one for one in ids if one > 1]
        assert run.consumers == len(ids)


def test_the_column_that_tells_of_changes_may_become_of_another_type(tmp_path: Path) -> None:
    run = None
    for stamps in ([1, 2], [datetime(2026, 1, 1), datetime(2026, 1, 2)], ["x", "y"], ["x", "z"]):
        source = consumers(["a", "b"], [0, len(str(stamps))], updatedAt=stamps)
        kept = {"snapshot": tmp_path, "since": run, "changed": "updatedAt"}
        run = Engine().materialize({"some": "totalOrders > 1"}, source, **kept)
        assert run.members("some") == ["b"]
    assert run is not None and run.asked == 1


def test_ids_that_are_told_are_those_since_the_run_before(tmp_path: Path) -> None:
    """Where the snapshot is older than that run, or another one's, all are compared with it."""
    engine, rules, kept = Engine(), {"some": "totalOrders > 1"}, tmp_path / "kept"
    first = engine.materialize(rules, consumers([1, 2, 3], [5, 0, 0]), snapshot=kept)
    second = engine.materialize(rules, consumers([1, 2, 3], [5, 5, 0]))
    for before in (second, None):
        source = consumers([1, 2, 3], [5, 5, 5])
        run = engine.materialize(rules, source, snapshot=kept, since=before, changed=[3])
        assert run.members("some") == [1, 2, 3]
    source = consumers([1, 2, 3], [5, 0, 5])
    run = engine.materialize(rules, source, snapshot=kept, since=first, changed=[])
    assert run.members("some") == [1, 3]
    assert engine.materialize(rules, source, snapshot=kept, since=run, changed=[2]).asked == 1


def test_a_condition_that_could_not_be_made_before(tmp_path: Path) -> None:
    stamps = pa.array([datetime(2020, 1, 1), None])
    source = consumers(["a", "b"], [1, 2], lastOrderAt=stamps)
    rules = {"far": "lastOrderAt older than 2025 years", "some": "lastOrderAt is not empty"}
    run, failed = None, []
    for day in ("2025-06-01", "2026-06-01", "2026-06-02"):
        run = Engine().materialize(rules, source, snapshot=tmp_path, since=run, as_of=day)
        failed.append([*run.failed])
    assert run is not None and failed == [["far"], [], []]
    assert (run.counts(), run.asked) == ({"far": 0, "some": 1}, 0)


LISTED = """
import sys
import pyarrow as pa
from segment_engine import Engine, OutputError, RunError
from segment_engine.batch.generations import Generations
from segment_engine.batch.manifest import About
from segment_engine.batch.publishing import writing
with writing(sys.argv[1] + "/out") as writer:
    people, lists = pa.table({"id": [*"abcdef"]}), {"few": [*"abcdx"]}
    kept = {"snapshot": sys.argv[1] + "/kept", "since": writer.before()}
    run = Engine().materialize({"others": 'not in audience "few"'}, people, lists=lists, **kept)
    writer.publish(run, About())
print(run.moves)
"""


def test_lists_are_the_same_in_another_process(tmp_path: Path) -> None:
    """In which sets of texts have another order."""
    for seed, moves in (("1", "None"), ("2", "{'few': (0, 0), 'others': (0, 0)}")):
        command = (sys.executable, "-c", LISTED, str(tmp_path))
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == moves, done.stderr


@pytest.mark.parametrize("rule", ["lastOrderAt is not empty", "lastOrderAt > createdAt"])
def test_a_column_may_be_asked_about_as_several_types(tmp_path: Path, rule: str) -> None:
    """Those of conditions that time moves are asked about for themselves, too."""
    stamps = pa.array([datetime(2026, 5, 1), None])
    source = consumers(["a", "b"], [1, 2], lastOrderAt=stamps, createdAt=stamps)
    rules, run = {"late": "lastOrderAt older than 1 month", "some": rule}, None
    for day in ("2026-05-31", "2026-06-02"):
        run = Engine().materialize(rules, source, snapshot=tmp_path, since=run, as_of=day)
    assert run is not None and run.moves == {"late": (1, 0), "some": (0, 0)}


def test_runs_may_follow_each_other_on_and_on(tmp_path: Path) -> None:
    """None holds those before it, and members are read in one step."""
    bitmap, right = Bitmap({0: Tile(1, packed(np.array([True])))}), {0}
    for number in range(3_000):
        place = number * 7 % 100
        entered = packed(np.array([place not in right]))[None]
        left = packed(np.array([place in right]))[None]
        right ^= {place}
        flips = Flips(Layout(np.array([place], np.uint32)), entered, left)
        bitmap = flips.over(0, bitmap)
        assert len(bitmap) == len(right)
    assert bitmap.ordinals().tolist() == sorted(right)


def test_those_who_are_gone_take_no_more_room_than_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segment_engine.batch.snapshot.changes.FEW", 6)
    run, asked, most = None, 0, 0
    for first in range(0, 400, 4):
        source = consumers(range(first, first + 100), [3] * 100)
        run = Engine().materialize(RULES, source, snapshot=tmp_path, since=run)
        assert run.members("some") == [*range(first, first + 100)]
        asked, most = asked + (run.asked or 0), max(most, len(run.ids))
    assert most <= 210 and asked < 100 * 100 / 2


def test_counts_that_are_damaged_are_made_anew(tmp_path: Path) -> None:
    out, source = tmp_path / "out", consumers([1, 2], [1, 2])
    kept = {"snapshot": tmp_path / "kept", "count_predicates": True}
    publish(Engine().materialize(RULES, source, **kept), out, About())
    next(out.rglob("predicates.parquet")).write_bytes(b"")
    before = Generations(out).newest()
    with pytest.raises(OutputError, match=r"predicates\.parquet cannot be read"):
        _ = before.predicates
    run = Engine().materialize(RULES, source, since=before, **kept)
    assert run.moves == {"some": (0, 0)} and [one.count for one in run.predicates] == [1]


def test_bits_that_are_damaged_say_how_to_go_on(tmp_path: Path) -> None:
    out, source = tmp_path / "out", consumers([1, 2], [1, 2])
    kept = {"snapshot": tmp_path / "kept"}
    publish(Engine().materialize(RULES, source, **kept), out, About())
    pack = next(out.rglob("bitmaps.bin"))
    pack.write_bytes(bytes(pack.stat().st_size))
    run = Engine().materialize(RULES, source, since=Generations(out).newest(), **kept)
    with pytest.raises(OutputError, match=r"remove the folder that it is in and materialize anew"):
        publish(run, out, About())
    shutil.rmtree(pack.parent)
    publish(Engine().materialize(RULES, source, **kept), out, About())
    assert Generations(out).newest().memberships.members("some") == [2]


@pytest.mark.parametrize("changed", [[1], ["1"], "updatedAt", None])
def test_ids_are_checked(tmp_path: Path, changed: Any) -> None:
    run = Engine().materialize(
        RULES, consumers([1, 2], [1, 2], updatedAt=[1, 1]), snapshot=tmp_path
    )
    for ids, message in (([1, 1, 2], "1 repeated id"), ([None, 1, 2], "1 null id")):
        source = consumers(ids, [1, 2, 3], updatedAt=[2, 2, 2])
        with pytest.raises(RunError, match=message):
            Engine().materialize(RULES, source, snapshot=tmp_path, since=run, changed=changed)


def test_where_all_rules_were_edited_all_are_asked(tmp_path: Path) -> None:
    """Also where the folder's ordinals are others than the snapshot's."""
    out, kept = tmp_path / "out", {"snapshot": tmp_path / "kept"}
    publish(Engine().materialize(RULES, consumers([2, 1], [1, 1])), out, About())
    source = consumers([1, 2], [1, 2])
    publish(Engine().materialize(RULES, source, **kept), out, About())
    before, edited = Generations(out).newest(), {"some": "totalOrders >= 1"}
    run = Engine().materialize(edited, source, since=before, **kept)
    assert (run.members("some"), run.moves, run.asked) == ([1, 2], None, 2)


@pytest.mark.parametrize("stamp", [math.nan, math.inf, None])
def test_a_value_that_nothing_exceeds_tells_of_no_change(tmp_path: Path, stamp: Any) -> None:
    run = None
    for number in range(4):
        stamps = pa.array([float(number), stamp])
        source = consumers([1, 2], [number, 0], updatedAt=stamps)
        kept = {"snapshot": tmp_path, "since": run, "changed": "updatedAt"}
        run = Engine().materialize(RULES, source, **kept)
        assert run.members("some") == [1] * (number > 1)


@pytest.mark.parametrize("changed", [[*range(100)], "updatedAt"])
def test_where_too_much_changed_it_is_not_held_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: Any
) -> None:
    monkeypatch.setattr(changes, "FEW", 6)
    read: list[int] = []
    keyed = changes._Reader._keyed

    def spied(reader: Any, frame: Any) -> Any:
        read.append(len(frame))
        return keyed(reader, frame)

    monkeypatch.setattr(changes._Reader, "_keyed", spied)
    run = None
    for number in (1, 2, 3):
        source = consumers(range(100), [number] * 100, updatedAt=[number] * 100)
        kept = {"snapshot": tmp_path, "since": run, "changed": changed}
        run = Engine().materialize(RULES, source, **kept)
        assert len(run.members("some")) == 100 * (number > 1)
    assert read and max(read) <= 13
