"""Jobs are done once each, whatever dies meanwhile; a job that waits is wanted once."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from random import Random

import pytest
from sqlalchemy import select, update

from segment_engine.store.database import Database
from segment_engine.store.jobs import BACK_OFF, Job, Lost, want
from segment_engine.store.records import Organization
from segment_engine.store.store import Store
from segment_engine.store.tables import idempotency, jobs

HOST, HERE = "host", os.getpid()


def wanted(store: Store, organization: Organization, **options: object) -> str:
    with store.database.writing() as connection:
        return want(connection, organization.id, **{"after_s": 0, **options})  # type: ignore[arg-type]


def changed(store: Store, **values: object) -> None:
    """As if time had passed."""
    with store.database.writing() as connection:
        connection.execute(update(jobs).values(**values))


def claimed(store: Store, host: str = HOST, process: int = HERE) -> Job:
    job = store.jobs.claim(host, process)
    assert job is not None
    return job


def dead_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_job_that_waits_is_wanted_once(store: Store, organization: Organization) -> None:
    first = wanted(store, organization, after_s=5)
    assert wanted(store, organization, after_s=50, at_most_s=20) == first
    (waits,) = store.jobs.state(organization.id)
    assert waits.run_after == waits.created_at + 20_000_000
    assert store.jobs.claim(HOST, HERE) is None
    assert wanted(store, organization) == first
    assert wanted(store, organization, after_s=50) == first
    assert wanted(store, organization, key="another") != first
    assert wanted(store, organization) == first
    job = claimed(store)
    assert (job.id, job.attempts) == (first, 1)
    behind = wanted(store, organization)
    assert behind != first and store.jobs.take(behind, HOST, HERE) is None
    assert store.jobs.claim(HOST, HERE, ("import", "sync")) is None
    again = claimed(store)
    assert again.key == "another"
    assert store.jobs.claim(HOST, HERE) is None, "one runs, the other has to wait"
    store.jobs.finish(job)
    assert claimed(store).kind == "materialize"


def test_a_job_that_fails_is_tried_again_and_given_up(
    store: Store, organization: Organization
) -> None:
    wanted(store, organization, payload="{}")
    for pause in BACK_OFF:
        job = claimed(store)
        store.jobs.fail(job, "no luck")
        (waits,) = store.jobs.state(organization.id)
        assert (waits.state, waits.error, waits.attempts) == ("QUEUED", "no luck", job.attempts)
        assert store.jobs.claim(HOST, HERE) is None
        wanted(store, organization, after_s=1)
        assert store.jobs.state(organization.id)[0].run_after == waits.run_after
        assert pause * 1e6 <= waits.run_after - waits.created_at
        changed(store, run_after=0)
    job = claimed(store)
    assert job.payload == "{}"
    store.jobs.fail(job, "no luck")
    assert [one.state for one in store.jobs.state(organization.id)] == ["FAILED"]


def test_a_job_that_comes_further_is_not_given_up(store: Store, organization: Organization) -> None:
    wanted(store, organization)
    process = dead_process()
    for _ in range(3 * len(BACK_OFF)):
        job = claimed(store, HOST, process)
        with store.database.writing() as connection:
            store.jobs.advances(connection, job)
    for _ in BACK_OFF:
        assert not store.jobs.is_last(job)
        store.jobs.fail(job, "no luck")
        changed(store, run_after=0)
        job = claimed(store)
    assert store.jobs.is_last(job)


def test_one_that_waits_takes_the_place_of_one_that_failed(
    store: Store, organization: Organization
) -> None:
    wanted(store, organization)
    job = claimed(store)
    other = wanted(store, organization)
    store.jobs.fail(job, "no luck")
    (waits,) = store.jobs.state(organization.id)
    assert (waits.id, waits.attempts, waits.error) == (other, 1, "no luck")


def test_a_job_goes_back_as_if_nobody_had_had_it(store: Store, organization: Organization) -> None:
    wanted(store, organization)
    job = claimed(store)
    store.jobs.release(job)
    again = claimed(store)
    assert (again.id, again.attempts) == (job.id, 1)
    with pytest.raises(Lost):
        store.jobs.finish(job)
    store.jobs.heartbeat(again)


def test_leases(store: Store, organization: Organization) -> None:
    wanted(store, organization)
    job = claimed(store)
    assert store.jobs.claim("another host", HERE) is None
    changed(store, lease_until=0)
    again = claimed(store, "another host")
    assert (again.id, again.token, again.attempts) == (job.id, job.token + 1, 2)
    for ended in (store.jobs.finish, store.jobs.heartbeat, store.jobs.release):
        with pytest.raises(Lost):
            ended(job)
    store.jobs.finish(again)
    assert store.jobs.state(organization.id) == []


def test_a_process_that_died_on_this_host_loses_its_job_at_once(
    store: Store, organization: Organization
) -> None:
    wanted(store, organization)
    process = dead_process()
    for attempt in range(1, len(BACK_OFF) + 2):
        assert claimed(store, HOST, process).attempts == attempt
    assert store.jobs.claim("another host", HERE) is None
    assert store.jobs.claim(HOST, HERE) is None, "it died with its process too often"
    assert [one.state for one in store.jobs.state(organization.id)] == ["FAILED"]


def test_each_job_has_its_effect_once(
    store: Store, organization: Organization, database_url: str
) -> None:
    """Workers that crash, and that go on when they are taken for dead."""
    with store.database.writing() as connection:
        for number in range(100):
            want(connection, organization.id, "count", str(number), after_s=0)
    process = dead_process()

    def work(seed: int) -> None:
        random, database = Random(seed), Database(database_url)
        mine, late = Store(database_url, b"", store.folder), list[Job]()
        while job := mine.jobs.claim(HOST, random.choice([HERE, process])):
            if random.random() < 0.3:
                late.append(job)  # ends when another one may have it
                if random.random() < 0.5:
                    with database.writing() as connection:
                        mine_of = update(jobs).where(jobs.c.id == job.id)
                        connection.execute(mine_of.values(lease_until=0))
            elif random.random() < 0.9:
                with suppress(Lost):
                    effect(mine, job)
            for one in late if random.random() < 0.2 else ():
                with suppress(Lost):
                    effect(mine, one)
        database.close()
        mine.close()

    for _ in range(20):
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        changed(store, attempts=0)
        with store.database.writing() as connection:
            running = update(jobs).where(jobs.c.state.in_(("RUNNING", "FAILED")))
            connection.execute(running.values(state="RUNNING", lease_until=0))
        if not store.jobs.state(organization.id):
            break
    with store.database.reading() as connection:
        done = connection.execute(select(idempotency.c.key)).scalars().all()
    assert sorted(map(int, done)) == list(range(100))


def effect(store: Store, job: Job) -> None:
    """A row that can be there once; whoever would write it twice fails."""
    with store.database.writing() as connection:
        store.jobs.done(connection, job)
        connection.execute(
            idempotency.insert().values(
                organization=job.organization, key=job.key, request="", created_at=0
            )
        )
