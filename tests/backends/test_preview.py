"""The members of a rule beside everybody."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from segment_engine import Engine, RunError, Schema, SourceError, infer_schema
from tests.backends.odd_columns import ROWS, odd_table

SCHEMA = Schema(
    {
        "orders": "number",
        "spent": "currency",
        "joined": "date",
        "seen": "datetime",
        "vip": "boolean",
        "country": "text",
        "email": "text",
        "tags": "list of text",
        "traits": "any",
        "traits.points": "number",
        "domain": {"type": "text", "derived": "domain(email)"},
        "often": {"type": "boolean", "derived": "orders >= 3"},
        "absent": "text",
        "fromAbsent": {"type": "text", "derived": "domain(absent)"},
    }
)


def people() -> Any:
    each = range(1, 11)
    return pa.table(
        {
            "id": list(each),
            "orders": [at if at < 9 else None for at in each],
            "spent": pa.array(
                [Decimal(at) / 3 // 1 + Decimal("0.10") for at in each], pa.decimal128(9, 2)
            ),
            "joined": [date(2026, 1, at) for at in each],
            "seen": pa.array(
                [datetime(2026, 1, at, 5, tzinfo=UTC) for at in each], pa.timestamp("us", "UTC")
            ),
            "vip": [at > 7 for at in each],
            "country": ["US", "DE", ""] * 3 + ["US"],
            "email": [f"p{at}@x{at % 2}.test" for at in each],
            "tags": [["a"] if at % 2 else [] for at in each],
            "traits": [json.dumps({"points": at, "tier": "gold"}) for at in each],
        }
    )


def test_counts_members_and_what_the_rule_reads() -> None:
    rule = Engine(SCHEMA).rule(
        'orders >= 3 and traits.tier = "gold" and domain = "x1.test" and seen exists'
    )
    found = rule.preview(people(), as_of="2026-07-01", first=2)
    assert (found.count, found.total, found.share) == (3, 10, 0.3)
    assert found.as_of == "2026-07-01T00:00:00Z"
    read = {"traits.tier": "gold", "domain": "x1.test"}
    assert found.members == (
        {"id": 3, "orders": 3, **read, "seen": "2026-01-03T05:00:00Z"},
        {"id": 5, "orders": 5, **read, "seen": "2026-01-05T05:00:00Z"},
    )
    assert rule.preview(people(), first=0).members == ()


def test_the_profile_of_members_and_of_everybody() -> None:
    found = Engine(SCHEMA).rule("orders >= 3").preview(people())
    fields = {field.name: field for field in found.profile}
    assert list(fields) == [name for name in SCHEMA.names if "bsent" not in name]
    orders = fields["orders"]
    assert (orders.members.filled, orders.everybody.filled) == (1.0, 0.8)
    figures = orders.members
    assert (figures.low, figures.median, figures.p90, figures.high) == (3, 5, 8, 8)
    assert fields["spent"].everybody.low == Decimal("0.1")
    assert fields["joined"].members.high == date(2026, 1, 8)
    assert fields["seen"].members.median == "2026-01-05T05:00:00Z"
    assert fields["traits.points"].everybody.p90 == 9
    country = fields["country"]
    assert (country.everybody.filled, country.everybody.top) == (0.7, (("US", 0.4), ("DE", 0.3)))
    assert fields["vip"].members.top == ((False, 5 / 6), (True, 1 / 6))
    assert fields["often"].everybody.top == ((True, 0.6), (False, 0.4))
    assert fields["domain"].everybody.top == (("x0.test", 0.5), ("x1.test", 0.5))
    assert fields["tags"].everybody.filled == 0.5 and fields["traits"].members.filled == 1.0
    assert json.loads(json.dumps(found.to_dict()))["share"] == 0.6


def test_nobody_and_no_consumers() -> None:
    nobody = Engine(SCHEMA).rule("false").preview(people())
    assert (nobody.count, nobody.share, nobody.members) == (0, 0.0, ())
    assert {field.members.low for field in nobody.profile} == {None}
    empty = Engine(SCHEMA).rule("true").preview(people().slice(0, 0))
    assert (empty.total, empty.share) == (0, 0.0)
    assert {field.everybody.filled for field in empty.profile} == {0.0}


@pytest.mark.parametrize("make", [lambda table: table, pl.DataFrame], ids=["arrow", "polars"])
def test_a_table_of_every_kind(make: Any) -> None:
    source = make(odd_table())
    engine = Engine(infer_schema(source).schema)
    rule = engine.rule("signup after 2026-01-10 and metadata.address.zip exists and active")
    steps: list[tuple[int, int]] = []
    found = rule.preview(source, id_column="Customer Id", progress=lambda *step: steps.append(step))
    assert found.count == rule.count(source, id_column="Customer Id") and found.total == ROWS
    assert found.members[0]["metadata.address.zip"] == "00012"
    assert [field.name for field in found.profile] == list(engine.schema.names)
    assert steps[-1] == (len(found.profile), len(found.profile)) and len(steps) == steps[-1][0]
    assert json.dumps(found.to_dict())


def test_texts_of_rules_and_names_hold_no_place_for_the_source() -> None:
    table = pa.table({"{}": ["a", "b"], "x": ["{}", "y"]})
    rule = Engine(Schema({"x": "text"})).rule('x = "{}"')
    assert rule.preview(table, id_column="{}").members == ({"{}": "a", "x": "{}"},)
    assert rule.members(table, id_column="{}") == ["a"]


def test_floats_that_are_no_numbers_are_not_filled() -> None:
    table = pa.table({"id": [1, 2, 3], "x": [float("nan"), float("inf"), 1.5]})
    (figures,) = Engine(Schema({"x": "number"})).rule("true").preview(table).profile
    assert (figures.everybody.filled, figures.everybody.low) == (2 / 3, 1.5)
    told = Engine(Schema({"x": "number"})).rule("true").preview(table).to_dict()
    assert told["profile"][0]["everybody"]["high"] == "inf"


def test_what_is_refused() -> None:
    with pytest.raises(RunError, match="no id column 'key'"):
        Engine(SCHEMA).rule("true").preview(people(), id_column="key")
    with pytest.raises(SourceError, match="no column 'absent'"):
        Engine(SCHEMA).rule("absent exists").preview(people())
    with pytest.raises(RunError, match="repeated"):
        Engine(SCHEMA).rule("true").preview(people(), id_column="country")
