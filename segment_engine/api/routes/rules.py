"""The rule rows of an audience: listed, added to, replaced."""

from starlette.responses import Response

from segment_engine.api import answers, telling, wire
from segment_engine.api.answering import answered
from segment_engine.api.here import AudienceId, Caller, Here
from segment_engine.api.problems import responses
from segment_engine.api.routing import router

rules = router("/api/v1/audiences/{audience_id}/rules", "rules")


def _told(here: Caller, audience_id: str, status: int = 200) -> Response:
    rows = here.store.audiences.rules(audience_id)
    return answered(answers.RuleList(data=telling.rules(rows)), status)


@rules.get("", response_model=answers.RuleList)
def list_rules(here: Here, audience_id: AudienceId) -> Response:
    """The rules as rows; none where rows cannot say the expression."""
    return _told(here, audience_id)


@rules.post("", status_code=201, response_model=answers.RuleList)
def add_rules(here: Here, audience_id: AudienceId, body: wire.OneOrMoreRules) -> Response:
    """Adds one row, or the rows of `rules`; all are answered."""
    here.store.audiences.add_rules(audience_id, wire.rows_of(body))
    return _told(here, audience_id, 201)


@rules.put("", response_model=answers.RuleList, responses=responses(409))
def replace_rules(here: Here, audience_id: AudienceId, body: wire.RulesIn) -> Response:
    """Replaces all rows; none of them are nobody."""
    here.store.audiences.replace_rules(audience_id, wire.rows_of(body))
    return _told(here, audience_id)
