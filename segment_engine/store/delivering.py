"""The job of a webhook: it sends what waits, in order, for a turn that does not hold up others.

A message is a part of a delivery: how far that has come commits while the job is held, so a part
is sent again where a worker dies, under the same id, and none is left out. The parts follow from
the bitmaps, and who was erased meanwhile is left out of them.
"""

import json
import random
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from pyroaring import BitMap
from sqlalchemy import Connection, Row, Select, and_, func, select, update

from segment_engine.errors import StoreError
from segment_engine.store.counting import lock
from segment_engine.store.database import now
from segment_engine.store.jobs import SECOND, Job, Jobs, want
from segment_engine.store.matching import is_one_of
from segment_engine.store.outbox import DEAD, DELIVERED, KIND, PART, WAITING
from segment_engine.store.sealed import unseal
from segment_engine.store.sending import Answer, Sender
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import consumers, webhook_deliveries, webhooks
from segment_engine.values.isotime import format_instant, instant_of
from segment_engine.webhooks import ID, SIGNATURE, TIMESTAMP, sign

BACK_OFF: Sequence[float] = (5, 30, 120, 600, 3_600, 6 * 3_600, 12 * 3_600, 24 * 3_600)
"""Seconds after each failed attempt, give or take a fifth; one more, and the delivery is dead."""
LONGEST_S = 3 * 86_400
"""How long a delivery may wait: behind one that dies, others have waited, too."""
LONGEST_PAUSE_S = 86_400
"""The longest pause that a receiver can ask for."""
TURN_S = 5
MOST_DUE = 1_000
"""Audiences that are looked for at once."""
GONE = 410
TYPE = "audience.members_changed"
_NOBODY = Answer(204, "all of whom it would tell were erased")
"""In place of a receiver's: it is not told that somebody was erased."""

d = webhook_deliveries.c


def run(shop: OrganizationStore, job: Job) -> str:
    """A turn of a webhook, which ends with the first failure; what there is to be logged of it.

    Raises Lost.
    """
    return _Turn(shop, job).run()


class _Turn:
    def __init__(self, shop: OrganizationStore, job: Job) -> None:
        self._shop, self._job = shop, job
        self._database = shop.store.database
        self._own, self._id = shop.organization.id, job.key
        self._mine = (d.organization == self._own, d.webhook == self._id, d.state == WAITING)

    def run(self) -> str:
        hook, sent, failed = self._hook(), 0, ""
        if hook is not None:
            with Sender(hook.url) as sender:
                for instant, row in self._waiting():
                    answer = self._sent(sender, hook, row, instant)
                    self._told(row, answer)
                    sent += answer.is_good
                    if not answer.is_good:
                        failed = f" failed: {answer.reason}"
                        break
        self._end()
        return f"webhook={self._id} sent={sent}{failed}"

    def _hook(self) -> Row[Any] | None:
        c = webhooks.c
        query = select(webhooks).where(c.organization == self._own, c.id == self._id)
        with self._database.reading() as connection:
            return connection.execute(query).first()

    def _waiting(self) -> Iterator[tuple[int, Row[Any]]]:
        """Now, and the delivery whose turn it is, as long as the job's turn is not over.

        Which is through with a part goes behind those of other audiences.
        """
        until = None
        while ids := self._due():
            for id in ids:
                instant, row = self._read(id)
                if instant > (until := until or instant + TURN_S * SECOND):
                    return
                if row is not None:
                    yield instant, row

    def _due(self) -> Sequence[str]:
        """Deliveries of several audiences: to look for each of many alone takes long."""
        with self._database.reading() as connection:
            due = self._heads(d.id).where(d.next_at <= now(connection))
            ordered = due.order_by(d.next_at, d.id).limit(MOST_DUE)
            return connection.execute(ordered).scalars().all()

    def _read(self, id: str) -> tuple[int, Row[Any] | None]:
        query = select(webhook_deliveries).where(*self._mine, d.id == id)
        with self._database.reading() as connection:
            return now(connection), connection.execute(query).first()

    def _heads(self, *columns: Any) -> Select[Any]:
        """The first delivery of each audience that is neither through nor dead."""
        least = func.min(d.generation).label("generation")
        heads = select(d.audience, least).where(*self._mine).group_by(d.audience).subquery()
        same = and_(d.audience == heads.c.audience, d.generation == heads.c.generation)
        return select(*columns).join(heads, same).where(*self._mine)

    # ---- a message

    def _sent(self, sender: Sender, hook: Row[Any], row: Row[Any], instant: int) -> Answer:
        try:
            secret = unseal(self._shop.store.secret, hook.secret)
        except StoreError as fault:
            return Answer(None, fault.message)
        id, timestamp = f"{row.id}_{row.sent + 1}", instant // SECOND
        message = self._message(id, row)
        if not (message["entered"] or message["left"]):
            return _NOBODY
        body = json.dumps(message, separators=(",", ":")).encode()
        signature = sign(secret, id, timestamp, body)
        return sender.post({ID: id, TIMESTAMP: str(timestamp), SIGNATURE: signature}, body)

    def _message(self, id: str, row: Row[Any]) -> dict[str, Any]:
        entered, left = BitMap.deserialize(row.entered), BitMap.deserialize(row.left)
        start, end = row.sent * PART, (row.sent + 1) * PART
        behind = len(entered)
        return {
            "id": id,
            "type": TYPE,
            "webhookId": row.webhook,
            "organizationId": row.organization,
            "audienceId": row.audience,
            "audienceName": next(iter(self._shop.audiences.labels([row.audience]).values()), None),
            "generation": row.generation,
            "asOf": format_instant(row.as_of),
            "part": row.sent + 1,
            "parts": row.parts,
            "entered": self._people(entered[start:end]),
            "left": self._people(left[max(0, start - behind) : max(0, end - behind)]),
        }

    def _people(self, ordinals: BitMap) -> list[dict[str, str | None]]:
        """Nothing else is read of them."""
        c = consumers.c
        mine = c.organization == self._own, c.erased_at.is_(None)
        query = select(c.id, c.external_id).where(*mine).order_by(c.ordinal)
        with self._database.reading() as connection:
            found = query.where(is_one_of(connection, c.ordinal, list(ordinals)))
            return [{"id": id, "externalId": name} for id, name in connection.execute(found)]

    # ---- what became of it

    def _told(self, row: Row[Any], answer: Answer) -> None:
        with self._database.writing() as connection:
            if answer.status == GONE:
                lock(connection, self._own)  # so that nothing is kept for it meanwhile
            Jobs.holds(connection, self._job)
            instant = now(connection)
            if answer.status == GONE:
                self._is_gone(connection, answer.reason, instant)
            else:
                told = _through(row, instant) if answer.is_good else _failed(row, answer, instant)
                changed = update(webhook_deliveries).where(*self._mine)
                ours = changed.where(d.id == row.id)
                connection.execute(ours.values(**told, updated_at=instant))
                if answer.status is None and (later := told.get("next_at")) is not None:
                    # Who is out of reach is not asked again for each audience.
                    connection.execute(changed.where(d.next_at < later).values(next_at=later))

    def _is_gone(self, connection: Connection, reason: str, instant: int) -> None:
        """Ends the webhook: what waits for it will never be delivered."""
        dead = {"state": DEAD, "reason": reason, "updated_at": instant}
        connection.execute(update(webhook_deliveries).where(*self._mine).values(**dead))
        ended = update(webhooks).where(
            webhooks.c.organization == self._own, webhooks.c.id == self._id
        )
        connection.execute(ended.values(ended_at=instant))

    def _end(self) -> None:
        """The end of the job, and the next one where something waits."""
        with self._database.writing() as connection:
            Jobs.done(connection, self._job)
            first = connection.execute(self._heads(func.min(d.next_at))).scalar()
            if first is not None:
                after_s = max(0, first - now(connection)) / SECOND
                # One that was wanted meanwhile has something new, and is not put off.
                want(connection, self._own, KIND, self._id, after_s, at_most_s=0)


def _through(row: Row[Any], instant: int) -> dict[str, Any]:
    passed: dict[str, Any] = {"sent": row.sent + 1, "attempts": 0, "reason": None}
    if row.sent + 1 < row.parts:
        return passed | {"next_at": instant, "wanted_at": instant}
    return passed | {"state": DELIVERED, "entered": None, "left": None}


def _failed(row: Row[Any], answer: Answer, instant: int) -> dict[str, Any]:
    tried = {"attempts": row.attempts + 1, "reason": answer.reason}
    if row.attempts >= len(BACK_OFF):
        return tried | {"state": DEAD}
    pause = BACK_OFF[row.attempts] * random.uniform(0.8, 1.2)
    asked = _asked(answer.retry_after, instant)
    later = instant + round(max(pause, min(asked, LONGEST_PAUSE_S)) * SECOND)
    if later > row.wanted_at + LONGEST_S * SECOND:
        return tried | {"state": DEAD}
    return tried | {"next_at": later}


def _asked(retry_after: str | None, instant: int) -> float:
    """The seconds that a receiver asks to be left alone for: their number, or until a date."""
    told = (retry_after or "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        until = instant_of(parsedate_to_datetime(told))
    except (ValueError, OverflowError):
        return 0.0
    return 0.0 if until is None else (until - instant) / SECOND
