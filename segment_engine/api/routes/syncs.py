"""Audiences whose members are those of lists kept elsewhere."""

from starlette.responses import Response

from segment_engine.api import answers, wire
from segment_engine.api.answering import answered
from segment_engine.api.here import AudienceId, Here
from segment_engine.api.problems import responses
from segment_engine.api.routing import router

lists = router("/api/v1/audiences/import", "syncs")
syncs = router("/api/v1/audiences/{audience_id}", "syncs")

_INCLUDED = ("primarySyncSource",)


@lists.post("/klaviyo", status_code=202, response_model=answers.Synced)
def import_lists(here: Here, body: wire.KlaviyoIn) -> Response:
    """An audience of each list of Klaviyo that no audience has yet, and its first sync.

    The organization's key is set by the command line.
    """
    made, skipped = here.store.syncs.create("klaviyo", **body.stored())
    told = answers.Synced(
        audiences=[here.audience(one, _INCLUDED) for one in made],
        skipped=[
            answers.SkippedList(list_id=one.list_id, reason=one.reason, audience_id=one.audience)
            for one in skipped
        ],
    )
    return answered(told, 202)


@syncs.post("/sync", status_code=202, response_model=answers.Audience, responses=responses(409))
def sync(here: Here, audience_id: AudienceId) -> Response:
    """Wants a sync of the audience now; how it goes shows in its primarySyncSource."""
    here.store.syncs.want(audience_id)
    found = here.store.audiences.get(audience_id)
    return answered(here.audience(found, _INCLUDED), 202)
