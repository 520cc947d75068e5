"""Who is in an audience, who came and left, and who is put in by hand."""

from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from segment_engine.api import answers, telling, wire
from segment_engine.api.answering import answered
from segment_engine.api.here import AudienceId, Here
from segment_engine.api.including import included, including
from segment_engine.api.paging import Forward, Search, Walk, searched, walk
from segment_engine.api.problems import responses
from segment_engine.api.routing import router
from segment_engine.store.records import Consumer

members = router("/api/v1/audiences/{audience_id}", "members")


@members.get("/members", response_model=answers.Listed[answers.Member], responses=responses(410))
def list_members(
    here: Here,
    audience_id: AudienceId,
    pages: Annotated[Forward, Depends()],
    search: Search = None,
    include: Annotated[str, including("audiences")] = "",
) -> Response:
    """Members in the published generation; the cursors of a walk stay in one generation."""
    here.store.audiences.get(audience_id)
    on = walk(here, ("members", audience_id, search), pages.after)
    consumers, info = on.page(searched(here, on.members(audience_id), search), pages.size)
    data = [_member(on, one, included(include)) for one in consumers]
    return answered(answers.Listed[answers.Member](data=data, page_info=info))


def _member(on: Walk, found: Consumer, include: tuple[str, ...]) -> answers.Member:
    told = telling.of_consumer(found)
    if "audiences" in include:
        return answers.Member(**told, audiences=on.labels(found.ordinal))
    return answers.Member(**told)


@members.get("/count", response_model=answers.Count)
def read_count(here: Here, audience_id: AudienceId) -> Response:
    """How many members the published generation has."""
    here.store.audiences.get(audience_id)
    return answered(telling.count(audience_id, here.store.generations.latest()))


@members.get("/changes", response_model=answers.Changes, responses=responses(410))
def list_changes(
    here: Here,
    audience_id: AudienceId,
    pages: Annotated[Forward, Depends()],
    change: Literal["entered", "left"] = "entered",
    generation: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Who entered or left with a generation, the newest one unless told, against that before."""
    here.store.audiences.get(audience_id)
    query = ("changes", audience_id, change, generation)
    on = walk(here, query, pages.after, generation)
    entered, left = on.changes(audience_id)
    consumers, info = on.page(entered if change == "entered" else left, pages.size)
    told = answers.Changes(
        audience_id=audience_id,
        generation=on.generation.number if on.generation else None,
        as_of=telling.instant(on.generation.as_of) if on.generation else None,
        change=change,
        entered=len(entered),
        left=len(left),
        data=[telling.consumer(one) for one in consumers],
        page_info=info,
    )
    return answered(told)


@members.post("/members", response_model=answers.MembersChanged)
def add_members(here: Here, audience_id: AudienceId, body: wire.MembersIn) -> Response:
    """Puts consumers into a static audience."""
    changed = here.store.members.add(audience_id, body.consumer_ids)
    return answered(answers.MembersChanged(changed=changed))


@members.delete("/members", response_model=answers.MembersChanged)
def remove_members(here: Here, audience_id: AudienceId, body: wire.MembersIn) -> Response:
    """Takes consumers out of a static audience."""
    changed = here.store.members.remove(audience_id, body.consumer_ids)
    return answered(answers.MembersChanged(changed=changed))
