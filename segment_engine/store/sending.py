"""One message sent to the receiver of a webhook: its answer, or why there is none.

A redirect is an answer as any other, and nothing in a reason tells the URL.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from segment_engine.store.webhooks import is_loopback

DEADLINE_S = 15.0
"""The time of a whole request, from the look-up of the name on."""
MOST_READ = 4_096
"""Bytes of an answer's body that are read, so that the connection can be used again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` is None where nothing did; `retry_after` is the header."""

    status: int | None
    reason: str
    retry_after: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether the message is through."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """Sends messages to one URL, a context; each request has a deadline as a whole."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = asyncio.Runner()
        # A proxy of the environment knows another host by the loopback's name.
        of_environment = not is_loopback(urlsplit(url).hostname or "")
        self._client = httpx.AsyncClient(timeout=DEADLINE_S, trust_env=of_environment)

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Sends a message of JSON."""
        return self._runner.run(self._post(headers, body))

    async def _post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        told = {"content-type": "application/json", "user-agent": "segment-engine", **headers}
        sent = self._client.stream("POST", self._url, content=body, headers=told)
        found = None
        try:
            async with asyncio.timeout(DEADLINE_S), sent as answer:
                status = answer.status_code
                found = Answer(status, f"it answered {status}", answer.headers.get("retry-after"))
                await _read(answer)
        except (TimeoutError, httpx.TimeoutException):
            return found or Answer(None, f"no answer within {DEADLINE_S:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # IDNA's faults, too
            return found or Answer(None, f"it could not be reached: {type(error).__name__}")
        return found


async def _read(answer: httpx.Response) -> None:
    read = 0
    async for some in answer.aiter_raw():
        read += len(some)
        if read > MOST_READ:
            return
