"""A worker killed at any point while it publishes and delivers: nothing that changed is lost.

`SEGMENT_ENGINE_PROFILE=release`: 50 times on each database, once on SQLite else.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from segment_engine.store import delivering, outbox
from segment_engine.store.jobs import want
from segment_engine.store.schedule import Schedule
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import generations, jobs, webhook_deliveries
from segment_engine.store.worker import LANES, this_host
from tests.profile import COMMIT
from tests.store.receiver import Receiver, receiving, status

ROOT = Path(__file__).parents[2]
POINTS = 1 if COMMIT else 50
PEOPLE, PART, BACK_OFF = 60, 7, (0.02,) * 20
KILLED = f"""
import sys
from pathlib import Path
from segment_engine.store import delivering, outbox
from segment_engine.store.store import Store
from segment_engine.store.worker import Worker
url, folder = sys.argv[1:]
delivering.PART = outbox.PART = {PART}
delivering.BACK_OFF = {BACK_OFF}
worker = Worker(Store(url, b"a secret of tests", Path(folder)), 15)
print("ready", flush=True)
worker.work()
"""


@contextmanager
def working(shop: OrganizationStore, url: str) -> Iterator[None]:
    """A worker that is killed at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, url, str(shop.store.folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield
        finally:
            process.send_signal(signal.SIGKILL)


def change(shop: OrganizationStore, chance: random.Random) -> None:
    """Changes half of the consumers, and wants a run."""
    some = chance.sample(range(PEOPLE), PEOPLE // 2)
    numbers = [{"externalId": f"e{n}", "totalOrders": chance.randrange(10)} for n in some]
    shop.consumers.upsert(numbers)
    with shop.store.database.writing() as connection:
        want(connection, shop.organization.id, after_s=0)


def is_done(shop: OrganizationStore) -> bool:
    waits = select(webhook_deliveries.c.id).where(webhook_deliveries.c.state == "WAITING")
    open_ = select(jobs.c.id).where(jobs.c.state.in_(("QUEUED", "RUNNING")))
    with shop.store.database.reading() as connection:
        return not any(connection.execute(one).first() for one in (waits, open_))


def end_all(shop: OrganizationStore) -> None:
    """Does what is left, as a worker would."""
    doing = {kind: do for lane in LANES for kind, do in lane.items()}
    schedule = Schedule(shop.store, 900)
    while not is_done(shop):
        schedule.want_due()
        if (job := shop.store.jobs.claim(this_host(), os.getpid())) is not None:
            doing[job.kind](shop, job)


def test_kills(shop: OrganizationStore, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if COMMIT and not database_url.startswith("sqlite"):
        pytest.skip("the commit profile kills on SQLite")
    for module in (delivering, outbox):
        monkeypatch.setattr(module, "PART", PART)
    monkeypatch.setattr(delivering, "BACK_OFF", BACK_OFF)
    chance, left = random.Random(3 if COMMIT else None), 0
    for rule in ("totalOrders >= 5", "totalOrders < 3"):
        shop.audiences.create(rule, "DYNAMIC", expression=rule)
    shop.consumers.upsert([{"externalId": f"e{n}", "totalOrders": 4} for n in range(PEOPLE)])
    with receiving() as receiver:
        secret, _ = shop.store.webhooks.create(shop.organization.id, receiver.url)
        change(shop, chance)
        with working(shop, database_url):
            start = time.monotonic()
            while not is_done(shop):
                assert time.monotonic() < start + 60
                time.sleep(0.05)
            longest = time.monotonic() - start
        for _ in range(POINTS):
            receiver.answers = [status(chance.choice((204, 204, 500))) for _ in range(10)]
            change(shop, chance)
            with working(shop, database_url):
                time.sleep(chance.uniform(0, longest))
            left += not is_done(shop)
            end_all(shop)
        _check(shop, receiver, secret)
        many = len(receiver.ids) - len(set(receiver.ids))
    print(f"killed {POINTS} times, {left} ended by another process, {many} messages came again")


def _check(shop: OrganizationStore, receiver: Receiver, secret: str) -> None:
    """The messages, each once by its id, are all that changed in all generations."""
    with shop.store.database.reading() as connection:
        rows = connection.execute(select(webhook_deliveries)).all()
        numbers = connection.execute(select(generations.c.number)).scalars().all()
    assert {row.state for row in rows} == {"DELIVERED"}
    parts = {f"{row.id}_{part}" for row in rows for part in range(1, row.parts + 1)}
    assert set(receiver.ids) == parts
    told: dict[tuple[int, str], tuple[set[str], set[str]]] = {}
    order: dict[str, list[tuple[int, int]]] = {}
    for one in {one["id"]: one for one in map(_verified(secret), receiver.received)}.values():
        moved = told.setdefault((one["generation"], one["audienceId"]), (set(), set()))
        for side, name in zip(moved, ("entered", "left"), strict=True):
            side.update(person["id"] for person in one[name])
        order.setdefault(one["audienceId"], []).append((one["generation"], one["part"]))
    assert all(came == sorted(came) for came in order.values())
    assert told == {
        (number, audience): (entered, left)
        for number in numbers
        for audience in shop.generations.get(number).audiences
        for entered, left in [_moves(shop, number, audience)]
        if entered or left
    }


def _verified(secret: str) -> Any:
    return lambda received: received.verified(secret)


def _moves(shop: OrganizationStore, number: int, audience: str) -> tuple[set[str], set[str]]:
    moved = shop.generations.changes(shop.generations.get(number), audience)
    entered, left = (shop.consumers.at(side.ordinals().tolist()) for side in moved)
    return {one.id for one in entered}, {one.id for one in left}
