"""Rule rows of the Audiences API: limits, what Python can hand in, and what rows cannot say."""

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from segment_engine import Engine, RuleError
from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.spans import Pointer
from segment_engine.expression.nodes import walk
from segment_engine.expression.spelling import spell
from segment_engine.language.parse import parse
from segment_engine.language.rows import read, write
from tests.language.query_builder_schema import SCHEMA


def row(field: Any, operator: Any, *values: Any, **more: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "values": list(values), **more}


def findings(rows: Any) -> list[tuple[str, str]]:
    log = Log()
    assert read(rows, SCHEMA, log) is None
    assert all(isinstance(item.span, Pointer) for item in log.found)
    return [(item.code, getattr(item.span, "path", "?")) for item in log.found]


SAID = [
    ((row("email", "EXISTS"),), "email exists"),
    ([row("totalOrders", "EQUALS", 1e-7)], "totalOrders = 0.0000001"),
    ([row("totalOrders", "EQUALS", Decimal("1.50"))], "totalOrders = 1.5"),
    ([row("totalOrders", "EQUALS", 10**37)], f"totalOrders = {10**37}"),
    ([row("metadata.n", "EQUALS", 2**53 + 1)], f"metadata.n = {2**53 + 1}"),
    ([row("metadata.n", "EQUALS", -0.5)], "metadata.n = -0.5"),
    ([row("2026-01", "EQUALS", "1")], "`2026-01` = 1"),
    ([row("scores", "CONTAINS", "1", 2.5)], "scores contains any (1, 2.5)"),
    ([row("visits", "NOT_CONTAINS", "last month")], "visits not contains last month"),
    ([row("metadata.points", "IN", "5", 6)], "metadata.points in (5, 6)"),
    ([row("metadata.n", "IN", "5", 6, True)], 'metadata.n in ("5", 6, true)'),
    ([row("metadata.seen", "OLDER_THAN", "1 days")], "metadata.seen older than 1 day"),
    ([row("metadata.seen", "BETWEEN", "a", "b")], 'metadata.seen between "a" and "b"'),
    ([row('metadata["a.b"][0]', "NOT_EXISTS")], 'metadata["a.b"][0] is missing'),
    ([row("datetime(metadata.a)", "BEFORE", 2026)], "datetime(metadata.a) before 2026"),
    ([row("totalOrders * 2", "LESS_THAN", "9")], "totalOrders * 2 < 9"),
    ([row("email", "EXISTS", position=10**30), row("phone", "EXISTS", position=0)],
     "phone exists and email exists"),
    ([row("email", "EXISTS", groupId="é" * 64, id={"any": "thing"})], "email exists"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "text"), SAID, ids=[text for _, text in SAID])
def test_says(rows: Any, text: str) -> None:
    log = Log()
    expr = read(rows, SCHEMA, log)
    assert expr is not None, log.found
    assert spell(expr) == text
    assert parse(text, SCHEMA, Log()) == expr
    assert all(isinstance(node.span, Pointer) for node in walk(expr))
    written = write(expr, log)
    assert written is not None, log.found
    assert read(json.dumps(written, allow_nan=False), SCHEMA, log) == expr


REFUSED = [
    (None, [("json-shape", "")]),
    ("[1] 2", [("json-syntax", "")]),
    ([None], [("json-shape", "/0")]),
    ([row(None, "EXISTS")], [("json-shape", "/0/field")]),
    ([row("email", None)], [("json-shape", "/0/operator")]),
    ([row("email", "")], [("placeholder", "/0/operator")]),
    ([row("email", ["EXISTS"])], [("json-shape", "/0/operator")]),
    ([row("email", "EXISTS", **{"a/b~c": 1})], [("json-shape", "/0/a~1b~0c")]),
    ([{**row("email", "EXISTS"), 5: 1}], [("json-shape", "/0/5")]),
    ([row("email", "EQUALS", "a", ignoreCase=True)], [("json-shape", "/0/ignoreCase")]),
    ([{**row("email", "EXISTS"), "values": {"a": 1}}], [("json-shape", "/0/values")]),
    ([row("email", "EQUALS", b"a")], [("json-shape", "/0/values/0")]),
    ([row("email", "EQUALS", "a\x00")], [("bad-character", "/0/values/0")]),
    ([row("email", "MATCHES", "(?=a)")], [("bad-pattern", "/0/values/0")]),
    ([row("totalOrders", "EQUALS", Decimal("sNaN"))], [("json-shape", "/0/values/0")]),
    ([row("totalOrders", "EQUALS", float("-inf"))], [("number-range", "/0/values/0")]),
    ([row("totalOrders", "EQUALS", 10**38)], [("number-range", "/0/values/0")]),
    ([row("totalOrders", "EQUALS", "1e3")], [("type-mismatch", "/0/values/0")]),
    ([row("metadata.n", "WITHIN_LAST", "soon")], [("bad-duration", "/0/values/0")]),
    ([row("email", "EXISTS", groupId="x" * 65)], [("json-shape", "/0/groupId")]),
    ([row("email", "EXISTS", position=Decimal(1))], [("json-shape", "/0/position")]),
    ([row("email", "IN", *["a"] * 10_001)], [("limit", "/0/values")]),
    ([row("email", "EXISTS")] * 2_001, [("limit", "/2000")]),
    ([row("email", "EQUALS", "x" * 600_000)] * 2, [("limit", "/1/values/0")]),
]


@pytest.mark.parametrize(("rows", "expected"), REFUSED)
def test_refuses(rows: Any, expected: list[tuple[str, str]]) -> None:
    assert findings(rows) == expected


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ("[" * 1_000_000, "limit"),
        ('[{"values":' * 90_000, "limit"),
        ('[{"field": "' + "é" * 600_000 + '"}]', "limit"),
        ("[" + "1," * 500_000 + "1]", "limit"),
        ([1] * 10**6, "limit"),
        ([{str(n): n for n in range(10**6)}], "limit"),
        ('[{"field": "totalOrders", "operator": "IN", "values": [1e999999999]}]', "number-range"),
        ('[{"field": "totalOrders", "operator": "IN", "values": [1e99999999999999999999]}]',
         "number-range"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_refuses_excess_at_once(rows: Any, code: str) -> None:
    start = time.process_time()
    assert findings(rows)[-1][0] == code
    assert time.process_time() - start < 10


def test_no_rows_are_nobody() -> None:
    engine = Engine()
    for nothing in ([], (), "[]", " [ ]"):
        rule = engine.rule(nothing)
        assert (rule.text, rule.to_rows(), rule.matches({})) == ("false", [], False)


def test_writes_the_rows_of_the_api() -> None:
    rule = Engine().rule('email = "a" and (phone exists or totalOrders in (1, 2)) and email exists')
    assert rule.to_rows() == [
        {"field": "email", "operator": "EQUALS", "values": ["a"], "groupId": None, "position": 0},
        {"field": "phone", "operator": "EXISTS", "values": [], "groupId": "1", "position": 1},
        {"field": "totalOrders", "operator": "IN", "values": [1, 2], "groupId": "1", "position": 2},
        {"field": "email", "operator": "EXISTS", "values": [], "groupId": None, "position": 3},
    ]


def test_one_value_of_contains_any_is_contains() -> None:
    rule = Engine().rule('metadata.tags not contains any ("a")')
    again = Engine().rule(rule.to_rows())
    assert again.text == 'metadata.tags not contains "a"'
    assert again.hash == rule.hash


def test_exact_numbers_survive() -> None:
    engine = Engine()
    for text in ("totalOrderValue = 12345678901234567.89", f"metadata.id = {2**53 + 1}"):
        rule = engine.rule(text)
        assert engine.rule(json.dumps(rule.to_rows())) == rule


UNSAID = [
    ("email exists and phone exists or true", ["`and` inside `or`", "keeps everybody, or nobody"]),
    ("phone exists and not (email exists or true)", ["`not` of anything but one condition"]),
    ("not true", ["`not` of anything but one condition"]),
    ("not (totalOrders <= 3)", ["operator for the `not` of `<=`"]),
    ("email is not empty", ["operator for the `not` of `is empty`"]),
    ("tags contains all (\"a\")", ["operator for `contains all`"]),
    ('email = "a" ignoring case', ["`ignoring case`"]),
    ("lastOrderAt > createdAt", ["field on the right of `>`"]),
    ("metadata.seen in (today)", ["time for a path of no declared type"]),
    ("metadata.n = 0.12345678901234567", ["decimal beyond a double"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lacking"), UNSAID, ids=[text for text, _ in UNSAID])
def test_names_what_rows_cannot_say(text: str, lacking: list[str]) -> None:
    rule = Engine(SCHEMA).rule(text)
    with pytest.raises(RuleError) as raised:
        rule.to_rows()
    found = raised.value.diagnostics
    assert [item.code for item in found] == ["not-in-rows"] * len(lacking)
    for item, words in zip(found, lacking, strict=True):
        said, _, part = item.message.partition(": ")
        assert words in said and item.help
        assert part.strip("`") in rule.text
    assert raised.value.source == text
