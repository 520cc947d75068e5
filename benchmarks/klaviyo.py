"""A list of Klaviyo synced from the command line, against loading the same people from a file.

    python -m benchmarks.klaviyo [--profiles 200000] [--store URL]

The list is that of the loopback Klaviyo of the tests, a process of its own, at the limits that are
documented: 75 questions a second and 700 a minute. The list is synced into an empty store, and once
more, which changes nothing. The baseline is `consumers load` of a file of the same people into
another store, without a network. Before the table is printed, the members and their values are
compared with the list. Memory is anonymous, in MB.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from benchmarks import memory
from segment_engine.store.records import Consumer
from segment_engine.store.settings import settings
from segment_engine.store.store import OrganizationStore
from tests.klaviyo.account import made_up

RUN = "from segment_engine.cli import app; app()"
PAGE = 100
MOST = 1_000
"""Consumers that are compared at a time."""


def main() -> None:
    """Prints what each command takes."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--profiles", type=int, default=200_000)
    options.add_argument("--store", help="instead of an SQLite file of its own, which is empty")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with _peer(chosen.profiles) as (address, key, list_id):
            os.environ["SEGMENT_ENGINE_KLAVIYO_URL"] = address
            store = chosen.store or f"sqlite:///{folder}/synced.db"
            _compete(folder, chosen.profiles, store, key, list_id)


@contextmanager
def _peer(profiles: int) -> Iterator[tuple[str, ...]]:
    """The address, the key and the id of the list of a Klaviyo."""
    command = [sys.executable, "-m", "tests.klaviyo.peer", "--profiles", str(profiles)]
    with Popen(command, stdout=PIPE, text=True) as peer:
        try:
            assert peer.stdout is not None
            told = re.search(r"(http\S+) key (\S+) list (\S+)", peer.stdout.readline())
            assert told is not None
            yield told.groups()
        finally:
            peer.terminate()


def _compete(folder: Path, profiles: int, store: str, key: str, list_id: str) -> None:
    baseline = f"sqlite:///{folder}/loaded.db"
    _shop(baseline).store.close()
    file = folder / "people.ndjson"
    with open(file, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(_consumer(n)) + "\n" for n in range(profiles))
    shop = _shop(store)
    shop.vendor_keys.set("klaviyo", key)
    (audience,), _ = shop.syncs.create("klaviyo", [(list_id, None)])
    runs = [
        ("consumers load, without a network", baseline, ("consumers", "load", file)),
        ("sync", store, ("sync", audience.id)),
        ("sync, the same list again", store, ("sync", audience.id)),
    ]
    taken = [(name, _run(url, command)) for name, url, command in runs]
    _compare(shop, audience.id, profiles)
    pages = -(-profiles // PAGE)
    print(f"{profiles:,} profiles on {pages:,} pages of a list; each is a member, and no value")
    print("differs from the list; at most 10 pages a second are asked for")
    print(f"{'':34} {'seconds':>8} {'pages/s':>8} {'MB':>6}")
    for place, (name, one) in enumerate(taken):
        speed = f"{pages / one.seconds:8.1f}" if place else f"{'':8}"
        print(f"{name:34} {one.seconds:8.1f} {speed} {one.most / 1e3:6,.0f}")
    shop.store.close()


def _shop(url: str) -> OrganizationStore:
    store = settings(store=url).opened()
    return store.of(store.organizations.create("benchmark").id)


def _run(url: str, command: tuple[object, ...]) -> memory.Taken:
    os.environ["SEGMENT_ENGINE_STORE"] = url
    return memory.watched([sys.executable, "-c", RUN, *command, "--org", "benchmark"])


def _consumer(number: int) -> dict[str, Any]:
    """A profile as a file of consumers has it."""
    given = made_up(number)
    more = {name: given[name] for name in ("location", "properties")}
    row = {
        "email": given["email"],
        "phone": given["phone_number"],
        "externalId": given["external_id"],
        "fullName": _name(given),
        "metadata": {"klaviyo": more},
    }
    return {name: one for name, one in row.items() if one is not None}


def _name(given: Mapping[str, Any]) -> str:
    return f"{given['first_name']} {given['last_name']}"


def _compare(shop: OrganizationStore, audience: str, profiles: int) -> None:
    """Ends the program where the members are not those of the list."""
    ordinals = shop.members.bitmap(audience).ordinals().tolist()
    told = dict[str | None, tuple[object, ...]]()
    for at in range(0, len(ordinals), MOST):
        for one in shop.consumers.at(ordinals[at : at + MOST]):
            told[one.email] = _told(one)
    wanted = {str(made_up(n)["email"]): _wanted(n) for n in range(profiles)}
    if len(ordinals) != profiles or told != wanted:
        raise SystemExit("the members differ from the list")


def _told(one: Consumer) -> tuple[object, ...]:
    return one.phone, one.external_id, one.full_name, one.metadata


def _wanted(number: int) -> tuple[object, ...]:
    """A phone number that is none is left out."""
    given = _consumer(number)
    return given.get("phone"), given.get("externalId"), given["fullName"], given["metadata"]


if __name__ == "__main__":
    main()
