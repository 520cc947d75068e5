"""values_seen: what fields often hold, from any source, for the completion of values."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from segment_engine import Engine, RunError, Schema, SourceError

FIELDS = {
    "email": "text",
    "country": {"type": "text", "column": "land"},
    "orders": "number",
    "spent": "currency",
    "vip": "boolean",
    "tags": "list of text",
    "scores": "list of number",
    "at": "datetime",
    "metadata": "any",
    "metadata.tier": "text",
    "metadata.points": "number",
    "metadata.keys": "list of text",
    "emailDomain": {"type": "text", "derived": "domain(email)"},
    "average": {"type": "number", "derived": "spent / orders"},
    "lacking": "text",
}
ENGINE = Engine(Schema(FIELDS))
NAN = float("nan")


def person(n: int) -> dict[str, Any]:
    metadata = {"tier": "gold" if n % 4 == 0 else "silver", "points": n % 2, "keys": ["k", n]}
    return {
        "id": n,
        "email": f"u{n}@{'a.test' if n % 3 else 'B.test'}",
        "land": ["US", "US", "CA", None][n % 4],
        "orders": NAN if n % 5 == 0 else n % 2 + 0.5,
        "spent": Decimal("1.50") if n % 2 else Decimal("2.00"),
        "vip": n % 3 == 0,
        "tags": ["x", "y"][: n % 3],
        "scores": [1, n],
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "metadata": json.dumps(metadata),
    }


PEOPLE = [person(n) for n in range(60)]
EXPECTED = {
    "country": ["US", "CA"],
    "orders": [0.5, 1.5],
    "spent": [Decimal("1.50"), Decimal("2.00")],
    "vip": [False, True],
    "tags": ["x", "y"],
    "scores": [1],
    "metadata.tier": ["silver", "gold"],
    "metadata.points": [0, 1],
    "metadata.keys": ["k"],
    "emailDomain": ["a.test", "b.test"],
}


def test_the_most_frequent_come_first_and_what_is_unique_is_left_out() -> None:
    frame = pl.DataFrame(PEOPLE)
    found = ENGINE.values_seen(frame, most=5)
    assert found == EXPECTED
    assert list(found) == [name for name in FIELDS if name in EXPECTED]
    with duckdb.connect() as connection:
        connection.register("people", frame)
        assert ENGINE.values_seen(connection.sql("from people"), most=5) == EXPECTED


def test_files(tmp_path: Path) -> None:
    frame = pl.DataFrame(PEOPLE)
    frame.write_parquet(tmp_path / "people.parquet")
    assert ENGINE.values_seen(tmp_path / "people.parquet", most=5) == EXPECTED
    flat = frame.select("id", "email", "land")
    flat.write_csv(tmp_path / "people.csv")
    found = ENGINE.values_seen(tmp_path / "people.csv", most=2)
    assert found == {"country": ["US", "CA"], "emailDomain": ["a.test", "b.test"]}


def test_metadata_as_a_struct_and_few_values_are_all_listed() -> None:
    rows = pl.DataFrame({"metadata": [{"tier": "gold"}, {"tier": "tin"}], "email": ["a@x", None]})
    assert ENGINE.values_seen(rows) == {
        "email": ["a@x"],
        "metadata.tier": ["gold", "tin"],
        "emailDomain": ["x"],
    }


def test_no_value_is_long_and_none_is_infinite() -> None:
    rows = pl.DataFrame({"email": ["é" * 100, "é" * 101], "orders": [float("inf"), 2.0]})
    assert ENGINE.values_seen(rows) == {"email": ["é" * 100], "orders": [2.0]}


def test_many_different_values() -> None:
    emails = [f"u{n}" for n in range(100_000)] + ["often"] * 3_000
    assert ENGINE.values_seen(pl.DataFrame({"email": emails}), most=3)["email"] == ["often"]


def test_what_is_refused() -> None:
    for most in (0, -1, 10_001, 2.5):
        with pytest.raises(RunError, match="most wants a whole number"):
            ENGINE.values_seen(PEOPLE, most=most)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=r"orders.*text"):
        ENGINE.values_seen(pl.DataFrame({"orders": ["5"]}))


def test_what_is_seen_can_be_completed_and_is_a_rule() -> None:
    seen = ENGINE.values_seen(pl.DataFrame(PEOPLE), most=5)
    for name, values in seen.items():
        before = f"{name} {'contains' if name in ('tags', 'scores', 'metadata.keys') else '='} "
        offered = [f for f in ENGINE.complete(before, values=seen) if f.detail == f"seen in {name}"]
        assert len(offered) == len(values), name
        for found in offered:
            assert ENGINE.rule(before + found.text)
