"""What every property draws: an engine, some rules, and consumers at the edges of those."""

from dataclasses import dataclass
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import strategies as st
from pyarrow import parquet

from segment_engine import Engine, Rule, Schema
from segment_engine.testing import EVERY_TYPE, boundaries, random_rule
from segment_engine.testing.drawing import Drawn
from tests.properties.storage import table

SCHEMA = Schema(EVERY_TYPE)
ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Europe/London")
MOMENTS = (
    "2026-07-01T12:00:00Z",
    "2024-03-10T08:00:00Z",
    "2024-11-03T05:30:00Z",
    "2024-02-29T23:59:59.999999Z",
    "2025-12-31T23:30:00Z",
)
ENGINES = {zone: Engine(SCHEMA, timezone=zone) for zone in ZONES}


@dataclass(frozen=True)
class Case:
    """Rules of one engine, and a table of consumers who meet them."""

    engine: Engine
    as_of: str
    rules: list[Rule]
    consumers: Any

    def __repr__(self) -> str:
        texts = "\n  ".join(rule.text for rule in self.rules)
        return f"{self.engine.timezone} at {self.as_of}, {self.consumers.num_rows} rows:\n  {texts}"


def random_case(random: Random, rules: int, size: int, most: int = 6) -> Case:
    """That many rules against that many consumers; every column in some storage."""
    engine = ENGINES[random.choice(ZONES)]
    as_of = random.choice(MOMENTS)
    texts = [random_rule(random, SCHEMA, random.randint(1, most)) for _ in range(rules)]
    checked = [engine.rule(text) for text in texts]
    return Case(engine, as_of, checked, table(random, SCHEMA, boundaries(checked, as_of), size))


@st.composite
def randoms(draw: st.DrawFn) -> Random:
    """A `Random` of which Hypothesis draws the numbers."""
    return Drawn(draw)


@st.composite
def cases(draw: st.DrawFn, rules: int = 1, size: int = 8, most: int = 6) -> Case:
    """`random_case` as a strategy."""
    return random_case(Drawn(draw), rules, size, most)


def as_parquet(consumers: Any, folder: str) -> str:
    """The table as a Parquet file of small row groups, whose statistics engines prune by.

    Seconds and milliseconds that microseconds cannot hold are left out: DuckDB refuses the file.
    """
    path = f"{folder}/consumers.parquet"
    columns = [_within_microseconds(column) for column in consumers.columns]
    table = pa.table(columns, names=consumers.column_names)
    parquet.write_table(table, path, row_group_size=4)
    return path


def _within_microseconds(column: Any) -> Any:
    coarse = pa.types.is_timestamp(column.type) and column.type.unit in ("s", "ms")
    if not coarse:
        return column
    numbers = column.cast(pa.int64())
    most = 10**12 if column.type.unit == "s" else 10**15
    held = pc.and_(pc.less(numbers, most), pc.greater(numbers, -most))
    return pc.if_else(held, numbers, None).cast(column.type)
