"""The commands on published runs: diff, export, and what `materialize` says and keeps."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segment_engine.batch.generations import Generations
from tests.cli.running import Ran, run

FIRST = "a: totalOrders >= 3\nb: email exists\nold: true\n"
SECOND = "a: totalOrders <= 3\nb: emial exists\nnew: true\n"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def two(tmp_path: Path, consumers: Path, out: Path) -> Ran:
    """Two runs; of the second, in which `b` is broken, what it said."""
    materialize(tmp_path, FIRST)
    return materialize(tmp_path, SECOND)


def materialize(folder: Path, audiences: str, *options: object) -> Ran:
    (folder / "audiences.yaml").write_text(audiences)
    where = ("--consumers", folder / "consumers.parquet", "--out", folder / "out")
    return run("materialize", folder / "audiences.yaml", *where, *options)


def test_a_run_tells_what_changed(two: Ran) -> None:
    assert [line.split() for line in two.out.splitlines()] == [
        ["audience", "members", "entered", "left", "share"],
        ["a", "2", "1", "1", "66.7%"],
        ["b", "2", "0", "0", "66.7%"],
        ["new", "3", "3", "0", "100.0%"],
        *[two.out.splitlines()[-1].split()],
    ]
    assert two.out.endswith("generation 2\n") and "published 7 memberships in" in two.out
    assert "note: b failed and keeps its 2 members of generation 1" in two.err and two.code == 1


def test_a_run_as_json(tmp_path: Path, two: Ran, out: Path) -> None:
    long = tmp_path / "long.parquet"
    told = materialize(tmp_path, SECOND, "--json", "--export", f"long={long}").told
    assert told["ok"] is False and told["generation"] == 3 and told["consumers"] == 3
    assert told["folder"] == str(out / "generations/000003")
    assert told["counts"] == {"a": 2, "b": 2, "new": 3} and told["carried"] == {"b": 1}
    assert told["entered"] == told["left"] == {"a": 0, "b": 0, "new": 0}
    assert told["exports"] == [{"as": "long", "to": str(long)}]
    assert pq.read_table(long).num_rows == 7


def test_diff(two: Ran, out: Path) -> None:
    done = run("diff", out)
    assert done.code == 0 and done.err == ""
    assert [line.rstrip() for line in done.out.splitlines()] == (
        "generation 1 -> 2\n"
        "audience  before  members  entered  left\n"
        "a              2        2        1     1\n"
        "new            -        3        3     0\n"
        "b              2        2        0     0\n"
        "old            3        -        0     3\n"
        "new is new\n"
        "b failed, and keeps the members of generation 1\n"
        "old is gone\n"
    ).splitlines()
    back = run("diff", out, "--from", 2, "--to", 1, "--audience", "a", "--format", "jsonl")
    assert [json.loads(line) for line in back.out.splitlines()] == [
        {"consumer_id": "c1", "audience": "a", "change": "entered"},
        {"consumer_id": "c3", "audience": "a", "change": "left"},
    ]
    told = run("diff", out, "--audience", "a", "--audience", "old", "--json").told
    assert (told["ok"], told["from"], told["to"]) == (True, 1, 2)
    assert told["audiences"]["a"]["entered"] == 1 and told["audiences"]["old"]["state"] == "gone"


@pytest.mark.parametrize("style", ["parquet", "jsonl"])
def test_changes_as_a_file(tmp_path: Path, two: Ran, out: Path, style: str) -> None:
    path = tmp_path / "deep" / "changes"
    for _ in range(2):
        done = run("diff", out, "--format", style, "--to-file", path)
        assert (done.code, done.out) == (0, f"wrote 8 changes to {path}\n")
    if style == "parquet":
        rows = pq.read_table(path).to_pylist()
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 8
    assert {"consumer_id": "c3", "audience": "a", "change": "entered"} in rows
    mine = tmp_path / "mine"
    mine.write_text("mine")
    done = run("diff", out, "--format", style, "--to-file", mine)
    assert done.code == 1 and "no export wrote it" in done.err and mine.read_text() == "mine"


def test_diff_of_what_cannot_be_compared(tmp_path: Path, consumers: Path, out: Path) -> None:
    assert "holds no generation" in run("diff", out).err
    materialize(tmp_path, FIRST)
    assert "there is no generation before 1" in run("diff", out).err
    assert "holds no generation 7; there are: 1" in run("diff", out, "--to", 7).err
    assert run("diff", out, "--from", 1).out.startswith("generation 1 -> 1\n")
    assert "there is no audience 'x'" in run("diff", out, "--from", 1, "--audience", "x").err
    assert run("diff", out, "--format", "parquet").code == 2
    assert run("diff", out, "--to-file", "x").code == 2


def test_diff_with_a_damaged_audience(two: Ran, out: Path) -> None:
    pack = out / "generations/000001/bitmaps.bin"
    everybody = pack.read_bytes()[:22]
    pack.write_bytes(everybody)
    done = run("diff", out)
    assert done.code == 1 and "old is gone" in done.out
    assert "error: a cannot be compared: " in done.err and "damaged or cut short" in done.err
    assert run("diff", out, "--json").told["ok"] is False
    lines = run("diff", out, "--format", "jsonl")
    assert lines.code == 1 and "cannot be compared" in lines.err and '"old"' in lines.out


def test_what_is_kept(tmp_path: Path, consumers: Path, out: Path) -> None:
    for _ in range(3):
        materialize(tmp_path, FIRST)
    assert Generations(out).numbers() == [1, 2, 3]
    done = materialize(tmp_path, FIRST, "--keep", 1, "--keep-for", "0 minutes")
    assert Generations(out).numbers() == [4]
    assert done.out.splitlines()[1].split() == ["a", "2", "0", "0", "66.7%"]
    for wrong in (("--keep", 0), ("--keep-for", "soon")):
        assert materialize(tmp_path, FIRST, *wrong).code == 2
    assert Generations(out).numbers() == [4]


def test_exports_of_a_run(tmp_path: Path, consumers: Path, out: Path) -> None:
    options = [f"{form}={tmp_path / form}" for form in ("long", "csv", "duckdb")]
    done = materialize(tmp_path, FIRST, *(word for one in options for word in ("--export", one)))
    assert (done.code, done.err) == (0, "")
    assert pq.read_table(tmp_path / "long").num_rows == 7
    assert (tmp_path / "csv/b.csv").read_text() == "consumer_id\nc1\nc3\n"
    with duckdb.connect(str(tmp_path / "duckdb")) as connection:
        assert connection.sql("select count(*) from memberships").fetchall() == [(7,)]


@pytest.mark.parametrize("wrong", ["long", "long=", "xml=x"])
def test_exports_that_are_none(tmp_path: Path, consumers: Path, out: Path, wrong: str) -> None:
    done = materialize(tmp_path, FIRST, "--export", wrong)
    assert done.code == 2 and "FORMAT=PATH" in done.err and not out.exists()


def test_an_export_never_replaces_the_consumers(tmp_path: Path, consumers: Path, out: Path) -> None:
    held = consumers.read_bytes()
    done = materialize(tmp_path, FIRST, "--export", f"long={consumers}")
    assert done.code == 1 and "no export wrote it" in done.err
    assert consumers.read_bytes() == held and not out.exists()


def test_export(tmp_path: Path, two: Ran, out: Path) -> None:
    done = run("export", out, "--as", "long", "--to", tmp_path / "m.parquet")
    assert done.out == f"wrote 7 memberships of generation 2 to {tmp_path / 'm.parquet'}\n"
    told = run(
        *("export", out, "--as", "csv", "--to", tmp_path / "csv", "--generation", 1, "--json")
    ).told
    assert told["generation"] == 1 and told["counts"] == {"a": 2, "b": 2, "old": 3}
    for words, message in (
        (("--as", "xml", "--to", "x"), "there is no export 'xml'; there are long"),
        (("--as", "long", "--to", "x", "--generation", 9), "holds no generation 9"),
    ):
        done = run("export", out, *words)
        assert done.code == 1 and message in done.err


def test_a_plan(tmp_path: Path, consumers: Path) -> None:
    file = tmp_path / "audiences.yaml"
    file.write_text(
        "a: totalOrders >= 3 and metadata.tier exists\n"
        "b: 3 <= totalOrders or not (metadata.tier exists)\n"
        'c: in audience "a" or totalOrders >= 3\n'
    )
    done = run("plan", file, "--consumers", consumers)
    assert done.code == 0 and done.err == ""
    assert [" ".join(line.split()) for line in done.out.splitlines()] == [
        "3 audiences of 5 conditions, 2 of them distinct, combined in 5 steps",
        "columns read: metadata, totalOrders",
        "paths into metadata: metadata.tier",
        "condition audiences",
        "totalOrders >= 3 3",
        "metadata.tier exists 2",
    ]
    told = run("plan", file, "--json").told
    assert told["ok"] and told["paths"] == ["metadata.tier"] and told["failed"] == {}
    assert told["conditions"][0] == {"text": "totalOrders >= 3", "audiences": ["a", "b", "c"]}


def test_a_plan_tells_what_fails(tmp_path: Path) -> None:
    (tmp_path / "audiences.yaml").write_text(SECOND)
    done = run("plan", tmp_path / "audiences.yaml")
    assert done.code == 1 and "audience 'b' fails: " in done.err
    assert done.out.startswith("2 audiences of 1 conditions, 1 of them distinct")


def test_a_snapshot_is_kept(tmp_path: Path, consumers: Path) -> None:
    first = materialize(tmp_path, FIRST, "--snapshot", tmp_path / "kept")
    held = {path.name for path in (tmp_path / "kept").iterdir()}
    assert first.code == 0 and "snapshot.json" in held
    again = materialize(tmp_path, FIRST, "--snapshot", tmp_path / "kept", "--json").told
    assert again["entered"] == again["left"] == {"a": 0, "b": 0, "old": 0}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == held
    wrong = materialize(tmp_path, FIRST, "--snapshot", tmp_path / "audiences.yaml")
    assert wrong.code == 1 and "the snapshot in" in wrong.err and "cannot be written" in wrong.err
    other = materialize(tmp_path, FIRST, "--snapshot", tmp_path / "kept", "--engine", "polars")
    assert other.code == 1 and "engine 'polars' asks no snapshot" in other.err


def people(folder: Path, orders: dict[int, int], stamp: int) -> None:
    """Consumers by id with their orders; one whose orders are odd was changed at `stamp`."""
    columns = {
        "id": [*orders],
        "email": ["a@b.co" if number else None for number in orders.values()],
        "totalOrders": [*orders.values()],
        "updatedAt": [stamp if number % 2 else 0 for number in orders.values()],
    }
    pq.write_table(pa.table(columns), folder / "consumers.parquet")


@pytest.mark.parametrize("how", [(), ("--changed-by", "updatedAt"), ("--changed-ids", "ids.txt")])
def test_only_who_has_changed_is_asked(tmp_path: Path, how: tuple[str, ...]) -> None:
    (tmp_path / "ids.txt").write_text("2\n3\n40\n\n")
    where = [tmp_path / one if one.endswith("txt") else one for one in how]
    options = ("--snapshot", tmp_path / "kept", "--incremental", *where)
    people(tmp_path, {1: 0, 2: 2, 3: 4}, 1)
    first = materialize(tmp_path, FIRST, *options)
    assert "consumers asked" not in first.out and first.code == 0, first.err
    people(tmp_path, {1: 0, 2: 5, 40: 7}, 2)
    done = materialize(tmp_path, FIRST, *options)
    # By the column those are read again who have its greatest value so far.
    asked = 4 if "updatedAt" in how else 3
    assert done.out.endswith(f"generation 2; {asked} of 3 consumers asked\n"), done.err
    rows = {line.split()[0]: line.split()[1:4] for line in done.out.splitlines()[1:4]}
    assert rows == {"a": ["2", "2", "1"], "b": ["2", "1", "1"], "old": ["3", "1", "1"]}
    told = materialize(tmp_path, FIRST, *options, "--json").told
    assert told["counts"] == {"a": 2, "b": 2, "old": 3} and told["asked"] <= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--incremental",), "--incremental wants --snapshot FOLDER"),
        (("--changed-by", "x"), "--changed-by and --changed-ids want --incremental"),
        (("--incremental", "--changed-by", "x", "--changed-ids", "y"), "exclude each other"),
        (("--incremental", "--changed-by", "x"), "there is no column 'x' to tell who changed"),
        (("--incremental", "--changed-ids", "no.txt"), "no.txt: no such file"),
    ],
)
def test_what_cannot_tell_who_changed(
    tmp_path: Path, consumers: Path, options: tuple[str, ...], message: str
) -> None:
    kept = ("--snapshot", tmp_path / "kept") if len(options) > 1 else ()
    done = materialize(tmp_path, FIRST, *options, *kept)
    assert done.code in (1, 2) and message in " ".join(done.err.replace("│", " ").split())
    assert not (tmp_path / "out" / "generations").exists()
