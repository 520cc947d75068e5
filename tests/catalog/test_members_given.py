"""Rules that refer to audiences whose members the caller gives: run, matched, compiled."""

from collections.abc import Mapping
from typing import Any

import duckdb
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine import Engine, RunError

ENGINES = ("duckdb", "polars", "records")
ENGINE = Engine()
PEOPLE = [{"id": f"c{n}", "totalOrders": n if n % 3 else None} for n in range(9)]
IDS = [person["id"] for person in PEOPLE]
RULE = ENGINE.rule('totalOrders >= 4 and (in audience "vip" or not in audience "press")')
GIVEN = {"vip": ["c4", "c5"], "press": {"c4", "c5", "c7"}}


@pytest.mark.parametrize("engine", ENGINES)
def test_members_of_a_rule_that_refers_to_audiences(engine: str) -> None:
    assert RULE.audiences == ("vip", "press")
    assert RULE.members(PEOPLE, engine=engine, audiences=GIVEN) == ["c4", "c5", "c8"]
    assert RULE.count(PEOPLE, engine=engine, audiences=GIVEN) == 3


@pytest.mark.parametrize("engine", ENGINES)
def test_ids_that_are_no_consumers_are_dropped(engine: str) -> None:
    rule = ENGINE.rule('in audience "vip"')
    assert rule.members(PEOPLE, engine=engine, audiences={"vip": ["zz", "c1", "c1"]}) == ["c1"]
    assert rule.members(PEOPLE, engine=engine, audiences={"vip": iter(["c2", "zz"])}) == ["c2"]
    assert rule.members(PEOPLE, engine=engine, audiences={"vip": []}) == []
    assert rule.members([], engine=engine, audiences={"vip": ["c1"]}) == []
    numbered = [{"id": n, "totalOrders": n} for n in range(4)]
    assert rule.members(numbered, engine=engine, audiences={"vip": ["2", "9"]}) == [2]


WRONG: list[tuple[Any, str]] = [
    ({}, "refers to audience 'vip': give its members"),
    (None, "refers to audience 'vip': give its members"),
    (["vip"], "audiences are a mapping by key, not list"),
    ({"vip": "c1"}, "'vip' are a list of ids, not 'c1'"),
    ({"vip": None}, "'vip' are a list of ids, not None"),
    ({"vip": 5}, "'vip' are a list of ids, not 5"),
    ({"vip": {"c1": True}}, "'vip' are a list of ids, not {'c1': True}"),
    ({"vip": [["c1"]]}, "'vip' are a list of ids, not [['c1']]"),
    ({"vip": [1, 2]}, "the ids of audience 'vip' are int, the consumers' str"),
    ({"vip": [b"c1"]}, "the ids of audience 'vip' are bytes, the consumers' str"),
]


@pytest.mark.parametrize(("audiences", "message"), WRONG, ids=[repr(row[0]) for row in WRONG])
def test_members_that_are_none_are_refused(audiences: Any, message: str) -> None:
    rule = ENGINE.rule('in audience "vip" or phone exists')
    with pytest.raises(RunError) as raised:
        rule.members(PEOPLE, audiences=audiences)
    assert message in str(raised.value)


def test_consumers_without_numbers_take_no_texts() -> None:
    numbered = [{"id": n, "totalOrders": n} for n in range(4)]
    with pytest.raises(RunError, match="'vip' are str, the consumers' int"):
        ENGINE.rule('in audience "vip"').members(numbered, audiences={"vip": ["c1"]})


# ---- one consumer


def test_matches_asks_for_each_audience() -> None:
    person = {"totalOrders": 5}
    assert RULE.matches(person, audiences={"vip": True, "press": True})
    assert not RULE.matches(person, audiences={"vip": False, "press": True})
    keeps = RULE.predicate()
    assert keeps(person, {"vip": False, "press": False, "other": True})
    for wrong, message in (
        (None, "refers to audience 'vip'"),
        ({"vip": True}, "refers to audience 'press'"),
        ({"vip": "no", "press": True}, "is in audience 'vip' or not: True or False, not 'no'"),
        ({"vip": ["c1"], "press": True}, "in audience 'vip' or not"),
        (["vip", "press"], "audiences are a mapping by key, not list"),
    ):
        with pytest.raises(RunError, match=message):
            RULE.matches(person, audiences=wrong)  # type: ignore[arg-type]


# ---- queries of one's own


def test_conditions_of_ones_own() -> None:
    frame = polars.DataFrame(PEOPLE)
    sql = RULE.sql(source=frame, audiences={k: f"id in {(*v,)}" for k, v in GIVEN.items()})
    assert duckdb.sql(f"select id from frame where {sql} order by 1").fetchall() == [
        ("c4",), ("c5",), ("c8",)
    ]  # fmt: skip
    conditions = {key: polars.col("id").is_in([*ids]) for key, ids in GIVEN.items()}
    kept = frame.filter(RULE.polars(source=frame, audiences=conditions))
    assert kept["id"].to_list() == ["c4", "c5", "c8"]


def test_a_condition_that_may_be_null_counts_as_false() -> None:
    """Else `in` and `not in` would not split everybody in two."""
    frame = polars.DataFrame({"id": [1, 2, 3], "flag": [True, False, None]})
    for text, wanted in (('in audience "a"', [1]), ('not in audience "a"', [2, 3])):
        rule = ENGINE.rule(text)
        condition = rule.polars(audiences={"a": polars.col("flag")})
        assert frame.filter(condition)["id"].to_list() == wanted
        assert frame.select(condition.alias("x"))["x"].null_count() == 0
        where = rule.sql(audiences={"a": "flag"})
        found = duckdb.sql(f"select id from frame where {where} order by 1").fetchall()
        assert [number for (number,) in found] == wanted


def test_conditions_of_another_kind_are_refused() -> None:
    rule = ENGINE.rule('in audience "a"')
    with pytest.raises(RunError, match="condition of an audience is SQL text, not 5"):
        rule.sql(audiences={"a": 5})  # type: ignore[dict-item]
    with pytest.raises(RunError, match="is a Polars expression, not 'id = 5'"):
        rule.polars(audiences={"a": "id = 5"})  # type: ignore[dict-item]
    for compiled in (rule.sql, rule.polars):
        with pytest.raises(RunError, match="refers to audience 'a': give its members"):
            compiled(audiences={"b": "true"})


# ---- many at once


def run(rules: Mapping[str, Any], engine: str = "duckdb", **lists: Any) -> Any:
    return ENGINE.materialize(rules, PEOPLE, engine=engine, lists=lists)


@pytest.mark.parametrize("engine", ENGINES)
def test_lists_are_part_of_the_result(engine: str) -> None:
    rules = {"few": 'in audience "vip" and totalOrders > 4', "rest": 'not in audience "few"'}
    made = run(rules, engine, vip=("c5", "c4", "zz"), nobody=[])
    assert [*made] == ["few", "rest", "vip", "nobody"]
    assert made.members("vip") == ["c4", "c5"] and made.members("nobody") == []
    assert made.members("few") == ["c5"]
    assert made.members("rest") == [i for i in IDS if i != "c5"]


def test_a_list_that_is_wrong_fails_who_refers_to_it_and_nobody_else() -> None:
    rules = {"a": 'not in audience "vip"', "b": 'in audience "a"', "c": "totalOrders > 4"}
    for wrong in ("c1", None, 5, [1, 2], [["c1"]], {"c1": 1}):
        made = run(rules, vip=wrong)
        assert [*made.counts()] == ["c"] and [*made.failed] == ["a", "b", "vip"]
    with pytest.raises(RunError, match="audience 'c' is given as a rule and as a list"):
        run(rules, c=["c1"])
    with pytest.raises(RunError, match="audiences are a mapping of key to ids, not list"):
        ENGINE.materialize(rules, PEOPLE, lists=["c1"])  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ENGINES)
def test_references_are_computed_in_whatever_order_they_stand(engine: str) -> None:
    rules = {
        "top": 'in audience "left" or in audience "right"',
        "left": 'in audience "base" and totalOrders >= 5',
        "right": 'not in audience "base"',
        "base": "totalOrders > 3",
        "self": 'in audience "self"',
        "lost": 'in audience "bse"',
        "behind": 'totalOrders > 3 or not in audience "lost"',
    }
    seen: list[tuple[int, int]] = []
    made = ENGINE.materialize(
        rules, PEOPLE, engine=engine, progress=lambda done, of: seen.append((done, of))
    )
    assert made.counts() == {"top": 8, "left": 3, "right": 5, "base": 4}
    assert "did you mean base?" in str(made.failed["lost"])
    assert "self -> self" in str(made.failed["self"])
    assert "behind -> lost" in str(made.failed["behind"])
    assert seen == [(n, 7) for n in range(1, 8)]


PARTS = ('in audience "a"', 'not in audience "b"', "totalOrders > 4", "not (totalOrders < 6)")
TEXTS = st.recursive(
    st.sampled_from(PARTS),
    lambda inner: st.one_of(
        inner.map("not ({})".format),
        *(
            st.tuples(inner, inner).map(lambda two, word=word: f"({two[0]}) {word} ({two[1]})")
            for word in ("and", "or")
        ),
    ),
    max_leaves=6,
)
SOME = st.sets(st.sampled_from([*IDS, "zz"]))


@given(TEXTS, SOME, SOME, st.sampled_from(ENGINES))
def test_a_rule_and_its_not_split_everybody(text: str, a: set[str], b: set[str], on: str) -> None:
    audiences = {"a": a, "b": b}
    kept, rest = (
        ENGINE.rule(rule).members(PEOPLE, engine=on, audiences=audiences)
        for rule in (text, f"not ({text})")
    )
    assert sorted(kept + rest) == IDS
    matched = ENGINE.rule(text)
    one_by_one = [
        person["id"]
        for person in PEOPLE
        if matched.matches(
            person, audiences={k: person["id"] in ids for k, ids in audiences.items()}
        )
    ]
    assert kept == one_by_one
