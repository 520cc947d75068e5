"""Decimals become the nearest double on every engine, which arithmetic on money rests on.

No guard stands in the SQL for decimals with a scale, because DuckDB rounds those once; whole
numbers beyond 64 bits it rounds twice.
"""

from decimal import Decimal, localcontext
from random import Random

import pyarrow as pa
import pytest

from segment_engine import Engine, Schema

TYPES = [(4, 1), (9, 2), (18, 2), (18, 17), (19, 0), (38, 0), (38, 2), (38, 9), (38, 38)]
ENGINE = Engine(Schema({"amount": "currency", "nearest": "number"}, currency="USD"))


def awkward(random: Random, precision: int, scale: int) -> Decimal:
    """A decimal of that type beside the middle of two doubles, or any one."""
    with localcontext() as context:
        context.prec = 120
        middle = Decimal(2 * random.randrange(2**52, 2**53) + 1) * Decimal(2) ** (
            random.randrange(-60, 72)
        )
        unscaled = int(middle.scaleb(scale)) + random.choice([-1, 0, 0, 1])
        if unscaled >= 10**precision or random.random() < 0.2:
            unscaled = random.randrange(10**precision)
        return Decimal(random.choice([-1, 1]) * unscaled).scaleb(-scale)


@pytest.mark.parametrize(("precision", "scale"), TYPES)
@pytest.mark.parametrize("engine", ["duckdb", "polars", "records"])
def test_nearest(precision: int, scale: int, engine: str) -> None:
    random = Random(precision * 100 + scale)
    size = 300 if engine == "records" else 5_000
    amounts = [awkward(random, precision, scale) for _ in range(size)]
    table = pa.table(
        {
            "id": range(size),
            "amount": pa.array(amounts, pa.decimal128(precision, scale)),
            "nearest": [float(amount) for amount in amounts],
        }
    )
    rule = ENGINE.rule("amount * 1 = nearest")
    assert rule.count(table, engine=engine) == size
