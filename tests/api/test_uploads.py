"""A CSV file over HTTP: created, uploaded by its token alone, awaited, and its errors."""

import time
from typing import Any

import httpx

from tests.api.serving import AUDIENCES, Shop, answered

ROWS = b"email,externalId,=cmd\na@x.org,007,=1+1\nnobody,,\nb@x.org,008,\n"


def ended(shop: Shop, path: str) -> Any:
    end = time.monotonic() + 60
    while True:
        told = answered(shop.ask("GET", path))
        if told["status"] not in ("VALIDATING", "PROCESSING"):
            return told
        assert time.monotonic() < end, shop.served.log.read_text()
        time.sleep(0.1)


def test_a_file_becomes_members(shop: Shop, another: Shop) -> None:
    audience = shop.audience(type="STATIC", name="by hand")["id"]
    made = answered(shop.ask("POST", f"{AUDIENCES}/{audience}/import"), 201)
    path = f"{AUDIENCES}/{audience}/imports/{made['id']}"
    assert (made["status"], made["uploadMethod"], made["mode"]) == ("AWAITING_UPLOAD", "PUT", "ADD")
    with httpx.Client(trust_env=False) as nobody:
        large = nobody.put(made["uploadUrl"], content=b"email\n" + b" " * 11_000_000)
        assert (large.status_code, large.json()["title"]) == (413, "Request body too large")
        unread = nobody.put(f"{made['uploadUrl']}x", content=b" " * 11_000_000)
        assert (unread.status_code, unread.json()["title"]) == (404, "Upload not found")
        assert nobody.put(made["uploadUrl"], content=ROWS).status_code == 202
        again = nobody.put(made["uploadUrl"], content=ROWS)
        assert (again.status_code, again.json()["title"]) == (410, "The upload was used already")
        assert nobody.get(f"{shop.served.address}{path}").status_code == 401
        for asked in ("GET x", "GET members", "POST import", "PUT a/b"):
            method, end = asked.split()
            url = f"{shop.served.address}{AUDIENCES}/uploads/{end}"
            assert nobody.request(method, url).status_code == 401
        answered(shop.ask("GET", f"{AUDIENCES}/uploads/members"), 404)
    told = ended(shop, path)
    assert told["status"] == "COMPLETED_WITH_ERRORS" and told["uploadUrl"] is None
    counts = [told[name] for name in ("progress", "totalConsumers", "processedConsumers")]
    assert counts == [100, 3, 3] and told["ignoredColumns"] == ["=cmd"]
    issue = {"field": "email", "code": "INVALID", "message": "it is no email address"}
    assert (told["errorCount"], told["errors"]) == (1, [{"row": 2, "issues": [issue]}])
    errors = shop.ask("GET", f"{path}/errors.csv")
    assert errors.headers["content-type"].startswith("text/csv")
    expected = "row,field,code,message\r\n2,email,INVALID,it is no email address\r\n"
    assert errors.text == expected
    for end in ("", "/errors.csv"):
        assert another.ask("GET", f"{path}{end}").status_code == 404
    shop.publish()
    page = answered(shop.ask("GET", f"{AUDIENCES}/{audience}/members"))
    assert [one["externalId"] for one in page["data"]] == ["007", "008"]
    shown = answered(shop.ask("GET", f"{AUDIENCES}/{audience}"))["imports"]
    assert [(one["id"], one["status"]) for one in shown] == [(made["id"], told["status"])]
    assert b"x.org" not in shop.served.log.read_bytes()


def test_a_file_that_is_none(shop: Shop) -> None:
    audience = shop.audience(type="STATIC")["id"]
    path = f"{AUDIENCES}/{audience}/import"
    made = answered(shop.ask("POST", path, json={"mode": "REPLACE"}), 201)
    assert httpx.put(made["uploadUrl"], content=b"\x89PNG\r\n", trust_env=False).status_code == 202
    told = ended(shop, f"{path}s/{made['id']}")
    assert (told["status"], told["reason"]) == (
        "FAILED",
        "line 1 is not UTF-8; save it as CSV UTF-8",
    )
    empty = answered(shop.ask("POST", path), 201)
    assert httpx.put(empty["uploadUrl"], content=b"email\n", trust_env=False).status_code == 202
    told = ended(shop, f"{path}s/{empty['id']}")
    assert (told["status"], told["totalConsumers"], told["progress"]) == ("COMPLETED", 0, 100)
    dynamic = shop.audience()["id"]
    refused = shop.ask("POST", f"{AUDIENCES}/{dynamic}/import")
    assert (refused.status_code, refused.json()["error"]) == (400, "Audience is not a static list")
    unknown = shop.ask("POST", path, json={"mode": "DROP"})
    assert unknown.status_code == 400


def test_what_is_documented(shop: Shop) -> None:
    paths = answered(shop.ask("GET", "/openapi.json"))["paths"]
    told = paths[f"{AUDIENCES}/uploads/{{token}}"]["put"]["responses"]
    assert sorted(told) == ["202", "400", "404", "410", "413", "500"]
    assert "content" not in told["202"] and "upload" in told["410"]["description"]
    errors = paths[f"{AUDIENCES}/{{audience_id}}/imports/{{import_id}}/errors.csv"]["get"]
    assert [*errors["responses"]["200"]["content"]] == ["text/csv"]
