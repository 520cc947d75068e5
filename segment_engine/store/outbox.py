"""What changed with a generation, kept for the webhooks that are told of it.

It is written in the transaction that publishes, and nothing is computed where no webhook listens.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pyroaring import BitMap
from sqlalchemy import Connection, select

from segment_engine.batch.bitmaps import TILE, Bitmap
from segment_engine.store import exact_json
from segment_engine.store.bitmaps import read
from segment_engine.store.database import now
from segment_engine.store.ids import new_ids
from segment_engine.store.jobs import want
from segment_engine.store.tables import webhook_deliveries, webhooks

KIND = "deliver"
"""The job that delivers; its key is the id of a webhook."""
WAITING, DELIVERED, DEAD = "WAITING", "DELIVERED", "DEAD"
PART = 1_000
"""Consumers that one message tells of at most."""
_AT_ONCE = 100
"""Deliveries that are in memory; each may have bitmaps of all consumers."""

Rows = Sequence[tuple[Any, ...]]
"""Tile, hash and count come first in each row of a bitmap."""
Tiles = Mapping[str, Rows]
"""By audience."""
Listening = Mapping[str, frozenset[str] | None]
"""By webhook: the ids of the audiences that it is told of, None for all."""


class Published(NamedTuple):
    """A generation of an organization, and the bitmaps of its audiences before and with it."""

    organization: str
    generation: int
    as_of: int
    before: Tiles
    after: Tiles


def listening(connection: Connection, organization: str) -> Listening:
    """The webhooks of an organization that have not ended."""
    c = webhooks.c
    query = select(c.id, c.audiences).where(c.organization == organization, c.ended_at.is_(None))
    rows = connection.execute(query).all()
    return {id: frozenset(exact_json.loads(of)) if of else None for id, of in rows}


def keep(connection: Connection, published: Published, hooks: Listening) -> None:
    """Keeps who entered and left each audience with what is published, for `hooks`.

    An audience that was not there before is entered by all, one that is not there any more is left
    by all.
    """
    rows = _rows(connection, published, hooks)
    told: set[str] = set()
    while some := list(islice(rows, _AT_ONCE)):
        connection.execute(webhook_deliveries.insert(), some)
        told.update(row["webhook"] for row in some)
    for hook in sorted(told):
        want(connection, published.organization, KIND, hook, after_s=0)


def _rows(
    connection: Connection, published: Published, hooks: Listening
) -> Iterator[dict[str, Any]]:
    organization, generation, as_of, before, after = published
    instant = now(connection)
    ids = new_ids("dlv", instant)
    for audience in sorted(before.keys() | after.keys()):
        told = [hook for hook, only in hooks.items() if only is None or audience in only]
        if not told:
            continue
        tiles = before.get(audience, ()), after.get(audience, ())
        entered, left = _moved(connection, organization, *tiles)
        if not (entered or left):
            continue
        common = {
            "organization": organization,
            "audience": audience,
            "generation": generation,
            "as_of": as_of,
            "entered": entered.serialize(),
            "left": left.serialize(),
            "parts": -(-(len(entered) + len(left)) // PART),
            "sent": 0,
            "state": WAITING,
            "attempts": 0,
            "next_at": instant,
            "wanted_at": instant,
            "updated_at": instant,
        }
        yield from ({**common, "id": next(ids), "webhook": hook} for hook in told)


def _moved(
    connection: Connection, organization: str, before: Rows, after: Rows
) -> tuple[BitMap, BitMap]:
    """Who entered and who left, by ordinal; tiles that are the same are not read."""
    same = {row[:2] for row in before} & {row[:2] for row in after}
    old, new = (
        _ordinals(read(connection, organization, [row for row in rows if row[:2] not in same]))
        for rows in (before, after)
    )
    return new - old, old - new


def _ordinals(bitmap: Bitmap) -> BitMap:
    found = BitMap()
    for number, tile in bitmap.tiles.items():
        found |= tile.roaring.shift(number * TILE)
    return found
