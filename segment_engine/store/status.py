"""How fresh the members of an audience are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from segment_engine.store import organizations
from segment_engine.store.defining import get
from segment_engine.store.generations import Generation, GenerationAudience
from segment_engine.store.jobs import SECOND, JobState, states
from segment_engine.store.outcome import NEVER
from segment_engine.store.records import Audience, Organization
from segment_engine.store.schedule import TIME_RUN_S, every
from segment_engine.store.store import OrganizationStore


@dataclass(frozen=True, slots=True)
class Status:
    """The members of an audience as they are published; instants are microseconds since 1970.

    PENDING waits for its first run, or its first one with this version; FAILED has an `error`, and
    the members that it had. `stale`: something changed that a run has not seen yet.
    """

    status: Literal["PENDING", "RUNNING", "READY", "FAILED"]
    version: int
    materialized_version: int | None
    member_count: int | None
    stale: bool
    last_refreshed_at: int | None
    next_refresh_at: int | None
    duration_ms: int | None
    error: str | None


def status(store: OrganizationStore, audience_id: str, time_run_s: float = TIME_RUN_S) -> Status:
    """How an audience stands; time alone asks for a run every `time_run_s`. Raises NotFound."""
    organization, latest = store.organization.id, store.generations.latest()
    with store.store.database.reading() as connection:
        audience = get(connection, organization, audience_id)
        now = organizations.read(connection, organization)
        jobs = [one for one in states(connection, organization) if one.kind == "materialize"]
        seconds = every(connection, now, time_run_s)
    found = latest.audiences.get(audience_id) if latest else None
    materialized = found.version if found and found.version != NEVER else None
    error = (found.error if found else None) or _error(jobs, latest)
    return Status(
        status=_status(audience, materialized, error, jobs),
        version=audience.version,
        materialized_version=materialized,
        member_count=_count(found),
        stale=_stale(now, latest, audience.version, materialized),
        last_refreshed_at=latest.as_of if latest and found else None,
        next_refresh_at=_next(jobs, latest, seconds),
        duration_ms=latest.duration_ms if latest and found else None,
        error=error,
    )


def _status(
    audience: Audience, materialized: int | None, error: str | None, jobs: Sequence[JobState]
) -> Literal["PENDING", "RUNNING", "READY", "FAILED"]:
    if any(job.state == "RUNNING" for job in jobs):
        return "RUNNING"
    if error is not None:
        return "FAILED"
    return "READY" if materialized == audience.version else "PENDING"


def _count(found: GenerationAudience | None) -> int | None:
    return found.count if found and found.version != NEVER else None


def _stale(
    now: Organization, latest: Generation | None, version: int, materialized: int | None
) -> bool:
    if latest is None or materialized != version:
        return True
    seen = latest.change_seq, latest.definition_seq
    return seen != (now.change_seq, now.definition_seq)


def _error(jobs: Sequence[JobState], latest: Generation | None) -> str | None:
    """Why the last run failed, unless one was published since."""
    for job in jobs:
        at = job.finished_at or job.run_after
        if job.error is not None and (latest is None or at > latest.created_at):
            return job.error
    return None


def _next(jobs: Sequence[JobState], latest: Generation | None, seconds: float | None) -> int | None:
    queued = [job.run_after for job in jobs if job.state == "QUEUED"]
    if latest is not None and seconds is not None:
        queued.append(latest.as_of + round(seconds * SECOND))
    return min(queued, default=None)
