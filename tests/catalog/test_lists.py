"""Static lists: inline and in files, as people export them; what is no list of ids is told."""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segment_engine.catalog.catalog import Catalog

TEXTS = [{"id": name, "totalOrders": n} for n, name in enumerate(["a", "b", "c", "007"])]
NUMBERS = [{"id": n, "totalOrders": n} for n in range(4)]


def listed(folder: Path, name: str, content: bytes | pa.Table, options: str = "") -> Catalog:
    """A catalog with the audience `list`, whose ids are in a file."""
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
    else:
        pq.write_table(content, folder / name)
    text = f"list: {{members: {{file: {name}{options}}}}}\nrest: not in audience 'list'\n"
    (folder / "catalog.yaml").write_text(text)
    return Catalog.load(folder / "catalog.yaml")


READ: list[tuple[str, bytes, str]] = [
    ("plain.txt", b"a\nb\n", ""),
    ("no_ending", b"a\nb", ""),
    ("blank_lines.txt", b"\n\na\n   \n  b  \n\n", ""),
    ("windows.txt", b"\xef\xbb\xbfa\r\nb\r\n", ""),
    ("old_mac.txt", b"a\rb\r", ""),
    ("twice.txt", b"a\nb\na\nb\n", ""),
    ("strangers.txt", b"zz\na\nb\nnobody\n", ""),
    ("ids.csv", b"id,name\na,Ada\nb,Bob\n", ""),
    ("only.csv", b"whatever\na\nb\n", ""),
    ("named.csv", b"mail,customer\nx,a\ny,b\n", ", column: customer"),
    ("bom.csv", b"\xef\xbb\xbfid,n\r\n\r\n a ,1\r\nb\r\n,2\r\n", ""),
    ("quoted.csv", b'"id","n"\n"a","x\ny"\nb,"1,2"\n', ""),
    ("tabs.tsv", b"id\tn\na\t1\nb\t2\n", ""),
]


@pytest.mark.parametrize(("name", "content", "options"), READ, ids=[row[0] for row in READ])
def test_files_of_ids(name: str, content: bytes, options: str, tmp_path: Path) -> None:
    catalog = listed(tmp_path, name, content, options)
    assert catalog.sound
    for engine in ("duckdb", "polars", "records"):
        made = catalog.materialize(TEXTS, engine=engine)
        assert (made.members("list"), made.members("rest")) == (["a", "b"], ["007", "c"])


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_list_of_nobody_is_nobody(content: bytes, tmp_path: Path) -> None:
    made = listed(tmp_path, "none.txt", content).materialize(TEXTS)
    assert made.counts() == {"list": 0, "rest": 4}


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint32()])
def test_parquet_of_whole_numbers(kind: pa.DataType, tmp_path: Path) -> None:
    ids = pa.table({"id": pa.array([1, None, 3, 3, 99], kind), "n": pa.array(["x"] * 5)})
    made = listed(tmp_path, "ids.parquet", ids).materialize(NUMBERS)
    assert (made.members("list"), made.members("rest")) == ([1, 3], [0, 2])


TEXTUAL = [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())]


@pytest.mark.parametrize("kind", TEXTUAL, ids=str)
def test_parquet_of_texts(kind: pa.DataType, tmp_path: Path) -> None:
    ids = pa.table({"customer": pa.array(["a", None, "b"]).cast(kind)})
    made = listed(tmp_path, "ids.pq", ids).materialize(TEXTS)
    assert made.members("list") == ["a", "b"]


def test_texts_of_whole_numbers_are_numbers_for_numbered_consumers(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text("in line: {members: [1, '3', 1]}\n")
    assert Catalog.load(tmp_path / "catalog.yaml").materialize(NUMBERS).members("in line") == [1, 3]
    made = listed(tmp_path, "ids.txt", b"1\n3\n").materialize(NUMBERS)
    assert made.members("list") == [1, 3]
    texts = pa.table({"id": ["1", "3"]})
    assert listed(tmp_path, "t.parquet", texts).materialize(NUMBERS).members("list") == [1, 3]


WRONG_TYPES: list[tuple[Any, list[dict[str, Any]], str]] = [
    (b"01\n", NUMBERS, "'list' are str, the consumers' int"),
    (b"1\nx\n", NUMBERS, "'list' are str, the consumers' int"),
    (b"1.0\n", NUMBERS, "'list' are str, the consumers' int"),
    (pa.table({"id": [1, 2]}), TEXTS, "'list' are int, the consumers' str"),
    (pa.table({"id": [1.0]}), NUMBERS, "'list' are float, the consumers' int"),
    (pa.table({"id": [Decimal("1")]}), NUMBERS, "'list' are Decimal, the consumers' int"),
    (pa.table({"id": [True]}), NUMBERS, "'list' are bool, the consumers' int"),
    (pa.table({"id": [b"a"]}), TEXTS, "'list' are bytes, the consumers' str"),
]


@pytest.mark.parametrize(("content", "people", "message"), WRONG_TYPES)
def test_ids_of_another_type_fail_the_list_and_who_refers_to_it(
    content: Any, people: list[dict[str, Any]], message: str, tmp_path: Path
) -> None:
    """Else a list of which nobody is found would read as nobody, and its `not` as everybody."""
    name = "ids.txt" if isinstance(content, bytes) else "ids.parquet"
    catalog = listed(tmp_path, name, content)
    assert catalog.sound
    made = catalog.materialize(people)
    assert made.counts() == {} and [*made.failed] == ["list", "rest"]
    assert message in str(made.failed["list"])
    assert "failed, and so this one does: rest -> list" in str(made.failed["rest"])


UNREADABLE: list[tuple[str, Any, str, str]] = [
    ("latin.txt", b"a\nRen\xe9\n", "", "this is not UTF-8 text at byte 6"),
    ("wide.csv", "id\na\n".encode("utf-16"), "", "this is not UTF-8 text at byte 1"),
    ("open.csv", b'id\n"a\n', "", "it cannot be read: unexpected end of data"),
    ("columns.csv", b"mail,name\nx,y\n", "", "no column 'id'; its columns are mail, name"),
    ("column.csv", b"id,n\nx,y\n", ", column: ID", "no column 'ID'; its columns are id, n"),
    ("empty.csv", b"", "", "there is no column 'id'; its columns are none"),
    ("huge.csv", b"id\n" + b"x" * 2_000_000, "", "field larger than field limit"),
    ("text.parquet", b"a\nb\n", "", "it cannot be read: Parquet"),
    ("list.xlsx", b"", "", "a list of ids is a .txt, .csv, .tsv or .parquet file"),
    ("no_column.parquet", pa.table({"x": [1], "y": [2]}), "", "its columns are x, y"),
    ("nested.parquet", pa.table({"id": [["a"]]}), "", "column 'id' has no ids but list"),
    ("struct.parquet", pa.table({"id": [{"a": 1}]}), "", "column 'id' has no ids but struct"),
]


@pytest.mark.parametrize(
    ("name", "content", "options", "message"), UNREADABLE, ids=[row[0] for row in UNREADABLE]
)
def test_files_that_are_no_lists(
    name: str, content: Any, options: str, message: str, tmp_path: Path
) -> None:
    catalog = listed(tmp_path, name, content, options)
    assert [found.item.code for found in catalog.findings] == ["list", "failed-audience"]
    assert message in catalog.findings[0].item.message
    assert catalog.findings[0].place == (1, 17)
    assert [*catalog.failed] == ["list", "rest"]


def test_paths_are_those_beside_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "press").mkdir()
    (tmp_path / "press" / "ids.txt").write_text("a\n")
    (tmp_path / "ids.txt").write_text("b\n")
    (tmp_path / "press" / "press.yaml").write_text(
        "here: {members: {file: ids.txt}}\nabove: {members: {file: ../ids.txt}}\n"
        f"anywhere: {{members: {{file: {tmp_path}/ids.txt}}}}\nfolder: {{members: {{file: .}}}}\n"
    )
    catalog = Catalog.load(tmp_path)
    made = catalog.materialize(TEXTS)
    assert [made.members(key) for key in ("here", "above", "anywhere")] == [["a"], ["b"], ["b"]]
    assert "is a directory" in str(made.failed["folder"])


@pytest.mark.parametrize("ending", ["txt", "csv", "parquet"])
def test_a_million_ids(ending: str, tmp_path: Path) -> None:
    ids = range(0, 2_000_000, 2)
    content: Any = pa.table({"id": pa.array(ids)})
    if ending != "parquet":
        content = ("id\n" * (ending == "csv") + "\n".join(map(str, ids))).encode()
    started = time.process_time()
    catalog = listed(tmp_path, f"ids.{ending}", content)
    people = pa.table({"id": pa.array(range(1_000, 1_100)), "totalOrders": pa.array([0] * 100)})
    made = catalog.materialize(people)
    assert time.process_time() - started < 10
    assert len(catalog.lists["list"]) == 1_000_000
    assert made.counts() == {"list": 50, "rest": 50}
