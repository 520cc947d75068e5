"""What is to be done by the clock: runs that are due, and old things to be deleted."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from segment_engine import Engine
from segment_engine.errors import SegmentError
from segment_engine.expression.resolve import uses_clock
from segment_engine.store import syncs, webhooks
from segment_engine.store.attributes import SYNCED_LIST
from segment_engine.store.counting import lock
from segment_engine.store.generations import KEEP, KEEP_FOR, drop
from segment_engine.store.imports import settle_old
from segment_engine.store.jobs import SECOND, want
from segment_engine.store.organizations import read
from segment_engine.store.outbox import KIND as DELIVER
from segment_engine.store.records import Organization
from segment_engine.store.replies import Replies
from segment_engine.store.store import Store
from segment_engine.store.tables import audiences, generations, jobs, organizations

JOBS_STAY = 7 * 86_400 * SECOND
"""How long jobs that ended can be asked for."""
AFTER_FAILURE = 600 * SECOND
"""How long after the last try of a run that was given up another one begins."""
TIME_RUN_S = 15 * 60.0
"""Seconds between runs that the time alone asks for."""


def every(connection: Connection, organization: Organization, time_run_s: float) -> float | None:
    """Seconds after which the members are old: the shortest interval that an audience has, and
    `time_run_s` where a rule says another thing as time goes by. None where nothing asks for it.

    The interval of a synced list is for its syncs."""
    interval = select(func.min(audiences.c.refresh_interval)).where(
        *_active(organization), audiences.c.type != SYNCED_LIST
    )
    shortest: int | None = connection.execute(interval).scalar_one()
    found = [float(shortest)] if shortest is not None else []
    known = _TELLS_TIME.get(organization.id)
    if known is None or known[0] != organization.definition_seq:
        known = organization.definition_seq, _tells_time(connection, organization)
        _TELLS_TIME[organization.id] = known
    if known[1]:
        found.append(time_run_s)
    return min(found, default=None)


_TELLS_TIME: dict[str, tuple[int, bool]] = {}
"""By organization: whether a rule says another thing as time goes by, as of `definition_seq`."""


def _tells_time(connection: Connection, organization: Organization) -> bool:
    query = select(audiences.c.expression).where(
        *_active(organization), audiences.c.expression.is_not(None)
    )
    rules = connection.execute(query.distinct()).scalars()
    return any(_is_timely(organization.engine, rule) for rule in rules)


@lru_cache(1 << 14)
def _is_timely(engine: Engine, rule: str) -> bool:
    """Of a rule that is wrong by now nothing is computed."""
    try:
        return uses_clock(engine.rule(rule).expression, engine.derived)
    except SegmentError:
        return False


def _active(organization: Organization) -> tuple[Any, ...]:
    return audiences.c.organization == organization.id, audiences.c.archived.is_(False)


class Schedule:
    """Wants the runs and the syncs that nobody asks for."""

    def __init__(self, store: Store, time_run_s: float) -> None:
        """`time_run_s` as for `every`."""
        self._store, self._database, self._time_run_s = store, store.database, time_run_s

    def want_due(self) -> list[str]:
        """Wants a run of each organization whose members are old, or have not seen all; their ids.
        And a sync of each list that is to be refreshed by now.

        A change wants its run itself; what was given up is tried again, deliveries to webhooks too.
        """
        with self._database.reading() as connection:
            now = self._database.now(connection)
            idle = list(_idle(connection, now))
            due = [id for id, old in idle if old or self._is_old(connection, id, now)]
            lists, stranded = syncs.due(connection), webhooks.stranded(connection)
        others = [(DELIVER, stranded), (syncs.KIND, lists)]
        for organization in due:
            with self._database.writing() as connection:
                want(connection, organization, after_s=0)
        for kind, keys in others:
            for organization, key in keys:
                with self._database.writing() as connection:
                    want(connection, organization, kind, key, after_s=0)
        return due

    def _is_old(self, connection: Connection, organization: str, now: int) -> bool:
        seconds = every(connection, read(connection, organization), self._time_run_s)
        query = select(func.max(generations.c.as_of)).where(
            generations.c.organization == organization
        )
        as_of: int | None = connection.execute(query).scalar_one()
        return as_of is not None and seconds is not None and now >= as_of + seconds * SECOND

    def delete_old(self) -> None:
        """Deletes generations, jobs, deliveries and kept answers that nobody can ask for now."""
        with self._database.reading() as connection:
            crowded = list(_crowded(connection, self._database.now(connection)))
        for organization in crowded:
            with self._database.writing() as connection:
                lock(connection, organization)
                drop(connection, organization, self._database.now(connection))
        with self._database.writing() as connection:
            settle_old(connection)
            syncs.settle_old(connection)
            webhooks.forget_old(connection)
            self._store.jobs.forget(connection, self._database.now(connection) - JOBS_STAY)
        Replies(self._database).forget_old()


def _idle(connection: Connection, now: int) -> Iterator[tuple[str, bool]]:
    """Organizations that have audiences, and no run that waits, runs, or has just been given up.

    With each, whether something has changed that its newest generation has not seen.
    """
    o, g, others = organizations.c, generations.c, generations.alias().c
    newest = select(func.max(others.number)).where(others.organization == o.id).scalar_subquery()
    busy = exists().where(
        jobs.c.organization == o.id,
        jobs.c.kind == "materialize",
        or_(
            jobs.c.state.in_(("QUEUED", "RUNNING")),
            and_(jobs.c.state == "FAILED", jobs.c.finished_at > now - AFTER_FAILURE),
        ),
    )
    active = exists().where(audiences.c.organization == o.id, audiences.c.archived.is_(False))
    seen = and_(g.change_seq == o.change_seq, g.definition_seq == o.definition_seq)
    query = (
        select(o.id, func.coalesce(~seen, True))
        .select_from(organizations)
        .outerjoin(generations, and_(g.organization == o.id, g.number == newest))
        .where(active, ~busy)
    )
    for id, old in connection.execute(query):
        yield id, bool(old)


def _crowded(connection: Connection, now: int) -> Iterator[str]:
    """Organizations with generations that are to be dropped."""
    c = generations.c
    query = (
        select(c.organization)
        .group_by(c.organization)
        .having(and_(func.count() > KEEP, func.min(c.created_at) < now - KEEP_FOR))
    )
    yield from connection.execute(query).scalars()
