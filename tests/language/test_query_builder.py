"""Query-builder JSON: what it may say, and where it is refused."""

import json
import time
from typing import Any

import pytest

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.spans import Pointer
from segment_engine.expression.nodes import walk
from segment_engine.expression.schema import Schema
from segment_engine.expression.spelling import spell
from segment_engine.language.parse import parse
from segment_engine.language.query_builder import read, write
from tests.language.query_builder_schema import SCHEMA


def rule(field: Any, operator: Any, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value, **more}


def group(*rules: Any, combinator: Any = "and", **more: Any) -> dict[str, Any]:
    return {"combinator": combinator, "rules": list(rules), **more}


def named(field: Any, operator: Any, value: Any) -> dict[str, Any]:
    return rule(field, operator, value, valueSource="field")


def findings(query: Any, schema: Schema = SCHEMA) -> list[tuple[str, str]]:
    log = Log()
    assert read(query, schema, log) is None
    assert all(isinstance(item.span, Pointer) for item in log.found)
    return [(item.code, getattr(item.span, "path", "?")) for item in log.found]


SAID = [
    (rule("totalOrders", ">=", 3), "totalOrders >= 3"),
    (rule("totalOrders", "==", "3"), "totalOrders = 3"),
    (rule("totalOrderValue", "<", "-19.90"), "totalOrderValue < -19.9"),
    (rule("totalOrders", "=", 1e-7), "totalOrders = 0.0000001"),
    (rule("order total", "!=", 1), "`order total` != 1"),
    (rule("between", "notBetween", [1, 2]), "`between` not between 1 and 2"),
    (rule("2026-01", "=", 1), "`2026-01` = 1"),
    (rule("totalOrders", "between", "1, 5"), "totalOrders between 1 and 5"),
    (rule("totalOrders", "in", "1,2, 3,"), "totalOrders in (1, 2, 3)"),
    (rule("totalOrders", "in", 7), "totalOrders in (7)"),
    (rule("email", "in", r"a\, b, c"), 'email in ("a, b", "c")'),
    (rule("email", "notIn", ["a, b", ""]), 'email not in ("a, b", "")'),
    (rule("email", "=", "5"), 'email = "5"'),
    (rule("email", "contains", "~"), 'email contains "~"'),
    (rule("email", "doesNotBeginWith", "a"), 'email not starts with "a"'),
    (rule("email", "endsWith", "B", ignoreCase=True), 'email ends with "B" ignoring case'),
    (rule("phone", "matches", '^"[0-9]+$'), r'phone matches "^\"[0-9]+$"'),
    (rule("phone", "null", "anything"), "phone is missing"),
    ({"field": "phone", "operator": "notNull"}, "phone exists"),
    (rule("phone", "isNotEmpty"), "phone is not empty"),
    (rule("subscribed", "=", True), "subscribed = true"),
    (rule("tags", "containsAny", "vip, press"), 'tags contains any ("vip", "press")'),
    (rule("scores", "containsAll", "1, 2.50"), "scores contains all (1, 2.5)"),
    (rule("visits", "contains", "last month"), "visits contains last month"),
    (rule("lastOrderAt", ">", "2026-01-31"), "lastOrderAt > 2026-01-31"),
    (rule("lastOrderAt", "<", {"datetime": "NOW"}), "lastOrderAt < now"),
    (rule("lastOrderAt", "during", "2026"), "lastOrderAt during 2026"),
    (rule("lastOrderAt", "notDuring", 2026), "lastOrderAt not during 2026"),
    (rule("metadata.seen", "before", 2026), "metadata.seen before 2026"),
    (rule("birthday", "in", "today, 2026-02"), "birthday in (today, 2026-02)"),
    (rule("createdAt", "withinLast", "1 days"), "createdAt within last 1 day"),
    (rule("metadata.seen", "notOlderThan", "2 weeks"), "metadata.seen not older than 2 weeks"),
    (rule("metadata.seen", "before", "2026-01-31"), "metadata.seen before 2026-01-31"),
    (rule("metadata.seen", "=", "2026-01-31"), 'metadata.seen = "2026-01-31"'),
    (rule("metadata.seen", "=", {"datetime": "30 days ago"}), "metadata.seen = 30 days ago"),
    (rule("metadata.n", "=", "5"), 'metadata.n = "5"'),
    (rule("metadata.n", "in", [5, True, "x"]), 'metadata.n in (5, true, "x")'),
    (rule("metadata.n", "=", {"number": "0.1"}), "metadata.n = 0.1"),
    (rule("metadata.points", "=", "5"), "metadata.points = 5"),
    (rule('metadata["a.b"][0].c', "=", 1), 'metadata["a.b"][0].c = 1'),
    (rule("year(createdAt)", "in", "2025, 2026"), "year(createdAt) in (2025, 2026)"),
    (rule("anniversary of createdAt", "on", "today"), "anniversary of createdAt on today"),
    (rule("totalOrderValue/totalOrders", ">", 9), "totalOrderValue / totalOrders > 9"),
    (named("totalOrders", ">", "metadata.n"), "totalOrders > metadata.n"),
    (named("5", "<", "totalOrders"), "totalOrders > 5"),
    (named("totalOrders", "between", ["1", "order total"]), None),
    (named("totalOrders", "between", "metadata.low, metadata.high"), None),
    (rule("true", "=", True), "true"),
    (rule("true", "=", False), "false"),
    (rule("false", "=", True), "false"),
    (group(rule("phone", "null")), "phone is missing"),
    (group(rule("phone", "null"), **{"not": True}), "not phone is missing"),
    (group(rule("phone", "null"), **{"not": None, "muted": False}), "phone is missing"),
    (
        group(
            rule("phone", "null", id="a", path=[0], disabled=True, label={"x": [1]}),
            group(rule("true", "=", True), rule("totalOrders", ">", 2), combinator="OR"),
            id="root",
        ),
        "phone is missing and (true or totalOrders > 2)",
    ),
    (
        group(
            rule("nonsense", "?", muted=True),
            group("or", muted=True),
            rule("totalOrders", ">", 2),
        ),
        "totalOrders > 2",
    ),
]


@pytest.mark.parametrize(("query", "text"), SAID)
def test_says(query: Any, text: str | None) -> None:
    log = Log()
    expr = read(query, SCHEMA, log)
    assert expr is not None, log.found
    assert text is None or spell(expr) == text
    assert read(json.dumps(query), SCHEMA, Log()) == expr
    assert parse(spell(expr), SCHEMA, Log()) == expr
    assert read(json.dumps(write(expr)), SCHEMA, Log()) == expr
    assert all(isinstance(node.span, Pointer) for node in walk(expr))


FIRST = "/rules/0"
REFUSED = [
    ([], [("json-shape", "")]),
    (None, [("json-shape", "")]),
    ({}, [("json-shape", "/field"), ("json-shape", "/operator")]),
    (group(), [("empty-group", "")]),
    (group(rule("email", "null"), muted=True), [("empty-group", "")]),
    (group(group(), rule("email", "null")), [("empty-group", FIRST)]),
    (group(rule("email", "null", muted=True)), [("empty-group", "")]),
    ({"rules": [rule("email", "null")]}, [("json-shape", "/combinator")]),
    (group(rule("email", "null"), combinator="xor"), [("json-shape", "/combinator")]),
    ({"combinator": "and"}, [("json-shape", "/rules")]),
    (group(rule("email", "null"), "or", rule("phone", "null")), [("json-shape", "/rules/1")]),
    (group(5), [("json-shape", FIRST)]),
    (group(rule("email", "null"), **{"not": "yes"}), [("json-shape", "/not")]),
    (group(rule("email", "null"), **{"Not": True}), [("json-shape", "/Not")]),
    (group(rule("email", "null"), field="email"), [("json-shape", "/field")]),
    (rule("email", "=", "a", **{"not": True}), [("json-shape", "/not")]),
    (rule("email", "=", "a", ignore_case=True), [("json-shape", "/ignore_case")]),
    (rule("email", "=", "a", ignoreCase=1), [("json-shape", "/ignoreCase")]),
    (rule("tags", "contains", "a", match={"mode": "all"}), [("json-shape", "/match")]),
    (rule("~", "=", "a"), [("placeholder", "/field")]),
    (rule("", "~", "a"), [("placeholder", "/field"), ("placeholder", "/operator")]),
    (named("email", "=", "~"), [("placeholder", "/value")]),
    (rule("totalOrder", ">", 1), [("unknown-field", "/field")]),
    (rule("last order at", "=", "today"), [("unknown-field", "/field")]),
    (rule("totalOrders +", ">", 1), [("syntax", "/field")]),
    (rule("email\ud800", "=", "a"), [("bad-character", "/field")]),
    (rule("email and phone", "=", "a"), None),
    (rule("email", "begins with", "a"), [("unknown-operator", "/operator")]),
    (rule("email", 5, "a"), [("json-shape", "/operator")]),
    ({"field": "email", "operator": "="}, [("json-shape", "")]),
    (rule("email", "="), [("null-comparison", "/value")]),
    (rule("email", "=", ["a"]), [("json-shape", "/value")]),
    (rule("email", "=", {"date": "a"}), [("json-shape", "/value")]),
    (rule("email", "=", "a\x00"), [("bad-character", "/value")]),
    (rule("email", "=", 5), [("type-mismatch", "/value")]),
    (rule("email", "contains", ""), [("empty-needle", "/value")]),
    (rule("email", "in", []), [("empty-list", "/value")]),
    (rule("email", "in", " , "), [("empty-list", "/value")]),
    (rule("email", "in", ["a", None]), [("null-in-list", "/value/1")]),
    (rule("email", "in", [None, "a"]), [("null-in-list", "/value/0")]),
    (rule("email", "in", ["a", 1]), [("type-mismatch", "/value/1")]),
    (rule("email", "matches", "(?=a)"), [("bad-pattern", "/value")]),
    (rule("email", "withinLast", "1 day"), [("operator-type", "")]),
    (rule("email", "=", "a", valueSource="fields"), [("json-shape", "/valueSource")]),
    (named("email", "in", ["phone"]), [("json-shape", "/value")]),
    (named("metadata.a", "=", "metadata.b"), [("cast-needed", "/value")]),
    (rule("subscribed", "=", "true"), [("type-mismatch", "/value")]),
    (rule("totalOrders", "=", "1,000"), [("type-mismatch", "/value")]),
    (rule("totalOrders", "=", "1e3"), [("type-mismatch", "/value")]),
    (rule("totalOrders", "=", 1e300), [("number-range", "/value")]),
    (rule("totalOrders", "between", [1, 2, 3]), [("json-shape", "/value")]),
    (rule("totalOrders", "between", "1"), [("json-shape", "/value")]),
    (rule("totalOrders", "between", [5, 1]), [("reversed-between", "/value/0")]),
    (rule("lastOrderAt", "=", "2026-02-30"), [("bad-date", "/value")]),
    (rule("lastOrderAt", "=", "2026"), [("bad-date", "/value")]),
    (rule("metadata.a", "=", {"datetime": "soon"}), [("bad-date", "/value/datetime")]),
    (rule("metadata.a", "=", {"number": "five"}), [("json-shape", "/value")]),
    (rule("lastOrderAt", "withinLast", 30), [("bad-duration", "/value")]),
    (rule("true", "=", 1), [("json-shape", "")]),
    (rule("5", "=", 5), [("constant-comparison", "/field")]),
    (rule("email", "in", ["a"] * 10_001), [("limit", "/value")]),
    (group(*[rule("email", "null")] * 2_001), [("limit", "/rules/2000")]),
    (group(*[rule("email", "=", "x" * 600_000)] * 2), [("limit", "/rules/1/value")]),
    (
        group(rule("nope", "!", 1), group(rule("totalOrders", "=", "many"), rule("", "=", 2))),
        [
            ("unknown-field", "/rules/0/field"),
            ("unknown-operator", "/rules/0/operator"),
            ("type-mismatch", "/rules/1/rules/0/value"),
            ("placeholder", "/rules/1/rules/1/field"),
        ],
    ),
]


@pytest.mark.parametrize(("query", "expected"), REFUSED)
def test_refuses(query: Any, expected: list[tuple[str, str]] | None) -> None:
    found = findings(query)
    assert found == expected if expected is not None else found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "json-syntax"),
        ('{"combinator": "and", "rules": [}', "json-syntax"),
        ('{"field": "totalOrders", "operator": "=", "value": NaN}', "json-syntax"),
        ('{"field": "totalOrders", "operator": "=", "value": -Infinity}', "json-syntax"),
        ('{"field": "email", "field": "phone", "operator": "null"}', "json-syntax"),
        ('{"field": "totalOrders", "operator": "=", "value": 1e999999999}', "number-range"),
        ('{"field": "totalOrders", "operator": "=", "value": 1e-999999999}', "number-range"),
        ('{"field": "totalOrders", "operator": "=", "value": 1e99999999999999999999}', None),
        ('{"field": "totalOrders", "operator": "=", "value": ' + "9" * 9_999 + "}", None),
        ("[" * 60_000, "limit"),
        ("{" * 1_000_000, "limit"),
        ('{"rules":[' * 60_000, "limit"),
        ('{"x": "' + "é" * 600_000 + '"}', "limit"),
    ],
)
def test_refuses_json_text_at_once(text: str, code: str | None) -> None:
    start = time.process_time()
    found = findings(text)
    assert [item[0] for item in found] == [code or "number-range"]
    assert time.process_time() - start < 1


def test_a_circle_is_too_deep() -> None:
    circle = group(rule("email", "null"))
    circle["rules"].append(circle)
    assert [code for code, _ in findings(circle)] == ["limit"]


@pytest.mark.parametrize("opening", ["not ", "totalOrders > 1 and (phone exists or ("])
def test_is_as_deep_as_text(opening: str) -> None:
    count = 64 // max(1, opening.count("("))
    text = opening * count + "totalOrders > 2" + ")" * (opening.count("(") * count)
    log = Log()
    expr = parse(text, SCHEMA, log)
    assert expr is not None, log.found
    query = write(expr)
    assert read(json.dumps(query), SCHEMA, log) == expr, log.found
    deeper = group(rule("phone", "null"), group(query, query, combinator="or"))
    assert [code for code, _ in findings(deeper)] == ["limit"]


def test_suggests_names_and_whole_texts() -> None:
    log = Log()
    query = group(rule("Totalorders", ">", 1), rule("email", "startsWith", "a"))
    query["rules"].append(rule("metadata.a + 1,000", ">", 1))
    assert read(query, SCHEMA, log) is None
    assert log.found[0].suggestion == "totalOrders"
    assert log.found[1].code == "unknown-operator" and log.found[1].help
    assert log.found[2].suggestion == "metadata.a + 1000"


def test_a_field_called_true_is_told_from_the_rule() -> None:
    schema = Schema({"true": "boolean", "b": "text"})
    assert findings(rule("true", "=", True), schema) == [("ambiguous-field", "/field")]
    expr = parse("`true` = true", schema, Log())
    assert expr is not None
    assert read(write(expr), schema, Log()) == expr
