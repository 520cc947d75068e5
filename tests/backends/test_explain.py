"""explain_sql: the parts are the rule's, their SQL is what the whole is made of."""

import json

import polars as pl
import pytest
from hypothesis import given, settings

from segment_engine import Engine, Schema
from segment_engine.backends.explain import WHOLE, Part
from segment_engine.backends.sources import open_for
from tests.properties.drawn import Case, cases

AS_OF = "2026-07-01"
FIELDS = {
    "orders": "number",
    "email": "text",
    "at": "datetime",
    "day": "date",
    "seen": "list of datetime",
    "metadata": "any",
    "old": {"type": "boolean", "derived": "at older than 1 year"},
}
ENGINE = Engine(Schema(FIELDS), timezone="America/New_York")
PEOPLE = pl.DataFrame(
    schema={"id": pl.Int64, "orders": pl.Int64, "email": pl.String, "at": pl.Datetime("us", "UTC"),
            "day": pl.Date, "seen": pl.List(pl.Date), "metadata": pl.String}
)  # fmt: skip
TIMES = settings.default.max_examples


def times(rule: str) -> list[str]:
    """The times of a rule of one condition."""
    (part,) = ENGINE.rule(rule).explain_sql(AS_OF, PEOPLE).parts
    return list(part.times)


def told(rule: str) -> list[tuple[int, str, str]]:
    """Depth, word and text of each part."""
    parts = ENGINE.rule(rule).explain_sql(AS_OF).parts
    return [(part.depth, part.joined, part.rule) for part in parts]


def test_the_text_form() -> None:
    rule = ENGINE.rule('at within last 30 days and not (email = "a" or orders < 3) and true')
    explanation = rule.explain_sql(AS_OF, PEOPLE)
    assert (
        str(explanation)
        == """\
as of 2026-07-01T04:00:00Z in America/New_York
at within last 30 days
    "at" between cast('2026-06-01 04:00:00+00' as timestamptz) and \
cast('2026-07-01 04:00:00+00' as timestamptz)
    time: [2026-06-01T04:00:00Z, 2026-07-01T04:00:00Z]
    if missing: dropped
and email != "a"
    ("email" <> 'a' or "email" is null)
    if missing: kept
and not orders < 3
    ("orders" >= 3 or "orders" is null)
    if missing: kept
and true
    true
whole
    ("at" between cast('2026-06-01 04:00:00+00' as timestamptz) and \
cast('2026-07-01 04:00:00+00' as timestamptz) and ("email" <> 'a' or "email" is null) and \
("orders" >= 3 or "orders" is null))"""
    )
    assert explanation.sql == rule.sql(as_of=AS_OF, source=PEOPLE)


def test_the_json_form() -> None:
    told = json.loads(json.dumps(ENGINE.rule("orders > 3").explain_sql(AS_OF, PEOPLE).to_json()))
    part = {"depth": 0, "joined": "", "rule": "orders > 3", "sql": '"orders" > 3'}
    assert told == {
        "text": "orders > 3",
        "as_of": "2026-07-01T04:00:00Z",
        "timezone": "America/New_York",
        "parts": [{**part, "missing": "dropped", "times": []}],
        "sql": '"orders" > 3',
    }


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        ("orders = 1 and (email exists or at exists)",
         [(0, "", "orders = 1"), (0, "and", "any of"), (1, "", "email exists"),
          (1, "or", "at exists")]),
        ("not (orders = 1 and (email exists or not (at exists)))",
         [(0, "", "orders != 1"), (0, "or", "all of"), (1, "", "email is missing"),
          (1, "and", "at exists")]),
        ("orders = 1 and not (email exists or at exists)",
         [(0, "", "orders = 1"), (0, "and", "email is missing"), (0, "and", "at is missing")]),
        ("not not (orders > 1)", [(0, "", "orders > 1")]),
        ("not (orders > 1)", [(0, "", "not orders > 1")]),
        ("not (not (orders > 1) or true)", [(0, "", "orders > 1"), (0, "and", "false")]),
    ],
)  # fmt: skip
def test_not_is_brought_down_to_conditions(rule: str, parts: list[tuple[int, str, str]]) -> None:
    assert told(rule) == parts


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("at within last 30 days", ["[2026-06-01T04:00:00Z, 2026-07-01T04:00:00Z]"]),
        ("day within last 30 days", ["[2026-06-01, 2026-07-01]"]),
        ("at during 2026-01", ["[2026-01-01T05:00:00Z, 2026-02-01T05:00:00Z)"]),
        ("day = 2026-01-31", ["2026-01-31"]),
        ("at = 2026-01-31T10:00:00Z", ["2026-01-31T10:00:00Z"]),
        ("at > 2026-01-31", ["from 2026-02-01T05:00:00Z on"]),
        ("at older than 60 days", ["before 2026-05-02T04:00:00Z"]),
        ("day older than 60 days", ["up to 2026-05-01"]),
        ("day >= 2026-01-31", ["from 2026-01-31 on"]),
        ("seen contains 2026-01-31", ["2026-01-31"]),
        ("anniversary of at within next 7 days", ["07-01 to 07-08"]),
        ("anniversary of at between 2026-12-30 and 2027-01-02",
         ["01-01 to 01-02", "12-30 to 12-31"]),
        ("old", ["before 2025-07-01T04:00:00Z"]),
        ("metadata.d < 2026-01-01",
         ["before 2026-01-01T05:00:00Z; of days up to 2025-12-31"]),
        ("at between 2026-01-01 and 2026-01-31",
         ["from 2026-01-01T05:00:00Z on", "before 2026-02-01T05:00:00Z"]),
        ("orders = 3", []),
        ("at exists", []),
    ],
)  # fmt: skip
def test_times(rule: str, expected: list[str]) -> None:
    assert times(rule) == expected


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        ("orders > 3", "dropped"),
        ("orders != 3", "kept"),
        ("not (orders > 3)", "kept"),
        ("email is empty", "kept"),
        ("email exists", "dropped"),
        ("old", "dropped"),
        ("true", ""),
    ],
)
def test_what_becomes_of_the_missing(rule: str, missing: str) -> None:
    (part,) = ENGINE.rule(rule).explain_sql(AS_OF, PEOPLE).parts
    assert part.missing == missing


def test_displays_cut_long_sql_and_the_value_does_not() -> None:
    explanation = ENGINE.rule("anniversary of at = today").explain_sql(AS_OF)
    assert len(explanation.sql) > 10_000 and explanation.sql == explanation.parts[0].sql
    for shown in (str(explanation), explanation._repr_html_()):
        assert len(shown) < 3 * WHOLE and " characters ... " in shown


@settings(max_examples=2 * TIMES, deadline=None)
@given(cases(size=12))
def test_the_parts_make_the_whole(case: Case) -> None:
    (rule,) = case.rules
    source = open_for(case.engine, [rule], case.consumers, "id")
    explanation = rule.explain_sql(case.as_of, source)
    assert explanation.sql == rule.sql(as_of=case.as_of, source=source)
    whole = built(list(explanation.parts), 0)
    with source.duckdb() as (connection, table):
        found = connection.sql(f"select id from {table} where {whole} order by 1").fetchall()
    assert [id for (id,) in found] == rule.members(source, as_of=case.as_of)


def built(parts: list[Part], depth: int) -> str:
    """The condition that the parts say they make; takes those of that depth from the list."""
    pieces: list[str] = []
    while parts and parts[0].depth == depth:
        part = parts.pop(0)
        inner = f"({part.sql}) is true" if part.sql else built(parts, depth + 1)
        pieces += [part.joined, f"({inner})"]
    assert len({word for word in pieces[::2] if word}) <= 1
    return " ".join(pieces)
