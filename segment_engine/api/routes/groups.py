"""Groups of audiences: read, walked through as one, archived."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from segment_engine.api import answers, telling, wire
from segment_engine.api.answering import answered
from segment_engine.api.here import GroupId, Here
from segment_engine.api.paging import Forward, Search, searched, together, walk
from segment_engine.api.problems import responses
from segment_engine.api.routing import router
from segment_engine.errors import NotFound

groups = router("/api/v1/audiences/groups/{group_id}", "groups")


@groups.get("", response_model=list[answers.Audience])
def read_group(here: Here, group_id: GroupId) -> Response:
    """The audiences of a group."""
    found = here.store.groups.audiences(group_id)
    return answered([here.audience(one, ("rules",)) for one in found])


@groups.get(
    "/members", response_model=answers.Listed[answers.GroupMember], responses=responses(410)
)
def list_group_members(
    here: Here,
    group_id: GroupId,
    pages: Annotated[Forward, Depends()],
    search: Search = None,
    audience_id: Annotated[wire.Id | None, Query(alias="audienceId")] = None,
) -> Response:
    """The members of all its audiences, or of one: each consumer once, with its audience."""
    ids = [one.id for one in here.store.groups.audiences(group_id)]
    if audience_id is not None and audience_id not in ids:
        raise NotFound("Audience not found")
    on = walk(here, ("group", group_id, search, audience_id), pages.after)
    members = {one: on.members(one) for one in ids if audience_id in (None, one)}
    consumers, info = on.page(searched(here, together(members.values()), search), pages.size)
    data = [
        answers.GroupMember(
            **telling.of_consumer(found),
            audience_id=next(one for one, has in members.items() if found.ordinal in has),
        )
        for found in consumers
    ]
    return answered(answers.Listed[answers.GroupMember](data=data, page_info=info))


@groups.delete("", response_model=list[answers.Audience], responses=responses(409))
def archive_group(here: Here, group_id: GroupId) -> Response:
    """Archives all audiences of a group."""
    found = here.store.groups.audiences(group_id)
    here.store.groups.archive(group_id)
    archived = [here.store.audiences.get(one.id) for one in found]
    return answered([here.audience(one) for one in archived])
