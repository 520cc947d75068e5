"""Consumers that nobody prepared: odd names, odd types, metadata of any shape."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

ROWS = 50


def metadata(row: int) -> str | None:
    if row % 5 == 0:
        return None
    held = {
        "tier": "gold" if row % 3 else "basic",
        "address": {"city": "Köln", "zip": row if row % 2 else "00012"},
        "items": [{"sku": "a", "price": 9.5}, {"sku": "b"}],
        "since": "2026-01-01" if row % 2 else "2026-01-01T10:00:00Z",
        "key with.dots": True,
        "scores": [1, 2.5],
        "by day": {f"day {row} {at}": at for at in range(9)},
        "nothing": None,
    }
    return json.dumps(held)


def odd_table() -> Any:
    """A table with a column of every kind, 50 consumers and no column `id`."""
    each = range(ROWS)
    return pa.table(
        {
            "Customer Id": [f"c{row:03}" for row in each],
            'E-Mail "work"': [f"a{row}@x.test" if row % 3 else "" for row in each],
            "and": list(each),
            "in": [json.dumps({"a": row}) for row in each],
            "Größe": [row / 2 if row % 2 else float("nan") for row in each],
            "total": pa.array([Decimal(row) / 4 for row in each], pa.decimal128(18, 2)),
            "discount rate": pa.array([Decimal("0.25")] * ROWS, pa.decimal128(5, 2)),
            "signup": [f"2026-01-{row % 28 + 1:02}" if row else None for row in each],
            "almost": ["2026-01-01"] * (ROWS - 1) + ["soon"],
            "A": [1] * ROWS,
            "a": [2] * ROWS,
            "clock": pa.array([dt.time(1, 2)] * ROWS),
            "photo": [b"x"] * ROWS,
            "nested": [[[1]]] * ROWS,
            "tags": [["a", "b"]] * ROWS,
            "empty": pa.nulls(ROWS),
            "metadata": [metadata(row) for row in each],
            "profile": [{"points": row, "last": {"seen": "2026-01-01T10:00:00Z"}} for row in each],
            "metadata.tier": ["x"] * ROWS,
            " ": [1] * ROWS,
            "active": [row % 2 == 0 for row in each],
            "last order": pa.array(
                [dt.datetime(2025, 1, 1) + dt.timedelta(days=row) for row in each],
                pa.timestamp("us", "UTC"),
            ),
        }
    )
