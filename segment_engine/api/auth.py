"""Who is calling: `Authorization: Bearer <key>`, before anything else of a request is read.

An upload is let in by the token in its path, and nothing else by that path.
"""

import hashlib
import re
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from segment_engine.api.problems import Fault

GUARDED = "/api/"
"""Every path below it wants a key, those that there are not too."""

UPLOADS = "/api/v1/audiences/uploads/"
_UPLOAD = re.compile(f"{UPLOADS}[^/]+")

_BEARER = re.compile(r"bearer +([\x21-\x7e]{1,200})", re.I)


class Authenticated:
    """Puts the organization of the key in `scope["state"]`, or answers 401.

    The file of an upload is read where an import has the token; else the answer is 404.
    """

    def __init__(
        self,
        app: ASGIApp,
        organization_of: Callable[[str], str | None],
        is_known: Callable[[str], bool],
    ) -> None:
        """`organization_of` is asked for keys, `is_known` for tokens."""
        self._app, self._organization_of, self._is_known = app, organization_of, is_known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            return await self._app(scope, receive, send)
        if is_upload(scope):
            token = scope["path"].removeprefix(UPLOADS)
            known = await run_in_threadpool(self._is_known, token)
            app: ASGIApp = self._app if known else _NO_UPLOAD.response()
            return await app(scope, receive, send)
        secret = _secret(Headers(scope=scope).getlist("authorization"))
        organization = await run_in_threadpool(self._organization_of, secret) if secret else None
        if organization is None:
            return await _unknown(bool(secret)).response()(scope, receive, send)
        state = scope.setdefault("state", {})
        state["organization"] = organization
        state["key"] = hashlib.sha256(secret.encode()).digest()
        await self._app(scope, receive, send)


def is_upload(scope: Scope) -> bool:
    """Whether a request brings a file, and a token in place of a key."""
    return scope["method"] == "PUT" and _UPLOAD.fullmatch(scope["path"]) is not None


_NO_UPLOAD = Fault(404, "Upload not found", "not-found")


def _secret(given: list[str]) -> str:
    found = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
    return found[1] if found else ""


def _unknown(tried: bool) -> Fault:
    challenge = 'Bearer error="invalid_token"' if tried else "Bearer"
    detail = "the key is unknown or revoked" if tried else "send Authorization: Bearer <key>"
    return Fault(
        401, "Unauthorized", "unauthorized", detail=detail, headers={"WWW-Authenticate": challenge}
    )
