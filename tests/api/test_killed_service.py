"""Server and worker killed at any point while consumers change: all that was answered is there.

`SEGMENT_ENGINE_PROFILE=release`: each of them 50 times, 25 on each database. The commit
profile has none.
"""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from segment_engine.store.database import Database
from segment_engine.store.tables import jobs
from tests.api.processes import WORKER, called
from tests.profile import COMMIT

POINTS = 25
LONGEST = 2.0
"""Seconds to the kill, at most, from the first round with a server or job of a worker."""
EVERY = 5
"""After how many rounds an audience is made, which has to be there once."""

ROOT = Path(__file__).parents[2]
CODE = """
from segment_engine.cli import app
from segment_engine.store import supervising
supervising.MOST_S = 0.5  # no pause grows with each kill
app()
"""
COMMAND = (sys.executable, "-c", CODE)
ADDRESS = re.compile(r"http://[0-9.]+:[0-9]+")
AUDIENCES = "/api/v1/audiences"
RULES = ("totalOrders >= 5", "totalOrders < 5 or metadata.round exists", "not (totalOrders = 3)")
PEOPLE, BATCH = 400, 40


class Shop:
    """What was acknowledged: totals and rounds by external id, and who was put into a list."""

    def __init__(self) -> None:
        self.consumers: dict[str, dict[str, Any]] = {}
        self.ids: dict[str, str] = {}
        self.listed: set[str] = set()
        self.named: list[str] = []
        self.audiences: dict[str, str] = {}
        self.static = ""

    def rows(self, chance: random.Random, round_: int) -> list[dict[str, Any]]:
        """A batch of new values."""
        people = chance.sample(range(PEOPLE), BATCH)
        return [
            {"externalId": f"p{n}", "totalOrders": chance.randrange(10), "metadata": {"k": round_}}
            for n in people
        ]

    def acknowledge(self, rows: list[dict[str, Any]], answer: dict[str, Any]) -> None:
        """The rows are in the store."""
        for row, told in zip(rows, answer["data"], strict=True):
            self.consumers[row["externalId"]] = row
            assert self.ids.setdefault(row["externalId"], told["id"]) == told["id"]

    def expected(self, rule: str) -> set[str]:
        """Whom a rule keeps."""
        orders = {self.ids[key]: row["totalOrders"] for key, row in self.consumers.items()}
        return {one for one, number in orders.items() if _KEPT[rule](number)}


_KEPT: dict[str, Callable[[int], bool]] = {
    RULES[0]: lambda number: number >= 5,
    RULES[1]: lambda number: number < 5,
    RULES[2]: lambda number: number != 3,
}


def until_answered(ask: Callable[[], httpx.Response], seconds: float) -> Any:
    """The answer; asked again while nobody answers, as a client would with the same key."""
    end = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.status_code not in (409, 503):
            assert answer.status_code < 400, answer.text
            return answer.json()
        if time.monotonic() > end:
            return None
        time.sleep(0.05)


def members(client: httpx.Client, audience: str) -> list[str]:
    """The ids of all members."""
    return [one["id"] for one in pages(client, f"{AUDIENCES}/{audience}/members")]


def pages(client: httpx.Client, place: str) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    found: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        page = client.get(place, params={"first": 100, **after}).raise_for_status().json()
        found += page["data"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = {"after": page["pageInfo"]["endCursor"]}


def until(found: Callable[[], Any]) -> Any:
    """What is found at last."""
    end = time.monotonic() + 240
    while not (told := found()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return told


class Service:
    """A served store that is killed and started again."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._log, self.kills = folder, folder / "log", 0
        self._database = Database(url)
        self._settings = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SEGMENT_ENGINE_STORE": url,
            "SEGMENT_ENGINE_FOLDER": str(folder / "cache"),
            "SEGMENT_ENGINE_RATE_LIMIT": "0",
        }
        self._told("org", "create", "shop")
        self.key = self._told("key", "create", "shop").split()[0]
        self._process: subprocess.Popen[bytes] | None = None

    def _told(self, *arguments: str) -> str:
        command = [*COMMAND, *arguments]
        done = subprocess.run(
            command, cwd=self._folder, env=self._settings, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> httpx.Client:
        """A client of the service, which answers."""
        with open(self._log, "wb") as log:
            command = [*COMMAND, "serve", "--port", "0"]
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=self._settings, stdout=log, stderr=log
            )
        found = until(lambda: ADDRESS.search(self._log.read_text("utf-8")))
        headers = {"Authorization": f"Bearer {self.key}"}
        client = httpx.Client(base_url=found[0], headers=headers, timeout=60, trust_env=False)
        client.get("/healthz").raise_for_status()
        return client

    def worker(self) -> int:
        """The process of the worker, which has begun to do jobs."""
        assert self._process is not None
        own = self._process.pid

        def busy() -> int | None:
            with self._database.reading() as connection:
                seen = set(connection.execute(select(jobs.c.process)).scalars())
            return next((one for one in called(own, WORKER) if one in seen), None)

        return int(until(busy))

    def kill_later(self, worker: bool, seconds: float) -> None:
        """Kills the worker, which is started anew, or the server, with which the worker goes."""
        assert self._process is not None
        process = self.worker() if worker else self._process.pid
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
        self.kills += 1
        if not worker:
            self._process.wait()

    def kill_all(self) -> None:
        """Leaves nothing behind, however a test has ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._database.close()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(60) == 0, self._log.read_text()


def made(client: httpx.Client, shop: Shop) -> None:
    """Audiences by their rules, and a static list."""
    for rule in RULES:
        body = {"name": rule, "type": "DYNAMIC", "expression": rule}
        shop.audiences[rule] = client.post(AUDIENCES, json=body).raise_for_status().json()["id"]
    body = {"name": "list", "type": "STATIC"}
    shop.static = client.post(AUDIENCES, json=body).raise_for_status().json()["id"]


def one_round(client: httpx.Client, shop: Shop, number: int, seconds: float = 0.5) -> bool:
    """The same changes for the same number; whether all were answered."""
    chance = random.Random(number)
    rows = shop.rows(chance, number)
    same = {"Idempotency-Key": f"round-{number}"}
    answer = until_answered(
        lambda: client.post("/api/v1/consumers", json={"consumers": rows}, headers=same), seconds
    )
    if answer is None:
        return False
    shop.acknowledge(rows, answer)
    some = chance.sample(sorted(shop.ids.values()), 5)
    place = f"{AUDIENCES}/{shop.static}/members"
    if until_answered(lambda: client.post(place, json={"consumerIds": some}), seconds) is None:
        return False
    shop.listed |= {*some}
    if number % EVERY == 0 and not named(client, shop, f"named-{number}", seconds):
        return False
    return (
        until_answered(lambda: client.post(f"{AUDIENCES}/{shop.static}/refresh"), seconds)
        is not None
    )


def named(client: httpx.Client, shop: Shop, name: str, seconds: float) -> bool:
    """An audience of a round, which is made once however often it is asked for."""
    body, same = {"name": name, "type": "STATIC"}, {"Idempotency-Key": name}
    if until_answered(lambda: client.post(AUDIENCES, json=body, headers=same), seconds) is None:
        return False
    shop.named += [name] * (name not in shop.named)
    return True


def await_fresh(client: httpx.Client, shop: Shop) -> None:
    """Until all that was changed is in the published generation."""
    end = time.monotonic() + 60
    client.post(f"{AUDIENCES}/{shop.static}/refresh").raise_for_status()
    for audience in (*shop.audiences.values(), shop.static):
        while True:
            told = client.get(f"{AUDIENCES}/{audience}/status").raise_for_status().json()
            if told["status"] == "READY" and not told["stale"]:
                break
            assert time.monotonic() < end, told
            time.sleep(0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")
@pytest.mark.parametrize("worker", [True, False], ids=["worker", "server"])
def test_what_was_answered_is_there_after_kills(
    tmp_path: Path, database_url: str, worker: bool, request: pytest.FixtureRequest
) -> None:
    if COMMIT:
        pytest.skip("each kind takes half a minute: the release profile kills services")
    service, shop = Service(tmp_path, database_url), Shop()
    request.addfinalizer(service.kill_all)
    client, chance, number = service.start(), random.Random(), 1
    made(client, shop)
    for _ in range(POINTS):
        assert one_round(client, shop, number, 60)
        number += 1
        seconds = chance.uniform(0, LONGEST)
        killer = threading.Thread(target=service.kill_later, args=(worker, seconds))
        killer.start()
        while killer.is_alive():
            number += one_round(client, shop, number)
        killer.join()
        if not worker:
            client.close()
            client = service.start()
    assert service.kills == POINTS
    assert one_round(client, shop, number, 60)
    await_fresh(client, shop)
    for rule, audience in shop.audiences.items():
        found = members(client, audience)
        assert len(found) == len(set(found))
        assert {*found} == shop.expected(rule), rule
    made_once = pages(client, AUDIENCES)
    assert sorted(one["name"] for one in made_once) == sorted([*RULES, "list", *shop.named])
    listed = members(client, shop.static)
    assert sorted(listed) == sorted(shop.listed)
    for key, row in shop.consumers.items():
        told = client.get(f"/api/v1/consumers/{shop.ids[key]}").raise_for_status().json()
        assert (told["externalId"], told["totalOrders"]) == (key, row["totalOrders"])
    client.close()
    service.stop()
    what = "worker" if worker else "server"
    told = f"{len(shop.ids)} consumers, {len(shop.named)} audiences made once"
    print(f"{what} killed {service.kills} times in {number} rounds: {told}")
