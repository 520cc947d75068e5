"""What may go wrong on the way: functions from the answer of a peer to a worse one."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Answer:
    """`sent` is how much of the whole is sent before the connection is closed, None for all.

    With a `pause_s` the part in `paused`, the head or the body, is sent a byte at a time.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    pause_s: float = 0.0
    paused: str = "body"
    sent: float | None = None


Fault = Callable[[Answer], Answer]


def failing(status: int, detail: str = "Something went wrong.", **headers: str) -> Answer:
    codes = {400: "invalid", 401: "not_authenticated", 403: "permission_denied"}
    codes |= {404: "not_found", 409: "duplicate_profile", 429: "throttled"}
    error = {
        "id": "8d1cc3e4-6b1f-4b6e-9c1e-0d5e3a1f7a11",
        "status": status,
        "code": codes.get(status, "error"),
        "title": detail,
        "detail": detail,
        "source": {"pointer": "/data/"},
        "links": {},
        "meta": {},
    }
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(status, json.dumps({"errors": [error]}).encode(), named)


def error(status: int, **headers: str) -> Fault:
    """`retry_after="2"` is a header."""
    return lambda _: failing(status, **headers)


def slow(seconds: float) -> Fault:
    return lambda answer: replace(answer, delay_s=seconds)


def trickling(pause_s: float, paused: str = "body") -> Fault:
    """A byte of the head or of the body at a time."""
    return lambda answer: replace(answer, pause_s=pause_s, paused=paused)


def dropped(answer: Answer) -> Answer:
    return replace(answer, sent=0.0)


def truncated(answer: Answer) -> Answer:
    """The connection is closed in the middle."""
    return replace(answer, sent=0.6)


def cut(answer: Answer) -> Answer:
    """Half of the JSON, as if that were all."""
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def replaced(body: bytes, status: int = 200, **headers: str) -> Fault:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return lambda answer: replace(answer, status=status, body=body, headers=named)


def changed(change: Callable[[Any], object]) -> Fault:
    """`change` works on the JSON in place."""

    def fault(answer: Answer) -> Answer:
        document = json.loads(answer.body)
        change(document)
        return replace(answer, body=json.dumps(document).encode())

    return fault


def zipped(answer: Answer) -> Answer:
    headers = {**answer.headers, "content-encoding": "gzip"}
    return replace(answer, body=gzip.compress(answer.body), headers=headers)
