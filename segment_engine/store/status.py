"""How fresh an audience's members are, and when they will be fresher."""

from dataclasses import dataclass
from typing import Literal

from segment_engine.store.generations import Generation
from segment_engine.store.jobs import SECOND, JobState, states
from segment_engine.store.schedule import TIME_RUN_S, every
from segment_engine.store.store import OrganizationStore

MATERIALIZE = "materialize"


@dataclass(frozen=True, slots=True)
class Status:
    """Instants are microseconds since 1970. What no generation has told yet is None.

    `stale`: something that members depend on has changed since. `version` is the audience's,
    `materialized_version` the one whose members are published.
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


def status(shop: OrganizationStore, audience_id: str, time_run_s: float = TIME_RUN_S) -> Status:
    """That of one audience. Raises NotFound."""
    audience = shop.audiences.get(audience_id)
    generation = shop.generations.latest()
    organization = shop.organization
    with shop.store.database.reading() as connection:
        jobs = [one for one in states(connection, organization.id) if one.kind == MATERIALIZE]
        seconds = every(connection, organization, time_run_s)
    held = generation.audiences.get(audience_id) if generation else None
    failed = _failed(jobs, generation)
    error = held.error if held and held.error else failed
    seen = generation and (generation.change_seq, generation.definition_seq)
    return Status(
        status=_word(jobs, error, held is not None),
        version=audience.version,
        materialized_version=held.version if held else None,
        member_count=held.count if held else None,
        stale=seen != (organization.change_seq, organization.definition_seq),
        last_refreshed_at=generation.as_of if generation and held else None,
        next_refresh_at=_next(jobs, generation, seconds),
        duration_ms=generation.duration_ms if generation and held else None,
        error=error,
    )


def _word(
    jobs: list[JobState], error: str | None, there: bool
) -> Literal["PENDING", "RUNNING", "READY", "FAILED"]:
    if any(job.state == "RUNNING" for job in jobs):
        return "RUNNING"
    if error:
        return "FAILED"
    return "READY" if there else "PENDING"


def _failed(jobs: list[JobState], generation: Generation | None) -> str | None:
    """Why the last run failed, where none has been published since."""
    for job in jobs:
        if job.error and job.state in ("FAILED", "QUEUED"):
            since = generation.created_at if generation else 0
            return job.error if (job.finished_at or job.run_after) > since else None
    return None


def _next(jobs: list[JobState], generation: Generation | None, seconds: float | None) -> int | None:
    queued = [job.run_after for job in jobs if job.state == "QUEUED"]
    if generation and seconds is not None:
        queued.append(generation.as_of + round(seconds * SECOND))
    return min(queued, default=None)
