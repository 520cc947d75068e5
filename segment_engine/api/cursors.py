"""Cursors: opaque, signed, and good for the query alone that they were made for.

A cursor carries when it expires, its generation and the position behind which a page begins.
What it belongs to (organization, kind, audience or group, search, filters, order) is not in it,
but in what is signed: so it holds nothing personal, and fits no other query.
"""

import hmac
import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segment_engine.api.problems import Fault, invalid
from segment_engine.errors import Problem

LIFETIME_S = 24 * 60 * 60
_SIGNATURE = 16
_LONGEST = 4_096


def expired() -> Fault:
    """The answer to a cursor whose time, or whose generation, is over."""
    return Fault(410, "Cursor expired", "cursor-expired")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind `position`, in the members of `generation` where it has one."""

    position: Any
    generation: int | None = None


class Cursors:
    """Makes and reads the cursors of one secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"segment-engine cursors", "sha256")

    def made(self, query: Sequence[Any], place: Place) -> str:
        """The cursor of a place in the answers to `query`, plain values that name it wholly."""
        told = [int(time.time()) + LIFETIME_S, place.generation, place.position]
        payload = json.dumps(told, separators=(",", ":")).encode()
        return urlsafe_b64encode(self._signed(query, payload) + payload).rstrip(b"=").decode()

    def read(self, query: Sequence[Any], cursor: str, name: str = "after") -> Place:
        """The place that a cursor of that query tells; `name` is its parameter.

        Raises Fault: 400 where it was not made for this query, 410 where it has expired.
        """
        raw = _bytes_of(cursor)
        signature, payload = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not payload or not hmac.compare_digest(signature, self._signed(query, payload)):
            message = "it is no cursor of this query"
            raise invalid(Problem(name, message, "bad-cursor"), title="Invalid cursor")
        expires, generation, position = json.loads(payload)
        if expires < time.time():
            raise expired()
        return Place(position, generation)

    def _signed(self, query: Sequence[Any], payload: bytes) -> bytes:
        named = json.dumps(list(query), separators=(",", ":")).encode()
        whole = len(named).to_bytes(4, "big") + named + payload
        return hmac.digest(self._key, whole, "sha256")[:_SIGNATURE]


def _bytes_of(cursor: str) -> bytes:
    """What is encoded; nothing where it was not written as `made` writes it."""
    if not cursor.isascii() or len(cursor) > _LONGEST:
        return b""
    try:
        raw = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
    return raw if urlsafe_b64encode(raw).rstrip(b"=").decode() == cursor else b""
