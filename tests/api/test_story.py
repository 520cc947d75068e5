"""A back office's story over every route, against a served process that knows a vendor and a hook.

Orders come in, a file and a list of Klaviyo's become audiences, rules and tiers are built on them,
members are walked, and what the webhook was told adds up to the members that the API shows.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from segment_engine.api.routes import ROUTERS
from tests.api.serving import AUDIENCES, COMMAND, CONSUMERS, Shop, answered
from tests.api.test_synced_lists import LISTS, ended, until
from tests.klaviyo.peer import KEY, Peer
from tests.store.receiver import Receiver, receiving

PEOPLE = ("ada", "bob", "eve", "fay", "gus", "hal")
IDS = re.compile(r"\b(?:aud|cons|grp|imp)_[0-9A-Z]{26}|(?<=uploads/)[\w-]+")


class Office:
    """A back office's client, which notes the routes that it asks, and its operator."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.asked = shop, set[tuple[str, str]]()
        self.client = shop.client
        self.client.event_hooks = {"request": [self._note]}

    def _note(self, request: httpx.Request) -> None:
        self.asked.add((request.method, IDS.sub("{}", request.url.path)))

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        return answered(self.client.post(path, json=body), status)

    def put(self, path: str, body: Any) -> Any:
        return answered(self.client.put(path, json=body))

    def delete(self, path: str, body: Any = None, status: int = 200) -> Any:
        return answered(self.client.request("DELETE", path, json=body), status)

    def get(self, path: str, **query: Any) -> Any:
        return answered(self.client.get(path, params=query))

    def walk(self, path: str, **query: Any) -> list[Any]:
        """All items of a list, two a page."""
        found: list[Any] = []
        while True:
            page = self.get(path, first=2, **query)
            found += page["data"]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            query["after"] = page["pageInfo"]["endCursor"]

    def names(self, audience: str, **query: Any) -> list[str]:
        """Members by what stands before the sign in their email, without the number."""
        found = self.walk(f"{AUDIENCES}/{audience}/members", **query)
        return [one["email"][:3] for one in found]

    def fresh(self, *audiences: str) -> None:
        """Until the members of audiences are as they are defined now."""
        self.post(f"{AUDIENCES}/{audiences[0]}/refresh", status=202)
        for one in audiences:
            until(lambda one=one: _is_fresh(self.get(f"{AUDIENCES}/{one}/status")))

    def command(self, *arguments: str, **settings: str) -> str:
        """What a command on the store of the service prints."""
        served = self.shop.served
        done = subprocess.run(
            [*COMMAND, *arguments],
            env={**served.environment, **settings},
            cwd=served.store.folder.parent,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def _is_fresh(told: Any) -> bool:
    return told["status"] == "READY" and not told["stale"]


def told_members(receiver: Receiver, secret: str, audiences: Sequence[str]) -> dict[str, set[str]]:
    """Who is in each audience by all that was received, in which nothing is wrong."""
    found: dict[str, set[str]] = {one: set() for one in audiences}
    messages = [one.verified(secret) for one in list(receiver.received)]
    for told in {one["id"]: one for one in messages}.values():
        members = found[told["audienceId"]]
        members |= {one["id"] for one in told["entered"]}
        members -= {one["id"] for one in told["left"]}
    return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def test_a_back_office_at_work(shop: Shop, peer: Peer, receiver: Receiver) -> None:
    office = Office(shop)
    emails = {name: f"{name}{shop.name[5:]}@example.com" for name in PEOPLE}
    office.command("klaviyo", "key", shop.name, KLAVIYO_API_KEY=KEY)
    secret = office.command("webhook", "create", shop.name, receiver.url).split()[0]
    assert office.client.get("/healthz").json() == {"status": "ok"}

    # Orders come in.
    orders = (("ada", 7, "812.50"), ("bob", 1, "19.90"), ("eve", 3, "205"))
    rows = [
        {"externalId": name, "email": emails[name], "totalOrders": number, "totalOrderValue": value}
        for name, number, value in orders
    ]
    people = office.post(CONSUMERS, {"consumers": rows}, 200)["data"]
    ada, bob, eve = (one["id"] for one in people)
    assert office.get(f"{CONSUMERS}/{ada}")["totalOrderValue"] == "812.50"

    # A file from a fair: Ada is known, Fay is new, and one row is wrong.
    fair = office.post(AUDIENCES, {"name": "Fair", "type": "STATIC"})["id"]
    sent = office.post(f"{AUDIENCES}/{fair}/import")
    file = f"email,metadata.stand\n{emails['ada']},007\n{emails['fay']},008\nnobody,\n"
    assert office.client.put(sent["uploadUrl"], content=file.encode()).status_code == 202
    place = f"{AUDIENCES}/{fair}/imports/{sent['id']}"
    until(lambda: office.get(place)["status"] == "COMPLETED_WITH_ERRORS")
    assert office.client.get(f"{place}/errors.csv").text.count("\n") == 2
    assert office.get(f"{CONSUMERS}/{ada}")["metadata"] == {"stand": "007"}

    # A list of Klaviyo's: Bob and Fay are known, Gus is new. Nobody else may have it, too.
    letter = peer.account.create_list("Newsletter")
    profiles = {
        name: peer.account.create_profile(email=emails[name], first_name=name.title())
        for name in ("bob", "fay", "gus", "hal")
    }
    peer.account.add(letter, [profiles[name] for name in ("bob", "fay", "gus")])
    lists = {"lists": [{"listId": letter}], "refreshIntervalSeconds": 3600}
    (made,) = office.post(LISTS, lists, 202)["audiences"]
    assert len(office.post(LISTS, lists, 202)["skipped"]) == 1
    news = made["id"]
    synced = ended(shop, news)
    assert synced["syncStatus"] == "COMPLETED"
    assert office.get(f"{AUDIENCES}/{news}")["name"] == "Newsletter"

    # Rules over both, tried before they are saved; rows, and tiers, beside them.
    rule = f'in audience "{news}" or in audience "{fair}" and totalOrders >= 5'
    assert office.post(f"{AUDIENCES}/preview", {"expression": rule}, 200)["count"] == 4
    body = {"name": "Reachable", "type": "DYNAMIC", "expression": rule}
    reach = office.post(AUDIENCES, body)["id"]
    buyers = office.post(AUDIENCES, {"name": "Buyers", "type": "DYNAMIC"})["id"]
    row = {"field": "totalOrders", "operator": "GREATER_THAN", "values": [0]}
    office.post(f"{AUDIENCES}/{buyers}/rules", row)
    office.put(f"{AUDIENCES}/{buyers}/rules", {"rules": [{**row, "values": [2]}]})
    assert office.get(f"{AUDIENCES}/{buyers}/rules")["data"][0]["values"] == [2]
    office.put(f"{AUDIENCES}/{buyers}", {"description": "more than two orders"})
    silver = {"name": "Silver", "order": 1, "startValue": 0, "endValue": 500}
    gold = {"name": "Gold", "order": 2, "startValue": 500}
    body = {"groupName": "Loyalty", "tiers": [silver, gold]}
    group = office.post(f"{AUDIENCES}/loyalty-tiers", body)["groupId"]
    tiers = [{**silver, "endValue": 100}, {**gold, "startValue": 100}]
    office.put(f"{AUDIENCES}/loyalty-tiers/{group}", {"tiers": tiers})
    low, high = (one["id"] for one in office.get(f"{AUDIENCES}/groups/{group}"))
    every = (fair, news, reach, buyers, low, high)
    office.fresh(*every)

    # Members are walked, looked for and counted.
    assert office.names(reach) == ["ada", "bob", "fay", "gus"]
    assert office.names(buyers, search="EVE") == ["eve"]
    assert office.get(f"{AUDIENCES}/{reach}/count")["count"] == 4
    grouped = office.walk(f"{AUDIENCES}/groups/{group}/members")
    assert {one["id"]: one["audienceId"] for one in grouped} == {ada: high, bob: low, eve: high}
    of_ada = office.get(f"{CONSUMERS}/{ada}/audiences")["data"]
    assert {one["id"] for one in of_ada} == {fair, reach, buyers, high}
    assert [one["id"] for one in office.get(AUDIENCES, search="reach")["data"]] == [reach]

    # The list changes elsewhere, the other one by hand.
    peer.account.remove(letter, [profiles["bob"]])
    peer.account.add(letter, [profiles["hal"]])
    office.post(f"{AUDIENCES}/{news}/sync", status=202)
    assert ended(shop, news, since=synced["lastSyncedAt"])["syncStatus"] == "COMPLETED"
    office.post(f"{AUDIENCES}/{fair}/members", {"consumerIds": [eve]}, 200)
    assert office.delete(f"{AUDIENCES}/{fair}/members", {"consumerIds": [ada]}) == {"changed": 1}
    office.fresh(*every)
    assert office.names(reach) == ["fay", "gus", "hal"]
    office.walk(f"{AUDIENCES}/{reach}/changes", change="left")

    # What the webhook was told, signed, adds up to what the API shows.
    shown = {one: office.walk(f"{AUDIENCES}/{one}/members") for one in every}
    wanted = {one: {member["id"] for member in members} for one, members in shown.items()}
    until(lambda: told_members(receiver, secret, every) == wanted)

    # What is not needed any more goes, nothing before what stands on it.
    office.delete(f"{AUDIENCES}/{news}", status=409)
    for one in (reach, news):
        assert office.delete(f"{AUDIENCES}/{one}")["archived"] is True
    gone = office.delete(f"{AUDIENCES}/groups/{group}")
    assert {one["id"] for one in gone} == {low, high}
    assert office.client.delete(f"{CONSUMERS}/{bob}").status_code == 204
    assert office.walk(AUDIENCES, search="gold") == []
    office.client.get("/metrics").raise_for_status()

    routes = [one for router in ROUTERS for one in router.routes if isinstance(one, APIRoute)]
    served = {(method, one.path) for one in routes for method in one.methods or ()}
    assert {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in served} == office.asked
