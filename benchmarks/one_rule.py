"""One compiled rule against the SQL that an expert would write for it, on 1M consumers.

    python -m benchmarks.one_rule [--consumers 1000000] [--runs 15]

Reach: at most 1.05 times the expert's time plus 1 ms, on a DuckDB table and on Parquet.
"""

import argparse
import tempfile
from pathlib import Path

import duckdb

from benchmarks import consumers
from benchmarks.timing import in_turn
from segment_engine import Engine, Schema
from segment_engine.expression.schema import DEFAULT_FIELDS

AS_OF = "2026-07-01T00:00:00Z"

EXPERT = {
    "totalOrders > 30": '"totalOrders" > 30',
    "not (totalOrders > 30)": '("totalOrders" <= 30 or "totalOrders" is null)',
    "totalOrderValue >= 1500 and totalOrders >= 20": (
        '"totalOrderValue" >= 1500 and "totalOrders" >= 20'
    ),
    "not (totalOrderValue >= 1500 and totalOrders >= 20)": (
        '("totalOrderValue" < 1500 or "totalOrderValue" is null '
        'or "totalOrders" < 20 or "totalOrders" is null)'
    ),
    "totalOrders = 7": '"totalOrders" = 7',
    "totalOrders != 7": '("totalOrders" <> 7 or "totalOrders" is null)',
    "totalOrders in (1, 2, 3, 5, 8, 13)": '"totalOrders" in (1, 2, 3, 5, 8, 13)',
    "score > 90": "score > 90 and not isnan(score)",
    "lastOrderAt within last 30 days": (
        "\"lastOrderAt\" >= timestamptz '2026-06-01 00:00:00+00' "
        "and \"lastOrderAt\" <= timestamptz '2026-07-01 00:00:00+00'"
    ),
    "not (lastOrderAt within last 30 days)": (
        "(\"lastOrderAt\" < timestamptz '2026-06-01 00:00:00+00' "
        'or "lastOrderAt" > timestamptz \'2026-07-01 00:00:00+00\' or "lastOrderAt" is null)'
    ),
    "lastOrderAt older than 60 days and totalOrderValue >= 500": (
        '"lastOrderAt" < timestamptz \'2026-05-02 00:00:00+00\' and "totalOrderValue" >= 500'
    ),
    'email ends with "@example.com"': "email like '%@example.com'",
    'not (email ends with "@example.com")': "(email not like '%@example.com' or email is null)",
    'fullName contains "Ada" and totalOrders > 10': (
        '"fullName" like \'%Ada%\' and "totalOrders" > 10'
    ),
    "phone is missing": "phone is null",
    "averageOrderValue > 100": (
        '"totalOrderValue"::double / nullif("totalOrders", 0)::double > 100'
    ),
    'metadata.tier = "gold"': (
        "case when json_valid(metadata) then json_extract_string(metadata, '$.tier') end = 'gold'"
    ),
    "metadata.points > 4000": (
        "case when json_valid(metadata) "
        "then try_cast(json_extract(metadata, '$.points')::varchar as double) end > 4000"
    ),
}
"""The expert knows the data: no infinity, and which columns have NULL; but one document that is
no JSON would end the query, so it is asked for."""


def main() -> None:
    """Compares the members, then the times, and prints a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--consumers", type=int, default=1_000_000)
    options.add_argument("--runs", type=int, default=15)
    chosen = options.parse_args()
    connection = duckdb.connect()
    consumers.table(connection, chosen.consumers)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "consumers.parquet"
        consumers.parquet(connection, file)
        print(f"{chosen.consumers:,} consumers, median of {chosen.runs} runs, milliseconds")
        print(f"{'rule':55}  {'on':8} {'expert':>8} {'ours':>8} {'ratio':>6}  within reach")
        missed = 0
        for place, name in (("consumers", "table"), (f"read_parquet('{file}')", "parquet")):
            source = connection.sql(f"select * from {place}")
            for rule, expert in EXPERT.items():
                missed += not _row(connection, rule, expert, place, name, source, chosen.runs)
        print(f"{2 * len(EXPERT) - missed} of {2 * len(EXPERT)} within 1.05 x + 1 ms")


def _row(
    connection: duckdb.DuckDBPyConnection,
    rule: str,
    expert: str,
    place: str,
    name: str,
    source: duckdb.DuckDBPyRelation,
    runs: int,
) -> bool:
    engine = Engine(Schema({**DEFAULT_FIELDS, "score": "number"}))
    ours = engine.rule(rule).sql(as_of=AS_OF, source=source)
    differing = f"select count(*) from {place} where (({ours}) is true) <> (({expert}) is true)"
    if (found := connection.sql(differing).fetchall()[0][0]) != 0:
        raise SystemExit(f"{rule}: {found} consumers differ from the expert's")
    first, second = (f"select count(*) from {place} where {where}" for where in (expert, ours))
    connection.sql(second).fetchall()
    theirs, mine = in_turn(
        runs, lambda: connection.sql(first).fetchall(), lambda: connection.sql(second).fetchall()
    )
    reached = mine <= 1.05 * theirs + 0.001
    print(
        f"{rule:55}  {name:8} {theirs * 1e3:8.2f} {mine * 1e3:8.2f} {mine / theirs:6.2f}  "
        f"{'yes' if reached else 'NO'}",
        flush=True,
    )
    return reached


if __name__ == "__main__":
    main()
