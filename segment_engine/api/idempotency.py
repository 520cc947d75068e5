"""Idempotency-Key on POST: the same request twice is done once, and answered the same.

Answers of success are kept, in the transaction of what was changed. A problem changed nothing, so
it frees the key.
"""

import hashlib
import math
import re
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segment_engine.api.problems import Fault, invalid, told_by
from segment_engine.errors import Conflict, Invalid, Problem, StoreError
from segment_engine.store.replies import Begun, Replies, Reply

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT = ("content-type", "etag", "location")


class Idempotent:
    """Replays the answer kept under a key, or keeps the one that is made now."""

    def __init__(self, app: ASGIApp, replies: Replies) -> None:
        self._app, self._replies = app, replies
        # Who holds the database must never wait for the threads of those who wait for it.
        self._ending = CapacityLimiter(math.inf)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).getlist("idempotency-key") if _asks(scope) else []
        if not given:
            return await self._app(scope, receive, send)
        if len(given) > 1 or not _KEY.fullmatch(given[0]):
            message = "it is 1 to 255 visible ASCII characters"
            wrong = invalid(Problem("Idempotency-Key", message))
            return await wrong.response()(scope, receive, send)
        organization = scope["state"]["organization"]
        try:
            begun = await run_in_threadpool(
                self._replies.begin, organization, given[0], _hash(scope)
            )
        except StoreError as refused:
            return await _refusal(refused).response()(scope, receive, send)
        if isinstance(begun, Reply):
            return await _replayed(begun)(scope, receive, send)
        await self._kept(begun, scope, receive, send)

    async def _kept(self, begun: Begun, scope: Scope, receive: Receive, send: Send) -> None:
        """Asks the app, and keeps its answer before a byte of it is sent."""
        answer = _Answer()
        try:
            with begun.changes.joining():
                await self._app(scope, receive, answer.take)
        except BaseException:
            await self._ended(lambda: self._replies.free(begun))
            raise
        reply = answer.reply()
        try:
            if 200 <= reply.status < 300:
                await self._ended(lambda: self._replies.keep(begun, reply))
            else:
                await self._ended(lambda: self._replies.free(begun))
        except StoreError as refused:
            return await _refusal(refused).response()(scope, receive, send)
        for message in answer.messages:
            await send(message)

    async def _ended(self, how: Callable[[], None]) -> None:
        await to_thread.run_sync(how, limiter=self._ending)


class _Answer:
    """The messages of an answer, held back."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def take(self, message: Message) -> None:
        self.messages.append(message)

    def reply(self) -> Reply:
        """The answer as it is kept."""
        start, *rest = self.messages
        headers = MutableHeaders(scope=start)
        kept = {name: headers[name] for name in _KEPT if name in headers}
        return Reply(start["status"], kept, b"".join(part.get("body", b"") for part in rest))


def _asks(scope: Scope) -> bool:
    return "organization" in scope.get("state", {}) and scope["method"] == "POST"


def _hash(scope: Scope) -> str:
    """A hash of all that is asked: where, how it is written, and what."""
    kind = Headers(scope=scope).get("content-type", "")
    where = (scope["path"].encode(), scope["query_string"], kind.encode())
    hashed = hashlib.sha256()
    for part in (*where, scope["state"]["body"]):
        hashed.update(len(part).to_bytes(8, "big") + part)
    return hashed.hexdigest()


def _refusal(refused: StoreError) -> Fault:
    if isinstance(refused, Conflict):
        return Fault(409, refused.message, "idempotency-key-running", headers={"Retry-After": "1"})
    if isinstance(refused, Invalid):
        return Fault(422, refused.message, "idempotency-key-reused")
    return told_by(refused)


def _replayed(reply: Reply) -> Response:
    headers = {**reply.headers, "Idempotent-Replayed": "true"}
    return Response(reply.body, reply.status, headers)
