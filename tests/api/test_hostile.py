"""Texts, numbers and bytes that are meant to do harm, wherever something can be written."""

import json
import socket
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api.serving import AUDIENCES, CONSUMERS, ROW, Shop, answered

JSON = {"Content-Type": "application/json"}
TEXTS = (
    "'; drop table consumers; select '",
    '" or 1=1) -- %_\\',
    "../../../etc/passwd\r\nSet-Cookie: x=1",
    "${jndi:ldap://x}{{7*7}}%s%(x)s $1 ? :x",
)


def places(shop: Shop, text: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Requests that have the text where a text may stand."""
    mine = f"{AUDIENCES}/{shop.audience(type='STATIC')['id']}"
    row, word = {**ROW, "field": "fullName"}, quote(text, safe="")
    bodies: list[tuple[str, str, Any]] = [
        *(
            ("POST", AUDIENCES, {"name": "x", "type": "DYNAMIC", **one})
            for one in (
                {"type": text},
                {"expression": text},
                {"expression": f"fullName = {json.dumps(text)}"},
                {"expression": f"in audience {json.dumps(text)}"},
                {"rules": [{**row, "operator": "EQUALS", "values": [text]}]},
                {"rules": [{**row, "operator": "MATCHES", "values": [text]}]},
                {"rules": [{**row, "field": text}]},
                {"rules": [{**row, "field": f"metadata.{text}"}]},
                {"rules": [{**row, "operator": text}]},
                {"rules": [{**row, "groupId": text, "id": text}]},
                {text: text},
            )
        ),
        ("PUT", mine, {"name": text, "description": text, "iconName": text[:9]}),
        ("PUT", mine, {"metadata": {text: [text, {text: text}]}}),
        ("POST", f"{mine}/members", {"consumerIds": [text]}),
        ("DELETE", f"{mine}/members", {"consumerIds": [text]}),
        ("POST", f"{AUDIENCES}/preview", {"expression": text}),
        *(
            ("POST", CONSUMERS, {"consumers": [{"externalId": "7", name: text}]})
            for name in ("id", "email", "phone", "fullName", "externalId", "totalOrderValue")
        ),
        ("POST", CONSUMERS, {"consumers": [{"externalId": "7", "lastOrderAt": text}]}),
        ("POST", CONSUMERS, {"consumers": [{"externalId": "7", "metadata": {text: text}}]}),
        (
            "POST",
            f"{AUDIENCES}/loyalty-tiers",
            {
                "groupName": text,
                "attribute": text,
                "tiers": [{"name": text, "order": 1, "startValue": 0, "iconName": text}],
            },
        ),
    ]
    paths = [AUDIENCES, f"{AUDIENCES}/groups", CONSUMERS]
    parts = ("members", "changes", "rules", "status", "count", "imports")
    queries = ("search", "after", "sortBy", "type", "include", "generation", "first", text)
    return [
        *((method, path, {"json": body}) for method, path, body in bodies),
        *(("GET", f"{path}/{word}", {}) for path in paths),
        *(("GET", f"{AUDIENCES}/{word}/{part}", {}) for part in parts),
        *(("GET", mine, {"headers": {"If-None-Match": one}}) for one in [text.split("\r")[0]]),
        *(
            ("GET", path, {"params": {name: text}})
            for path in (AUDIENCES, f"{mine}/members", f"{mine}/changes")
            for name in queries
        ),
    ]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_no_text_does_anything(shop: Shop, text: str) -> None:
    (kept,) = shop.consumers({"externalId": "kept", "fullName": text})
    for method, path, sent in places(shop, text):
        answer = shop.ask(method, path, **sent)
        assert answer.status_code < 500, (method, path, sent)
        assert "set-cookie" not in answer.headers
    assert answered(shop.ask("GET", f"{CONSUMERS}/{kept}"))["fullName"] == text.strip()
    assert '"fault"' not in shop.served.log.read_text("utf-8")


NUMBERS = ("0.1", "1e2", "-0.0", "123456789012345678901234567890.123456", "9007199254740993")


def test_numbers_come_back_as_they_were(shop: Shop) -> None:
    for number in NUMBERS:
        body = (
            f'{{"name": "n", "type": "DYNAMIC", "metadata": {{"n": {number}}}, "rules": '
            f'[{{"field": "metadata.n", "operator": "EQUALS", "values": [{number}]}}]}}'
        )
        made = shop.ask("POST", AUDIENCES, content=body, headers=JSON)
        told = json.loads(made.text, parse_float=Decimal, parse_int=Decimal)
        assert told["metadata"]["n"] == Decimal(number)
        assert told["rules"][0]["values"] == [Decimal(number)]
        row = f'{{"consumers": [{{"externalId": "n", "metadata": {{"n": {number}}}}}]}}'
        sent = shop.ask("POST", CONSUMERS, content=row, headers=JSON)
        read = shop.ask("GET", f"{CONSUMERS}/{answered(sent)['data'][0]['id']}")
        assert json.loads(read.text, parse_float=Decimal)["metadata"]["n"] == Decimal(number)
        test = {"expression": f"metadata.n = {number}"}
        if "e" not in number:
            assert answered(shop.ask("POST", f"{AUDIENCES}/preview", json=test))["count"] == 1


@pytest.mark.parametrize("number", ["1e999999999", "-1e400", "9" * 5_000, "0." + "1" * 5_000])
def test_numbers_that_are_too_much_are_refused(shop: Shop, number: str) -> None:
    for path, body in (
        (AUDIENCES, '{"name": "n", "type": "STATIC", "refreshIntervalSeconds": %s}'),
        (AUDIENCES, '{"name": "n", "type": "DYNAMIC", "rules": [{"field": "totalOrders", '
         '"operator": "EQUALS", "values": [%s]}]}'),
        (AUDIENCES, '{"name": "n", "type": "STATIC", "metadata": {"n": %s}}'),
        (f"{AUDIENCES}/preview", '{"expression": "phone exists", "first": %s}'),
        (f"{AUDIENCES}/loyalty-tiers", '{"groupName": "g", "tiers": [{"name": "a", "order": 1, '
         '"startValue": %s}]}'),
        (CONSUMERS, '{"consumers": [{"externalId": "x", "totalOrders": %s}]}'),
        (CONSUMERS, '{"consumers": [{"externalId": "x", "totalOrderValue": %s}]}'),
        (CONSUMERS, '{"consumers": [{"externalId": "x", "metadata": {"n": %s}}]}'),
    ):  # fmt: skip
        answer = shop.ask("POST", path, content=body % number, headers=JSON, timeout=10)
        assert answer.status_code in (201, 200, 400), (path, answer.text)


POST = b"POST /api/v1/consumers HTTP/1.1\r\nHost: x\r\nContent-Length: "
RAW = (
    b"GET /api/v1/audiences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n b\r\n\r\n",
    b"GET /api/v1/audiences HTTP/1.1\r\nHost: x\r\nX: a\rSet-Cookie: x=1\r\n\r\n",
    POST + b"-1\r\n\r\n{}",
    POST + b"9\r\nContent-Length: 2\r\n\r\n{}",
    POST + b"99999999999999999999\r\n\r\n{}",
    b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
)


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_bytes_that_are_no_request_are_refused(shop: Shop, raw: bytes) -> None:
    place = httpx.URL(shop.served.address)
    with socket.create_connection((place.host, place.port or 0), 20) as connection:
        told = b""
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                told += part
        except OSError:  # it was closed before all was sent
            pass
    status = told.split(b" ", 2)[1:2]
    assert status in ([], [b"400"], [b"401"], [b"404"], [b"413"], [b"431"]), told
    assert b"set-cookie" not in told.lower()
    answered(shop.ask("GET", AUDIENCES))


def test_a_key_of_another_organization_reaches_nothing(shop: Shop, another: Shop) -> None:
    """What names another thing inside a body or a query, and not in the path."""
    shop.consumers({"externalId": "theirs", "email": "a@b.c"})
    theirs = shop.audience(name="theirs", expression="email exists")["id"]
    tiers = {"groupName": "g", "tiers": [{"name": "a", "order": 1, "startValue": 0}]}
    made = answered(shop.ask("POST", f"{AUDIENCES}/loyalty-tiers", json=tiers), 201)
    own = answered(another.ask("POST", f"{AUDIENCES}/loyalty-tiers", json=tiers), 201)
    shop.publish()
    tier = made["audiences"][0]["id"]
    moved = {"tiers": [{**tiers["tiers"][0], "audienceId": tier}]}  # type: ignore[dict-item]
    path = f"{AUDIENCES}/loyalty-tiers/{own['groupId']}"
    answered(another.ask("PUT", path, json=moved), 400)
    members = f"{AUDIENCES}/groups/{own['groupId']}/members"
    answered(another.ask("GET", members, params={"audienceId": tier}), 404)
    for named in (theirs, "theirs"):
        rule = {"expression": f'in audience "{named}"'}
        answered(another.ask("POST", f"{AUDIENCES}/preview", json=rule), 400)
    (same,) = another.consumers({"externalId": "theirs"})
    assert answered(another.ask("GET", f"{CONSUMERS}/{same}"))["email"] is None
    page = {"first": 1}
    cursor = answered(shop.ask("GET", f"{AUDIENCES}/{theirs}/members", params=page))["pageInfo"]
    mine = another.audience(name="mine", expression="email exists")["id"]
    another.publish()
    after = {"after": cursor["endCursor"]}
    answered(another.ask("GET", f"{AUDIENCES}/{mine}/members", params=after), 400)
    answered(another.ask("GET", f"{AUDIENCES}/{theirs}/members", params=after), 404)
