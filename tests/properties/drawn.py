"""What every property draws: an engine, some rules, and consumers at the edges of those."""

from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

from segment_engine import Engine, Rule, Schema
from segment_engine.testing import EVERY_TYPE, boundaries, random_rule
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


def random_case(random: Random, rules: int, size: int, depth: int = 2) -> Case:
    """That many rules against that many consumers; every column in some storage."""
    engine = ENGINES[random.choice(ZONES)]
    as_of = random.choice(MOMENTS)
    texts = [random_rule(random, SCHEMA, random.randint(0, depth)) for _ in range(rules)]
    checked = [engine.rule(text) for text in texts]
    return Case(engine, as_of, checked, table(random, SCHEMA, boundaries(checked, as_of), size))


def cases(rules: int = 1, size: int = 8, depth: int = 2) -> st.SearchStrategy[Case]:
    """`random_case` as a strategy."""
    randoms = st.randoms(use_true_random=False)
    return randoms.map(lambda random: random_case(random, rules, size, depth))
