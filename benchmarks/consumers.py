"""Synthetic consumers, the same at every run: shaped like a shop's, with missing values."""

from pathlib import Path

import duckdb

QUERY = """
select
    i as id,
    case when i % 17 <> 0 then
        'user' || i || '@'
        || (['example.com', 'mail.test', 'shop.example', 'Example.ORG'])[h1 % 4 + 1]
    end as email,
    case when i % 5 <> 0 then '+49' || (1500000000 + h1 % 99999999) end as phone,
    (['Ada', 'Bob', 'Cleo', 'Dan', 'Eve'])[h2 % 5 + 1] || ' ' || (h1 % 9973) as "fullName",
    lpad(i::varchar, 8, '0') as "externalId",
    case when i % 11 <> 0 then h1 % 40 end as "totalOrders",
    case when i % 13 <> 0 then ((h2 % 200000) / 100)::decimal(18, 2) end as "totalOrderValue",
    case when i % 7 <> 0 then
        timestamptz '2026-07-01 00:00:00+00' - to_seconds((h1 % 63072000)::bigint)
    end as "lastOrderAt",
    timestamptz '2026-07-01 00:00:00+00' - to_seconds((h2 % 157680000)::bigint) as "createdAt",
    case when i % 19 <> 0 then (h3 % 1000) / 10.0 end::double as score,
    case when i % 3 <> 0 then
        '{"tier":"' || (['gold', 'silver', 'bronze'])[h3 % 3 + 1]
        || '","points":' || h2 % 5000 || ',"country":"' || (['US', 'CA', 'DE', 'JP'])[h1 % 4 + 1]
        || '","tags":["t' || h1 % 9 || '","t' || h2 % 9 || '"]}'
    end as metadata
from (
    select i, (hash(i, 1) % 1000000007)::bigint as h1,
        (hash(i, 2) % 998244353)::bigint as h2, (hash(i, 3) % 1000003)::bigint as h3
    from range({count}) t(i)
)
"""


def table(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    """Makes the table `consumers` with `count` rows."""
    rows = QUERY.replace("{count}", str(count))
    connection.execute(f"create or replace table consumers as {rows}")
    connection.execute("alter table consumers alter id type bigint")


def parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Writes the table `consumers` to one Parquet file."""
    connection.execute(f"copy consumers to '{path}' (format parquet)")
