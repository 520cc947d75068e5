"""What is inferred of any table reads back, runs, and counts as the engines count."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine import Engine, Schema, infer_schema
from segment_engine.cli.starters import spelt

SCALARS = (
    *(pa.int8(), pa.uint64(), pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.date32()),
    *(pa.timestamp("ms"), pa.timestamp("ns", "UTC"), pa.decimal128(18, 2), pa.decimal128(38, 9)),
)
TEXTS = (
    ("2026-01-01", "2026-01-02T10:00:00Z"),
    ("2026-01-01", "", "soon"),
    ('{"a": 1, "b": {"c": "x"}}', '{"a": 2, "l": [{"p": 1}]}', '[1, "x"]'),
    ('{"a": 1}', '{"a": "2026-01-01"}', '{"a": null}'),
    ("1", "2"),
)


def kind(random: Random, depth: int = 0) -> Any:
    shape = random.random() if depth < 3 else 1
    if shape < 0.15:
        return pa.list_(kind(random, depth + 1))
    if shape < 0.3:
        names = random.sample(["price", "b c", "points"], random.randint(1, 3))
        return pa.struct([(name, kind(random, depth + 1)) for name in names])
    if shape < 0.4:
        return pa.map_(pa.string(), kind(random, depth + 1))
    return random.choice(SCALARS)


def value(of: Any, random: Random, texts: tuple[str, ...]) -> Any:
    is_a = pa.types
    if random.random() < 0.2:
        return None
    if is_a.is_list(of):
        return [value(of.value_type, random, texts) for _ in range(random.randint(0, 3))]
    if is_a.is_struct(of):
        return {field.name: value(field.type, random, texts) for field in of}
    if is_a.is_map(of):
        return [(key, value(of.item_type, random, texts)) for key in random.sample("xyz", 2)]
    if is_a.is_floating(of):
        return random.choice([1.5, float("nan"), float("inf"), -0.0])
    if is_a.is_timestamp(of):
        return datetime(2026, 1, random.randint(1, 28), tzinfo=UTC if of.tz else None)
    if is_a.is_string(of):
        return random.choice(texts)
    number = random.randint(0, 27)
    plain = {"bool": number > 9, "date32[day]": date(2026, 1, number + 1)}
    return plain.get(str(of), Decimal(number) / 4 if is_a.is_decimal(of) else number)


@pytest.mark.parametrize("make", [lambda table: table, pl.DataFrame], ids=["arrow", "polars"])
@given(st.randoms())
def test_any_table(make: Any, random: Random) -> None:
    rows, texts = random.choice([0, 1, 7, 30]), random.choice(TEXTS)
    kinds = {name: kind(random) for name in ("c0", "c 1", "c2", "and")}
    columns = {
        name: pa.array([value(of, random, texts) for _ in range(rows)], of)
        for name, of in kinds.items()
    }
    source = make(pa.table({"id": pa.array(range(rows), pa.int64()), **columns}))
    found = infer_schema(source)
    assert Schema.from_yaml(found.to_yaml()) == found.schema
    engine = Engine(found.schema)
    seen = engine.rule("true").preview(source)
    assert json.dumps(seen.to_dict())
    shares = {f.name: f.filled for f in found.fields if f.derived is None}
    for field in seen.profile:
        rule = engine.rule(f"{spelt(field)} is not empty")
        counts = {rule.count(source, engine=name) for name in ("duckdb", "polars", "records")}
        told = shares.get(field.name, field.everybody.filled)
        assert counts == {round(field.everybody.filled * rows)} == {round(told * rows)}, field
