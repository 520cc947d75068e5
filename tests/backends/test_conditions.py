"""The SQL of rules over columns of every storage, compared with that in `golden/sql.txt`.

What it keeps is tested elsewhere; this holds what people read, and what lets DuckDB prune by
statistics: the bare column at one side, a literal of its own type at the other. A case is a rule
behind `>>> `, then its SQL. With SEGMENT_ENGINE_REGENERATE=1 it is written anew.
"""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from segment_engine import Engine, Schema, SourceError
from segment_engine.backends import polars_expr
from segment_engine.backends.physical import (
    Bool,
    Day,
    Dec,
    Float,
    Int,
    IsoText,
    Json,
    MapOf,
    Other,
    Physical,
    Stamp,
    Text,
)

GOLDEN = Path(__file__).parent / "golden" / "sql.txt"
ENGINES = ("duckdb", "polars", "records")
AS_OF = "2026-07-01T12:00:00Z"
DEFAULTS = {
    "text": pa.string(),
    "number": pa.float64(),
    "currency": pa.decimal128(18, 2),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us", "UTC"),
    "list of number": pa.list_(pa.float64()),
    "any": pa.string(),
}
COLUMNS: dict[str, tuple[str, pa.DataType]] = {
    "t": ("text", pa.string()),
    "ok": ("boolean", pa.bool_()),
    "i8": ("number", pa.int8()),
    "i32": ("number", pa.int32()),
    "i64": ("number", pa.int64()),
    "u8": ("number", pa.uint8()),
    "u64": ("number", pa.uint64()),
    "f32": ("number", pa.float32()),
    "f64": ("number", pa.float64()),
    "dec": ("currency", pa.decimal128(18, 2)),
    "small": ("number", pa.decimal128(9, 4)),
    "huge": ("number", pa.decimal128(38, 10)),
    "d": ("date", pa.date32()),
    "s": ("datetime", pa.timestamp("s", "UTC")),
    "ms": ("datetime", pa.timestamp("ms")),
    "us": ("datetime", pa.timestamp("us", "UTC")),
    "naive": ("datetime", pa.timestamp("us")),
    "ns": ("datetime", pa.timestamp("ns")),
    "zns": ("datetime", pa.timestamp("ns", "UTC")),
    "tags": ("list of text", pa.list_(pa.string())),
    "scores": ("list of number", pa.list_(pa.int16())),
    "days": ("list of date", pa.list_(pa.date32())),
    "json": ("any", pa.string()),
    "map": ("any", pa.map_(pa.string(), pa.int64())),
    "record": ("any", pa.struct([("a", pa.list_(pa.struct([("b", pa.string())])))])),
}
ENGINE = Engine(Schema({name: kind for name, (kind, _) in COLUMNS.items()}))
EMPTY = pa.table({name: pa.array([], kind) for name, (_, kind) in COLUMNS.items()})


def test_sql() -> None:
    rules = [line[4:] for line in GOLDEN.read_text("utf-8").splitlines() if line[:4] == ">>> "]
    assert len(set(rules)) == len(rules) >= 50
    found = {rule: ENGINE.rule(rule).sql(as_of=AS_OF, source=EMPTY) for rule in rules}
    wanted = "\n\n".join(f">>> {rule}\n{sql}" for rule, sql in found.items()) + "\n"
    if os.environ.get("SEGMENT_ENGINE_REGENERATE"):
        GOLDEN.write_text(wanted, "utf-8")
    assert GOLDEN.read_text("utf-8") == wanted


def test_only_some_parts_of_a_long_and_are_left_open_to_pruning() -> None:
    texts = [f"i64 > {number}" for number in range(60)]
    few, more = (ENGINE.rule(" and ".join(t)).sql(source=EMPTY) for t in (texts[:50], texts))
    open_parts = " and ".join(f'"i64" > {number}' for number in range(50))
    assert few == f"({open_parts})"
    assert more.startswith(f"({open_parts} and ((") and more.endswith(") is true)")
    assert more.count("i64") == 60


@pytest.mark.parametrize("name", ENGINES)
def test_maps_of_duckdb_are_read_by_key(name: str) -> None:
    with duckdb.connect() as connection:
        people = connection.sql(
            """select * from (
                values (1, map {'tier': 'gold', 'it''s': 'x'}), (2, map {}), (3, null)
            ) as people(id, metadata)"""
        )
        for text, members in (
            ('metadata.tier = "gold"', [1]),
            ('metadata["it\'s"] exists', [1]),
            ("metadata.tier is missing", [2, 3]),
            ("metadata exists", [1, 2]),
        ):
            assert Engine().rule(text).members(people, engine=name) == members


@pytest.mark.parametrize("kind", DEFAULTS)
def test_without_a_source_the_documented_storage_is_taken(kind: str) -> None:
    source = pa.table({"x": pa.array([], DEFAULTS[kind]), "y": pa.array([], DEFAULTS[kind])})
    engine = Engine(Schema({"x": kind, "y": kind}))
    rules = ["x exists and y is empty"]
    if "list" not in kind and kind != "any":
        rules.append("x = y")
    for text in rules:
        rule = engine.rule(text)
        assert rule.sql(as_of=AS_OF) == rule.sql(as_of=AS_OF, source=source)
        assert str(rule.polars(AS_OF)) == str(rule.polars(AS_OF, source=source))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("text", "text"),
        ("number", "a number (integer, decimal or float)"),
        ("currency", "a number (integer, decimal or float)"),
        ("boolean", "a boolean"),
        ("date", "a date or a timestamp"),
        ("datetime", "a date or a timestamp"),
        ("list of text", "a list of text"),
    ],
)
def test_a_column_of_another_type_is_told_from_what_is_wanted(kind: str, wanted: str) -> None:
    source = pa.table({"x": pa.array([], pa.binary()), "id": pa.array([], pa.int64())})
    rule = Engine(Schema({"x": kind})).rule("x exists")
    with pytest.raises(SourceError, match=r"column 'x' is \S+; field `x` is ") as raised:
        rule.sql(source=source)
    assert str(raised.value).endswith(f"field `x` is {kind} and wants {wanted}")


@pytest.mark.parametrize(
    ("schema", "rule", "told"),
    [
        (
            {"i8": "any"},
            "i8 exists",
            "column 'i8' is integer of 8 bits; field `i8` wants JSON text, "
            "a struct or a map from text",
        ),
        (
            {"none": "text"},
            "none exists",
            "the source has no column 'none', which field `none` reads; its columns are "
            + ", ".join(list(COLUMNS)[:20]),
        ),
        (
            {"record": "any", "record.a": "number"},
            "record.a > 1",
            "column 'record' at `record.a` is list of struct(b: text); field `record.a` is number "
            "and wants a number (integer, decimal or float)",
        ),
    ],
)
def test_what_a_source_does_not_have_is_told(schema: dict[str, str], rule: str, told: str) -> None:
    with pytest.raises(SourceError) as raised:
        Engine(Schema(schema)).rule(rule).sql(source=EMPTY)
    assert str(raised.value) == told


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("i8", "integer of 8 bits"),
        ("u64", "unsigned integer of 64 bits"),
        ("f32", "float of 32 bits"),
        ("dec", "decimal(18, 2)"),
        ("t", "text"),
        ("ok", "boolean"),
        ("d", "date"),
        ("us", "timestamp in us with time zone"),
        ("ns", "timestamp in ns"),
        ("tags", "list of text"),
        ("map", "map from text to integer of 64 bits"),
        ("record", "struct(a: list of struct(b: text))"),
    ],
)
def test_storages_have_names(column: str, told: str) -> None:
    other = "text" if COLUMNS[column][0] not in ("text", "any") else "number"
    rule = Engine(Schema({column: other})).rule(f"{column} exists")
    with pytest.raises(SourceError, match="wants") as raised:
        rule.sql(source=EMPTY)
    assert f"column '{column}' is {told};" in str(raised.value)


def test_every_kind_of_storage_has_a_name() -> None:
    kinds = (Json(), IsoText(), MapOf(Dec()), Other("BLOB"), Stamp("ns", False), Int(16, False))
    assert ", ".join(map(str, kinds)) == (
        "JSON text, ISO 8601 text, map from text to decimal(18, 2), BLOB, timestamp in ns, "
        "unsigned integer of 16 bits"
    )


LITERALS: list[tuple[Any, Physical, Any]] = [
    ("a", Text(), pl.String),
    (True, Bool(), pl.Boolean),
    *((1, Int(bits), getattr(pl, f"Int{bits}")) for bits in (8, 16, 32, 64, 128)),
    *((1, Int(bits, False), getattr(pl, f"UInt{bits}")) for bits in (8, 16, 32, 64)),
    (1.5, Float(64), pl.Float64),
    (1.5, Float(32), pl.Float32),
    (Decimal("1.50"), Dec(9, 2), pl.Decimal(9, 2)),
    (1, Day(), pl.Date),
    (1, Stamp("us", True), pl.Datetime("us", "UTC")),
    (1, Stamp("ns", False), pl.Datetime("ns")),
]


@pytest.mark.parametrize(("value", "physical", "dtype"), LITERALS, ids=str)
def test_a_literal_has_the_type_of_its_column(value: Any, physical: Physical, dtype: Any) -> None:
    alone, listed = polars_expr.literal(value, physical), polars_expr.literal((value,), physical)
    assert pl.select(alone).to_series().dtype == dtype
    assert pl.select(listed).to_series().dtype == pl.List(dtype)
