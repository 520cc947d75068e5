"""Loyalty tiers: one audience for each range of a number."""

from starlette.responses import Response

from segment_engine.api import answers, wire
from segment_engine.api.answering import answered
from segment_engine.api.here import Caller, GroupId, Here
from segment_engine.api.problems import responses
from segment_engine.api.routing import router
from segment_engine.store.records import Audience

tiers = router("/api/v1/audiences/loyalty-tiers", "loyalty tiers")


def _told(here: Caller, made: list[Audience], warnings: list[str], status: int) -> Response:
    told = answers.Tiers(
        group_id=str(made[0].group_id),
        audiences=[here.audience(one, ("rules",)) for one in made],
        warnings=warnings,
    )
    return answered(told, status)


@tiers.post("", status_code=201, response_model=answers.Tiers)
def create_tiers(here: Here, body: wire.TiersIn) -> Response:
    """Creates a group of tiers; they may not overlap, and gaps are warned of."""
    made, warnings = here.store.groups.create_tiers(**body.stored())
    return _told(here, made, warnings, 201)


@tiers.put("/{group_id}", response_model=answers.Tiers, responses=responses(409))
def change_tiers(here: Here, group_id: GroupId, body: wire.TiersChanges) -> Response:
    """Sets all tiers of a group: new ones are created, known ones updated, others archived."""
    made, warnings = here.store.groups.update_tiers(group_id, **body.stored())
    return _told(here, made, warnings, 200)
