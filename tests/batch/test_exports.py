"""Exports, read back by the programs that they are for."""

import csv
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.batch.exports import FORMS, check_export, export, file_names
from segment_engine.batch.generations import Generations
from segment_engine.batch.memberships import Memberships
from segment_engine.errors import OutputError
from tests.batch.runs import files_of, published, run_of

RUN = run_of(["a,1", "=b", 'c"', "é"], {"some": ["=b", "é"], "Some": ['c"'], "../no": []}, "bad")
ROWS = [("=b", "some"), ("é", "some"), ('c"', "Some")]


def long_of(form: str, path: Path) -> list[tuple[Any, ...]]:
    """The rows of an export, in its order."""
    if form == "long":
        return pl.read_parquet(path).rows()
    if form == "arrow":
        with pa.OSFile(str(path)) as file:
            return [tuple(row.values()) for row in pa.ipc.open_stream(file).read_all().to_pylist()]
    if form == "duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.sql("from memberships").fetchall()
    told = json.loads((path / "audiences.json").read_bytes())
    read = pl.read_parquet if form == "parquet" else pl.read_csv
    return [
        (row[0], key)
        for key, one in told["files"].items()
        for row in read(path / one["file"]).rows()
    ]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_exported_comes_back(tmp_path: Path, form: str) -> None:
    path = tmp_path / "deep" / "export"
    shown = [("'=b", "some"), *ROWS[1:]] if form == "csv" else ROWS
    export(RUN, form, path)
    assert long_of(form, path) == shown
    before = files_of(tmp_path)
    export(RUN, form, path)
    assert long_of(form, path) == shown and files_of(tmp_path) == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ids", [[7, -5], [Decimal(7), Decimal(-5)]], ids=["integers", "decimals"])
def test_ids_that_are_no_texts(tmp_path: Path, form: str, ids: list[Any]) -> None:
    export(run_of(ids, {"a": ids}), form, tmp_path / "export")
    assert [int(who) for who, _ in long_of(form, tmp_path / "export")] == [7, -5]


@pytest.mark.parametrize("form", FORMS)
def test_a_run_without_members(tmp_path: Path, form: str) -> None:
    export(run_of(["a"], {"none": []}), form, tmp_path / "export")
    assert long_of(form, tmp_path / "export") == []


def test_texts_that_a_spreadsheet_would_run(tmp_path: Path) -> None:
    ids = ["=1+1", "+1", "-1", "@x", "\t=1", "1-1", "a=b", "a\n=1", "'=1"]
    export(run_of(ids, {"a": ids}), "csv", tmp_path / "out")
    with open(tmp_path / "out/a.csv", newline="", encoding="utf-8") as file:
        cells = [cell for (cell,) in csv.reader(file)][1:]
    assert cells == [*(f"'{one}" for one in ids[:5]), *ids[5:]]


def test_what_a_folder_tells(tmp_path: Path) -> None:
    export(RUN, "csv", tmp_path / "out")
    told = json.loads((tmp_path / "out/audiences.json").read_bytes())
    assert told["failed"] == {"bad": "bad is broken"}
    assert [one["count"] for one in told["files"].values()] == [2, 1, 0]
    assert (tmp_path / "out" / "..%2Fno.csv").exists() is False
    assert sorted(os.listdir(tmp_path)) == ["out"]


@given(st.lists(st.text(max_size=200), unique=True, max_size=20))
def test_names_of_files_are_safe(keys: list[str]) -> None:
    names = file_names([*keys, "a", "A", "con", "", ".", "x" * 300], ".csv")
    assert len({name.lower() for name in names.values()}) == len(names)
    for name in names.values():
        assert name.isascii() and not set(name) & set('/\\:*?"<>|\0 ') and len(name) < 200
        assert not name.startswith(".") and name.removesuffix(".csv").lower() not in ("con", "")


def mine(form: str, path: Path) -> None:
    """Something at that place that no export wrote."""
    if form in ("parquet", "csv"):
        path.mkdir()
        (path / "a.parquet").write_text("mine")
    elif form == "long":
        pq.write_table(pa.table({"consumer_id": [1], "audience": ["a"]}), path)
    elif form == "duckdb":
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table memberships (mine int)")
    else:
        path.write_text("mine")


@pytest.mark.parametrize("form", FORMS)
def test_what_no_export_wrote_is_not_replaced(tmp_path: Path, form: str) -> None:
    path = tmp_path / "out"
    mine(form, path)
    message = "has other columns" if form == "duckdb" else "no export wrote it"
    for write in (check_export, lambda form, path: export(RUN, form, path)):
        with pytest.raises(OutputError, match=message):
            write(form, path)
    assert sorted(os.listdir(tmp_path)) == ["out"]


def test_a_file_beside_an_export_is_not_lost(tmp_path: Path) -> None:
    export(RUN, "csv", tmp_path / "out")
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="no export wrote it"):
        export(RUN, "csv", tmp_path / "out")


def test_other_tables_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table other as select 1 as one")
    export(RUN, "duckdb", path)
    export(RUN, "duckdb", f'{path}::my "table"')
    with duckdb.connect(str(path)) as connection:
        assert connection.sql("from other").fetchall() == [(1,)]
        assert connection.sql('from "my ""table"""').fetchall() == ROWS


@pytest.mark.parametrize("form", FORMS)
def test_places_that_cannot_be_written(tmp_path: Path, form: str) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(OutputError, match=r"cannot be|no export wrote it"):
            export(RUN, form, path)
    (tmp_path / "folder").mkdir()
    if form in ("parquet", "csv"):
        with pytest.raises(OutputError, match="is a file"):
            export(RUN, form, tmp_path / "file")
    else:
        with pytest.raises(OutputError, match="is a folder; name a file"):
            export(RUN, form, tmp_path / "folder")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "mine"


class _Breaks(Memberships):
    def tiles_of(self, bitmap: Any) -> Any:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("form", FORMS)
def test_the_export_before_stays_when_the_disk_is_full(tmp_path: Path, form: str) -> None:
    path = tmp_path / "out"
    export(RUN, form, path)
    held, before = long_of(form, path), files_of(tmp_path)
    with pytest.raises(OutputError, match="cannot be written: no space left"):
        export(_Breaks(RUN.ids, {"a": RUN.bitmap("some")}, {}), form, path)
    assert long_of(form, path) == held and files_of(tmp_path) == before


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_audience_is_named(tmp_path: Path, form: str) -> None:
    published(tmp_path / "runs", "xyz", {"a": "x"})
    pack = tmp_path / "runs/generations/000001/bitmaps.bin"
    pack.write_bytes(pack.read_bytes()[:-1])
    with pytest.raises(OutputError, match="audience 'a'"):
        export(Generations(tmp_path / "runs").newest().memberships, form, tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["runs"]


def test_a_folder_that_cannot_take_its_place_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(RUN, "csv", tmp_path / "out")
    before, rename, tried = files_of(tmp_path), os.rename, []

    def fails_once(source: Path, target: Path) -> None:
        tried.append(source)
        if len(tried) == 2:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_once)
    with pytest.raises(OutputError, match="no space left"):
        export(run_of(["x"], {"x": ["x"]}), "csv", tmp_path / "out")
    assert files_of(tmp_path) == before and len(tried) == 3
