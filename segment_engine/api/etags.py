"""Strong entity tags of audiences: the revision, and a hash of all that the answer shows.

A group that is renamed and a run change an answer without a new revision. A change is refused by
the revision alone, and what is known is known by the whole tag.
"""

import re
from hashlib import blake2b
from typing import Annotated

from fastapi import Header

from segment_engine.api.problems import Fault

_TAG = re.compile(r'"([0-9]{1,9})(?:-[0-9a-f]{16})?"')

IfMatch = Annotated[
    str | None,
    Header(description='the ETag that is changed, or a revision, such as "3"', max_length=200),
]
IfNoneMatch = Annotated[str | None, Header(description="an ETag that is known", max_length=200)]


def etag(revision: int, answer: bytes) -> str:
    """The tag of an answer that shows a revision."""
    return f'"{revision}-{blake2b(answer, digest_size=8).hexdigest()}"'


def wanted_revision(if_match: str | None) -> int | None:
    """The revision that a change is meant for; None for any.

    Raises Fault 412 for a tag that no audience has.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        detail = "If-Match is one ETag as it was answered"
        raise Fault(412, "Precondition failed", "revision-conflict", detail=detail)
    return int(found[1])


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has what it asks for."""
    given = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return tag in given or "*" in given
