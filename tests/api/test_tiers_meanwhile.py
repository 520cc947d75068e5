"""Tiers are given other bounds while files come in and runs follow: nobody is ever in two."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import httpx

from tests.api.serving import AUDIENCES, CONSUMERS, Shop, answered
from tests.api.test_routes import walk

PEOPLE, SECONDS, LARGEST = 200, 2.5, 90


def tiers(bounds: list[int]) -> list[dict[str, Any]]:
    """Tiers from 0 on; another number of bounds gives and takes one away."""
    pairs = zip([0, *bounds], [*bounds, None], strict=True)
    return [
        {"name": f"tier {n}", "order": n, "startValue": start, "endValue": end}
        for n, (start, end) in enumerate(pairs)
    ]


def person(key: str, value: int) -> dict[str, Any]:
    return {"externalId": key, "totalOrderValue": value}


class Changes:
    """What changes meanwhile, each by a client of its own, until it is over."""

    def __init__(self, shop: Shop, group: str, listed: str) -> None:
        self._shop, self._group, self._listed = shop, group, listed
        self.over = threading.Event()
        self.bounds = [30, 60]
        self.values = {f"p{n}": n % LARGEST for n in range(PEOPLE)}
        self.files = 0

    def all(self) -> list[Callable[[], None]]:
        return [
            lambda: self._again(self._retier),
            lambda: self._again(self._upsert),
            lambda: self._again(self._import),
        ]

    def _again(self, change: Callable[[httpx.Client, Random], None]) -> None:
        chance = Random(change.__name__)
        with self._shop.served.client(self._shop.secret) as client:
            while not self.over.wait(0.05):
                change(client, chance)

    def _retier(self, client: httpx.Client, chance: Random) -> None:
        bounds = sorted(chance.sample(range(1, LARGEST), chance.choice((1, 2, 3))))
        path = f"{AUDIENCES}/loyalty-tiers/{self._group}"
        answered(client.put(path, json={"tiers": tiers(bounds)}))
        self.bounds = bounds
        answered(client.post(f"{AUDIENCES}/{self._listed}/refresh"), 202)

    def _upsert(self, client: httpx.Client, chance: Random) -> None:
        some = {key: chance.randrange(LARGEST) for key in chance.sample([*self.values], 50)}
        rows = [person(*pair) for pair in some.items()]
        answered(client.post(CONSUMERS, json={"consumers": rows}))
        self.values |= some

    def _import(self, client: httpx.Client, chance: Random) -> None:
        made = answered(client.post(f"{AUDIENCES}/{self._listed}/import"), 201)
        known = chance.sample([*self.values], 20)
        rows = "".join(f"{key},{key}@example.com\n" for key in [*known, f"new {self.files}"])
        file = f"externalId,email\n{rows}".encode()
        assert client.put(made["uploadUrl"], content=file).status_code == 202
        self.files += 1


def test_nobody_is_in_two_tiers(shop: Shop) -> None:
    body = {"groupName": "loyalty", "tiers": tiers([30, 60])}
    group = answered(shop.ask("POST", f"{AUDIENCES}/loyalty-tiers", json=body), 201)["groupId"]
    listed = shop.audience(type="STATIC", name="files")["id"]
    everybody = shop.audience(name="everybody", expression="externalId exists")["id"]
    changes = Changes(shop, group, listed)
    for start in range(0, PEOPLE, 100):
        shop.consumers(*(person(*pair) for pair in [*changes.values.items()][start : start + 100]))
    first = shop.publish()
    once, looked = f"{AUDIENCES}/groups/{group}/members", 0
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(change) for change in changes.all()]
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                keys = [one["externalId"] for one in walk(shop, once, first=100)]
                assert len(keys) == len(set(keys))
                path = f"{AUDIENCES}/{everybody}/members"
                for one in walk(shop, path, first=100, include="audiences"):
                    told = [a["name"] for a in one["audiences"] if a["name"].startswith("tier")]
                    assert len(told) <= 1, one
                    looked += len(told)
        finally:
            changes.over.set()
        for one in running:
            one.result()
    assert shop.publish() > first + 1 and changes.files and looked >= PEOPLE
    found = {one["externalId"]: one["audienceId"] for one in walk(shop, once, first=100)}
    names = {one["id"]: one["name"] for one in answered(shop.ask("GET", once[: -len("/members")]))}
    assert {key: names[id] for key, id in found.items()} == {
        key: f"tier {sum(bound <= value for bound in changes.bounds)}"
        for key, value in changes.values.items()
    }
