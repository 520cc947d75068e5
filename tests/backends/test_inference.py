"""A schema proposed for consumers that nobody described."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segment_engine import Engine, RunError, Schema, SourceError, infer_schema
from tests.backends.odd_columns import ROWS, odd_table

TYPES = {
    "customerId": "text",
    "eMailWork": "text",
    "and": "number",
    "in": "any",
    "in.a": "number",
    "Größe": "number",
    "total": "currency",
    "discountRate": "number",
    "signup": "date",
    "signupText": "text",
    "almost": "text",
    "tags": "list of text",
    "empty": "text",
    "metadata": "any",
    "metadata.address.city": "text",
    "metadata.items[0].price": "currency",
    "metadata.items[0].sku": "text",
    "metadata.scores": "list of number",
    "metadata.since": "datetime",
    "metadata.tier": "text",
    'metadata["key with.dots"]': "boolean",
    "profile": "any",
    "profile.last.seen": "datetime",
    "profile.points": "number",
    "metadataTier": "text",
    "active": "boolean",
    "lastOrder": "datetime",
}

TWINS = "two columns that differ by case alone, which DuckDB renames before a relation is given"


def sources(folder: Path) -> Iterator[Any]:
    table = odd_table()
    path = folder / "odd.parquet"
    pq.write_table(table, path)
    yield str(path)
    yield table
    yield pl.DataFrame(table)
    yield duckdb.sql(f"select * exclude (a_1) from '{path}'")


@pytest.mark.parametrize("at", range(4), ids=["parquet", "arrow", "polars", "duckdb"])
def test_an_odd_table(tmp_path: Path, at: int) -> None:
    source = list(sources(tmp_path))[at]
    found = infer_schema(source)
    specs = found.schema.specs
    types = {name: spec.type.name for name, spec in specs.items() if name != "A"}
    assert types == TYPES
    assert specs["eMailWork"].column == specs["eMailWork"].label == 'E-Mail "work"'
    assert specs["signup"].derived == "datetime(signupText)"
    assert Schema.from_yaml(found.to_yaml()) == found.schema
    left_out = {item.column: item.reason for item in found.left_out}
    assert set(left_out) >= {"clock", "photo", "nested", " "} and "without a name" in left_out[" "]
    assert "differ by case alone" in left_out.get("a", TWINS)
    assert re.search("only lists of scalars|no field can have", left_out["nested"])
    rules = (
        "`and` >= 48 and `in`.a < 100",
        "signup on 2026-01-27 and active",
        "Größe > 20 and metadata.scores contains 2.5 and `metadata`.since before 2027",
        "profile.last.seen during 2026 and lastOrder before 2025-01-03",
    )
    for rule in rules:
        counts = {
            engine: Engine(found.schema)
            .rule(rule)
            .count(source, engine=engine, id_column="Customer Id")
            for engine in ("duckdb", "polars", "records")
        }
        assert len(set(counts.values())) == 1 and counts["duckdb"] > 0, (rule, counts)


def test_what_was_seen_is_told() -> None:
    found = infer_schema(odd_table())
    fields = {field.name: field for field in found.fields}
    assert (found.rows, found.sampled) == (ROWS, ROWS)
    assert fields["eMailWork"].filled == pytest.approx(33 / 50)
    assert fields["Größe"].filled == 0.5 and fields["empty"].filled == 0
    assert (fields["customerId"].distinct, fields["metadata"].distinct) == (50, None)
    assert fields["metadataTier"].examples == ("x",)
    assert "2 decimals" in fields["total"].why and "ISO 8601" in fields["signup"].why
    paths = {path.name: path for path in found.paths}
    mixed = paths["metadata.address.zip"]
    assert (mixed.type, mixed.filled) == (None, 0.8)
    assert mixed.seen == {"number": 0.5, "text": 0.5}
    assert "metadata.nothing" not in paths
    assert paths['metadata["by day"]'].seen == {"object of more than 100 different keys": 1.0}
    assert not [name for name in paths if name.startswith('metadata["by day"].')]
    text = found.to_yaml()
    assert "  # metadata.address.zip: 80% filled; 50% number, 50% text; not declared\n" in text
    assert "a1@x.test" not in text
    assert json.dumps(found.to_dict())


def test_csv_cells_are_proposed_for_and_the_whole_file_decides(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    rows = [f'{at:05},{at},{at}.50,yes,true,2026-01-01,"[1]",1{at}' for at in range(100)]
    heading = "code,orders,price,word,flag,day,list,zip"
    path.write_text("\n".join([heading, *rows, ",many,free,no,maybe,2026-01-01T10:00:00Z,,"]))
    sampled = infer_schema(path, sample=2)
    assert sampled.sampled == 2
    types = {name: spec.type.name for name, spec in sampled.schema.specs.items()}
    assert types == {
        "code": "text", "orders": "text", "price": "text", "word": "text", "flag": "text",
        "day": "datetime", "list": "list of number", "zip": "text",
    }  # fmt: skip
    why = {field.name: field.why for field in sampled.fields}
    assert why["orders"] == "not every value of the file reads as number"
    path.write_text("\n".join([heading, *rows]))
    types = {name: spec.type.name for name, spec in infer_schema(path).schema.specs.items()}
    assert types == {
        "code": "text", "orders": "number", "price": "currency", "word": "text",
        "flag": "boolean", "day": "date", "list": "list of number", "zip": "text",
    }  # fmt: skip


def test_ndjson_tells_numbers_from_texts(tmp_path: Path) -> None:
    path = tmp_path / "people.ndjson"
    lines = [
        {"id": 1, "code": "5", "both": 5, "m": {"x": 1}, "tags": ["a"], "day": "2026-01-01"},
        {"id": 2, "code": "6", "both": "5", "m": {"x": 2}, "tags": [], "day": None},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    found = infer_schema(path)
    types = {name: spec.type.name for name, spec in found.schema.specs.items()}
    assert types == {
        "both": "any", "code": "text", "day": "date", "id": "number", "m": "any",
        "m.x": "number", "tags": "list of text",
    }  # fmt: skip
    fields = {field.name: field for field in found.fields}
    assert (fields["code"].examples, fields["code"].distinct) == (("5", "6"), 2)
    assert Engine(found.schema).rule('both = 5 and code = "5"').members(path) == [1]


def test_dicts_are_told_by_their_values() -> None:
    rows = [
        {"id": 1, "at": datetime(2026, 1, 1, tzinfo=UTC), "m": {"a": 1}, "mix": 1, "d": date.max},
        {"id": 2, "at": "2026-01-01", "mix": "x", "price": Decimal("2.5"), "l": [True], "b": b"x"},
    ]
    found = infer_schema(rows)
    types = {name: spec.type.name for name, spec in found.schema.specs.items()}
    assert types == {
        "id": "number", "at": "datetime", "m": "any", "m.a": "number", "d": "date",
        "price": "currency", "l": "list of boolean",
    }  # fmt: skip
    assert {item.column for item in found.left_out} == {"mix", "b"}


def test_the_sample_is_spread_evenly_and_progress_is_told() -> None:
    steps: list[tuple[int, int]] = []
    table = pa.table({"id": range(100_000), "half": [None] * 50_000 + ["x"] * 50_000})
    found = infer_schema(table, sample=1_000, progress=lambda *step: steps.append(step))
    assert (found.rows, found.sampled) == (100_000, 1_000)
    assert next(field for field in found.fields if field.name == "half").filled == 0.5
    assert steps == [(500, 1_000), (1_000, 1_000)]
    assert infer_schema(table, sample=None).sampled == 100_000


def test_hostile_names_and_keys_are_data(tmp_path: Path) -> None:
    names = ["a'b", '"; drop table x; --', "{}", "a: b # c", "~", "null", "no", "a\nb", "- x", "😀"]
    document = json.dumps({**dict.fromkeys([*names, "back`tick", "k" * 300], 1), "": 2})
    table = pa.table({name: [1, 2] for name in names} | {"metadata": [document, None]})
    found = infer_schema(table)
    assert [item.column for item in found.left_out] == []
    assert Schema.from_yaml(found.to_yaml()) == found.schema
    assert [spec.column for spec in found.schema.specs.values() if not spec.path][:-1] == names
    undeclared = {path.name for path in found.paths if path.type is None}
    assert undeclared == {'metadata["back`tick"]', f"metadata.{'k' * 300}"}
    engine = Engine(found.schema)
    for spec in list(found.schema.specs.values())[:10]:
        assert engine.rule(f"`{spec.name}` = 1").count(table, id_column="a'b") == 1


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column for a field: 'x' is"):
        _ = infer_schema(pa.table({"x": [b"1"]})).schema
    with pytest.raises(RunError, match="one consumer or more"):
        infer_schema(pa.table({"x": [1]}), sample=0)
    for name in ("empty.csv", "empty.ndjson", "empty.parquet"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(SourceError, match=name):
            infer_schema(tmp_path / name)
    zero = infer_schema(pa.table({"id": pa.array([], pa.int64()), "x": pa.array([], pa.string())}))
    assert zero.schema.names == ("id", "x") and zero.fields[0].filled == 0
    assert infer_schema([]).left_out == ()
