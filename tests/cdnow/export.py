"""The customers as an export that nobody prepared: `python -m tests.cdnow.export FILE.parquet`."""

import sys
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.cdnow.consumers import read_purchases


def write_export(path: Path) -> Path:
    """One row a customer, under the names that a shop's own database might have."""
    purchases = sorted(read_purchases(), key=attrgetter("customer", "on"))
    rows = []
    for customer, bought in groupby(purchases, key=attrgetter("customer")):
        held = list(bought)
        rows.append(
            {
                "Customer ID": customer,
                "first_purchase": held[0].on,
                "last_purchase": held[-1].on,
                "purchases": len(held),
                "cds": sum(one.cds for one in held),
                "revenue": sum(one.value for one in held),
            }
        )
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, path)
    return path


if __name__ == "__main__":
    print(write_export(Path(sys.argv[1])))
