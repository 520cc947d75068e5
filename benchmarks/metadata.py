"""Twenty audiences on paths of JSON text, extraction included, against an expert in DuckDB.

    python -m benchmarks.metadata [--consumers 1000000] [--audiences 20] [--runs 3]

The expert extracts in each predicate; ours takes each path out once, from the table, in each run.
Reach: 4 times as fast. From a snapshot nothing is taken out any more.
Polars, which reads JSON many times as slowly, is left out.
"""

import argparse

from benchmarks import pools
from benchmarks.contenders import POLARS
from benchmarks.contest import contest
from benchmarks.many import jobs, stored


def main() -> None:
    """Compares the members, then the times, and prints a table."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--consumers", type=int, default=1_000_000)
    options.add_argument("--audiences", type=int, default=20)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    asked = [one for one in pools.pool("wide") if one.field.startswith("metadata.")]
    audiences = pools.audiences(asked, chosen.audiences)
    with stored(chosen.consumers) as (connection, file):
        table, _ = jobs(connection, file, "metadata", audiences)
        contest(table, chosen.runs, left_out=POLARS)


if __name__ == "__main__":
    main()
