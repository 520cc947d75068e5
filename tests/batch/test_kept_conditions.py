"""What is kept of a condition from run to run is asked again only where it means the same."""

from datetime import UTC, datetime

import polars as pl

from segment_engine import Engine
from segment_engine.rule import Rule

DAY = datetime(2026, 3, 1, tzinfo=UTC)
CONSUMERS = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "totalOrders": [1, 2, 3],
        "createdAt": [DAY.replace(hour=1), DAY.replace(hour=20), DAY.replace(day=20)],
    }
)


def members(rule: Rule, source: pl.DataFrame, as_of: datetime = DAY) -> list[int]:
    return rule.engine.materialize({"": rule}, source, as_of=as_of).members("")


def test_at_another_instant() -> None:
    rule = Engine().rule("createdAt older than 10 days")
    assert members(rule, CONSUMERS, DAY.replace(day=15)) == [1, 2]
    assert members(rule, CONSUMERS, DAY.replace(day=31)) == [1, 2, 3]
    assert members(rule, CONSUMERS, DAY.replace(day=15)) == [1, 2]


def test_in_another_zone() -> None:
    expected = {"UTC": [1, 2], "America/New_York": [2], "Asia/Tokyo": [1]}
    rules = [Engine(timezone=zone).rule("createdAt during 2026-03-01") for zone in expected]
    assert [members(rule, CONSUMERS) for rule in rules] == [*expected.values()]


def test_stored_otherwise() -> None:
    rule = Engine().rule("totalOrders > 1.5")
    as_floats = CONSUMERS.with_columns(pl.col("totalOrders").cast(pl.Float64) - 0.2)
    assert members(rule, CONSUMERS) == [2, 3]
    assert members(rule, as_floats) == [2, 3]
    assert members(rule, as_floats.with_columns(pl.col("totalOrders") - 0.5)) == [3]
