"""How fresh the members of an audience are, and asking for a run."""

from starlette.responses import Response

from segment_engine.api import answers, telling
from segment_engine.api.answering import answered
from segment_engine.api.here import AudienceId, Caller, Here
from segment_engine.api.routing import router
from segment_engine.store.fresh import refresh as refresh_now
from segment_engine.store.status import status

freshness = router("/api/v1/audiences/{audience_id}", "freshness")


def _told(here: Caller, audience_id: str, code: int = 200) -> Response:
    found = status(here.store, audience_id, here.time_run_s)
    told = answers.Status(
        audience_id=audience_id,
        status=found.status,
        version=found.version,
        materialized_version=found.materialized_version,
        member_count=found.member_count,
        stale=found.stale,
        last_refreshed_at=telling.instant(found.last_refreshed_at),
        next_refresh_at=telling.instant(found.next_refresh_at),
        duration_ms=found.duration_ms,
        error=found.error,
    )
    return answered(told, code)


@freshness.get("/status", response_model=answers.Status)
def read_status(here: Here, audience_id: AudienceId) -> Response:
    """Whether the members are those of the audience and the consumers as they are now."""
    return _told(here, audience_id)


@freshness.post("/refresh", status_code=202, response_model=answers.Status)
def refresh(here: Here, audience_id: AudienceId) -> Response:
    """Wants a run of all audiences now; its end shows in the status."""
    here.store.audiences.get(audience_id)
    refresh_now(here.store)
    return _told(here, audience_id, 202)
