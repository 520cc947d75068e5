"""The same consumers from every kind of source, and what is said of those that cannot be read."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from segment_engine.backends.physical import (
    Bool,
    Day,
    Dec,
    Float,
    Int,
    IsoText,
    Json,
    ListOf,
    MapOf,
    Other,
    Record,
    Stamp,
    Text,
)
from segment_engine.backends.sources.opening import Source, open_source
from segment_engine.errors import SourceError
from segment_engine.expression.schema import Schema

SCHEMA = Schema(
    {
        "externalId": "text",
        "orders": "number",
        "score": "number",
        "value": "currency",
        "active": "boolean",
        "birthday": "date",
        "createdAt": "datetime",
        "tags": "list of text",
        "metadata": "any",
    }
)
NAMES = tuple(SCHEMA.names)
TEXTS = [
    ["00012", "3", "0.5", "19.99", "true", "2026-01-31", "2026-01-31T10:00:00Z",
     '["a", "b"]', '{"tier": "gold"}'],
    ['a "q", é\nß', "-7", "1e3", "-0.100000001", "FALSE", "0001-01-01", "2026-01-31",
     "[]", "not JSON"],
    [""] * 9,
]  # fmt: skip
ROWS: list[dict[str, Any]] = [
    dict(zip(NAMES, row, strict=True))
    for row in (
        ("00012", 3, 0.5, Decimal("19.99"), True, date(2026, 1, 31),
         datetime(2026, 1, 31, 10, tzinfo=UTC), ["a", "b"], '{"tier": "gold"}'),
        ('a "q", é\nß', -7, 1000.0, Decimal("-0.100000001"), False, date(1, 1, 1),
         datetime(2026, 1, 31, tzinfo=UTC), [], "not JSON"),
        (None,) * 9,
    )
]  # fmt: skip
TABLE = pa.table(
    {name: [row[name] for row in ROWS] for name in NAMES},
    pa.schema(
        zip(
            NAMES,
            [pa.string(), pa.int64(), pa.float64(), pa.decimal128(38, 9), pa.bool_(), pa.date32(),
             pa.timestamp("us", "UTC"), pa.list_(pa.string()), pa.string()],
            strict=True,
        )
    ),
)  # fmt: skip
STORED = dict(
    zip(
        NAMES,
        [Text(), Int(), Float(), Dec(38, 9), Bool(), Day(), Stamp(), ListOf(Text()), Text()],
        strict=True,
    )
)
TEXT_STORED = STORED | {"createdAt": IsoText(), "tags": Json(), "metadata": Json()}
TEXT_ROWS = [
    row | {"createdAt": cells[6] or None, "tags": cells[7] or None}
    for row, cells in zip(ROWS, TEXTS, strict=True)
]


class Capsule:
    """Nothing but the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return TABLE.__arrow_c_stream__(requested_schema)


def written_csv(path: Path, delimiter: str = ",") -> Path:
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in TEXTS]
    text = "\n".join(delimiter.join(row) for row in [list(NAMES), *quoted]) + "\n"
    packed = gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode("utf-8-sig")
    path.write_bytes(packed)
    return path


def written_ndjson(path: Path) -> Path:
    def of(row: list[str]) -> dict[str, Any]:
        shown = {name: cell for name, cell in zip(NAMES, row, strict=True) if cell}
        for name in ("orders", "score", "active", "tags"):
            if name in shown:
                shown[name] = json.loads(shown[name].lower())
        return shown

    lines = [json.dumps(of(row)) for row in TEXTS]
    lines[0] = lines[0].replace('"19.99"', "19.99").replace('"{\\"tier\\": \\"gold\\"}"', "M")
    lines[0] = lines[0].replace("M", '{"tier": "gold"}')
    lines[1] = lines[1].replace('"-0.100000001"', "-0.100000001").replace('"not JSON"', '"x"')
    path.write_text("\n\n".join(lines))
    return path


def written_parquet(path: Path) -> Path:
    pq.write_table(TABLE, path)
    return path


def written_database(path: Path) -> str:
    with duckdb.connect(str(path)) as connection:
        connection.register("given", TABLE)
        connection.execute("create table consumers as select * from given")
    return f"{path}::consumers"


TYPED: dict[str, Callable[[Path], Any]] = {
    "parquet": lambda folder: written_parquet(folder / "c[1].parquet"),
    "duckdb file": lambda folder: written_database(folder / "c.duckdb"),
    "relation": lambda folder: duckdb.connect().from_arrow(TABLE),
    "polars": lambda folder: pl.DataFrame(TABLE),
    "polars lazy": lambda folder: pl.DataFrame(TABLE).lazy(),
    "pandas": lambda folder: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "arrow": lambda folder: TABLE,
    "batches": lambda folder: pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches()),
    "dataset": lambda folder: ds.dataset(TABLE),
    "capsule": lambda folder: Capsule(),
}
TEXTUAL: dict[str, Callable[[Path], Any]] = {
    "csv": lambda folder: written_csv(folder / "c.CSV"),
    "csv.gz": lambda folder: written_csv(folder / "c.csv.gz"),
    "tsv": lambda folder: written_csv(folder / "c.tsv", "\t"),
    "ndjson": lambda folder: written_ndjson(folder / "c.ndjson"),
}


def by_duckdb(source: Source, select: str = "*") -> list[tuple[Any, ...]]:
    with source.duckdb() as (connection, table):
        found = connection.sql(f"select {select} from {table}").to_arrow_table()
    return [tuple(row.values()) for row in found.to_pylist()]


def by_polars(source: Source) -> list[tuple[Any, ...]]:
    return source.polars().collect().rows()


@pytest.mark.parametrize("kind", TYPED)
def test_typed_sources_are_read_alike(kind: str, tmp_path: Path) -> None:
    source = open_source(TYPED[kind](tmp_path), SCHEMA)
    assert source.columns == STORED
    assert list(source.rows(NAMES)) == ROWS
    tuples = [tuple(row.values()) for row in ROWS]
    assert by_duckdb(source) == tuples
    assert by_polars(source) == tuples


@pytest.mark.parametrize("kind", TEXTUAL)
def test_text_files_take_the_types_of_the_schema(kind: str, tmp_path: Path) -> None:
    source = open_source(TEXTUAL[kind](tmp_path), SCHEMA)
    metadata = ['{"tier": "gold"}', "not JSON", None]
    if kind == "ndjson":
        metadata = ['{"tier":"gold"}', '"x"', None]
    expected = [row | {"metadata": m} for row, m in zip(TEXT_ROWS, metadata, strict=True)]
    if kind == "ndjson":
        expected[0] = expected[0] | {"tags": '["a","b"]'}
    assert source.columns == TEXT_STORED
    assert list(source.rows(NAMES)) == expected
    tuples = [tuple(row[name] for name in source.columns) for row in expected]
    assert by_duckdb(source) == tuples
    assert by_polars(source) == tuples


@pytest.mark.parametrize("kind", TYPED | TEXTUAL)
def test_rows_are_counted_where_no_column_is_read(kind: str, tmp_path: Path) -> None:
    source = open_source((TYPED | TEXTUAL)[kind](tmp_path), SCHEMA, ())
    assert list(source.rows(["orders"])) == [{"orders": None}] * 3
    assert by_duckdb(source, "count(*)") == [(3,)]
    assert source.polars().select(pl.len()).collect().item() == 3


@pytest.mark.parametrize("name", ["people.csv", "people.ndjson"])
def test_a_cell_of_a_column_that_nobody_reads_stops_no_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("orders\nmany\n" if name.endswith("csv") else '{"orders": "many"}\n')
    source = open_source(path, SCHEMA, ())
    assert by_duckdb(source, "count(*)") == [(1,)] and source.columns["orders"] == Int()
    with pytest.raises(SourceError, match="many"):
        open_source(path, SCHEMA)


def test_dicts_are_typed_by_the_schema_and_records_see_them_as_they_are() -> None:
    shared = {"tags": ["a", 1], "metadata": {"n": Decimal("2"), "at": date(2026, 1, 1)}, "id": 7}
    rows: list[dict[str, Any]] = [
        {"orders": 2**70, "score": 1, "value": 0.1, "createdAt": date(2026, 1, 1), **shared},
        {"orders": "5", "score": 0.5, "createdAt": datetime(2026, 1, 1, 1), "active": 1},
    ]
    source = open_source(rows, SCHEMA)
    assert list(source.rows(["orders", "tags"])) == [
        {"orders": 2**70, "tags": ["a", 1]},
        {"orders": "5", "tags": None},
    ]
    selected = "orders, score, value, createdAt, tags, metadata, active, externalId, id"
    assert by_duckdb(source, selected) == [
        (Decimal(2**70), 1.0, Decimal("0.1"), "2026-01-01", '["a", 1]',
         '{"n": 2, "at": "2026-01-01"}', None, None, 7),
        (None, 0.5, None, "2026-01-01T01:00:00Z", None, None, None, None, None),
    ]  # fmt: skip
    assert source.columns["orders"] == Dec(38, 9)
    assert open_source([{"birthday": date(2026, 1, 1)}], SCHEMA).columns["birthday"] == Day()


ODD = [float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity"), 10**400, True, b"x", {1}]


@pytest.mark.parametrize("odd", [*ODD, object(), "\ud800", datetime.max, {"a": {1: 2}}, [[1]]])
def test_a_value_of_another_type_in_a_dict_is_missing(odd: object) -> None:
    rows = [dict.fromkeys(NAMES, odd), dict.fromkeys(NAMES)]
    source = open_source(rows, SCHEMA)
    assert list(source.rows(NAMES)) == rows
    assert by_duckdb(source, "value, externalId, birthday") in (
        [(None, None, None)] * 2,
        [(None, None, "9999-12-31T23:59:59.999999Z"), (None, None, None)],
    )
    assert open_source([], SCHEMA, ["orders", "id"]).polars().collect().columns == ["orders", "id"]


SCHEMA_ANY = Schema({"s": "number", "a": "any", "when": "datetime"})


def stamps(unit: str, zone: str | None, *numbers: int) -> Any:
    return pa.array(numbers, pa.int64()).cast(pa.timestamp(unit, zone))


KINDS = ("arrow", "polars", "relation", "parquet")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEFORE = datetime(1969, 12, 31, 23, 59, 59, 999999)
SPELLINGS: list[tuple[Any, Any, list[Any], tuple[str, ...]]] = [
    # An array, its physical type, its values, and the kinds of source that can hold it at all.
    (stamps("s", "America/New_York", 0, 2**62), Stamp(), [EPOCH, None], ("arrow",)),
    (stamps("ms", None, -1, 2**62), Stamp("us", False), [BEFORE.replace(microsecond=999000), None],
     ("arrow", "polars")),
    (stamps("ms", "Asia/Tokyo", 0), Stamp(), [EPOCH], KINDS),
    (stamps("ns", None, -1, 2**63 - 1), Stamp("ns", False), [BEFORE, None], KINDS),
    (stamps("ns", "Asia/Tokyo", 0, 2**63 - 1), Stamp("ns"), [EPOCH, None], KINDS),
    (stamps("us", "UTC", 2**63 - 1, -(2**62)), Stamp(), [None, None], KINDS),
    (pa.array([2**31 - 1, 0], pa.int32()).cast(pa.date32()), Day(), [None, EPOCH.date()], KINDS),
    (pa.array([date(2026, 1, 1)], pa.date64()), Day(), [date(2026, 1, 1)], ("arrow", "parquet")),
    (pa.array(["a", None]).dictionary_encode(), Text(), ["a", None], KINDS),
    (pa.array([["a"], None, []], pa.large_list(pa.large_string())), ListOf(Text()),
     [["a"], None, []], KINDS),
    (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), ListOf(Int(8)), [[1, 2]], KINDS),
    (pa.array([1.5], pa.float16()), Float(32), [1.5], ("arrow", "polars", "parquet")),
    (pa.array([2**64 - 1], pa.uint64()), Int(64, False), [2**64 - 1], KINDS),
    (pa.array(["{}"], pa.json_()), Json(), ["{}"], KINDS),
    (pa.nulls(2), Stamp(), [None, None], KINDS),
    (pa.array([[("k", 1), ("k", 2), ("l", None)], None], pa.map_(pa.string(), pa.int64())),
     MapOf(Int()), [{"k": 1, "l": None}, None], ("arrow", "polars", "parquet")),
    (pa.array([{"x": [{"d": date(2026, 1, 1)}]}]),
     Record((("x", ListOf(Record((("d", Day()),)))),)), [{"x": [{"d": date(2026, 1, 1)}]}], KINDS),
    (pa.array([[stamps("us", "UTC", 0)[0]]]), ListOf(Stamp()), [[EPOCH]], KINDS),
]  # fmt: skip


def held_by(kind: str, table: Any, folder: Path) -> Any:
    match kind:
        case "polars":
            return pl.DataFrame(table)
        case "relation":
            return duckdb.connect().from_arrow(table)
        case "parquet":
            pq.write_table(table, folder / "t.parquet")
            return folder / "t.parquet"
    return table


@pytest.mark.parametrize(("array", "physical", "values", "kinds"), SPELLINGS)
def test_every_spelling_of_a_type_is_read_alike(
    array: Any, physical: Any, values: list[Any], kinds: tuple[str, ...], tmp_path: Path
) -> None:
    for kind in kinds:
        source = open_source(held_by(kind, pa.table({"when": array}), tmp_path), SCHEMA_ANY)
        assert source.columns["when"] == physical, kind
        assert list(source.rows(["when"])) == [{"when": value} for value in values], kind
        ((rows, present),) = by_duckdb(source, 'count(*), count("when")')
        column = source.polars().collect()["when"]
        assert (len(column), len(column) - column.null_count()) == (rows, present), kind
        assert rows == len(values), kind


def test_what_no_field_can_be_breaks_no_run_that_does_not_read_it() -> None:
    relation = duckdb.connect().sql(
        """select 'x'::blob as b, interval 1 day as i, time '10:00' as t, union_value(k := 1) as u,
           map {1: 2} as m, 'b'::enum('a', 'b') as e, 5::hugeint as h, [1, 2]::int[2] as f,
           uuid() is not null as ok, '{}'::json as j, null as "when", {'m': map {'a': 1}} as n,
           timestamp_s '2026-01-01 00:00:00' as s, map {'a': 'x'::enum('x')} as k"""
    )
    source = open_source(relation, SCHEMA_ANY)
    assert {name for name, kind in source.columns.items() if isinstance(kind, Other)} == set(
        "bitum"
    )
    (row,) = source.rows(["e", "h", "f", "ok", "j", "when", "s", "k"])
    assert row == {
        "e": "b", "h": 5, "f": [1, 2], "ok": True, "j": "{}", "when": None,
        "s": datetime(2026, 1, 1), "k": {"a": "x"},
    }  # fmt: skip
    assert by_polars(source)[0][:2] == ("b", Decimal(5))
    odd = pl.DataFrame(
        {
            "o": pl.Series([object()], dtype=pl.Object),
            "b": [b"x"],
            "big": pl.Series([2**90], dtype=pl.Int128),
            "c": pl.Series(["a"], dtype=pl.Categorical),
            "n": [None],
        }
    )
    frame = open_source(odd, Schema({"n": "currency"}))
    assert frame.columns["o"] == Other("Object") and frame.columns["b"] == Other("Binary")
    assert list(frame.rows(["big", "c", "n"])) == [{"big": 2**90, "c": "a", "n": None}]
    assert by_duckdb(frame) == [(2**90, "a", None)]


def test_pandas_columns_that_mix_are_named_only_where_they_are_read() -> None:
    frame = pd.DataFrame(
        {"mixed": [1, "a", object()], "s": [1.5, None, float("nan")], 5: [1, 2, 3]}
    )
    frame["when"] = pd.to_datetime(["2026-01-31", None, "2026-02-01"]).tz_localize("UTC")
    frame["a"] = pd.Categorical(["x", None, "x"])
    source = open_source(frame, SCHEMA_ANY, ["s", "when", "a"])
    assert [row["s"] for row in source.rows(["s"])] == [1.5, None, None]
    assert [row["a"] for row in source.rows(["a"])] == ["x", None, "x"]
    assert next(source.rows(["when"])) == {"when": datetime(2026, 1, 31, tzinfo=UTC)}
    assert by_duckdb(source, "count(*), count(s), count(a)") == [(3, 1, 2)]
    assert "do not mix" in str(open_source(frame, SCHEMA_ANY).columns["mixed"])


@pytest.mark.parametrize("kind", ["arrow", "polars", "parquet"])
def test_names_that_differ_by_case_alone_are_refused_only_where_they_are_read(
    kind: str, tmp_path: Path
) -> None:
    wide = pa.array([1], pa.int32()).cast(pa.decimal256(50, 2))
    table = pa.table({"s": [1], "a": ["x"], "A": ["y"]} | ({} if kind == "polars" else {"w": wide}))
    source = open_source(held_by(kind, table, tmp_path), SCHEMA_ANY)
    assert source.read == ("s",) and "'a' and 'A'" in str(source.columns["a"])
    assert isinstance(source.columns.get("w", Other("")), Other)
    assert by_duckdb(source, "s") == [(1,)]
    assert by_polars(source) == [(1,)]


def test_a_relation_keeps_its_connection_as_it_was() -> None:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'America/New_York'")
    connection.execute(
        "create temp table t as select timestamptz '2026-01-01 00:00:00+00' as \"when\""
    )
    source = open_source(connection.table("t"), SCHEMA_ANY)
    assert list(source.rows(["when"])) == [{"when": datetime(2026, 1, 1, tzinfo=UTC)}]
    connection.execute("select * from range(3)")
    with pytest.raises(SourceError, match="unfinished result"):
        by_duckdb(source)
    assert connection.fetchall() == [(0,), (1,), (2,)]
    assert by_duckdb(source, "count(*)") == [(1,)]
    assert connection.sql("select current_setting('TimeZone')").fetchall() == [
        ("America/New_York",)
    ]
    assert connection.sql("select count(*) from duckdb_views() where not internal").fetchall() == [
        (0,)
    ]


def test_a_glob_is_all_of_its_files(tmp_path: Path) -> None:
    for number in (1, 2):
        pq.write_table(pa.table({"s": [number]}), tmp_path / f"{number}.parquet")
        (tmp_path / f"{number}.csv").write_text(f"s,a\n{number},\n")
        (tmp_path / f"{number}.jsonl").write_text(f'{{"s": {number}}}\n')
    for ending in ("parquet", "csv", "jsonl"):
        source = open_source(tmp_path / f"*.{ending}", SCHEMA_ANY)
        assert [row["s"] for row in source.rows(["s"])] == [1, 2]
        assert sorted(source.polars().collect()["s"]) == [1, 2]
    both = open_source([tmp_path / "2.csv", tmp_path / "1.csv"], SCHEMA_ANY, ["s"])
    assert by_duckdb(both) == [(2,), (1,)]


def test_numbers_and_amounts_of_text_files_are_exact(tmp_path: Path) -> None:
    schema = Schema({"n": "number", "v": "currency"})
    (tmp_path / "c.csv").write_text(f"n,v\n{2**63 - 1},{'9' * 29}.123456789000\n-00012,0\n")
    exact = [{"n": 2**63 - 1, "v": Decimal("9" * 29 + ".123456789")}, {"n": -12, "v": 0}]
    assert list(open_source(tmp_path / "c.csv", schema).rows(["n", "v"])) == exact
    lines = f'{{"n": {2**63 - 1}, "v": {"9" * 29}.123456789}}\n{{"n": -12, "v": 0e5, "v": "x"}}\n'
    (tmp_path / "c.jsonl").write_text(lines)
    assert list(open_source(tmp_path / "c.jsonl", schema).rows(["n", "v"])) == exact
    (tmp_path / "c.csv").write_text("n,v\n9223372036854775808,\nNaN,\n-inf,\n")
    floats = open_source(tmp_path / "c.csv", schema)
    assert floats.columns["n"] == Float()
    assert [row["n"] for row in floats.rows(["n"])][::2] == [2.0**63, float("-inf")]


def test_long_and_awkward_cells_are_read(tmp_path: Path) -> None:
    long = "x" * (17 << 20)
    (tmp_path / "c.csv").write_bytes(f'a,"s"\r\n"l1\nl2",1\r\n\r\n{long},2\r\n'.encode())
    values = [row["a"] for row in open_source(tmp_path / "c.csv", SCHEMA_ANY, ["a"]).rows(["a"])]
    assert values == ["l1\nl2", long]


FAULTS: list[tuple[str, bytes, list[str]]] = [
    ("c.csv", b"s,a\n1,x\nab,y\n", ["c.csv, line 3, column 's': 'ab' is not a number"]),
    ("c.csv", b's,a\n1,"x\ny"\n1_0,y\n', ["line 4, column 's': '1_0'"]),
    ("c.csv", b"when\n2026-01-31\n2026-02-30\n", ["line 3, column 'when': '2026-02-30' is not"]),
    ("c.csv", b"v\n1.1234567891\n", ["column 'v': '1.1234567891' is not an amount", "9 decimals"]),
    ("c.csv", b"ok\nyes\n", ["'yes' is not true or false"]),
    ("c.csv", b'l\n"a;b"\n', ["'a;b' is not a JSON list"]),
    ("c.csv", b"s,a\n1\n", ["c.csv, line 2: 1 cells, and the header has 2"]),
    ("c.csv", b's,a\n1,x\n2,"abc\n3,x\n', ["line 3: a quoted cell does not end"]),
    ("c.csv", b"s,a\n1,\xff\n", ["line 2: not UTF-8", "save the file as UTF-8"]),
    ("c.csv", b"s,s\n1,2\n", ["two columns named 's'"]),
    ("c.csv", b"s,\n1,2\n", ["line 1: every column wants a name"]),
    ("c.csv", b"", ["every column wants a name in the header row; found none"]),
    ("c.csv.gz", b"s\n1\n", ["c.csv.gz cannot be read", "gzip"]),
    ("c.csv.gz", gzip.compress(b"s\n1\n2\n" * 99, mtime=0)[:-12], ["c.csv.gz cannot be read"]),
    ("c.jsonl", b'{"s": 1}\n\n[1]\n', ["c.jsonl, line 3: [1] is not a JSON object"]),
    ("c.jsonl", b'{"s": 1}\n{"s": "1"}\n', ["""line 2, column 's': '"1"' is not a number"""]),
    ("c.jsonl", b'{"t": null}\n{"t": 5}\n', ["line 2: {", "does not have a JSON string in 't'"]),
    ("c.jsonl", b'{"s": 1}\n{"s": \n', ['line 2: {"s": is not a JSON object']),
    ("c.parquet", b"nonsense", ["c.parquet cannot be read as Parquet"]),
    ("c.xlsx", b"", ["the name tells no format", ".ndjson"]),
    ("c.duckdb::t", b"", ["the name tells no format"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "said"), FAULTS)
def test_files_that_cannot_be_read(
    name: str, content: bytes, said: list[str], tmp_path: Path
) -> None:
    schema = Schema(
        {"s": "number", "a": "any", "when": "datetime", "v": "currency", "ok": "boolean"}
        | {"l": "list of text", "t": "text"}
    )
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as raised:
        open_source(tmp_path / name, schema)
    assert str(tmp_path) in str(raised.value)
    assert [words for words in said if words not in str(raised.value)] == [], str(raised.value)


def test_sources_that_are_not_there_or_not_consumers(tmp_path: Path) -> None:
    written_database(tmp_path / "c.duckdb")
    for number, kind in enumerate(("int64", "string")):
        pq.write_table(pa.table({"s": pa.nulls(1, kind)}), tmp_path / f"{number}.parquet")
        (tmp_path / f"{number}.csv").write_text(f"s,c{number}\n1,2\n")
    twice = pa.table([[1], [2]], names=["s", "s"])
    cases: dict[str, Any] = {
        "there is no such file": tmp_path / "none.csv",
        "no file has such a name": tmp_path / "none*.csv",
        "is a folder; name files in it": tmp_path,
        "do not agree on 's'": tmp_path / "*.parquet",
        "do not agree on 'c0', 'c1'": tmp_path / "*.csv",
        "files of one format": [tmp_path / "0.csv", tmp_path / "0.parquet"],
        "has no table 'orders'; its tables are consumers": f"{tmp_path}/c.duckdb::orders",
        "no such DuckDB file": f"{tmp_path}/none.duckdb::orders",
        "cannot be opened as a DuckDB file": f"{tmp_path}/0.csv::orders",
        "two columns named 's'": twice,
        "cannot be read from a int": 5,
        "wants dicts alone": [{"s": 1}, "a"],
    }
    for words, given in cases.items():
        with pytest.raises(SourceError) as raised:
            open_source(given, SCHEMA_ANY)
        assert words in str(raised.value)


def test_data_that_breaks_while_it_is_read_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"when": stamps("ms", None, 2**62)}), tmp_path / "c.parquet")
    with pytest.raises(SourceError, match=r"c.parquet cannot be read: Could not convert"):
        list(open_source(tmp_path / "c.parquet", SCHEMA_ANY).rows(["when"]))
    broken = pl.LazyFrame({"a": ["x"]}).select(s=pl.col("a").cast(pl.Int64))
    with pytest.raises(SourceError, match="the Polars frame cannot be read: conversion"):
        list(open_source(broken, SCHEMA_ANY).rows(["s"]))
