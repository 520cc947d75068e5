"""Every problem has one shape, its documented words and its status."""

import json
from typing import Any

import pytest
from sqlalchemy import update

from segment_engine.store.generations import KEEP_FOR
from segment_engine.store.tables import generations
from tests.api.serving import AUDIENCES, CONSUMERS, Shop, answered

JSON = {"Content-Type": "application/json"}
RULE = {"field": "totalOrders", "operator": "EQUALS", "values": [1]}
A, C, G = f"{AUDIENCES}/aud_none", f"{CONSUMERS}/cons_none", f"{AUDIENCES}/groups/grp_none"

NOT_FOUND = [
    *((method, A, "Audience not found") for method in ("GET", "DELETE")),
    *(
        ("GET", f"{A}/{part}", "Audience not found")
        for part in ("members", "count", "changes", "rules", "status")
    ),
    ("POST", f"{A}/refresh", "Audience not found"),
    *((method, C, "Consumer not found") for method in ("GET", "DELETE")),
    ("GET", f"{C}/audiences", "Consumer not found"),
    *((method, G, "Group not found") for method in ("GET", "DELETE")),
    ("GET", f"{G}/members", "Group not found"),
    ("GET", "/api/v1/nothing", "Not found"),
    ("GET", "/nothing", "Not found"),
    ("GET", f"{AUDIENCES}/%27%3B%20drop%20table%20audiences%3B--", "Audience not found"),
    ("GET", f"{AUDIENCES}/%00", "Audience not found"),
    ("GET", f"{AUDIENCES}/%F0%9F%92%A9%ED%A0%80", "Audience not found"),
    ("GET", f"{AUDIENCES}/..%2f..%2fetc%2fpasswd", "Not found"),
]

WRONG_BODIES: list[tuple[Any, str]] = [
    ({"name": "x"}, "type"),
    ({"name": "", "type": "STATIC"}, "name"),
    ({"name": 3, "type": "STATIC"}, "name"),
    ({"name": "x", "type": "OTHER"}, "type"),
    ({"name": "x", "type": "STATIC", "colour": 1}, "colour"),
    ({"name": "x", "type": "STATIC", "rules": [RULE]}, "rules"),
    ({"name": "x", "type": "DYNAMIC", "rules": [RULE], "expression": "phone exists"}, "body"),
    ({"name": "x", "type": "DYNAMIC", "rules": [{**RULE, "values": [None]}]}, "rules.0.values.0"),
    ({"name": "x", "type": "DYNAMIC", "rules": [{**RULE, "operator": "IS"}]}, "rules.0.operator"),
    ({"name": "x", "type": "DYNAMIC", "expression": "totalOrders >"}, "expression"),
    ({"name": "x", "type": "DYNAMIC", "refreshIntervalSeconds": 59}, "refreshIntervalSeconds"),
    ({"name": "x", "type": "STATIC", "metadata": []}, "metadata"),
    ([], "body"),
]

NO_JSON = [
    b"{",
    b"\xff",
    b'{"name": NaN}',
    b'{"name": 1, "name": 2}',
    b'{"name": "\\u0000"}',
    b'{"name": "\\ud800"}',
    b"[" * 100_000,
    b'{"metadata": ' + b'{"a":' * 101 + b"1" + b"}" * 102,
]

WRONG_QUERIES = [
    "colour=1",
    "first=0",
    "first=101",
    "first=x",
    "first=1&first=2",
    "first=1&last=1",
    "after=x&before=x",
    "include=everything",
    "sortBy=id",
    "sortDir=up",
    "archived=maybe",
    "type=x",
    "search=%00",
    "after=nonsense",
]


def problem(answer: Any, status: int, words: str | None = None) -> dict[str, Any]:
    """A problem, which has the shape that all have."""
    told: dict[str, Any] = answered(answer, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["type"] == f"urn:segment-engine:problem:{told['code']}"
    assert told["title"] == told["error"] and told["status"] == status
    assert words is None or told["error"] == words
    return told


@pytest.mark.parametrize(("method", "path", "words"), NOT_FOUND)
def test_what_there_is_not(shop: Shop, method: str, path: str, words: str) -> None:
    problem(shop.ask(method, path), 404, words)


@pytest.mark.parametrize(("body", "field"), WRONG_BODIES)
def test_wrong_bodies_name_the_field(shop: Shop, body: Any, field: str) -> None:
    told = problem(shop.ask("POST", AUDIENCES, json=body), 400)
    assert [one["field"] for one in told["details"]] == [field]


@pytest.mark.parametrize("body", NO_JSON, ids=range(len(NO_JSON)))
def test_what_is_no_json_with_one_meaning(shop: Shop, body: bytes) -> None:
    problem(shop.ask("POST", AUDIENCES, content=body, headers=JSON), 400)
    problem(shop.ask("POST", CONSUMERS, content=body, headers=JSON), 400)


@pytest.mark.parametrize("query", WRONG_QUERIES)
def test_wrong_queries(shop: Shop, query: str) -> None:
    told = problem(shop.ask("GET", f"{AUDIENCES}?{query}"), 400)
    assert told["details"] or told["error"] == "Invalid cursor"


@pytest.mark.parametrize("body", [b"2.5", b"7", b'"x"', b"[]"])
def test_what_is_no_object_is_not_one_of_defaults(shop: Shop, body: bytes) -> None:
    path = f"{AUDIENCES}/{shop.audience(type='STATIC')['id']}"
    for method, place in (("PUT", path), ("POST", f"{path}/import")):
        told = problem(shop.ask(method, place, content=body, headers=JSON), 400)
        assert [one["field"] for one in told["details"]] == ["body"]


def test_an_expression_is_wrong_at_its_characters(shop: Shop) -> None:
    body = {"name": "x", "type": "DYNAMIC", "expression": "totalOrders > 3 and totalOrder < 9"}
    (detail,) = problem(shop.ask("POST", AUDIENCES, json=body), 400)["details"]
    assert detail["span"] == {"start": 20, "end": 30} and detail["field"] == "expression"
    body = {"expression": body["expression"]}
    assert problem(shop.ask("POST", f"{AUDIENCES}/preview", json=body), 400)["details"] == [detail]
    assert problem(shop.ask("POST", f"{AUDIENCES}/preview", json={}), 400)


def test_methods_types_and_sizes(shop: Shop) -> None:
    path = f"{AUDIENCES}/{shop.audience()['id']}"
    refused = shop.ask("PATCH", path)
    problem(refused, 405)
    assert refused.headers["allow"] == "DELETE, GET, PUT"
    problem(shop.ask("TRACE", AUDIENCES), 405)
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        sent = {"Content-Type": kind}
        problem(shop.ask("POST", AUDIENCES, content=b"{}", headers=sent), 415)
        problem(shop.ask("POST", CONSUMERS, content=b"{}", headers=sent), 415)
    large = b'{"name": "' + b"x" * 2_000_000 + b'"}'
    problem(shop.ask("POST", AUDIENCES, content=large, headers=JSON), 413)
    chunks = (large[at : at + 65_536] for at in range(0, len(large), 65_536))
    problem(shop.ask("POST", AUDIENCES, content=chunks, headers=JSON), 413)


def test_what_speaks_against_it(shop: Shop) -> None:
    audience = shop.audience(name="inner", expression="phone exists")
    path = f"{AUDIENCES}/{audience['id']}"
    outer = shop.audience(name="outer", expression='in audience "inner"')
    problem(shop.ask("DELETE", path), 409)
    told = problem(shop.ask("PUT", path, json={"expression": 'in audience "outer"'}), 400)
    assert told["details"]
    answered(shop.ask("DELETE", f"{AUDIENCES}/{outer['id']}"))
    problem(shop.ask("PUT", path, json={"type": "STATIC"}), 400)
    unsaid = shop.audience(
        name="x", expression="phone exists or (email exists and totalOrders > 3)"
    )
    assert unsaid["rules"] == []
    problem(shop.ask("POST", f"{AUDIENCES}/{unsaid['id']}/rules", json=RULE), 409)
    some = shop.consumers({"email": "a@b.c"})
    body = {"consumerIds": some}
    problem(shop.ask("POST", f"{path}/members", json=body), 400, "Audience is not a static list")
    static = f"{AUDIENCES}/{shop.audience(name='list', type='STATIC')['id']}/members"
    problem(shop.ask("POST", static, json={"consumerIds": ["cons_none"]}), 400)
    tiers = [
        {"name": "a", "order": 1, "startValue": 0, "endValue": 5},
        {"name": "b", "order": 2, "startValue": 4},
    ]
    tiers_body = {"groupName": "g", "tiers": tiers}
    problem(shop.ask("POST", f"{AUDIENCES}/loyalty-tiers", json=tiers_body), 400)


def test_a_key_makes_a_request_happen_once(shop: Shop, another: Shop) -> None:
    key = {"Idempotency-Key": "once"}
    body = {"name": "once", "type": "STATIC"}
    first = shop.ask("POST", AUDIENCES, json=body, headers=key)
    again = shop.ask("POST", AUDIENCES, json=body, headers=key)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["etag"] == first.headers["etag"]
    assert "idempotent-replayed" not in first.headers
    problem(shop.ask("POST", AUDIENCES, json={**body, "name": "x"}, headers=key), 422)
    theirs = another.ask("POST", AUDIENCES, json=body, headers=key)
    assert theirs.status_code == 201 and theirs.json()["id"] != first.json()["id"]
    wrong = {"Idempotency-Key": "wrong"}
    problem(shop.ask("POST", AUDIENCES, json={}, headers=wrong), 400)
    assert shop.ask("POST", AUDIENCES, json=body, headers=wrong).status_code == 201
    for bad in ("", "x" * 256, "ä b".encode()):
        problem(shop.ask("POST", AUDIENCES, json=body, headers={"Idempotency-Key": bad}), 400)


def test_a_walk_ends_with_its_generation(shop: Shop) -> None:
    shop.consumers(*({"email": f"p{n}@b.c"} for n in range(3)))
    path = f"{AUDIENCES}/{shop.audience(expression='email exists')['id']}"
    first = shop.publish()
    cursors = {
        part: answered(shop.ask("GET", f"{path}/{part}", params={"first": 1}))["pageInfo"]
        for part in ("members", "changes")
    }
    for n in (3, 4):  # of the last two generations none is dropped, and none that is young
        problems = [
            shop.ask("GET", f"{path}/{part}", params={"after": one["endCursor"]}).status_code
            for part, one in cursors.items()
        ]
        assert problems == [200, 200]
        with shop.store.store.database.writing() as connection:
            aged = update(generations).where(generations.c.organization == shop.id)
            connection.execute(aged.values(created_at=generations.c.created_at - KEEP_FOR))
        shop.consumers({"email": f"p{n}@b.c"})
        assert shop.publish() == first + n - 2
    for part, one in cursors.items():
        gone = shop.ask("GET", f"{path}/{part}", params={"after": one["endCursor"]})
        assert problem(gone, 410, "Cursor expired")["code"] == "cursor-expired"
    problem(shop.ask("GET", f"{path}/changes", params={"generation": first}), 410)
    problem(shop.ask("GET", f"{path}/changes", params={"generation": first + 9}), 404)
    assert len(answered(shop.ask("GET", f"{path}/members"))["data"]) == 5


def test_large_rules_are_answered_soon(shop: Shop) -> None:
    long = json.dumps({"name": "x", "type": "DYNAMIC", "expression": "phone exists or " * 62_500})
    assert len(long) > 1_000_000
    problem(shop.ask("POST", AUDIENCES, content=long, headers=JSON, timeout=10), 400)
    rows = {"name": "x", "type": "DYNAMIC", "rules": [RULE] * 10_000}
    answer = shop.ask("POST", AUDIENCES, json=rows, timeout=10)
    assert answer.status_code in (201, 400), answer.text
