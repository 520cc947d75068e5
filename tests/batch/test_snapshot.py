"""A snapshot says what its source says, whatever became of either since."""

import json
import math
import os
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine import Engine, OutputError, RunError, Schema, SourceError
from segment_engine.batch import one_pass
from segment_engine.batch.bitmaps import positions
from segment_engine.batch.snapshot.encoding import FEW, MOST_ELEMENTS, MOST_TEXTS, encoded
from segment_engine.batch.snapshot.snapshot import MOST_UNUSED
from tests.properties.drawn import MOMENTS, Case, as_parquet, cases, randoms

TIMES = settings.default.max_examples
RULES = {
    "loyal": 'totalOrders >= 3 and not (email ends with ".org")',
    "gold": 'metadata.tier = "gold" or metadata.points > 10',
    "rest": 'not in audience "loyal" and not in audience "gold"',
    "same": "lastOrderAt = createdAt or totalOrders > totalOrderValue",
    "tags": 'metadata.tags contains "a" or fullName matches "^[A-C]"',
}


def members(run: Any) -> dict[str, list[Any]]:
    return {key: run.members(key) for key in run}


@settings(max_examples=TIMES // 2)
@given(cases(rules=6, size=30), randoms(), st.booleans())
def test_histories(case: Case, random: Random, on_disk: bool) -> None:
    """Rows change, go, come and are shuffled; time passes; other rules are asked."""
    with TemporaryDirectory() as folder:
        table = case.consumers
        for _ in range(4):
            some = random.sample(case.rules, random.randint(1, len(case.rules)))
            rules: dict[str, Any] = {str(number): rule for number, rule in enumerate(some)}
            how = {"as_of": random.choice(MOMENTS)}
            source = as_parquet(table, folder) if on_disk else table
            kept = case.engine.materialize(rules, source, snapshot=f"{folder}/s", **how)
            alone = case.engine.materialize(rules, source, engine="polars", **how)
            assert members(kept) == members(alone)
            assert kept.failed.keys() == alone.failed.keys()
            table = _moved(table, random)


def _moved(table: Any, random: Random) -> Any:
    """Some rows with the values of others, some away, perhaps in another order."""
    rows = [*range(table.num_rows)]
    values = [random.choice(rows) if random.random() < 0.2 else row for row in rows]
    moved = _taken(table, values)
    moved = moved.set_column(table.column_names.index("id"), "id", table.column("id"))
    order = [row for row in rows if random.random() < 0.9]
    if random.random() < 0.3:
        random.shuffle(order)
    return _taken(moved, order)


def _taken(table: Any, rows: list[int]) -> Any:
    """Arrow takes no views of texts."""
    return pa.concat_tables([table.slice(0, 0), *(table.slice(row, 1) for row in rows)])


@given(
    st.sampled_from((1, 2, FEW, FEW + 1, 300, MOST_TEXTS, MOST_TEXTS + 1)),
    st.sampled_from((pl.Int64, pl.Float64, pl.String, pl.Boolean, pl.Datetime("us", "UTC"))),
    st.integers(0, 200),
)
def test_what_is_encoded_can_be_read(distinct: int, kind: Any, more: int) -> None:
    numbers = np.random.default_rng(distinct).integers(0, distinct, distinct + more)
    series = pl.Series(numbers)
    values = series.cast(pl.Boolean) if kind == pl.Boolean else series.cast(kind)
    values = values.set(pl.Series(numbers % 7 == 3), None)
    assert encoded(values).values().equals(values, null_equal=True)


@given(
    st.sampled_from((1, 3, MOST_ELEMENTS, MOST_ELEMENTS + 1)),
    st.sampled_from((pl.Int64, pl.Float64, pl.String, pl.Boolean, pl.Datetime("us", "UTC"))),
    st.booleans(),
    st.integers(0, 9),
)
def test_lists_are_the_consumers_of_each_element(
    distinct: int, kind: Any, with_missing: bool, seed: int
) -> None:
    numbers = pl.Series(range(distinct))
    elements = numbers.cast(kind) if kind != pl.Boolean else numbers % 2 == 0
    if with_missing:
        elements = elements.set(numbers == 1, None)
    random = np.random.default_rng(seed)
    sizes = random.integers(0, 4, 128).tolist()
    drawn = [elements.gather(random.integers(0, distinct, size)).to_list() for size in sizes]
    lists = [None, [], *drawn, elements.to_list()]
    values = pl.Series(lists, dtype=pl.List(kind))
    found = encoded(values)
    assert found.values().equals(values, null_equal=True)
    assert found.at(np.array([130, 0, 1])).to_list() == [lists[130], None, []]
    assert (found.kind == "plain") == (elements.n_unique() > MOST_ELEMENTS)
    if found.kind != "plain":
        told = [positions(row).tolist() for row in found.bits]
        having = [
            [place for place, one in enumerate(lists) if one and element in one]
            for element in found.distinct
        ]
        assert told == [
            [place for place, one in enumerate(lists) if one is not None],
            [place for place, one in enumerate(lists) if one],
            *having,
        ]


def rows(count: int = 2_000) -> list[dict[str, Any]]:
    random = Random(5)
    return [
        {
            "id": f"c{number}",
            "email": random.choice((None, f"u{number}@x.org", f"u{number}@y.com")),
            "fullName": random.choice(("Ada", "Bob", "Cleo")) + str(number),
            "totalOrders": random.choice((None, *range(9))),
            "totalOrderValue": random.randrange(9),
            "lastOrderAt": None,
            "createdAt": None,
            "metadata": random.choice(
                ('{"tier": "gold"}', '{"points": 11, "tags": ["a"]}', "", None)
            ),
        }
        for number in range(count)
    ]


def parquet(folder: Path, people: list[dict[str, Any]]) -> str:
    path = str(folder / "consumers.parquet")
    schema = {"lastOrderAt": pl.Datetime("us", "UTC"), "createdAt": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame(people, schema_overrides=schema, infer_schema_length=None)
    frame.write_parquet(path, compression="uncompressed")
    return path


def test_what_did_not_change_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, engine = parquet(tmp_path, rows()), Engine()
    first = engine.materialize(RULES, source, snapshot=tmp_path / "s")
    assert members(first) == members(engine.materialize(RULES, source, engine="duckdb"))
    monkeypatch.setattr("polars.scan_parquet", lambda *_, **__: pytest.fail("it is read"))
    again = engine.materialize(RULES, source, snapshot=tmp_path / "s")
    assert members(again) == members(first)


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_damaged_snapshot_is_made_anew(tmp_path: Path, size: int) -> None:
    source, engine, folder = parquet(tmp_path, rows()), Engine(), tmp_path / "s"
    expected = members(engine.materialize(RULES, source, snapshot=folder))
    for name in sorted(os.listdir(folder)):
        if name != "snapshot.lock" and (folder / name).exists():
            os.truncate(folder / name, min(size, (folder / name).stat().st_size))
            assert members(engine.materialize(RULES, source, snapshot=folder)) == expected, name
            assert members(engine.materialize(RULES, source, snapshot=folder)) == expected, name


def test_files_that_nobody_needs_are_deleted(tmp_path: Path) -> None:
    engine, folder, people = Engine(), tmp_path / "s", rows(50)
    engine.materialize(RULES, people, snapshot=folder)
    count = len(os.listdir(folder))
    (folder / "segment-0123456789abcdef.bits").write_bytes(b"x")
    for number in range(5):
        people[number]["totalOrders"] = 100 + number
        engine.materialize(RULES, people, snapshot=folder)
    assert len(os.listdir(folder)) <= count


@pytest.mark.parametrize(
    "name", ["mine.txt", "segment-1.bits", ".lock", "generations", "snapshot.json"]
)
def test_another_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(OutputError, match="which is of no snapshot; name a new folder"):
        Engine().materialize(RULES, rows(5), snapshot=tmp_path)
    assert (tmp_path / name).read_text() == '{"mine": 1}'


@pytest.mark.parametrize("path", [5, ""])
def test_a_snapshot_is_a_path(path: Any) -> None:
    with pytest.raises(RunError, match="a snapshot is the path of a folder"):
        Engine().materialize(RULES, rows(5), snapshot=path)


def test_a_view_of_a_file_is_read_again(tmp_path: Path) -> None:
    """Its database stays as it is when what the view reads does not."""
    below, file = str(tmp_path / "below.parquet"), str(tmp_path / "people.duckdb")
    for count in (2, 3):
        pl.DataFrame({"id": range(count), "totalOrders": 1.0}).write_parquet(below)
        if count == 2:
            with duckdb.connect(file) as connection:
                connection.execute(f"create view people as from '{below}'")
        run = Engine().materialize(
            {"a": "totalOrders = 1"}, f"{file}::people", snapshot=tmp_path / "s"
        )
        assert run.members("a") == [*range(count)]


def test_a_file_that_is_replaced_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = parquet(tmp_path, rows(4))
    monkeypatch.setattr("segment_engine.batch.one_pass.TILE", 2)
    tiles = one_pass.machine.run

    def replacing(*given: Any) -> Any:
        parquet(tmp_path, rows(4)[::-1])
        return tiles(*given)

    monkeypatch.setattr("segment_engine.batch.machine.run", replacing)
    with pytest.raises(SourceError, match="was changed while it was read; run again"):
        Engine().materialize({"a": "true"}, source)


def test_values_that_no_run_asks_for_any_more_go(tmp_path: Path) -> None:
    people = rows(20)
    for number in range(MOST_UNUSED + 5):
        Engine().materialize({"a": f"metadata.p{number} = 1"}, people, snapshot=tmp_path / "s")
    state = json.loads((tmp_path / "s/snapshot.json").read_bytes())
    assert len(state["segments"][0]["values"]) == MOST_UNUSED + 1


@pytest.mark.parametrize(
    ("kind", "given", "held"),
    [
        (pa.int32(), [1, 2**40], [1]),
        (pa.int64(), ["1", "9" * 25], [1]),
        (pa.uint64(), [-1, 1], [1]),
        (pa.float64(), [1.0, math.nan], [1.0]),
        (pa.string(), ["1", b"2"], ["1"]),
        (pa.string(), ["1", "\ud800"], ["1"]),
        (pa.date32(), [date(1970, 1, 2), datetime(1970, 1, 3, 5)], [date(1970, 1, 2)]),
    ],
)
def test_a_list_has_what_can_be_an_id(kind: Any, given: list[Any], held: list[Any]) -> None:
    ids = pa.array([1, 2], pa.int32()).cast(kind)
    for engine in ("snapshot", "duckdb"):
        run = Engine().materialize({}, pa.table({"id": ids}), lists={"a": given}, engine=engine)
        assert run.members("a") == held, engine


def test_ids_are_checked(tmp_path: Path) -> None:
    people = rows(5)
    people[3]["id"] = "c1"
    with pytest.raises(RunError, match="1 repeated id"):
        Engine().materialize(RULES, people, snapshot=tmp_path / "s")


def test_a_column_that_cannot_be_read_fails_its_audiences_alone(tmp_path: Path) -> None:
    source = parquet(tmp_path, rows())
    data = bytearray(Path(source).read_bytes())
    at = data.index(b"u1@")
    data[at : at + 2_000] = b"\xff" * 2_000
    Path(source).write_bytes(data)
    for more in ({}, {"snapshot": tmp_path / "s"}):
        run = Engine().materialize(RULES, source, **more)
        assert set(run.failed) == {"loyal", "rest"}, run.failed
        assert isinstance(run.failed["loyal"], SourceError)
        assert run.counts().keys() == {"gold", "same", "tags"}


def test_a_snapshot_wants_its_engine(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="engine 'polars' asks no snapshot"):
        Engine(Schema.default()).materialize(RULES, rows(3), engine="polars", snapshot=tmp_path)


LOOP = """
import sys
from segment_engine import Engine
from tests.batch.test_snapshot import RULES
print("ready", flush=True)
for number in range(1_000):
    rules = {key: f"({rule}) and totalOrderValue != {number % 5}" for key, rule in RULES.items()}
    Engine().materialize(rules, sys.argv[1 + number % 2], snapshot=sys.argv[3])
"""
KILLS = 4 if settings.default.max_examples <= 20 else 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no SIGKILL")
def test_a_run_may_be_killed_at_any_time(tmp_path: Path) -> None:
    """Two sources take turns, so that every run writes; after each death the answers are right."""
    engine, folder = Engine(), tmp_path / "s"
    sources = []
    for number, people in enumerate((rows(3_000), rows(2_999)[::-1])):
        (tmp_path / str(number)).mkdir()
        sources.append(parquet(tmp_path / str(number), people))
    expected = [members(engine.materialize(RULES, source, engine="duckdb")) for source in sources]
    random = Random(11)
    for _ in range(KILLS):
        command = (sys.executable, "-c", LOOP, *sources, str(folder))
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None and child.stdout.readline() == b"ready\n"
            time.sleep(0.05 + random.random())
            child.kill()
        for source, right in zip(sources, expected, strict=True):
            assert members(engine.materialize(RULES, source, snapshot=folder)) == right
    named = (folder / "snapshot.json").read_text("utf-8")
    for name in set(os.listdir(folder)) - {"snapshot.lock", "snapshot.json"}:
        assert name in named, "what a dead run left is deleted by the next one"


def test_a_column_that_has_no_ids_says_so() -> None:
    table = pa.table({"id": pa.array([b"a", b"b"]), "totalOrders": [1.0, 2.0]})
    for engine in ("snapshot", "duckdb", "polars", "records"):
        with pytest.raises(RunError, match=r"the id column 'id' is .*; make it text or whole"):
            Engine().rule("totalOrders = 1").members(table, engine=engine)
