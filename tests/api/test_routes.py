"""What every route does, as its users see it."""

import json
from decimal import Decimal
from typing import Any

from tests.api.serving import AUDIENCES, CONSUMERS, ROW, Shop, answered


def people(shop: Shop, number: int = 5) -> list[str]:
    """So many consumers, who have 0, 1, 2 ... orders."""
    return shop.consumers(
        *(
            {"email": f"p{n}@example.com", "totalOrders": n, "fullName": f"Person {n}"}
            for n in range(number)
        )
    )


def walk(shop: Shop, path: str, **query: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = answered(shop.ask("GET", path, params=query))
        found += page["data"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        query["after"] = page["pageInfo"]["endCursor"]


def test_an_audience_is_made_read_changed_archived_and_restored(shop: Shop) -> None:
    made = shop.audience(rules=[ROW], metadata={"n": 1}, description="who buys", iconName="star")
    assert made["organizationId"] == shop.id
    assert made["expression"] == "totalOrders > 3"
    assert {key: made["rules"][0][key] for key in ROW} == ROW
    assert (made["version"], made["revision"], made["archived"]) == (1, 1, False)
    path = f"{AUDIENCES}/{made['id']}"
    read = shop.ask("GET", path)
    tag = read.headers["etag"]
    assert answered(read) == {**made, "imports": []} and tag.startswith('"1-')
    assert "rules" not in answered(shop.ask("GET", path, params={"include": ""}))
    known = shop.ask("GET", path, headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    changed = shop.ask("PUT", path, json={"name": "bigger", "description": None})
    assert (answered(changed)["name"], changed.json()["description"]) == ("bigger", None)
    assert (changed.json()["version"], changed.headers["etag"][:3]) == (1, '"2-')
    for before in (tag, '"1"'):
        late = shop.ask("PUT", path, json={"name": "late"}, headers={"If-Match": before})
        assert answered(late, 412)["code"] == "revision-conflict"
    answered(shop.ask("PUT", path, json={"name": "on time"}, headers={"If-Match": '"2"'}))
    meant = answered(shop.ask("PUT", path, json={"expression": "totalOrders > 4"}))
    assert (meant["version"], meant["rules"][0]["values"]) == (2, [4])
    for _ in range(2):
        assert answered(shop.ask("DELETE", path))["archived"] is True
    assert answered(shop.ask("GET", path))["archived"] is True
    assert walk(shop, AUDIENCES) == []
    assert answered(shop.ask("PUT", path, json={"archived": False}))["archived"] is False


def test_a_tag_is_of_all_that_the_answer_shows(shop: Shop) -> None:
    body = {"groupName": "loyalty", "tiers": [{"name": "a", "order": 1, "startValue": 0}]}
    made = answered(shop.ask("POST", f"{AUDIENCES}/loyalty-tiers", json=body), 201)
    path = f"{AUDIENCES}/{made['audiences'][0]['id']}"
    tag = shop.ask("GET", path).headers["etag"]
    body["groupName"] = "levels"
    answered(shop.ask("PUT", f"{AUDIENCES}/loyalty-tiers/{made['groupId']}", json=body))
    renamed = shop.ask("GET", path, headers={"If-None-Match": tag})
    assert (answered(renamed)["groupName"], renamed.json()["revision"]) == ("levels", 1)
    shop.publish()
    run = shop.ask("GET", path, headers={"If-None-Match": renamed.headers["etag"]})
    assert answered(run)["lastRefreshedAt"] is not None
    answered(shop.ask("PUT", path, json={"iconName": "star"}, headers={"If-Match": tag}))


def test_audiences_are_listed_in_pages_both_ways(shop: Shop) -> None:
    names = [f"audience {n}" for n in range(5)]
    for name in names:
        shop.audience(name=name, type="STATIC_LIST")
    assert [one["name"] for one in walk(shop, AUDIENCES, first=2)] == names
    down = {"sortBy": "name", "sortDir": "desc"}
    assert [one["name"] for one in walk(shop, AUDIENCES, first=3, **down)] == names[::-1]
    last = answered(shop.ask("GET", AUDIENCES, params={"last": 2}))
    assert [one["name"] for one in last["data"]] == names[3:]
    assert (last["pageInfo"]["hasPreviousPage"], last["pageInfo"]["hasNextPage"]) == (True, False)
    before = {"last": 2, "before": last["pageInfo"]["startCursor"]}
    assert [
        one["name"] for one in answered(shop.ask("GET", AUDIENCES, params=before))["data"]
    ] == names[1:3]
    found = walk(shop, AUDIENCES, search="E 3", type="STATIC")
    assert [one["name"] for one in found] == names[3:4]
    assert walk(shop, AUDIENCES, type="DYNAMIC") == walk(shop, AUDIENCES, archived="true") == []


def test_rules_are_listed_added_and_replaced(shop: Shop) -> None:
    path = f"{AUDIENCES}/{shop.audience(rules=[ROW])['id']}/rules"
    more = {"field": "phone", "operator": "EXISTS", "values": []}
    assert len(answered(shop.ask("POST", path, json=more), 201)["data"]) == 2
    both = {"rules": [{**more, "groupId": "g"}, {**ROW, "groupId": "g"}]}
    assert len(answered(shop.ask("POST", path, json=both), 201)["data"]) == 4
    rows = answered(shop.ask("GET", path))["data"]
    assert answered(shop.ask("PUT", path, json={"rules": rows}))["data"] == rows
    replaced = answered(shop.ask("PUT", path, json={"rules": [more]}))["data"]
    assert [(row["field"], row["position"]) for row in replaced] == [("phone", 0)]


def test_members_are_those_of_the_published_generation(shop: Shop) -> None:
    ids = people(shop, 7)
    audience = shop.audience(rules=[ROW])["id"]
    everybody = shop.audience(name="everybody", expression="email exists")["id"]
    path = f"{AUDIENCES}/{audience}"
    empty = answered(shop.ask("GET", f"{path}/members"))
    assert empty["data"] == [] and empty["pageInfo"]["endCursor"] is None
    assert answered(shop.ask("GET", f"{path}/count"))["count"] is None
    number = shop.publish()
    assert [one["id"] for one in walk(shop, f"{path}/members", first=2)] == ids[4:]
    assert answered(shop.ask("GET", f"{path}/count"))["count"] == 3
    assert answered(shop.ask("GET", path))["lastRefreshedAt"]
    found = walk(shop, f"{path}/members", search="PERSON 5", include="audiences")
    assert [one["id"] for one in found] == ids[5:6]
    assert {one["id"] for one in found[0]["audiences"]} == {audience, everybody}
    theirs = answered(shop.ask("GET", f"{CONSUMERS}/{ids[6]}/audiences"))
    assert {one["id"] for one in theirs["data"]} == {audience, everybody}
    assert theirs["generation"] == number


def test_a_walk_stays_in_its_generation_and_leaves_the_erased_out(shop: Shop) -> None:
    ids = people(shop, 9)
    path = f"{AUDIENCES}/{shop.audience(expression='totalOrders >= 0')['id']}"
    earlier = shop.publish()
    page = answered(shop.ask("GET", f"{path}/members", params={"first": 3}))
    shop.consumers({"id": ids[8], "totalOrders": None}, {"email": "new@b.c", "totalOrders": 1})
    assert shop.ask("DELETE", f"{CONSUMERS}/{ids[4]}").status_code == 204
    later = shop.publish()
    after = {"first": 3, "after": page["pageInfo"]["endCursor"]}
    rest = walk(shop, f"{path}/members", **after)
    assert [one["id"] for one in rest] == [ids[3], *ids[5:]]
    changes = answered(shop.ask("GET", f"{path}/changes"))
    assert (changes["entered"], changes["left"], changes["generation"]) == (1, 2, later)
    assert [one["email"] for one in changes["data"]] == ["new@b.c"]
    left = walk(shop, f"{path}/changes", change="left")
    assert [one["id"] for one in left] == [ids[8]]
    first = answered(shop.ask("GET", f"{path}/changes", params={"generation": earlier, "first": 2}))
    assert (first["entered"], first["pageInfo"]["hasNextPage"]) == (9, True)


def test_status_tells_how_fresh_it_is(shop: Shop) -> None:
    people(shop)
    path = f"{AUDIENCES}/{shop.audience(rules=[ROW])['id']}"
    told = answered(shop.ask("GET", f"{path}/status"))
    assert (told["status"], told["memberCount"], told["stale"]) == ("PENDING", None, True)
    assert told["nextRefreshAt"] and told["version"] == 1
    answered(shop.ask("POST", f"{path}/refresh"), 202)
    shop.publish()
    told = answered(shop.ask("GET", f"{path}/status"))
    assert (told["memberCount"], told["stale"], told["materializedVersion"]) == (1, False, 1)
    assert told["lastRefreshedAt"] == answered(shop.ask("GET", path))["lastRefreshedAt"]
    shop.consumers({"email": "p9@example.com"})
    assert answered(shop.ask("GET", f"{path}/status"))["stale"] is True


def test_static_members_are_put_in_and_taken_out(shop: Shop) -> None:
    ids = people(shop)
    path = f"{AUDIENCES}/{shop.audience(type='STATIC')['id']}/members"
    assert answered(shop.ask("POST", path, json={"consumerIds": ids[:3]})) == {"changed": 3}
    assert answered(shop.ask("POST", path, json={"consumerIds": ids[:3]})) == {"changed": 0}
    assert answered(shop.ask("DELETE", path, json={"consumerIds": ids[:1]})) == {"changed": 1}
    shop.publish()
    assert [one["id"] for one in walk(shop, path)] == ids[1:3]


def test_a_preview_counts_and_saves_nothing(shop: Shop) -> None:
    ids = people(shop)
    told = answered(
        shop.ask(
            "POST",
            f"{AUDIENCES}/preview",
            json={"expression": "totalOrders > 1 and email exists", "first": 2},
        )
    )
    assert (told["count"], told["consumers"]) == (3, 5)
    assert [one["id"] for one in told["members"]] == ids[2:4]
    assert [one["count"] for one in told["clauses"]] == [3, 5]
    assert answered(shop.ask("POST", f"{AUDIENCES}/preview", json={"rules": [ROW]}))["count"] == 1
    assert walk(shop, AUDIENCES) == []


def test_tiers_are_made_walked_changed_and_archived(shop: Shop) -> None:
    ids = people(shop)
    tiers = [
        {"name": "some", "order": 1, "startValue": 1, "endValue": 3},
        {"name": "many", "order": 2, "startValue": 3, "endValue": None},
    ]
    body = {"groupName": "loyalty", "attribute": "totalOrders", "tiers": tiers}
    made = answered(shop.ask("POST", f"{AUDIENCES}/loyalty-tiers", json=body), 201)
    some, many = (one["id"] for one in made["audiences"])
    path = f"{AUDIENCES}/groups/{made['groupId']}"
    assert [one["id"] for one in answered(shop.ask("GET", path))] == [some, many]
    shop.publish()
    found = walk(shop, f"{path}/members", first=2)
    assert [(one["id"], one["audienceId"]) for one in found] == [
        *((id, some) for id in ids[1:3]),
        *((id, many) for id in ids[3:]),
    ]
    assert len(walk(shop, f"{path}/members", audienceId=many, search="person")) == 2
    gap = [{**tiers[0], "endValue": 2}, {**tiers[1], "audienceId": many, "name": "most"}]
    changed = answered(
        shop.ask("PUT", f"{AUDIENCES}/loyalty-tiers/{made['groupId']}", json={"tiers": gap})
    )
    assert [one["id"] for one in changed["audiences"]] == [some, many]
    assert changed["audiences"][1]["name"] == "most" and changed["warnings"]
    assert all(one["archived"] for one in answered(shop.ask("DELETE", path)))


def test_consumers_are_upserted_read_and_erased(shop: Shop) -> None:
    rows = [{"externalId": "a", "metadata": {"k": 1, "l": 2}}, {"externalId": "b"}]
    one, _ = shop.consumers(*rows)
    lines = b'{"externalId": "a", "metadata": {"l": null}}\n\n{"externalId": "c"}\n'
    kind = {"Content-Type": "application/x-ndjson"}
    told = answered(shop.ask("POST", CONSUMERS, content=lines, headers=kind))
    assert [row["status"] for row in told["data"]] == ["updated", "created"]
    assert (told["created"], told["updated"], told["unchanged"]) == (1, 1, 0)
    read = answered(shop.ask("GET", f"{CONSUMERS}/{one}"))
    assert (read["externalId"], read["metadata"]) == ("a", {"k": 1})
    fresh = shop.audience(expression="metadata.k = 1")
    told = answered(shop.ask("GET", f"{CONSUMERS}/{one}/audiences", params={"fresh": "true"}))
    assert [label["id"] for label in told["data"]] == [fresh["id"]]
    assert answered(shop.ask("GET", f"{CONSUMERS}/{one}/audiences"))["data"] == []
    assert shop.ask("DELETE", f"{CONSUMERS}/{one}").status_code == 204
    for method in ("GET", "DELETE"):
        assert answered(shop.ask(method, f"{CONSUMERS}/{one}"), 404)["error"]


def test_numbers_stay_exact(shop: Shop) -> None:
    body = (
        b'{"name": "exact", "type": "DYNAMIC", "metadata": {"n": 12345678901234567.89},'
        b'"rules": [{"field": "totalOrderValue", "operator": "EQUALS",'
        b'"values": [12345678901234567.89]}]}'
    )
    kind = {"Content-Type": "application/json"}
    made = shop.ask("POST", AUDIENCES, content=body, headers=kind)
    read = shop.ask("GET", f"{AUDIENCES}/{made.json()['id']}")
    for answer in (made, read):
        told = json.loads(answer.text, parse_float=Decimal)
        assert told["metadata"]["n"] == Decimal("12345678901234567.89"), answer.text
        assert told["rules"][0]["values"] == [Decimal("12345678901234567.89")]
    row = b'{"consumers": [{"email": "a@b.c", "totalOrderValue": 12345678901234567.89}]}'
    id = answered(shop.ask("POST", CONSUMERS, content=row, headers=kind))["data"][0]["id"]
    assert answered(shop.ask("GET", f"{CONSUMERS}/{id}"))["totalOrderValue"] == (
        "12345678901234567.89"
    )


def test_health_and_measures_want_no_key(shop: Shop) -> None:
    shop.audience()
    with shop.served.client() as client:
        assert answered(client.get("/healthz")) == {"status": "ok"}
        measures = client.get("/metrics").text
    assert f'segment_engine_requests_total{{method="POST",route="{AUDIENCES}"' in measures
    assert 'segment_engine_jobs{kind="materialize",state="QUEUED"}' in measures
    for name in ("published", "failing"):
        assert f"segment_engine_runs_{name} " in measures
    assert "segment_engine_run_age_seconds " in measures
    assert "# TYPE segment_engine_webhook_deliveries gauge" in measures
