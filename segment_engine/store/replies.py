"""Answers kept under a client's Idempotency-Key, so that asking twice does once.

What a request changes and its answer commit together: wherever its process dies, either both are
there or neither is.
"""

import json
import os
import platform
import secrets
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from segment_engine.errors import Conflict, Invalid, StoreError
from segment_engine.store.database import Database, Joined
from segment_engine.store.jobs import lives
from segment_engine.store.tables import idempotency

KEPT_US = 24 * 60 * 60 * 1_000_000
"""How long an answer is kept."""
RUNS_US = 5 * 60 * 1_000_000
"""A request that has no answer after so long has died, and its key is free."""


_RUNS = "A request with this Idempotency-Key is still running"
_PROCESS = [platform.node(), os.getpid(), secrets.token_hex(8)]
"""Host, number and a name of this process: what began with a key says so in place of headers."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it was sent."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """The right to answer the request of one key; lost where it died and another began.

    `changes` are all that the request writes, which is there as soon as its answer is kept.
    """

    organization: str
    key: str
    created_at: int
    changes: Joined = field(default_factory=Joined, compare=False)


class Replies:
    """The kept answers of all organizations; safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, organization: str, key: str, request: str) -> Reply | Begun:
        """The answer kept under `key`, or the right to make it.

        `request` is a hash of all that was asked. Raises Invalid where the key was used for
        another request, Conflict while the same one still runs.
        """
        with self._database.writing() as connection:
            now = self._database.now(connection)
            connection.execute(delete(idempotency).where(_is(organization, key), _over(now)))
            begun = Begun(organization, key, now)
            # What a process that died has sent may still be about to commit: the row is held. It is
            # gone where another request freed the key just now.
            held = select(idempotency).where(_is(organization, key)).with_for_update()
            row = None
            while row is None:
                if self._inserted(connection, begun, request):
                    return begun
                row = connection.execute(held).first()
            if row.status is None and _is_dead(row.headers):
                connection.execute(delete(idempotency).where(_is(organization, key)))
                self._inserted(connection, begun, request)
                return begun
        if row.request != request:
            raise Invalid("Idempotency-Key was used with another request")
        if row.status is None:
            raise Conflict(_RUNS)
        return Reply(row.status, json.loads(row.headers), row.body)

    def keep(self, begun: Begun, reply: Reply) -> None:
        """Commits what was changed and the answer, for 24 hours from when it was begun.

        Raises Conflict, and nothing was changed, where another request has the key now.
        """
        told = {"status": reply.status, "headers": json.dumps(reply.headers), "body": reply.body}
        try:
            with begun.changes.joining(), self._database.writing() as connection:
                kept = update(idempotency).where(_still(begun)).values(told)
                if connection.execute(kept).rowcount != 1:
                    raise Conflict(_RUNS)
            begun.changes.commit()
        except BaseException:
            with suppress(StoreError):
                self.free(begun)
            raise

    def free(self, begun: Begun) -> None:
        """Gives the key back: nothing was changed."""
        begun.changes.undo()
        with self._database.writing() as connection:
            connection.execute(delete(idempotency).where(_still(begun)))

    def _inserted(self, connection: Connection, begun: Begun, request: str) -> bool:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        row = (begun.organization, begun.key, request, begun.created_at, json.dumps(_PROCESS))
        names = ("organization", "key", "request", "created_at", "headers")
        made = insert(idempotency).values(dict(zip(names, row, strict=True)))
        once = made.on_conflict_do_nothing().returning(idempotency.c.key)
        return connection.execute(once).first() is not None

    def forget_old(self) -> None:
        """Deletes what nobody can ask for any more."""
        with self._database.writing() as connection:
            now = self._database.now(connection)
            connection.execute(delete(idempotency).where(_over(now)))


def _is_dead(headers: str) -> bool:
    """Whether the process that began with a key has ended, as far as this host knows."""
    host, number, name = json.loads(headers)
    if host != _PROCESS[0]:
        return False
    return bool(name != _PROCESS[2]) if number == _PROCESS[1] else not lives(number)


def _is(organization: str, key: str) -> ColumnElement[bool]:
    return and_(idempotency.c.organization == organization, idempotency.c.key == key)


def _still(begun: Begun) -> ColumnElement[bool]:
    """Its row, as long as nobody else began with the key and nothing is kept."""
    mine = idempotency.c.created_at == begun.created_at
    return and_(_is(begun.organization, begun.key), mine, idempotency.c.status.is_(None))


def _over(now: int) -> ColumnElement[bool]:
    died = and_(idempotency.c.status.is_(None), idempotency.c.created_at < now - RUNS_US)
    return or_(idempotency.c.created_at < now - KEPT_US, died)
