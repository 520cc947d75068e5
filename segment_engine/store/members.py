"""Who was put into static lists: bitmaps of consumers, of which the newest is the truth."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from segment_engine.batch.bitmaps import Bitmap, bitmap_of
from segment_engine.errors import Conflict, Invalid, Problem
from segment_engine.store import bitmaps, counting, jobs
from segment_engine.store.attributes import DYNAMIC, STATIC
from segment_engine.store.consumers import Consumers
from segment_engine.store.database import Database
from segment_engine.store.defining import get
from segment_engine.store.ids import is_id
from segment_engine.store.problems import refuse
from segment_engine.store.records import Organization
from segment_engine.store.tables import static_members

MOST = 10_000
"""Consumers that one call puts in or out."""


class Members:
    """The members of the static and synced lists of one organization."""

    def __init__(self, database: Database, organization: Organization) -> None:
        """Made by `Store.of`."""
        self._database, self._organization = database, organization
        self._consumers = Consumers(database, organization)

    def bitmap(self, audience_id: str) -> Bitmap:
        """The members as they are now, erased ones among them until the next run.

        Raises NotFound, and Conflict for a DYNAMIC audience: a generation has its members.
        """
        with self._database.reading() as connection:
            if get(connection, self._organization.id, audience_id).type == DYNAMIC:
                raise Conflict("The members of the audience follow from its rule")
            return members_of(connection, self._organization.id, audience_id)

    def add(self, audience_id: str, consumer_ids: Sequence[str]) -> int:
        """Puts consumers into a STATIC audience; how many of them were not in it.

        Raises NotFound, and Invalid for an audience of another type or with each place in
        `consumer_ids` that names no consumer: then nothing is changed.
        """
        return self._change(audience_id, consumer_ids, lambda held, given: held | given)

    def remove(self, audience_id: str, consumer_ids: Sequence[str]) -> int:
        """Takes consumers out of a STATIC audience; how many of them were in it. As `add`."""
        return self._change(audience_id, consumer_ids, lambda held, given: held - given)

    def _change(
        self,
        audience_id: str,
        consumer_ids: Sequence[str],
        joined: Callable[[Bitmap, Bitmap], Bitmap],
    ) -> int:
        own = self._organization.id
        with self._database.reading() as connection:
            _check_static(connection, own, audience_id)
        given = self._ordinals(consumer_ids)
        with self._database.writing() as connection:
            counting.lock(connection, own)
            _check_static(connection, own, audience_id)
            before = members_of(connection, own, audience_id)
            after = joined(before, given)
            if changed := abs(len(after) - len(before)):
                put(connection, own, audience_id, after)
            return changed

    def _ordinals(self, consumer_ids: Any) -> Bitmap:
        if not isinstance(consumer_ids, list | tuple) or not 1 <= len(consumer_ids) <= MOST:
            refuse([Problem("consumerIds", f"there are 1 to {MOST:,} ids, in a list")])
        known = self._consumers.ordinals_of(list(filter(is_id, consumer_ids)))
        refuse(
            Problem(f"consumerIds.{place}", "there is no such consumer", "unknown-consumer")
            for place, id in enumerate(consumer_ids)
            if not is_id(id) or id not in known
        )
        return bitmap_of([known[id] for id in consumer_ids])


def _check_static(connection: Connection, organization: str, audience_id: str) -> None:
    if get(connection, organization, audience_id).type != STATIC:
        raise Invalid("Audience is not a static list")


def members_of(connection: Connection, organization: str, audience_id: str) -> Bitmap:
    """The members of a static or synced list."""
    table = static_members.c
    asked = select(table.tile, table.hash, table.count).where(
        table.organization == organization, table.audience == audience_id
    )
    return bitmaps.read(connection, organization, connection.execute(asked))


def put(connection: Connection, organization: str, audience_id: str, members: Bitmap) -> None:
    """Makes these the members of a static or synced list, and wants a run.

    Whoever read the members before holds the organization since.
    """
    table = static_members.c
    own = table.organization == organization, table.audience == audience_id
    kept = bitmaps.keep(connection, organization, members)
    connection.execute(delete(static_members).where(*own))
    named = {"organization": organization, "audience": audience_id}
    rows = [{**named, "tile": tile, "hash": hash, "count": count} for tile, hash, count, *_ in kept]
    if rows:
        connection.execute(insert(static_members), rows)
    counting.definition_changed(connection, organization)
    jobs.want(connection, organization)
