"""What others must not see, and what nobody must read in the logs."""

import json
from typing import Any

import httpx
import pytest

from tests.api.serving import AUDIENCES, CONSUMERS, Served, Shop, answered

HOSTILE = (
    *("'; drop table consumers; --", '"', "%", "_%", "../../etc/passwd", "a\r\nSet-Cookie: x=1"),
    *("\\", "${jndi:ldap://x}", "{{7*7}}", "🎈", "\u202e", "$1", ":x", "?"),
)


def test_another_organization_finds_nothing(shop: Shop, another: Shop) -> None:
    (consumer,) = shop.consumers({"email": "a@b.c"})
    dynamic = shop.audience(expression="email exists")["id"]
    static = shop.audience(name="list", type="STATIC")["id"]
    body = {"groupName": "g", "tiers": [{"name": "a", "order": 1, "startValue": 0}]}
    group = answered(shop.ask("POST", f"{AUDIENCES}/loyalty-tiers", json=body), 201)["groupId"]
    shop.publish()
    another.publish()
    row = {"field": "phone", "operator": "EXISTS"}
    tier = {"tiers": body["tiers"]}
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"{AUDIENCES}/{dynamic}", None),
        ("PUT", f"{AUDIENCES}/{dynamic}", {"name": "mine"}),
        ("DELETE", f"{AUDIENCES}/{dynamic}", None),
        *(("GET", f"{AUDIENCES}/{dynamic}/{part}", None) for part in ("members", "count")),
        *(
            ("GET", f"{AUDIENCES}/{dynamic}/{part}", None)
            for part in ("changes", "rules", "status")
        ),
        ("POST", f"{AUDIENCES}/{dynamic}/refresh", None),
        ("POST", f"{AUDIENCES}/{dynamic}/rules", row),
        ("PUT", f"{AUDIENCES}/{dynamic}/rules", {"rules": [row]}),
        ("POST", f"{AUDIENCES}/{static}/members", {"consumerIds": [consumer]}),
        ("DELETE", f"{AUDIENCES}/{static}/members", {"consumerIds": [consumer]}),
        ("GET", f"{AUDIENCES}/groups/{group}", None),
        ("GET", f"{AUDIENCES}/groups/{group}/members", None),
        ("DELETE", f"{AUDIENCES}/groups/{group}", None),
        ("PUT", f"{AUDIENCES}/loyalty-tiers/{group}", tier),
        ("GET", f"{CONSUMERS}/{consumer}", None),
        ("GET", f"{CONSUMERS}/{consumer}/audiences", None),
        ("DELETE", f"{CONSUMERS}/{consumer}", None),
    ]
    for method, path, sent in asked:
        answered(another.ask(method, path, json=sent), 404)
    mine = another.audience(name="list", type="STATIC")["id"]
    sent = {"consumerIds": [consumer]}
    answered(another.ask("POST", f"{AUDIENCES}/{mine}/members", json=sent), 400)
    refers = {"name": "x", "type": "DYNAMIC", "expression": f'in audience "{dynamic}"'}
    answered(another.ask("POST", AUDIENCES, json=refers), 400)
    moved = {"consumers": [{"id": consumer, "email": "b@b.c"}]}
    another.ask("POST", CONSUMERS, json=moved)
    assert answered(shop.ask("GET", f"{CONSUMERS}/{consumer}"))["email"] == "a@b.c"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Basic eDp5", "sk_live_x", "Bearer sk_live_x", "Bearer a b",
     "Bearer " + "x" * 500, b"Bearer sk_live_\xff"],
)  # fmt: skip
def test_malformed_keys_are_refused(served: Served, header: Any) -> None:
    headers = {} if header is None else {"Authorization": header}
    with served.client() as client:
        for path in (AUDIENCES, "/api/v1/nothing"):
            answer = client.get(path, headers=headers)
            answered(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_is_revoked_at_once(shop: Shop) -> None:
    twice = [("Authorization", f"Bearer {shop.secret}")] * 2
    assert httpx.get(shop.served.address + AUDIENCES, headers=twice).status_code == 401
    answered(shop.ask("GET", AUDIENCES))
    shop.served.store.keys.revoke(shop.key.id)
    answered(shop.ask("GET", AUDIENCES), 401)


def test_a_cursor_is_good_for_its_query_alone(shop: Shop, another: Shop) -> None:
    shop.consumers(*({"email": f"p{n}@b.c"} for n in range(3)))
    ids = [shop.audience(name=f"a{n}", expression="email exists")["id"] for n in range(2)]
    shop.publish()
    path, page = f"{AUDIENCES}/{ids[0]}/members", {"first": 1}
    cursor = answered(shop.ask("GET", path, params=page))["pageInfo"]["endCursor"]
    answered(shop.ask("GET", path, params={"after": cursor}))
    answered(shop.ask("GET", path, params={"after": cursor, "search": "b.c"}), 400)
    answered(shop.ask("GET", f"{AUDIENCES}/{ids[1]}/members", params={"after": cursor}), 400)
    answered(shop.ask("GET", f"{AUDIENCES}/{ids[0]}/changes", params={"after": cursor}), 400)
    listed = answered(shop.ask("GET", AUDIENCES, params=page))["pageInfo"]["endCursor"]
    answered(shop.ask("GET", AUDIENCES, params={"after": listed, "sortDir": "desc"}), 400)
    answered(another.ask("GET", AUDIENCES, params={"after": listed}), 400)
    for at in range(len(cursor)):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        answered(shop.ask("GET", path, params={"after": changed}), 400)


def test_hostile_texts_are_texts(shop: Shop) -> None:
    for text in HOSTILE:  # one after the other: what one does to the next shows as well
        made = shop.audience(name=text, description=text, metadata={text: text})
        assert made["name"] == text.strip()
        assert made["metadata"] == {text: text}
        shop.consumers({"email": None, "externalId": text, "fullName": f"x {text}"})
        found = answered(shop.ask("GET", AUDIENCES, params={"search": text}))
        assert made["id"] in [one["id"] for one in found["data"]]
        rule = {"expression": f"fullName = {json.dumps('x ' + text, ensure_ascii=False)}"}
        assert shop.ask("POST", f"{AUDIENCES}/preview", json=rule).status_code in (200, 400)
        for path in (f"{AUDIENCES}/x/members", f"{CONSUMERS}/x/audiences"):
            assert shop.ask("GET", path, params={"search": text}).status_code in (400, 404)


def test_logs_tell_nothing_personal(shop: Shop) -> None:
    words = ("ada.lovelace@example.com", "+14155550199", "Lovelace", "secretname", "lovela")
    shop.consumers({"email": words[0], "phone": words[1], "fullName": f"Ada {words[2]}"})
    audience = shop.audience(name=words[3], expression=f'fullName contains "{words[2]}"')["id"]
    shop.publish()
    found = shop.ask("GET", f"{AUDIENCES}/{audience}/members", params={"search": words[4]})
    assert len(answered(found)["data"]) == 1
    shop.ask("GET", f"{AUDIENCES}/{words[0]}", headers={"X-Request-Id": words[4]})
    shop.ask("POST", CONSUMERS, json={"consumers": [{"email": words[0], "phone": "nonsense"}]})
    shop.ask("POST", AUDIENCES, json={"name": words[3], "type": words[2]})
    log = shop.served.log.read_text("utf-8")
    assert not [word for word in (*words, shop.secret) if word in log]
    lines = [json.loads(line) for line in log.splitlines()]
    mine = [line for line in lines if line.get("organization") == shop.id]
    assert {line["route"] for line in mine} >= {f"{AUDIENCES}/{{audience_id}}/members"}
    assert not [line for line in lines if line["event"] == "fault"]
