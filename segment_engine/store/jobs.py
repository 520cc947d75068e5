"""Jobs: what workers do beside the requests, each done once whatever dies.

A job that is wanted again before it began is the same job. Whoever claims one gets a token of it;
what a job changes commits in a transaction that holds the token, so a worker that was taken for
dead changes nothing.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from ulid import ULID

from segment_engine.errors import StoreError
from segment_engine.store.database import Database, now
from segment_engine.store.tables import jobs

SECOND = 1_000_000
LEASE = 10 * SECOND
"""How long a worker that says nothing is taken to be alive."""
BACK_OFF = (5, 30, 120, 600)
"""Seconds after each failure; a job that failed once more is given up."""
_QUEUED = text("state = 'QUEUED'")
"""Which index is meant; a parameter would hide that from a plan that is kept for all parameters."""
LOST_PROCESS = "the process that ran it has ended"


class Lost(StoreError):
    """Another worker has the job, or it has ended: nothing may be changed for it any more."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was claimed; `token` says that it is ours. `attempts` counts this one."""

    id: str
    organization: str
    kind: str
    key: str
    payload: str | None
    token: int
    attempts: int


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job is: QUEUED, RUNNING, DONE or FAILED; instants in microseconds.

    `error` is of the attempt before where it is queued again.
    """

    id: str
    kind: str
    key: str
    state: str
    attempts: int
    created_at: int
    run_after: int
    started_at: int | None
    finished_at: int | None
    error: str | None


def want(
    connection: Connection,
    organization_id: str,
    kind: str = "materialize",
    key: str = "",
    after_s: float = 5,
    at_most_s: float = 60,
    payload: str | None = None,
) -> str:
    """The id of a job that will run after `after_s` seconds, at most `at_most_s` after it was
    wanted first: one that waits already is that job, with the new payload if there is one.

    One that is due keeps its turn, and one that failed waits as long as it has to, unless it is
    wanted at once. Call it behind what counts changes, in the same transaction: it holds the job's
    row.
    """
    instant = now(connection)
    fresh: dict[str, Any] = {
        "id": f"job_{ULID()}",
        "organization": organization_id,
        "kind": kind,
        "key": key,
        "state": "QUEUED",
        "payload": payload,
        "token": 0,
        "attempts": 0,
        "created_at": instant,
        "run_after": instant + round(after_s * SECOND),
    }
    at_most = jobs.c.created_at + round(at_most_s * SECOND)
    later = fresh["run_after"]
    is_due = jobs.c.run_after <= instant
    stays = or_(is_due, jobs.c.attempts > 0) if after_s > 0 else is_due
    due = case((stays, jobs.c.run_after), (at_most < later, at_most), else_=later)
    statement = _insert(connection).values(fresh)
    coalesced = statement.on_conflict_do_update(
        index_elements=["organization", "kind", "key"],
        index_where=_QUEUED,
        set_={"run_after": due, "payload": func.coalesce(payload, jobs.c.payload)},
    ).returning(jobs.c.id)
    return str(connection.execute(coalesced).scalar_one())


def _insert(connection: Connection) -> Any:
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(jobs)


class Jobs:
    """The jobs of all organizations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    want = staticmethod(want)

    def claim(self, host: str, process: int, kinds: Sequence[str] | None = None) -> Job | None:
        """The next job of those kinds that is due, or whose worker is dead; it is this process's
        now. None are all kinds.

        `host` names what process numbers are of. A job that died with its process too often, and
        came no further, is given up.
        """
        of_kinds = true() if kinds is None else jobs.c.kind.in_(kinds)
        while self._is_any(host, of_kinds):
            with self._database.writing() as connection:
                instant = now(connection)
                row = self._abandoned(connection, host, instant, of_kinds)
                row = row or self._due(connection, instant, of_kinds)
                if row is None:
                    return None
                if row.attempts <= len(BACK_OFF):
                    return self._claimed(connection, row, host, process, instant)
                self._give_up(connection, row, instant)
        return None

    def take(self, job_id: str, host: str, process: int) -> Job | None:
        """A job that waits, whenever it is due, or whose worker is dead; else None.

        One that waits behind another of the same key is not taken.
        """
        named = jobs.c.id == job_id
        waits = select(jobs).where(named, jobs.c.state == "QUEUED", ~_runs())
        with self._database.writing() as connection:
            instant = now(connection)
            row = connection.execute(_next(waits)).first()
            row = row or self._abandoned(connection, host, instant, named)
            if row is None:
                return None
            return self._claimed(connection, row, host, process, instant)

    def _is_any(self, host: str, of_kinds: ColumnElement[bool]) -> bool:
        """Whether there may be one: a transaction that may write keeps others from writing."""
        with self._database.reading() as connection:
            instant = now(connection)
            due = and_(jobs.c.state == "QUEUED", jobs.c.run_after <= instant)
            abandoned = or_(jobs.c.lease_until < instant, jobs.c.host == host)
            running = and_(jobs.c.state == "RUNNING", abandoned)
            found = select(jobs.c.id).where(of_kinds, or_(due, running)).limit(1)
            return connection.execute(found).first() is not None

    @staticmethod
    def _abandoned(
        connection: Connection, host: str, instant: int, of_kinds: ColumnElement[bool]
    ) -> Row[Any] | None:
        running = select(jobs).where(of_kinds, jobs.c.state == "RUNNING")
        expired = running.where(jobs.c.lease_until < instant)
        if row := connection.execute(_next(expired.order_by(jobs.c.lease_until))).first():
            return row
        of_host = running.where(jobs.c.host == host)
        for row in connection.execute(of_host).all():
            if not lives(row.process):
                same = and_(jobs.c.id == row.id, jobs.c.token == row.token)
                return connection.execute(_next(running.where(same))).first()
        return None

    @staticmethod
    def _due(
        connection: Connection, instant: int, of_kinds: ColumnElement[bool]
    ) -> Row[Any] | None:
        waits = jobs.c.state == "QUEUED", jobs.c.run_after <= instant
        due = select(jobs).where(of_kinds, *waits, ~_runs())
        return connection.execute(_next(due.order_by(jobs.c.run_after, jobs.c.id))).first()

    @staticmethod
    def _claimed(
        connection: Connection, row: Row[Any], host: str, process: int, instant: int
    ) -> Job:
        token, attempts = row.token + 1, row.attempts + 1
        taken = update(jobs).where(jobs.c.id == row.id)
        connection.execute(
            taken.values(
                state="RUNNING",
                token=token,
                attempts=attempts,
                started_at=instant,
                lease_until=instant + LEASE,
                host=host,
                process=process,
            )
        )
        return Job(row.id, row.organization, row.kind, row.key, row.payload, token, attempts)

    @staticmethod
    def _give_up(connection: Connection, row: Row[Any], instant: int) -> None:
        error = row.error or LOST_PROCESS
        ended = {"state": "FAILED", "finished_at": instant, "error": error, "lease_until": None}
        connection.execute(update(jobs).where(jobs.c.id == row.id).values(**ended))

    def heartbeat(self, job: Job) -> None:
        """Says that the job's worker lives. Raises Lost."""
        with self._database.writing() as connection:
            self._ours(connection, job, lease_until=now(connection) + LEASE)

    @staticmethod
    def holds(connection: Connection, job: Job) -> None:
        """Holds the job to the end of the transaction. Raises Lost where it is not ours."""
        query = select(jobs.c.id).where(_is(job)).with_for_update()
        if connection.execute(query).first() is None:
            raise Lost("another worker has the job")

    @classmethod
    def advances(cls, connection: Connection, job: Job) -> None:
        """As `holds`, of a job that comes further in the transaction, and goes on from there: the
        attempts before count no more.
        """
        cls._ours(connection, job, attempts=1)

    def is_last(self, job: Job) -> bool:
        """Whether the job is given up when it fails once more. Raises Lost."""
        with self._database.reading() as connection:
            return self._attempts(connection, job) > len(BACK_OFF)

    @staticmethod
    def _attempts(connection: Connection, job: Job) -> int:
        found: int | None = connection.execute(select(jobs.c.attempts).where(_is(job))).scalar()
        if found is None:
            raise Lost("another worker has the job")
        return found

    def finish(self, job: Job) -> None:
        """The job is done. Raises Lost."""
        with self._database.writing() as connection:
            self.done(connection, job)

    @classmethod
    def done(cls, connection: Connection, job: Job) -> None:
        """The job is done when the transaction commits: its effects and that are one. Raises Lost.

        An organization that the transaction holds it has to hold before.
        """
        ended = now(connection)
        cls._ours(connection, job, state="DONE", finished_at=ended, lease_until=None, error=None)

    @classmethod
    def given_up(cls, connection: Connection, job: Job, error: str) -> None:
        """As `done`, of a job that failed for good."""
        ended = {"finished_at": now(connection), "lease_until": None, "error": error}
        cls._ours(connection, job, state="FAILED", **ended)

    def fail(self, job: Job, error: str, again: bool = True) -> None:
        """The job failed; it is queued again for later, but for the last time. Raises Lost.

        `error` has no personal data in it. `again=False` gives the job up at once.
        """
        with self._database.writing() as connection:
            instant, attempts = now(connection), self._attempts(connection, job)
            if not again or attempts > len(BACK_OFF):
                self.given_up(connection, job, error)
                return
            later = instant + BACK_OFF[attempts - 1] * SECOND
            self._queue_again(connection, job, attempts, later, error)

    def release(self, job: Job) -> None:
        """The job goes back to the queue as if it had not been claimed. Raises Lost."""
        with self._database.writing() as connection:
            attempts = self._attempts(connection, job) - 1
            self._queue_again(connection, job, attempts, now(connection), None)

    def _queue_again(
        self, connection: Connection, job: Job, attempts: int, later: int, error: str | None
    ) -> None:
        """Another one that waits already takes its place."""
        self.holds(connection, job)
        row = connection.execute(select(jobs).where(jobs.c.id == job.id)).one()
        connection.execute(delete(jobs).where(jobs.c.id == job.id))
        first = {"state": "QUEUED", "attempts": attempts, "run_after": later, "error": error}
        ended = {"lease_until": None, "host": None, "process": None, "started_at": None}
        queued = _insert(connection).values({**row._mapping, **first, **ended})
        given = queued.excluded
        waits = case((given.run_after > jobs.c.run_after, given.run_after), else_=jobs.c.run_after)
        connection.execute(
            queued.on_conflict_do_update(
                index_elements=["organization", "kind", "key"],
                index_where=_QUEUED,
                set_={"run_after": waits, "attempts": attempts, "error": error},
            )
        )

    @staticmethod
    def _ours(connection: Connection, job: Job, **values: Any) -> None:
        if connection.execute(update(jobs).where(_is(job)).values(**values)).rowcount != 1:
            raise Lost("another worker has the job")

    def state(self, organization_id: str) -> list[JobState]:
        """The jobs of an organization that wait, run or were given up; the newest first."""
        with self._database.reading() as connection:
            return states(connection, organization_id)

    def forget(self, connection: Connection, before: int) -> None:
        """Deletes those that ended before an instant."""
        connection.execute(delete(jobs).where(jobs.c.finished_at < before))


def states(
    connection: Connection,
    organization_id: str,
    among: Sequence[str] = ("QUEUED", "RUNNING", "FAILED"),
) -> list[JobState]:
    """As `Jobs.state`, of some states."""
    columns = [jobs.c[name] for name in JobState.__slots__]
    query = select(*columns).where(jobs.c.organization == organization_id, jobs.c.state.in_(among))
    newest = query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc())
    return [JobState(*row) for row in connection.execute(newest)]


def _is(job: Job) -> Any:
    return and_(jobs.c.id == job.id, jobs.c.token == job.token, jobs.c.state == "RUNNING")


def _runs() -> ColumnElement[bool]:
    """Whether a job of the same kind and key runs."""
    other = jobs.alias()
    return exists().where(
        other.c.organization == jobs.c.organization,
        other.c.kind == jobs.c.kind,
        other.c.key == jobs.c.key,
        other.c.state == "RUNNING",
    )


def _next(query: Select[Any]) -> Select[Any]:
    """One row, held; those that others hold are passed over."""
    return query.limit(1).with_for_update(skip_locked=True, of=jobs)


def lives(process: int) -> bool:
    """Whether there is a process of that number on this host, and not just what is left of it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        told = Path(f"/proc/{process}/stat").read_text("utf-8", "replace")
    except OSError:
        return True
    return not told.rpartition(")")[2].lstrip().startswith("Z")
