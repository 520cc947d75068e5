"""Tiny consumers for the command line."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = [
    ("c1", "ada@example.com", 12, "812.50", datetime(2026, 1, 10, tzinfo=UTC), '{"tier": "gold"}'),
    ("c2", None, 3, "19.99", datetime(2025, 6, 1, tzinfo=UTC), '{"tier": "basic"}'),
    ("c3", "bob@example.org", 0, None, None, None),
]


@pytest.fixture
def consumers(tmp_path: Path) -> Path:
    columns = list(zip(*ROWS, strict=True))
    table = pa.table(
        {
            "id": pa.array(columns[0]),
            "email": pa.array(columns[1]),
            "totalOrders": pa.array(columns[2]),
            "totalOrderValue": pa.array(
                [value and Decimal(value) for value in columns[3]], pa.decimal128(18, 2)
            ),
            "lastOrderAt": pa.array(columns[4], pa.timestamp("us", "UTC")),
            "metadata": pa.array(columns[5]),
        }
    )
    path = tmp_path / "consumers.parquet"
    pq.write_table(table, path)
    return path
