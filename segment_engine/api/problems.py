"""What went wrong, as application/problem+json: one shape for every error of the API."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response

from segment_engine.errors import (
    Conflict,
    Invalid,
    NotFound,
    Problem,
    RevisionConflict,
    StoreError,
)
from segment_engine.store.exact_json import answer
from segment_engine.store.generations import Gone

MEDIA_TYPE = "application/problem+json"
MOST_DETAILS = 100
"""More is not told of one request."""

_WORDS = {
    404: "Not found",
    405: "Method not allowed",
    413: "Request body too large",
    415: "Unsupported media type",
    429: "Too many requests",
    500: "Internal server error",
}
_CODES = {"missing": "missing", "extra_forbidden": "unknown-field"}


class Fault(HTTPException):
    """An answer that is a problem, to be raised from anywhere below a route.

    `title` is the documented words; `code` is stable; `details` say which fields are wrong.
    """

    def __init__(
        self,
        status: int,
        title: str,
        code: str,
        *,
        detail: str = "",
        details: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail or title, dict(headers or {}))
        self.title, self.code, self.details = title, code, tuple(details)

    def response(self) -> Response:
        """The answer."""
        body: dict[str, Any] = {
            "type": f"urn:segment-engine:problem:{self.code}",
            "title": self.title,
            "status": self.status_code,
            "detail": self.detail,
            "code": self.code,
            "error": self.title,
        }
        if self.detail != self.title:
            body["message"] = self.detail
        if self.details:
            body["details"] = [_told(one) for one in self.details[:MOST_DETAILS]]
        return Response(answer(body), self.status_code, self.headers, MEDIA_TYPE)


def _told(one: Problem) -> dict[str, Any]:
    told: dict[str, Any] = {"field": one.field, "message": one.message, "code": one.code}
    if one.span is not None:
        told["span"] = {"start": one.span[0], "end": one.span[1]}
    return told


_TOLD = {
    304: "The client has it already.",
    409: "The state of things speaks against it.",
    410: "The generation of a cursor, or the one asked for, is gone.",
    412: "The audience was changed since that ETag.",
    503: "The store cannot be reached.",
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of these statuses."""
    return {status: {"description": _TOLD[status]} for status in statuses}


def plain(status: int, **more: Any) -> Fault:
    """The problem that a status alone tells of."""
    words = _WORDS.get(status) or HTTPStatus(status).phrase
    return Fault(status, words, words.lower().replace(" ", "-"), **more)


def invalid(*details: Problem, title: str = "Invalid request") -> Fault:
    """The 400 of what a client sent."""
    return Fault(400, title, "invalid", detail=_summary(title, details), details=details)


def _summary(title: str, details: Sequence[Problem]) -> str:
    if not details:
        return title
    first = f"{details[0].field}: {details[0].message}"
    return first if len(details) == 1 else f"{first} (and {len(details) - 1:,} more)"


async def of_http(request: Request, error: Exception) -> Response:
    """The answer to what Starlette or a route raised."""
    assert isinstance(error, StarletteHTTPException)
    fault = error if isinstance(error, Fault) else plain(error.status_code, headers=error.headers)
    return fault.response()


async def of_store(request: Request, error: Exception) -> Response:
    """The answer to what the store refuses: its words are the documented ones."""
    assert isinstance(error, StoreError)
    return told_by(error).response()


def told_by(error: StoreError) -> Fault:
    """The problem that an error of the store is."""
    status, code = next((found for kind, found in _KINDS.items() if isinstance(error, kind)))
    details = error.problems
    title = "Invalid request" if details and status == 400 else error.message
    return Fault(status, title, code, detail=_summary(title, details), details=details)


_KINDS: dict[type[StoreError], tuple[int, str]] = {
    Gone: (410, "gone"),
    NotFound: (404, "not-found"),
    Invalid: (400, "invalid"),
    RevisionConflict: (412, "revision-conflict"),
    Conflict: (409, "conflict"),
    StoreError: (503, "store-unavailable"),
}
"""The first that an error is decides."""


async def of_validation(request: Request, error: Exception) -> Response:
    """The answer to a body, a query or a path that the wire models refuse."""
    assert isinstance(error, RequestValidationError)
    return invalid(*problems_of(error.errors())).response()


def problems_of(errors: Sequence[Any], within: str = "") -> list[Problem]:
    """What pydantic found, with the fields named as in the JSON; no value is told."""
    return [
        Problem(
            ".".join(filter(None, (within, _field(one["loc"])))) or "body",
            one["msg"].removeprefix("Value error, "),
            _CODES.get(one["type"], "invalid"),
        )
        for one in errors
    ]


def _field(place: Sequence[int | str]) -> str:
    """`rules.0.values` of ("body", "(rows)", "rules", 0, "values"): unions are in parentheses."""
    inside = place[1:] if place and place[0] in ("body", "query", "path", "header") else place
    return ".".join(str(part) for part in inside if not str(part).startswith("("))
