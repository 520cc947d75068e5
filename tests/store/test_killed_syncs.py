"""A sync killed at any point: another process ends it, and the members are those of the list.

`SEGMENT_ENGINE_PROFILE=release`: 50 times on each database, and one sync of 200,000 at 20 points.
The commit profile has none.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from segment_engine.store import syncing
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import identities, jobs, sync_profiles
from segment_engine.store.worker import this_host
from tests.klaviyo.account import filled
from tests.klaviyo.peer import KEY, Peer
from tests.profile import COMMIT

ROOT = Path(__file__).parents[2]
POINTS = 50
PEOPLE, LARGE, LARGE_POINTS = 6_000, 200_000, 20
KILLED = """
import sys
from pathlib import Path
from segment_engine.store.store import Store
from segment_engine.store.sync_here import sync_here
from segment_engine.syncing.klaviyo import KlaviyoLists
from segment_engine.syncing.vendors import VENDORS
url, folder, organization, audience, address = sys.argv[1:]
VENDORS["klaviyo"] = lambda key, url: KlaviyoLists(key, url, per_minute=1e6)
shop = Store(url, b"a secret of tests", Path(folder), {"klaviyo": address}).of(organization)
print("ready", flush=True)
sync_here(shop, audience, lambda done, total: None)
"""


@pytest.fixture
def peer(shop: OrganizationStore) -> Iterator[Peer]:
    with Peer(burst=10**6, steady=10**6) as peer:
        shop.store.addresses = {"klaviyo": peer.url}
        shop.vendor_keys.set("klaviyo", KEY)
        yield peer


def begun(shop: OrganizationStore, audience: str, url: str) -> subprocess.Popen[str]:
    """A process that has all but the sync behind it."""
    address = shop.store.addresses["klaviyo"]
    arguments = (url, str(shop.store.folder), shop.organization.id, audience, address)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def end_all(shop: OrganizationStore) -> None:
    """Does what is left of syncs, as a worker would."""
    while (job := shop.store.jobs.claim(this_host(), os.getpid(), ("sync",))) is not None:
        syncing.run(shop, job)


def change(peer: Peer, list_id: str, round_: int, chance: random.Random) -> None:
    """Some leave the list and others join."""
    joined = [*peer.account.lists[list_id].joined]
    peer.account.remove(list_id, chance.sample(joined, 500))
    made = [peer.account.create_profile(email=f"r{round_}n{n}@x.org") for n in range(500)]
    peer.account.add(list_id, made)


def test_kills_of_syncs(shop: OrganizationStore, database_url: str, peer: Peer) -> None:
    if COMMIT:
        pytest.skip("it takes half a minute: the commit profile kills imports and deliveries")
    chance = random.Random()
    list_id = filled(peer.account, PEOPLE)
    ((audience,), _) = shop.syncs.create("klaviyo", [(list_id, None)])
    longest = whole(shop, audience.id, database_url)
    check(shop, audience.id, {*peer.account.lists[list_id].joined})
    left = 0
    for round_ in range(POINTS):
        before = ordinals(shop, audience.id)
        change(peer, list_id, round_, chance)
        kill(shop, audience.id, database_url, chance.uniform(0, longest))
        left += ended(shop, audience.id, before, {*peer.account.lists[list_id].joined})
    print(f"killed {POINTS} times, {left} syncs were ended by another process")


def whole(shop: OrganizationStore, audience: str, url: str) -> float:
    """The seconds of a sync that nobody kills."""
    with begun(shop, audience, url) as process:
        start = time.monotonic()
    assert process.returncode == 0
    return time.monotonic() - start


def kill(shop: OrganizationStore, audience: str, url: str, after_s: float) -> None:
    """A sync that is killed."""
    with begun(shop, audience, url) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)


def ended(shop: OrganizationStore, audience: str, before: set[int], joined: set[str]) -> bool:
    """Whether there was something to end; until then the members are those of before."""
    sync = shop.syncs.get(audience) or pytest.fail("it has none")
    was_open = shop.syncs.job(sync.id) is not None
    if was_open:
        assert ordinals(shop, audience) == before
        end_all(shop)
    if not was_open and ordinals(shop, audience) == before:
        shop.syncs.want(audience)  # it was killed before it wanted one
        end_all(shop)
    check(shop, audience, joined)
    return was_open


def ordinals(shop: OrganizationStore, audience: str) -> set[int]:
    return {*shop.members.bitmap(audience).ordinals().tolist()}


def check(shop: OrganizationStore, audience: str, joined: set[str]) -> None:
    """The members are those of the list, each profile a consumer, and nothing is left over."""
    told: Any = shop.syncs.get(audience)
    assert (told.status, told.profiles, told.processed) == ("COMPLETED", len(joined), len(joined))
    with shop.store.database.reading() as connection:
        rows = connection.execute(select(identities.c.profile, identities.c.consumer))
        whom = {row.profile: row.consumer for row in rows}
        kept = connection.execute(select(func.count()).select_from(sync_profiles)).scalar_one()
        ours = select(jobs.c.state).where(jobs.c.kind == "sync")
        states = {*connection.execute(ours).scalars()}
    assert (kept, states) == (0, {"DONE"})
    numbers = shop.consumers.ordinals_of([whom[one] for one in joined])
    assert {*numbers.values()} == ordinals(shop, audience) and len(numbers) == len(joined)
    own = shop.store.organizations.get(shop.organization.id)
    assert own.next_ordinal == len(whom) == len({*whom.values()})


@pytest.mark.skipif(COMMIT, reason="it takes minutes")
def test_a_sync_of_a_large_list_killed_again_and_again(
    shop: OrganizationStore, database_url: str
) -> None:
    """One sync, which many processes begin and the last one ends; the list is served by another."""
    command = [sys.executable, "-m", "tests.klaviyo.peer", "--profiles", str(LARGE)]
    limits = ["--burst", "1000000", "--steady", "1000000"]
    with subprocess.Popen([*command, *limits], cwd=ROOT, stdout=subprocess.PIPE, text=True) as peer:
        try:
            assert peer.stdout is not None
            told = re.search(r"(http\S+) key (\S+) list (\S+)", peer.stdout.readline())
            assert told is not None
            _kill_again_and_again(shop, database_url, *told.groups())
        finally:
            peer.kill()


def _kill_again_and_again(
    shop: OrganizationStore, database_url: str, address: str, key: str, list_id: str
) -> None:
    chance = random.Random()
    shop.store.addresses = {"klaviyo": address}
    shop.vendor_keys.set("klaviyo", key)
    ((audience,), _) = shop.syncs.create("klaviyo", [(list_id, None)])
    # As many profiles are put in as are read.
    for point in sorted(chance.choices(range(2 * LARGE), k=LARGE_POINTS)):
        with begun(shop, audience.id, database_url) as process:
            while _far(shop, audience.id) < point and process.poll() is None:
                time.sleep(0.05)
            time.sleep(chance.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL and ordinals(shop, audience.id) == set()
    end_all(shop)
    check(shop, audience.id, {f"01{n:024d}" for n in range(LARGE)})
    with shop.store.database.reading() as connection:
        (job,) = connection.execute(select(jobs).where(jobs.c.kind == "sync")).all()
    print(f"one sync of {LARGE:,} profiles killed {LARGE_POINTS} times, ended by try {job.token}")


def _far(shop: OrganizationStore, audience: str) -> int:
    told = shop.syncs.get(audience)
    assert told is not None
    return told.profiles + told.processed
