"""Webhooks: who is told of changes, and what could not be delivered. Operators alone set them.

That is why a URL may name any host, also one of an inner network.
"""

import ipaddress
import secrets
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    exists,
    func,
    select,
    true,
    update,
)

from segment_engine.errors import Conflict, Invalid, NotFound
from segment_engine.store import exact_json
from segment_engine.store.counting import lock
from segment_engine.store.database import Database, now
from segment_engine.store.ids import new_id
from segment_engine.store.jobs import SECOND, want
from segment_engine.store.outbox import DEAD, DELIVERED, KIND, WAITING
from segment_engine.store.records import DeadLetter, Webhook
from segment_engine.store.sealed import seal
from segment_engine.store.tables import jobs, webhook_deliveries, webhooks
from segment_engine.webhooks import PREFIX

MOST_URL = 2_000
DELIVERED_STAY, DEAD_STAY = 7 * 86_400 * SECOND, 30 * 86_400 * SECOND
"""How long it is known what was delivered, and how long a dead letter can be replayed."""

Letters = list[DeadLetter]

d = webhook_deliveries.c


class Webhooks:
    """The webhooks of all organizations."""

    def __init__(self, database: Database, secret: bytes) -> None:
        """`secret` seals those that messages are signed with."""
        self._database, self._secret = database, secret

    def create(
        self, organization_id: str, url: str, audiences: Sequence[str] | None = None
    ) -> tuple[str, Webhook]:
        """A new one, with the secret that its messages are signed with, which is told once.

        `audiences` are the ids of those that it is told of, None for all. It is told what changes
        from the next generation on. Raises Invalid, NotFound.
        """
        _check_url(url)
        told = PREFIX + b64encode(secrets.token_bytes(32)).decode()
        with self._database.writing() as connection:
            lock(connection, organization_id)
            instant = now(connection)
            id = new_id("whk", instant)
            row = {
                "organization": organization_id,
                "id": id,
                "url": url,
                "secret": seal(self._secret, told),
                "audiences": None if audiences is None else exact_json.dumps(list(audiences)),
                "created_at": instant,
            }
            connection.execute(webhooks.insert().values(row))
        return told, self.get(id)

    def get(self, id: str) -> Webhook:
        """One by its id. Raises NotFound."""
        found = [one for one in self.list() if one.id == id]
        if not found:
            raise NotFound("Webhook not found")
        return found[0]

    def list(self, organization_id: str | None = None) -> list[Webhook]:
        """Those of an organization, or of all; the oldest first."""
        c = webhooks.c
        waiting, dead = (
            func.count(case((d.state == state, 1))).label(name)
            for state, name in ((WAITING, "waiting"), (DEAD, "dead"))
        )
        columns = c.id, c.organization, c.url, c.audiences, c.created_at, c.ended_at
        theirs = and_(
            d.organization == c.organization, d.webhook == c.id, d.state.in_((WAITING, DEAD))
        )
        query = (
            select(*columns, waiting, dead)
            .select_from(webhooks.outerjoin(webhook_deliveries, theirs))
            .where(_of(c.organization, organization_id))
            .group_by(*columns)
            .order_by(c.id)
        )
        with self._database.reading() as connection:
            rows = [row._asdict() for row in connection.execute(query)]
        for row in rows:
            row["audiences"] = exact_json.loads(row["audiences"]) if row["audiences"] else None
        return [Webhook(**row) for row in rows]

    def delete(self, id: str) -> Webhook:
        """Ends one, with all that was not delivered. Raises NotFound."""
        found = self.get(id)
        with self._database.writing() as connection:
            lock(connection, found.organization)  # so that nothing is published for it meanwhile
            connection.execute(delete(webhook_deliveries).where(d.webhook == id))
            connection.execute(delete(webhooks).where(webhooks.c.id == id))
        return found

    # ---- what could not be delivered

    def failed(self, organization_id: str | None = None) -> Letters:
        """The dead letters of an organization, or of all; the oldest generation first."""
        columns = [d[name] for name in DeadLetter.__slots__]
        query = select(*columns).where(d.state == DEAD, _of(d.organization, organization_id))
        ordered = query.order_by(d.organization, d.generation, d.id)
        with self._database.reading() as connection:
            return [DeadLetter(*row) for row in connection.execute(ordered)]

    def replay(self, ids: Sequence[str] | None = None) -> int:
        """Delivers dead letters after all, those of `ids` or all that can be; how many.

        Raises NotFound where one of `ids` is none, and Conflict where its receiver is gone: then
        nothing is replayed.
        """
        ended = select(webhooks.c.id).where(webhooks.c.ended_at.is_not(None))
        wanted = [d.state == DEAD] + ([] if ids is None else [d.id.in_(ids)])
        columns = d.id, d.organization, d.webhook, d.webhook.in_(ended).label("is_over")
        with self._database.writing() as connection:
            rows = connection.execute(select(*columns).where(*wanted).with_for_update()).all()
            if lacking := set(ids or ()) - {row.id for row in rows}:
                raise NotFound(f"there is no dead letter {min(lacking)}")
            if ids is not None and (over := [row.webhook for row in rows if row.is_over]):
                raise Conflict(f"the receiver of {over[0]} is gone; make another webhook")
            again = [row for row in rows if not row.is_over]
            instant = now(connection)
            waits = {"state": WAITING, "attempts": 0, "next_at": instant, "wanted_at": instant}
            for row in again:
                mine = d.organization == row.organization, d.id == row.id
                connection.execute(update(webhook_deliveries).where(*mine).values(**waits))
            for organization, hook in sorted({(row.organization, row.webhook) for row in again}):
                want(connection, organization, KIND, hook, after_s=0)
        return len(again)


def _of(column: ColumnElement[str], organization_id: str | None) -> ColumnElement[bool]:
    return true() if organization_id is None else column == organization_id


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Invalid("this is no URL") from None
    if not host or len(url) > MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid(f"a URL is as https://example.com/hook, of {MOST_URL:,} characters at most")
    if parts.username is not None or parts.password is not None:
        raise Invalid("a URL names no user: what comes is known by its signature")
    if parts.fragment:
        raise Invalid("a URL has no fragment: nobody would be sent it")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise Invalid("a URL begins with https://; http:// is for the loopback host alone")


def is_loopback(host: str) -> bool:
    """Whether a host is this one, by its name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def stranded(connection: Connection) -> list[tuple[str, str]]:
    """Organization and id of webhooks whose deliveries wait for no job: theirs was given up."""
    busy = exists().where(
        jobs.c.organization == d.organization,
        jobs.c.kind == KIND,
        jobs.c.key == d.webhook,
        jobs.c.state.in_(("QUEUED", "RUNNING")),
    )
    query = select(d.organization, d.webhook).where(d.state == WAITING, ~busy).distinct()
    return [(row.organization, row.webhook) for row in connection.execute(query)]


def forget_old(connection: Connection) -> None:
    """Deletes what was delivered, and what nobody has replayed, long ago."""
    instant = now(connection)
    for state, stays in ((DELIVERED, DELIVERED_STAY), (DEAD, DEAD_STAY)):
        old = d.state == state, d.updated_at < instant - stays
        connection.execute(delete(webhook_deliveries).where(*old))
