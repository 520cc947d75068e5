"""How much one key may ask: requests by time, in each process, and bytes by request."""

import math
import time
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segment_engine.api.auth import is_upload
from segment_engine.api.problems import plain


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float


class Limited:
    """A token bucket a key: `per_minute` requests, at once or spread; else 429.

    0 of them are no limit.
    """

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self._app, self._most, self._per_second = app, per_minute, per_minute / 60
        self._buckets: dict[bytes, _Bucket] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = scope.get("state", {}).get("key")
        if key is None or not self._most:
            return await self._app(scope, receive, send)
        bucket = self._filled(key)
        allowed = bucket.tokens >= 1
        bucket.tokens -= allowed
        told = self._headers(bucket)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        if allowed:
            return await self._app(scope, receive, telling)
        wait = math.ceil((1 - bucket.tokens) / self._per_second)
        fault = plain(429, headers={"Retry-After": str(wait)})
        await fault.response()(scope, receive, telling)

    def _filled(self, key: bytes) -> _Bucket:
        now = time.monotonic()
        bucket = self._buckets.setdefault(key, _Bucket(self._most, now))
        more = (now - bucket.filled_at) * self._per_second
        bucket.tokens, bucket.filled_at = min(self._most, bucket.tokens + more), now
        return bucket

    def _headers(self, bucket: _Bucket) -> dict[str, str]:
        full_in = (self._most - bucket.tokens) / self._per_second
        return {
            "X-RateLimit-Limit": str(self._most),
            "X-RateLimit-Remaining": str(int(bucket.tokens)),
            "X-RateLimit-Reset": str(math.ceil(full_in)),
        }


class Bounded:
    """Reads a body of at most `most` bytes into `scope["state"]["body"]`, or answers 413.

    What is uploaded has at most `most_uploaded`.
    """

    def __init__(self, app: ASGIApp, most: int, most_uploaded: int) -> None:
        self._app, self._most, self._most_uploaded = app, most, most_uploaded

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        most = self._most_uploaded if is_upload(scope) else self._most
        told = Headers(scope=scope).get("content-length", "0")
        body = bytearray()
        more = int(told) <= most if told.isdigit() else False
        too_large = not more
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            too_large = len(body) > most
            more = message.get("more_body", False) and not too_large
        if too_large:
            fault = plain(413, detail=f"a body has at most {most:,} bytes")
            return await fault.response()(scope, receive, send)
        whole = scope.setdefault("state", {})["body"] = bytes(body)
        del body  # a file is not kept twice while it is put away
        await self._app(scope, _once(whole, receive), send)


def _once(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the whole body, then what comes behind it."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return left.pop() if left else await receive()

    return receiving
