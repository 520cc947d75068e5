"""Lists of Klaviyo as audiences, by the API and by the command line."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.api.serving import AUDIENCES, COMMAND, ROOT, SECRET, Shop, answered
from tests.klaviyo.faults import slow
from tests.klaviyo.peer import KEY, Peer

NUMBERS = count()
LISTS = f"{AUDIENCES}/import/klaviyo"


@pytest.fixture
def list_id(shop: Shop, peer: Peer) -> Iterator[str]:
    """A list of three, whose key the organization has."""
    shop.store.vendor_keys.set("klaviyo", KEY)
    made = peer.account.create_list("Newsletter")
    peer.account.add(made, [somebody(peer) for _ in range(3)])
    yield made
    peer.mend()


def somebody(peer: Peer, **told: Any) -> str:
    email = f"somebody{next(NUMBERS)}@example.com"
    return peer.account.create_profile(email=email, first_name="Ada", **told)


def until(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (told := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return told


def source(shop: Shop, audience: str) -> dict[str, Any]:
    path = f"{AUDIENCES}/{audience}?include=primarySyncSource"
    found: dict[str, Any] = answered(shop.ask("GET", path))["primarySyncSource"]
    return found


def ended(shop: Shop, audience: str, since: str = "") -> dict[str, Any]:
    """Its sync source once a sync has ended, another one than that."""

    def found() -> dict[str, Any] | None:
        told = source(shop, audience)
        over = told["syncStatus"] in ("COMPLETED", "FAILED")
        return told if over and told["lastSyncedAt"] != since else None

    told: dict[str, Any] = until(found)
    return told


def test_a_list_is_an_audience(shop: Shop, peer: Peer, list_id: str) -> None:
    body = {"lists": [{"listId": list_id}, {"listId": list_id}], "refreshIntervalSeconds": 60}
    told = answered(shop.ask("POST", LISTS, json=body), 202)
    (made,), (skipped,) = told["audiences"], told["skipped"]
    audience = made["id"]
    assert (made["name"], made["type"], made["refreshIntervalSeconds"]) == (
        list_id,
        "SYNCED_LIST",
        60,
    )
    assert (skipped["listId"], skipped["audienceId"]) == (list_id, audience)
    first = ended(shop, audience)
    known = {"created", "updated", "optInProcess"}
    assert first["sourceData"].pop("list").keys() == known
    assert first == {
        "id": made["primarySyncSourceId"],
        "syncSource": "klaviyo:list",
        "syncSourceId": list_id,
        "sourceData": {
            "name": "Newsletter",
            "profiles": 3,
            "processed": 3,
            "leftOut": 0,
            "error": None,
        },
        "syncStatus": "COMPLETED",
        "lastSyncedAt": first["lastSyncedAt"],
    }
    shop.publish()
    answer = answered(shop.ask("GET", f"{AUDIENCES}/{audience}"))
    assert answer["name"] == "Newsletter" and "primarySyncSource" not in answer
    assert len(members(shop, audience)) == 3

    (gone, *_), new = [*peer.account.lists[list_id].joined], somebody(peer, last_name="Byron")
    peer.account.remove(list_id, [gone])
    peer.account.add(list_id, [new])
    told = answered(shop.ask("POST", f"{AUDIENCES}/{audience}/sync"), 202)
    assert told["primarySyncSource"]["id"] == first["id"]
    ended(shop, audience, first["lastSyncedAt"])
    shop.publish()
    found = members(shop, audience)
    assert sorted(one["fullName"] for one in found) == ["Ada", "Ada", "Ada Byron"]


def members(shop: Shop, audience: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = answered(shop.ask("GET", f"{AUDIENCES}/{audience}/members"))[
        "data"
    ]
    return data


def test_one_sync_at_a_time(shop: Shop, peer: Peer, list_id: str) -> None:
    peer.fault(slow(2))
    told = answered(shop.ask("POST", LISTS, json={"lists": [{"listId": list_id}]}), 202)
    path = f"{AUDIENCES}/{told['audiences'][0]['id']}/sync"
    refused = answered(shop.ask("POST", path), 409)
    assert refused["error"] == "Sync already in progress"
    ended(shop, told["audiences"][0]["id"])
    answered(shop.ask("POST", path), 202)


def test_what_is_refused(shop: Shop, another: Shop, peer: Peer) -> None:
    def refused(path: str, status: int, **body: Any) -> str:
        told = answered(shop.ask("POST", path, **({"json": body} if body else {})), status)
        return str(told["message"] if "details" in told else told["error"])

    wanted = {"lists": [{"listId": "L00001"}]}
    assert f"`segment-engine klaviyo key {shop.name}` sets one" in refused(LISTS, 400, **wanted)
    shop.store.vendor_keys.set("klaviyo", KEY)
    for wrong in ("", "a/b", "../x", "x" * 65, "\u00e9"):
        assert "lists.0.listId" in refused(LISTS, 400, lists=[{"listId": wrong}])
    assert "lists" in refused(LISTS, 400, lists=[])
    assert "lists" in refused(LISTS, 400, lists=[{"listId": "x"}] * 101)
    assert "refreshIntervalSeconds" in refused(LISTS, 400, **wanted, refreshIntervalSeconds=59)
    static = shop.audience(name="by hand", type="STATIC")["id"]
    assert refused(f"{AUDIENCES}/{static}/sync", 400) == "Audience is not a synced list"
    bare = shop.audience(name="bare", type="SYNCED_LIST")["id"]
    assert refused(f"{AUDIENCES}/{bare}/sync", 400) == "Audience has no sync source"
    assert source(shop, bare) is None
    assert refused(f"{AUDIENCES}/aud_nobody/sync", 404) == "Audience not found"
    foreign = another.audience(name="theirs", type="SYNCED_LIST")["id"]
    assert refused(f"{AUDIENCES}/{foreign}/sync", 404) == "Audience not found"
    told = answered(
        shop.ask("POST", LISTS, json={"lists": [{"listId": "nothing", "name": "N"}]}), 202
    )
    gone = ended(shop, told["audiences"][0]["id"])
    assert (gone["syncStatus"], gone["lastSyncedAt"]) == ("FAILED", None)
    assert "no such list" in gone["sourceData"]["error"]
    log = shop.served.log.read_text("utf-8")
    assert KEY not in log and "example.com" not in log


@pytest.mark.parametrize("served", ["sqlite"], indirect=True)  # a start is the same on both
def test_the_command_line(shop: Shop, peer: Peer, list_id: str) -> None:
    def run(*arguments: str, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SEGMENT_ENGINE_STORE": shop.served.url,
            "SEGMENT_ENGINE_SECRET": SECRET,
            "SEGMENT_ENGINE_FOLDER": str(shop.served.store.folder),
            "SEGMENT_ENGINE_KLAVIYO_URL": peer.url,
            **more,
        }
        command = [sys.executable, "-c", COMMAND[-1], *arguments]
        return subprocess.run(command, env=environment, input=typed, capture_output=True, text=True)

    shop.store.vendor_keys.remove("klaviyo")
    done = run("klaviyo", "key", shop.name, typed=f"{KEY}\n")
    assert (done.returncode, done.stdout) == (0, f"set the key of Klaviyo of {shop.name}\n")
    assert done.stderr == ""
    told = answered(shop.ask("POST", LISTS, json={"lists": [{"listId": list_id}]}), 202)
    done = run("sync", told["audiences"][0]["id"], "--org", shop.name)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["sync", told["audiences"][0]["primarySyncSourceId"]],
        ["profiles", "3"],
        ["values", "left", "out", "0"],
    ]
    run("klaviyo", "key", shop.name, KLAVIYO_API_KEY="pk_wrong")
    done = run("sync", "Newsletter", "--org", shop.name)
    assert done.returncode == 1 and "the list was not synced: Klaviyo refuses" in done.stderr
    assert run("klaviyo", "key", shop.name, "--remove").returncode == 0
    done = run("klaviyo", "key", shop.name, "--remove")
    assert (done.returncode, "no key of Klaviyo" in done.stderr) == (1, True)
