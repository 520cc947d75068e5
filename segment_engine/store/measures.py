"""What a monitor asks of a store as a whole; nothing in it names an organization."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, or_, select

from segment_engine.store.database import Database, now
from segment_engine.store.jobs import SECOND
from segment_engine.store.outbox import WAITING
from segment_engine.store.tables import (
    generation_audiences,
    generations,
    jobs,
    organizations,
    webhook_deliveries,
)


@dataclass(frozen=True, slots=True)
class RunMeasures:
    """The runs of all organizations, by the newest generation of each.

    `published` are all generations that there were, `failing` the organizations whose last run
    failed, and `failed` the audiences that could not be computed. The longest of the newest runs
    took `seconds`, and the oldest of them is of `age` seconds ago.
    """

    published: int
    failing: int
    audiences: int
    failed: int
    seconds: float
    age: float


_newest = (
    select(generations.c.organization, func.max(generations.c.number).label("number"))
    .group_by(generations.c.organization)
    .subquery()
)


def counted_jobs(database: Database) -> dict[tuple[str, str], int]:
    """How many jobs there are, by kind and state."""
    by = jobs.c.kind, jobs.c.state
    with database.reading() as connection:
        rows = connection.execute(select(*by, func.count()).group_by(*by)).all()
    return {(kind, state): count for kind, state, count in rows}


def counted_deliveries(database: Database) -> dict[str, int]:
    """How many deliveries to webhooks there are, by state; those that wait and have failed before
    are FAILING."""
    c = webhook_deliveries.c
    failing = and_(c.state == WAITING, c.attempts > 0)
    told = select(case((failing, "FAILING"), else_=c.state).label("state")).subquery().c
    with database.reading() as connection:
        query = select(told.state, func.count()).group_by(told.state)
        return dict(connection.execute(query).all())


def run_measures(database: Database) -> RunMeasures:
    """How the runs go, whichever process does them."""
    c, audience = generations.c, generation_audiences.c
    latest = generations.join(
        _newest, (c.organization == _newest.c.organization) & (c.number == _newest.c.number)
    )
    theirs = _newest.join(
        generation_audiences,
        (audience.organization == _newest.c.organization)
        & (audience.generation == _newest.c.number),
    )
    with database.reading() as connection:
        asked = select(func.sum(c.number), func.max(c.duration_ms), func.min(c.as_of))
        published, longest, oldest = connection.execute(asked.select_from(latest)).one()
        counted = select(func.count(), func.count(audience.error)).select_from(theirs)
        audiences, failed = connection.execute(counted).one()
        return RunMeasures(
            published=int(published or 0),
            failing=_failing(connection),
            audiences=audiences,
            failed=failed,
            seconds=(longest or 0) / 1_000,
            age=(now(connection) - oldest) / SECOND if oldest else 0.0,
        )


def _failing(connection: Connection) -> int:
    """Organizations with a run that failed and none that was published since."""
    c = generations.c
    ended = func.coalesce(jobs.c.finished_at, jobs.c.run_after)
    published = select(func.max(c.created_at)).where(c.organization == jobs.c.organization)
    since = published.scalar_subquery()
    query = select(func.count(jobs.c.organization.distinct())).where(
        jobs.c.kind == "materialize",
        jobs.c.state != "DONE",
        jobs.c.error.is_not(None),
        or_(since.is_(None), ended > since),
    )
    return int(connection.execute(query).scalar_one())


def check(database: Database) -> None:
    """Asks the store something small, to know that it answers."""
    with database.reading() as connection:
        connection.execute(select(organizations.c.id).limit(1)).first()
