"""Workers: what is wanted is done, whatever happens to them, and no change is lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from segment_engine.errors import StoreError
from segment_engine.store import worker as workers
from segment_engine.store.jobs import Job, want
from segment_engine.store.schedule import Schedule
from segment_engine.store.status import status
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.supervising import Supervisor
from segment_engine.store.tables import generations, jobs, memberships
from segment_engine.store.worker import PARENT, Heartbeat, Worker

ROOT = Path(__file__).parents[2]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, store: Store, database_url: str) -> dict[str, str]:
    """The environment of a worker of the store."""
    monkeypatch.setenv("SEGMENT_ENGINE_STORE", database_url)
    monkeypatch.setenv("SEGMENT_ENGINE_SECRET", "s" * 32)
    monkeypatch.setenv("SEGMENT_ENGINE_FOLDER", str(store.folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return {**os.environ}


@contextmanager
def started(told: dict[str, str], code: str = "") -> Iterator[subprocess.Popen[str]]:
    """A worker's process; `code` is done before."""
    whole = f"import os\n{code}\nfrom segment_engine.store.worker import main\nmain(os.environ)"
    command = [sys.executable, "-c", whole]
    process = subprocess.Popen(command, env=told, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(found: Callable[[], Any], within: float = 120) -> Any:
    end = time.monotonic() + within
    while not (told := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return told


def wanted(shop: OrganizationStore, after_s: float = 0) -> None:
    with shop.store.database.writing() as connection:
        want(connection, shop.organization.id, after_s=after_s)


def filled(shop: OrganizationStore) -> str:
    shop.consumers.upsert([{"email": f"{n}@x.org", "totalOrders": n} for n in range(50)])
    audience = shop.audiences.create("many", "DYNAMIC", expression="totalOrders >= 10").id
    wanted(shop)
    return audience


def numbers(shop: OrganizationStore) -> list[int]:
    with shop.store.database.reading() as connection:
        rows = select(generations.c.number).order_by(generations.c.number)
        return list(connection.execute(rows).scalars())


def test_a_worker_that_is_killed_publishes_nothing(
    shop: OrganizationStore, told: dict[str, str], tmp_path: Path
) -> None:
    audience, here = filled(shop), tmp_path / "here"
    stops = (
        "import time\n"
        "from pathlib import Path\n"
        "from segment_engine.store import generations\n"
        "def stop(*_):\n"
        f"    Path({str(here)!r}).touch(); time.sleep(60)\n"
        "generations.Generations._check_whole = stop\n"  # all but the end is written by then
    )
    with started(told, stops) as process:
        until(here.exists)
        assert status(shop, audience).status == "RUNNING"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert numbers(shop) == []
    with shop.store.database.reading() as connection:
        assert connection.execute(select(memberships)).first() is None
    with shop.store.database.writing() as connection:
        longer = jobs.c.lease_until + 3_600_000_000
        connection.execute(update(jobs).values(lease_until=longer))
    with started(told):
        until(lambda: numbers(shop) == [1])
    done = status(shop, audience)
    assert (done.status, done.member_count, done.stale) == ("READY", 40, False)


def test_a_worker_ends_with_its_parent_and_gives_its_job_back(
    shop: OrganizationStore, told: dict[str, str]
) -> None:
    filled(shop)
    slow = (
        "import time\n"
        "from segment_engine.store import running, worker\n"
        "worker.GRACE_S = 0.5\n"
        "running.Runs.run = lambda *_: time.sleep(60)\n"
    )
    with started({**told, PARENT: "1"}, slow) as process:
        assert process.wait(20) == 0
    assert numbers(shop) == []
    with started({**told, PARENT: str(os.getpid())}, slow) as process:
        until(lambda: shop.store.jobs.state(shop.organization.id)[0].state == "RUNNING")
        process.terminate()
        assert process.wait(20) == 0
    (waits,) = shop.store.jobs.state(shop.organization.id)
    assert (waits.state, waits.attempts) == ("QUEUED", 0)


def test_a_supervisor_starts_a_worker_again(shop: OrganizationStore, told: dict[str, str]) -> None:
    filled(shop)
    with Supervisor() as supervisor:
        first = until(lambda: supervisor.process)
        until(lambda: numbers(shop) == [1])
        os.kill(first, signal.SIGKILL)
        second = until(lambda: supervisor.process not in (None, first) and supervisor.process)
        wanted(shop)
        until(lambda: numbers(shop) == [1, 2])
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_a_run_that_raises_is_tried_again(
    shop: OrganizationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> str:
        raise RuntimeError("ada@x.org")

    audience = filled(shop)
    shop.runs.run()
    monkeypatch.setitem(workers.LANES[0], "materialize", broken)
    lane = Worker(shop.store, time_run_minutes=15).lanes[0]
    assert lane.next()
    found = status(shop, audience)
    assert (found.status, found.member_count) == ("FAILED", 40)
    assert "RuntimeError" in (found.error or "")
    assert "ada" not in (found.error or "")
    assert not lane.next()
    monkeypatch.undo()
    wanted(shop)
    assert lane.next()
    assert status(shop, audience).status == "READY"


def test_a_lane_that_waits_holds_up_no_other(
    shop: OrganizationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(shop)
    with shop.store.database.writing() as connection:
        want(connection, shop.organization.id, "wait", after_s=0)
    begun, told = threading.Event(), threading.Event()

    def wait(shop: OrganizationStore, job: Job) -> str:
        begun.set()
        assert told.wait(30)
        shop.store.jobs.finish(job)
        return ""

    monkeypatch.setattr(workers, "LANES", (*workers.LANES, {"wait": wait}))
    worker = Worker(shop.store, time_run_minutes=15)
    thread = threading.Thread(target=worker.work)
    thread.start()
    assert begun.wait(30)
    until(lambda: numbers(shop) == [1])
    worker._ending.set()  # `end` would end this process, too
    told.set()
    thread.join()
    assert shop.store.jobs.state(shop.organization.id) == []


def test_lanes_that_are_never_idle_do_not_stop_the_clock(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    monkeypatch.setattr(Schedule, "want_due", lambda _: asked.set())
    monkeypatch.setattr(workers.Lane, "next", lambda _: time.sleep(0.01) or True)
    worker = Worker(store, time_run_minutes=15)
    thread = threading.Thread(target=worker.work)
    thread.start()
    found = asked.wait(5)
    worker._ending.set()
    thread.join()
    assert found


def test_a_heart_that_misses_a_beat_goes_on(
    shop: OrganizationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted(shop)
    jobs, beats = shop.store.jobs, list[Job]()
    job = jobs.claim("here", 1) or pytest.fail("there is none")

    def beat(job: Job) -> None:
        beats.append(job)
        if len(beats) == 1:
            raise StoreError("the database cannot be used: database is locked")

    monkeypatch.setattr(jobs, "heartbeat", beat)
    monkeypatch.setattr(workers, "POLL_S", 0.01)
    monkeypatch.setattr(workers, "HEARTBEAT_S", 0.01)
    with Heartbeat(shop.store, job, lambda: False):
        until(lambda: len(beats) > 1)


def test_schedules(shop: OrganizationStore) -> None:
    schedule, organization = Schedule(shop.store, time_run_s=900), shop.organization.id
    assert schedule.want_due() == []
    audience = shop.audiences.create("many", "DYNAMIC", expression="totalOrders >= 10").id

    def after(minutes: float) -> list[str]:
        """Who is due so long after the last run, without a job of before."""
        with shop.store.database.writing() as connection:
            connection.execute(jobs.delete())
            now = shop.store.database.now(connection)
            aged = update(generations).values(as_of=now - round(minutes * 60_000_000))
            connection.execute(aged)
        return schedule.want_due()

    assert after(0) == [organization], "it was never computed"
    assert schedule.want_due() == [], "it waits already"
    shop.runs.run()
    assert after(10_000) == []
    shop.audiences.update(audience, {"refresh_interval": 60})
    assert (after(0.9), after(1.1)) == ([], [organization])
    shop.audiences.update(audience, {"refresh_interval": None})
    shop.audiences.update(audience, {"expression": "lastOrderAt within last 30 days"})
    assert after(0) == [organization], "what was changed is not seen yet"
    shop.runs.run()
    assert (after(14), after(16)) == ([], [organization])
    schedule.delete_old()


def test_no_change_is_lost(shop: OrganizationStore, told: dict[str, str]) -> None:
    """While eight threads write, two workers run."""
    audience = filled(shop)

    def write(first: int) -> None:
        for n in range(first, first + 12):
            shop.consumers.upsert([{"externalId": f"e{n}", "totalOrders": n % 20}])
            wanted(shop)
            time.sleep(0.1)

    threads = [threading.Thread(target=write, args=(1_000 * n,)) for n in range(8)]
    with started(told), started(told):
        until(lambda: numbers(shop) == [1])
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: not status(shop, audience).stale)
    written = [n % 20 for first in range(8) for n in range(1_000 * first, 1_000 * first + 12)]
    found = status(shop, audience)
    assert found.member_count == 40 + sum(n >= 10 for n in written)
    assert len(numbers(shop)) > 2
