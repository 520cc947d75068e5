"""One JSON line a request: its route as a template, status, time and organization.

Searches, bodies and names are personal data: no path, query, header or message is ever logged,
and of an error only its type and the places in the code.
"""

import time
import traceback
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segment_engine.api.metrics import Metrics
from segment_engine.api.problems import plain

UNMATCHED = "unmatched"
METHODS = frozenset(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"))

log = structlog.get_logger("segment_engine.api")


class Observed:
    """Logs and measures each request, names it in X-Request-Id, and answers 500 for a fault."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun, request_id, status = time.perf_counter(), uuid4().hex, 0

        async def telling(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._app(scope, receive, telling)
        except Exception as error:
            log.error("fault", request_id=request_id, **told_of(error))
            if status:
                raise
            await plain(500).response()(scope, receive, telling)
        finally:
            took = time.perf_counter() - begun
            self._told(scope, status, took, request_id)

    def _told(self, scope: Scope, status: int, took: float, request_id: str) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.observe(method, route, status, took)
        log.info(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(took * 1000, 1),
            organization=scope.get("state", {}).get("organization"),
            request_id=request_id,
        )


def told_of(error: BaseException) -> dict[str, Any]:
    """What may be logged of an error: messages may hold what somebody typed, so none is told."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
    return {"error": type(error).__name__, "at": places}
