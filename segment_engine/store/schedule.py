"""When an organization's members are computed though nobody changed anything."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, func, select

from segment_engine import Engine
from segment_engine.errors import SegmentError
from segment_engine.expression.resolve import uses_clock
from segment_engine.store.database import Database
from segment_engine.store.jobs import SECOND, want
from segment_engine.store.records import Organization
from segment_engine.store.tables import audiences, generations

TIME_RUN_S = 15 * 60.0
"""Seconds between runs that the time alone asks for."""


def every(connection: Connection, organization: Organization, time_run_s: float) -> float | None:
    """Seconds after which the members are old: the shortest interval that an audience has, and
    `time_run_s` where a rule says another thing as time goes by. None where nothing asks for it."""
    interval = select(func.min(audiences.c.refresh_interval)).where(*_active(organization))
    shortest: int | None = connection.execute(interval).scalar_one()
    found = [float(shortest)] if shortest is not None else []
    if _tells_time(connection, organization):
        found.append(time_run_s)
    return min(found, default=None)


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


def ask_for_due(database: Database, organization: Organization, time_run_s: float) -> bool:
    """Asks for a run where the newest members are old; whether it did."""
    with database.writing() as connection:
        newest = select(func.max(generations.c.as_of)).where(
            generations.c.organization == organization.id
        )
        as_of: int | None = connection.execute(newest).scalar_one()
        seconds = every(connection, organization, time_run_s) if as_of is not None else None
        if as_of is None or seconds is None:
            return False
        if database.now(connection) < as_of + seconds * SECOND:
            return False
        want(connection, organization.id, after_s=0)
    return True
