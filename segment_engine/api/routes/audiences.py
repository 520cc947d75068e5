"""Audiences: made, listed, read, changed, archived."""

from typing import Annotated, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from segment_engine.api import answers, wire
from segment_engine.api.answering import answered
from segment_engine.api.etags import IfMatch, IfNoneMatch, etag, is_known, wanted_revision
from segment_engine.api.here import AudienceId, Caller, Here
from segment_engine.api.including import included, including
from segment_engine.api.paging import BothWays
from segment_engine.api.problems import responses
from segment_engine.api.routing import router
from segment_engine.store.records import Audience

audiences = router("/api/v1/audiences", "audiences")

IncludeOne = Annotated[str, including("rules", "imports", "primarySyncSource")]
Truth = Literal["true", "false"]
SortBy = Literal["name", "createdAt", "updatedAt"]
Search = Annotated[str | None, Query(min_length=1, max_length=wire.MOST_NAME)]


def told(
    here: Caller, found: Audience, include: tuple[str, ...] = (), status: int = 200
) -> Response:
    """The answer of one audience, with its tag."""
    answer = answered(here.audience(found, include), status)
    answer.headers["ETag"] = etag(found.revision, bytes(answer.body))
    return answer


@audiences.post("", status_code=201, response_model=answers.Audience)
def create_audience(here: Here, body: wire.AudienceIn) -> Response:
    """Creates an audience. A DYNAMIC one without a rule has no members."""
    made = here.store.audiences.create(**body.stored())
    return told(here, made, ("rules",), 201)


@audiences.get("", response_model=answers.Listed[answers.Audience])
def list_audiences(
    here: Here,
    pages: Annotated[BothWays, Depends()],
    sort_by: Annotated[SortBy, Query(alias="sortBy")] = "createdAt",
    sort_dir: Annotated[Literal["asc", "desc"], Query(alias="sortDir")] = "asc",
    search: Search = None,
    type: wire.AnyType | None = None,
    archived: Truth = "false",
    include: IncludeOne = "",
) -> Response:
    """Audiences, the archived ones or the others; `search` looks into names."""
    kind = wire.kept_type(type)
    query = ("audiences", sort_by, sort_dir, search, kind, archived)
    page = here.store.audiences.list(
        first=pages.first,
        after=here.place(query, pages.after).position,
        last=pages.last,
        before=here.place(query, pages.before, "before").position,
        sort_by=sort_by,
        sort_dir=sort_dir,
        search=search,
        type=kind,
        archived=archived == "true",
    )
    data = [here.audience(one, included(include)) for one in page.items]
    info = pages.info(page, lambda position: here.cursor(query, position))
    return answered(answers.Listed[answers.Audience](data=data, page_info=info))


@audiences.get("/{audience_id}", response_model=answers.Audience, responses=responses(304))
def read_audience(
    here: Here,
    audience_id: AudienceId,
    include: IncludeOne = "rules,imports",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One audience, archived or not."""
    answer = told(here, here.store.audiences.get(audience_id), included(include))
    tag = answer.headers["ETag"]
    if is_known(if_none_match, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return answer


@audiences.put("/{audience_id}", response_model=answers.Audience, responses=responses(409, 412))
def change_audience(
    here: Here,
    audience_id: AudienceId,
    body: wire.AudienceChanges,
    if_match: IfMatch = None,
) -> Response:
    """Changes what is given: an absent key leaves, null clears, the type stays."""
    revision = wanted_revision(if_match)
    changed = here.store.audiences.update(audience_id, body.stored(), revision)
    return told(here, changed, ("rules",))


@audiences.delete("/{audience_id}", response_model=answers.Audience, responses=responses(409))
def archive_audience(here: Here, audience_id: AudienceId) -> Response:
    """Archives an audience; `{"archived": false}` restores it."""
    here.store.audiences.archive(audience_id)
    return told(here, here.store.audiences.get(audience_id))
