"""The bundled real purchases: every audience derived again by hand-written SQL.

The SQL reads the raw purchases, so that neither the engine nor the consumers made for it have a
part in the answer.
"""

import hashlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
import yaml

from segment_engine import Engine
from tests.cdnow.consumers import (
    AS_OF,
    AUDIENCES,
    PURCHASES,
    TIMEZONE,
    consumers,
    read_purchases,
)

RULES: dict[str, str] = yaml.safe_load(AUDIENCES.read_text(encoding="utf-8"))
ENGINES = ("duckdb", "polars", "records")
TOTAL = Decimal("2500315.63")
SHA256 = "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef"

RAW = r"""
create table raw as
with lines as (
    select string_split_regex(trim(line), '\s+') as field
    from read_csv(?, columns = {'line': 'VARCHAR'}, delim = '|', quote = '', header = true)
)
select field[1] as id,
       strptime(field[2], '%Y%m%d')::date as day,
       field[3]::int as cds,
       field[4]::decimal(18, 2) as value
from lines
"""

# What an analyst would type: the condition after `group by id having`.
HAVING = {
    "everybody": "true",
    "lapsed_vips": "sum(value) >= 500 and max(day) < date '1998-01-02'",
    "active_last_month": "max(day) between '1998-06-01' and '1998-07-01'",
    "bought_last_quarter": "max(day) between '1998-04-01' and '1998-06-30'",
    "loyal_this_year": "min(day) < '1998-01-01' and max(day) >= '1998-01-01' and count(*) > 10",
    "gone_for_a_year": "max(day) < '1997-07-01'",
    "one_time_buyers": "count(*) = 1",
    "one_day_only": "count(*) > 1 and count(distinct day) = 1",
    "win_back": "count(*) in (2, 3, 4, 5) and max(day) between '1997-07-01' and '1997-12-31'",
    "anniversary_of_last_order": "month(max(day)) = 7 and day(max(day)) <= 8",
    "high_average": "sum(value) >= 100 * count(*) and count(*) >= 3",
    "outliers": "sum(value) < 10 or sum(value) > 1000",
    "zero_value": "sum(value) = 0",
    "new_in_march": "min(day) between '1997-03-01' and '1997-03-31'",
    "valentine_joiners": "min(day) = '1997-02-14'",
    "weekend_regulars": "dayname(max(day)) in ('Saturday', 'Sunday') and count(*) > 1",
    "second_order_soon": "list_sort(list(day))[2] < '1997-02-01'",
    "never_came_back": "count(*) = 1",
    "big_first_basket": """sum(value) filter (day = first_day) >= 100
                           and sum(cds) filter (day = first_day) >= 5""",
    "recent_bulk": "sum(cds) filter (day = last_day) >= 10 and max(day) >= '1998-04-01'",
    "bought_ten_at_once": "count(*) filter (cds = 10) > 0",
    "one_order_is_most": "count(*) > 2 and max(value) + max(value) > sum(value)",
    "big_baskets": "sum(cds) >= 5 * count(*) and count(*) > 1",
    "long_break": "max(since_previous) > 365",
    "no_break": "coalesce(max(since_previous), 0) <= 60",
    "every_quarter": "count(distinct (year(day), quarter(day))) = 6",
    "silent_in_1998": "max(day) < '1998-01-01'",
    "holiday_1997": "sum(value) filter (day between '1997-11-01' and '1997-12-31') >= 50",
    "not_holiday": """count(*) filter (day between '1997-11-01' and '1997-12-31') = 0
                      and count(*) >= 2""",
    "spending_more": """sum(value) filter (day >= '1998-04-01')
                        > sum(value) filter (day between '1998-01-01' and '1998-03-31')""",
    "low_spring": """coalesce(sum(value) filter (day >= '1998-04-01'), 0) < 20
                     and count(*) >= 5""",
    "spring_fans": "favourite in (3, 4, 5)",
    "summer_fans": "favourite in (7, 8)",
    "mail_test_panel": "id < '05000' and right(id, 1) in ('0', '5') and count(*) >= 2",
    "founders": "id::int < 100",
}

MEMBERS = """
with months as (
    select id, month(day) as month, count(*) as orders from raw group by all
), favourites as (
    select id, first(month order by orders desc, month) as favourite from months group by id
), facts as (
    select *,
           min(day) over (partition by id) as first_day,
           max(day) over (partition by id) as last_day,
           day - lag(day) over (partition by id order by day) as since_previous
    from raw join favourites using (id)
)
select id from facts group by id, favourite having {} order by id
"""


def members(connection: duckdb.DuckDBPyConnection, having: str) -> list[str]:
    return [row[0] for row in connection.execute(MEMBERS.format(having)).fetchall()]


@pytest.fixture(scope="module")
def by_hand() -> dict[str, list[str]]:
    with duckdb.connect() as connection:
        connection.execute(RAW, [str(PURCHASES)])
        return {key: members(connection, having) for key, having in HAVING.items()}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return consumers(read_purchases())


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(timezone=TIMEZONE)


@pytest.fixture(scope="module", params=ENGINES)
def memberships(request: pytest.FixtureRequest, engine: Engine, table: pa.Table) -> Any:
    return engine.materialize(RULES, table, as_of=AS_OF, engine=request.param, id_column="id")


def test_the_purchases_are_the_published_ones() -> None:
    assert hashlib.sha256(PURCHASES.read_bytes()).hexdigest() == SHA256


def test_every_audience_has_its_sql_and_tells_customers_apart(
    by_hand: dict[str, list[str]],
) -> None:
    assert set(by_hand) == set(RULES)
    everybody, *sizes = (len(ids) for ids in by_hand.values())
    assert everybody == 23_570
    assert min(sizes) > 0 and max(sizes) < everybody


@pytest.mark.parametrize("key", HAVING)
def test_members_are_those_of_the_hand_written_sql(
    key: str, by_hand: dict[str, list[str]], memberships: Any
) -> None:
    assert sorted(memberships.members(key)) == by_hand[key]
    assert memberships.counts()[key] == len(by_hand[key])


def test_nothing_failed(memberships: Any) -> None:
    assert not memberships.failed


def duckdb_total(rule: Any, people: pa.Table) -> Decimal:
    condition = rule.sql(as_of=AS_OF, source=people)
    with duckdb.connect() as connection:
        connection.register("people", people)
        query = f'select sum("totalOrderValue") from people where {condition}'
        return Decimal(connection.execute(query).fetchall()[0][0])


def polars_total(rule: Any, people: pa.Table) -> Decimal:
    frame = pl.DataFrame(people)
    members = frame.filter(rule.polars(as_of=AS_OF, source=frame))
    return Decimal(members["totalOrderValue"].sum())


def records_total(rule: Any, people: pa.Table) -> Decimal:
    rows = people.to_pylist()
    return sum((r["totalOrderValue"] for r in rows if rule.matches(r, as_of=AS_OF)), Decimal())


@pytest.mark.parametrize("total", [duckdb_total, polars_total, records_total])
def test_total_order_value_is_exact_in_the_types_of_each_engine(
    total: Callable[[Any, pa.Table], Decimal], engine: Engine, table: pa.Table
) -> None:
    rule = engine.rule(RULES["lapsed_vips"])
    inside, outside = total(rule, table), total(engine.rule(f"not ({rule.text})"), table)
    assert outside > inside > 0
    assert inside + outside == TOTAL
