"""A request with an Idempotency-Key is done once, wherever its process dies."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.api.serving import AUDIENCES, SECRET, Shop, answered

DYING = """
import asyncio, os, sys
import httpx
from segment_engine.api.app import from_environment
from segment_engine.store.replies import Replies

keep = Replies.keep

def dying(self, begun, reply):
    if begun.key == "before":
        begun.changes.commit = lambda: os._exit(9)
    keep(self, begun, reply)
    os._exit(9)

Replies.keep = dying

async def ask(key, path, secret):
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
    serves = httpx.ASGITransport(from_environment())
    async with httpx.AsyncClient(transport=serves, base_url="http://x", headers=headers) as client:
        await client.post(path, json={"name": key, "type": "STATIC"})

for key in ("before", "after"):
    if not (process := os.fork()):
        asyncio.run(ask(key, *sys.argv[1:]))
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9, key
"""
"""Asks twice, and ends the process before and after the commit of what it changed."""


def died(shop: Shop) -> None:
    surroundings = {
        **os.environ,
        "SEGMENT_ENGINE_STORE": shop.served.url,
        "SEGMENT_ENGINE_SECRET": SECRET,
        "SEGMENT_ENGINE_FOLDER": str(shop.store.store.folder),
    }
    command = [sys.executable, "-c", DYING, AUDIENCES, shop.secret]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr


def asked_again(shop: Shop, key: str) -> httpx.Response:
    body = {"name": key, "type": "STATIC"}
    return shop.ask("POST", AUDIENCES, json=body, headers={"Idempotency-Key": key})


def names(shop: Shop) -> Counter[str]:
    return Counter(one["name"] for one in answered(shop.ask("GET", AUDIENCES))["data"])


def test_a_process_that_dies_has_done_it_with_its_answer_or_not_at_all(shop: Shop) -> None:
    died(shop)
    assert names(shop) == {"after": 1}
    first, again = asked_again(shop, "before"), asked_again(shop, "after")
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    now = shop.ask("GET", f"{AUDIENCES}/{again.json()['id']}")
    assert answered(again, 201)["id"] == answered(now)["id"]
    assert again.headers["etag"].startswith('"1-')
    assert asked_again(shop, "before").content == first.content
    assert names(shop) == {"before": 1, "after": 1}


def test_many_at_once_are_one(shop: Shop) -> None:
    def ask(key: int) -> httpx.Response:
        return asked_again(shop, f"k{key}")

    def fail(_: int) -> int:
        """Gives the key back at once."""
        same = {"Idempotency-Key": "wrong"}
        return shop.ask("POST", AUDIENCES, json={}, headers=same).status_code

    with ThreadPoolExecutor(8) as threads:
        told = list(threads.map(ask, [n % 5 for n in range(40)]))
        assert set(threads.map(fail, range(100))) <= {400, 409}
    assert {one.status_code for one in told} <= {201, 409}
    assert names(shop) == {f"k{n}": 1 for n in range(5)}
    assert len({one.json()["id"] for one in told if one.status_code == 201}) == 5
