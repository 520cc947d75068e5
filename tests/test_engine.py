"""The public face: engines and rules as values, runs, and what is refused."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

import segment_engine
from segment_engine import Engine, Rule, RuleError, RunError, Schema, SourceError

ENGINES = ("duckdb", "polars", "records")
AS_OF = "2026-07-01T12:00:00Z"
VIPS = "totalOrders >= 3 and lastOrderAt within last 30 days"

CONSUMERS = pa.table(
    {
        "id": ["a", "b", "c", "d"],
        "totalOrders": pa.array([5, 1, None, 3], pa.int64()),
        "totalOrderValue": pa.array([Decimal("519.99"), Decimal("0.10"), None, Decimal("3.00")]),
        "lastOrderAt": pa.array(
            [datetime(2026, 6, 20, tzinfo=UTC), None, None, datetime(2020, 1, 1, tzinfo=UTC)],
            pa.timestamp("us", "UTC"),
        ),
        "metadata": ['{"tier": "gold"}', "{}", None, "no json"],
    }
)


@pytest.fixture
def engine() -> Engine:
    return Engine(timezone="America/New_York")


def test_public_names() -> None:
    assert all(hasattr(segment_engine, name) for name in segment_engine.__all__)
    assert isinstance(RuleError((), ""), ValueError)


@pytest.mark.parametrize("name", ENGINES)
def test_members_and_count(engine: Engine, name: str) -> None:
    rule = engine.rule(VIPS)
    assert rule.members(CONSUMERS, as_of=AS_OF, engine=name) == ["a"]
    assert rule.count(CONSUMERS, as_of=AS_OF, engine=name) == 1
    everybody = engine.rule("true")
    assert everybody.members(CONSUMERS, as_of=AS_OF, engine=name) == ["a", "b", "c", "d"]
    assert engine.rule("false").count(CONSUMERS, engine=name) == 0


def test_scalars_of_numpy_are_numbers(engine: Engine) -> None:
    rule = engine.rule("totalOrders = 3")
    assert rule.matches({"totalOrders": numpy.int64(3)})
    assert rule.matches({"totalOrders": numpy.float32(3)})
    assert not rule.matches({"totalOrders": numpy.float64("nan")})
    assert not rule.matches({"totalOrders": numpy.bool_(True)})


def test_decimals_inside_documents_are_numbers_as_json_holds_them(engine: Engine) -> None:
    def kept(rule: str, value: str) -> bool:
        return engine.rule(rule).matches({"metadata": {"x": Decimal(value)}})

    assert kept("metadata.x = 0.1", "0.10000000000000000001")
    assert kept("metadata.x = 3", "3.0")
    assert not kept("metadata.x exists", "NaN")
    assert not kept("metadata.x > 0", "1E400")


def test_bytes_are_no_list() -> None:
    rule = Engine(Schema({"codes": "list of number"})).rule("codes contains 97")
    assert rule.matches({"codes": [97]}) and not rule.matches({"codes": b"a"})


def test_a_rule_shows_itself(engine: Engine) -> None:
    rule = engine.rule("# spenders\n5<=totalOrders AND averageOrderValue>20")
    assert rule.text == "totalOrders >= 5 and averageOrderValue > 20" == str(rule)
    assert rule.fields == ("totalOrders", "averageOrderValue")
    assert engine.rule(json.dumps(rule.to_json())) == rule == engine.rule(rule.to_json())
    with pytest.raises(AttributeError, match="immutable"):
        rule.text = "true"  # type: ignore[misc]


def test_equal_content_has_one_hash(engine: Engine) -> None:
    spellings = ("phone exists and totalOrders in (1, 2)", "totalOrders in (2, 1) and phone exists")
    first, second = (engine.rule(text).hash for text in spellings)
    assert first == second != engine.rule("phone exists").hash


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("metadata.vip = true and totalOrders > 3", "a057f264"),
        ('email = "Ada" ignoring case or not (lastOrderAt > 7 days ago)', "bbf4223b"),
        ("createdAt during 2026-01 and lastOrderAt within last 30 days", "fa8d1cc1"),
        ('email matches "^a" or in audience "vips"', "e8716c8d"),
        ("lastOrderAt < now and createdAt < 2026-01-31T10:00:00Z", "c9e6bb8c"),
        ("lastOrderAt during last month or createdAt >= 2026-01-31T10:00", "8bcf76b7"),
    ],
)
def test_a_hash_that_somebody_stored_is_found_again(engine: Engine, text: str, stored: str) -> None:
    """The next version gives the same, or CHANGELOG.md says so."""
    assert engine.rule(text).hash.startswith(stored)


def test_values_pickle(engine: Engine) -> None:
    rule = engine.rule(VIPS)
    for value in (engine, rule, engine.schema, rule.expression):
        assert pickle.loads(pickle.dumps(value)) == value
    copy = pickle.loads(pickle.dumps(rule))
    assert copy.members(CONSUMERS, as_of=AS_OF) == ["a"]
    error = pickle.loads(pickle.dumps(_error(engine, "totlOrders > 1")))
    assert error.diagnostics[0].suggestion is None and "totalOrders" in str(error)


def test_threads_share_an_engine(engine: Engine) -> None:
    texts = [f'totalOrders > {n} or metadata.k{n} = "v" or == {n}' for n in range(40)]
    good = [text.replace(" or == ", " or totalOrders = ") for text in texts]
    with ThreadPoolExecutor(8) as pool:
        rules = list(pool.map(engine.rule, good * 5))
        wrong = list(pool.map(lambda text: _error(engine, text), texts))
        found = list(pool.map(lambda rule: rule.count(CONSUMERS, as_of=AS_OF), rules[:40]))
    assert [rule.text for rule in rules] == good * 5
    assert {error.diagnostics[-1].code for error in wrong} == {"syntax"}
    assert found == [rule.count(CONSUMERS, as_of=AS_OF, engine="records") for rule in rules[:40]]


def test_one_consumer(engine: Engine) -> None:
    rule = engine.rule('metadata.tier = "gold" and createdAt on 2026-01-31')
    gold = {"metadata": {"tier": "gold"}, "createdAt": date(2026, 1, 31)}
    assert rule.matches(gold) is True
    assert rule.matches({**gold, "metadata": '{"tier": "gold"}'}) is True
    assert rule.matches({**gold, "createdAt": datetime(2026, 2, 1, 4, 59, tzinfo=UTC)}) is True
    assert rule.matches({**gold, "createdAt": datetime(2026, 2, 1, 5, 0)}) is False
    assert rule.matches({}) is False
    with pytest.raises(RunError, match="a consumer is a mapping"):
        rule.matches("ada")  # type: ignore[arg-type]


def test_sql_and_polars_stand_alone(engine: Engine) -> None:
    rule = engine.rule("not (totalOrders > 2)")
    with duckdb.connect() as connection:
        connection.register("consumers", CONSUMERS)
        where = rule.sql(as_of=AS_OF, source=CONSUMERS)
        kept = connection.sql(f"select id from consumers where {where} order by 1").fetchall()
    frame = pl.DataFrame(CONSUMERS)
    assert kept == [("b",), ("c",)]
    assert frame.filter(rule.polars(source=frame))["id"].to_list() == ["b", "c"]
    assert frame.select(rule.polars(source=frame)).to_series().null_count() == 0
    with pytest.raises(RunError, match="no dialect 'oracle'"):
        rule.sql(dialect="oracle")


@pytest.mark.parametrize("name", ENGINES)
def test_a_broken_rule_does_not_stop_the_rest(engine: Engine, name: str) -> None:
    rules: dict[str, Any] = {
        "vips": VIPS,
        "broken": "totlOrders > 1",
        "unread": 'email = "a"',
        "gold": engine.rule('metadata.tier = "gold"'),
    }
    found = engine.materialize(rules, CONSUMERS, as_of=AS_OF, engine=name)
    assert found.counts() == {"vips": 1, "gold": 1}
    assert found.members("gold") == ["a"]
    assert isinstance(found.failed["broken"], RuleError)
    assert isinstance(found.failed["unread"], SourceError)
    assert "'email'" in str(found.failed["unread"])
    with pytest.raises(RuleError):
        found.members("broken")
    with pytest.raises(RunError, match="no audience 'nobody'"):
        found.members("nobody")
    assert found.to_arrow().to_pydict() == {"consumer_id": ["a", "a"], "audience": ["vips", "gold"]}


@pytest.mark.parametrize(
    ("as_of", "same_as"),
    [
        ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"),
        ("2026-07-01T08:00:00", "2026-07-01T12:00:00Z"),
        ("2026-07-01", "2026-07-01T04:00:00Z"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "2026-07-01T12:00:00Z"),
    ],
)
def test_as_of(engine: Engine, as_of: Any, same_as: str) -> None:
    assert engine.clock(as_of) == engine.clock(same_as)


@pytest.mark.parametrize("as_of", ["soon", "05/01/2024", datetime(2026, 7, 1), 5])
def test_no_as_of(engine: Engine, as_of: Any) -> None:
    with pytest.raises(RunError, match="as_of"):
        engine.clock(as_of)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("ids", "message"),
    [([1, 2, None], "null id"), ([1, 2, 2], "repeated id"), ([1, 1, 1], "repeated id")],
)
def test_ids_are_refused(engine: Engine, name: str, ids: list[int | None], message: str) -> None:
    table = pa.table({"id": pa.array(ids, pa.int64()), "totalOrders": [1, 2, 3]})
    with pytest.raises(RunError, match=message):
        engine.rule("totalOrders > 1").members(table, engine=name)


def test_what_else_is_refused(engine: Engine) -> None:
    with pytest.raises(RunError, match="no engine 'spark'"):
        engine.rule("true").members(CONSUMERS, engine="spark")
    with pytest.raises(RunError, match="no id column 'key'"):
        engine.rule("true").members(CONSUMERS, id_column="key")
    with pytest.raises(RunError, match="did you mean America/New_York"):
        Engine(timezone="America/NewYork")
    with pytest.raises(RunError, match="a rule is text"):
        engine.rule(5)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match=r"totalOrders.*text"):
        engine.rule("totalOrders > 1").members(pa.table({"id": [1], "totalOrders": ["5"]}))


def test_derived_fields_may_be_truths_and_build_on_one_another() -> None:
    fields = {
        "spent": "currency",
        "orders": "number",
        "average": {"type": "currency", "derived": "spent / orders"},
        "isVip": {"type": "boolean", "derived": "average > 100 and orders > 1"},
    }
    rows = pa.table(
        {
            "id": [1, 2, 3],
            "spent": [Decimal("500.00"), Decimal("900.00"), None],
            "orders": [2, 0, 5],
        }
    )
    engine = Engine(Schema(fields))
    for name in ENGINES:
        found = [
            engine.rule(text).members(rows, engine=name)
            for text in ("isVip", "not isVip", "isVip = false", "isVip exists", "average exists")
        ]
        assert found == [[1], [2, 3], [2, 3], [1, 2, 3], [1]], name


@pytest.mark.parametrize("writer", ["polars", "arrow"])
@pytest.mark.parametrize("name", ENGINES)
def test_nan_in_parquet_is_missing(tmp_path: Path, writer: str, name: str) -> None:
    """Statistics of a Parquet file leave NaN out, and DuckDB folds comparisons by them."""
    scores = [0.5, float("nan"), 2.5, float("inf"), None]
    for kind in (pa.float32(), pa.float64()):
        table = pa.table({"id": [1, 2, 3, 4, 5], "score": pa.array(scores, kind)})
        path = tmp_path / f"{kind}.parquet"
        if writer == "polars":
            pl.DataFrame(table).filter(pl.col("id") != 4).write_parquet(path)
        else:
            parquet.write_table(table.filter(pc.not_equal(table["id"], 4)), path)
        engine = Engine(Schema({"score": "number"}))
        for text, expected in {
            "score < 100": [1, 3],
            "score > 0.25": [1, 3],
            "score between 0 and 100": [1, 3],
            "score exists": [1, 3],
            "score is missing": [2, 5],
            "not (score < 100)": [2, 5],
            "score != 7": [1, 2, 3, 5],
            "score + 1 < 100": [1, 3],
        }.items():
            assert engine.rule(text).members(path, engine=name) == expected, text


def _error(engine: Engine, text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        engine.rule(text)
    return caught.value


def test_rules_are_made_by_engines(engine: Engine) -> None:
    rule = engine.rule(VIPS)
    assert isinstance(rule, Rule) and engine.rule(rule) == rule
    assert engine.diagnose("totalOrders < 3")[0].code == "drops-missing"
    assert engine.diagnose("totalOrders > 3") == ()
