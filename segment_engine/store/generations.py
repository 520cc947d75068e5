"""Generations: the members of all audiences after one run over the organization.

A generation commits whole, with the pointers to its bitmaps; nothing in it changes afterwards. It
stays while it is among the last, or young.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sqlalchemy import Connection, delete, except_, func, select

from segment_engine.batch.bitmaps import TILE, Bitmap
from segment_engine.errors import NotFound, StoreError
from segment_engine.store import outbox
from segment_engine.store.bitmaps import CACHE, TileRow, put, read, reader_of, sweep
from segment_engine.store.database import Database
from segment_engine.store.jobs import Job, Jobs, Lost
from segment_engine.store.records import Organization
from segment_engine.store.tables import bitmaps, generation_audiences, generations, memberships

KEEP, KEEP_FOR = 2, 3_600 * 1_000_000
"""How many generations stay at least, and for how many microseconds all do."""
_HELD = 64
"""Generations that a process keeps what it has read of."""


class Gone(NotFound):
    """There was such a generation, and it is not kept any more."""


@dataclass(frozen=True, slots=True)
class GenerationAudience:
    """An audience in a generation: its version, members, and how many moved since the one before.

    `error` says why it could not be computed; its members are those of the generation before.
    """

    version: int
    count: int
    entered: int
    left: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Generation:
    """One run: when, of what consumers and definitions, and its audiences by id.

    Instants are microseconds since 1970; `asked` is how many consumers had to be asked, `ordinals`
    how many ordinals there were, with those that were erased.
    """

    number: int
    as_of: int
    created_at: int
    change_seq: int
    definition_seq: int
    consumers: int
    ordinals: int
    asked: int
    duration_ms: int
    audiences: Mapping[str, GenerationAudience]


@dataclass(frozen=True, slots=True)
class Found:
    """An audience as a run found it, with the rows of its bitmap."""

    audience: GenerationAudience
    tiles: Sequence[TileRow]


@dataclass(frozen=True, slots=True)
class Draft:
    """A generation before it is published. `before` is the number of the one that it follows."""

    before: int
    as_of: int
    change_seq: int
    definition_seq: int
    consumers: int
    ordinals: int
    asked: int
    basis: str | None
    audiences: Mapping[str, Found]


class Generations:
    """The generations of one organization."""

    def __init__(self, database: Database, organization: Organization) -> None:
        self._database, self._id = database, organization.id

    def latest(self) -> Generation | None:
        """The newest one; None before the first run."""
        with self._database.reading() as connection:
            number = newest(connection, self._id)
            return self._read(connection, number) if number else None

    def get(self, number: int) -> Generation:
        """One by its number. Raises Gone where it is not kept any more, NotFound."""
        with self._database.reading() as connection:
            return self._read(connection, number)

    def _read(self, connection: Connection, number: int) -> Generation:
        self._check(connection, number)
        key = self._id, number
        if (known := _KNOWN.get(key)) is None:
            known = _KNOWN.put(key, read_generation(connection, self._id, number))
        return known

    def _check(self, connection: Connection, number: int) -> None:
        query = select(generations.c.number).where(*_is(generations, self._id, number))
        if connection.execute(query).first() is None:
            last = newest(connection, self._id)
            if 0 < number < last:
                raise Gone("this generation is not kept any more")
            raise NotFound("there is no such generation")

    def bitmap(self, generation: Generation, audience_id: str) -> Bitmap:
        """The members of an audience by ordinal. Raises NotFound, Gone."""
        if audience_id not in generation.audiences:
            raise NotFound("the audience is not in this generation")
        with self._database.reading() as connection:
            return self._bitmap(connection, generation.number, audience_id)

    def _bitmap(self, connection: Connection, number: int, audience_id: str) -> Bitmap:
        rows = rows_of_audience(connection, self._id, number, audience_id)
        if not rows:
            self._check(connection, number)
        return read(connection, self._id, rows)

    def audiences_of(self, generation: Generation, ordinal: int) -> list[str]:
        """The ids of the audiences that a consumer is in, sorted. Raises Gone."""
        tile, place = divmod(ordinal, TILE)
        c = memberships.c
        query = select(c.audience, c.hash).where(
            *_is(memberships, self._id, generation.number), c.tile == tile
        )
        with self._database.reading() as connection:
            self._check(connection, generation.number)
            rows = connection.execute(query.order_by(c.audience)).all()
            reader = reader_of(connection, self._id)
            tiles = CACHE.tiles([hash for _, hash in rows], reader)
        return [audience for audience, hash in rows if place in tiles[hash]]

    def changes(self, generation: Generation, audience_id: str) -> tuple[Bitmap, Bitmap]:
        """Who entered and who left an audience since the generation before.

        Raises NotFound, and Gone where one of the two is not kept any more.
        """
        now = self.bitmap(generation, audience_id)
        if generation.number == 1:
            return now, Bitmap({})
        with self._database.reading() as connection:
            self._check(connection, generation.number - 1)
            before = self._bitmap(connection, generation.number - 1, audience_id)
        return now - before, before - now

    def publish(self, draft: Draft, job: Job | None = None) -> Generation:
        """Publishes a run as the next generation, and drops those that are not to be kept.

        All commits at once, with the end of the job. Raises Lost, and nothing is published, where
        another worker has the job or another run was published meanwhile.
        """
        with self._database.writing() as connection:
            rows = [row for found in draft.audiences.values() for row in found.tiles]
            put(connection, self._id, rows)
            if newest(connection, self._id) != draft.before:
                raise Lost("another run was published meanwhile")
            created = self._database.now(connection)
            made = _generation(draft, created)
            self._write(connection, made, draft)
            self._check_whole(connection, made.number)
            self._tell(connection, draft, made.number)
            drop(connection, self._id, created)
            if job is not None:
                Jobs.done(connection, job)
        return made

    def _write(self, connection: Connection, made: Generation, draft: Draft) -> None:
        common = {"organization": self._id, "generation": made.number}
        row = {name: getattr(made, name) for name in Generation.__slots__ if name != "audiences"}
        connection.execute(
            generations.insert(), {"organization": self._id, **row, "basis": draft.basis}
        )
        found = draft.audiences.items()
        audiences = [
            {**common, "audience": key, **{n: getattr(one.audience, n) for n in _AUDIENCE}}
            for key, one in found
        ]
        tiles = [
            {**common, "audience": key, "tile": row.tile, "hash": row.hash, "count": row.members}
            for key, one in found
            for row in one.tiles
        ]
        for table, many in ((generation_audiences, audiences), (memberships, tiles)):
            if many:
                connection.execute(table.insert(), many)

    def _tell(self, connection: Connection, draft: Draft, number: int) -> None:
        """Keeps what changed where there are webhooks to be told."""
        if hooks := outbox.listening(connection, self._id):
            before = rows_of_all(connection, self._id, draft.before)
            after = {key: found.tiles for key, found in draft.audiences.items()}
            published = outbox.Published(self._id, number, draft.as_of, before, after)
            outbox.keep(connection, published, hooks)

    def _check_whole(self, connection: Connection, number: int) -> None:
        """A bitmap that is named and not written could have been swept before."""
        named = select(memberships.c.hash).where(*_is(memberships, self._id, number))
        held = select(bitmaps.c.hash).where(bitmaps.c.organization == self._id)
        if connection.execute(except_(named, held).limit(1)).first() is not None:
            raise StoreError("a bitmap that the run had read is gone; the run has to be repeated")


_AUDIENCE = GenerationAudience.__slots__


def _generation(draft: Draft, created: int) -> Generation:
    return Generation(
        number=draft.before + 1,
        as_of=draft.as_of,
        created_at=created,
        change_seq=draft.change_seq,
        definition_seq=draft.definition_seq,
        consumers=draft.consumers,
        ordinals=draft.ordinals,
        asked=draft.asked,
        duration_ms=max(0, created - draft.as_of) // 1_000,
        audiences={key: found.audience for key, found in draft.audiences.items()},
    )


class _Known:
    """What was read of generations; they do not change."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int], Generation] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str, int]) -> Generation | None:
        with self._lock:
            return self._held.get(key)

    def put(self, key: tuple[str, int], generation: Generation) -> Generation:
        with self._lock:
            self._held[key] = generation
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        return generation


_KNOWN = _Known()


def newest(connection: Connection, organization: str) -> int:
    """The number of the newest generation, 0 before the first."""
    query = select(func.max(generations.c.number)).where(generations.c.organization == organization)
    return int(connection.execute(query).scalar() or 0)


def basis_of(connection: Connection, organization: str, number: int) -> str | None:
    """What a generation was computed from, in JSON."""
    query = select(generations.c.basis).where(*_is(generations, organization, number))
    return connection.execute(query).scalar_one_or_none()


def rows_of_audience(
    connection: Connection, organization: str, number: int, audience: str
) -> list[tuple[int, str, int]]:
    """Tile, hash and count of an audience's bitmap."""
    c = memberships.c
    query = select(c.tile, c.hash, c.count).where(
        *_is(memberships, organization, number), c.audience == audience
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query.order_by(c.tile))]


def rows_of_all(
    connection: Connection, organization: str, number: int
) -> dict[str, list[tuple[int, str, int]]]:
    """As `rows_of_audience`, of all audiences."""
    c = memberships.c
    query = select(c.audience, c.tile, c.hash, c.count)
    found: dict[str, list[tuple[int, str, int]]] = {}
    for audience, *row in connection.execute(query.where(*_is(memberships, organization, number))):
        found.setdefault(audience, []).append((row[0], row[1], row[2]))
    return found


def read_generation(connection: Connection, organization: str, number: int) -> Generation:
    """A generation that there is."""
    fields = [name for name in Generation.__slots__ if name != "audiences"]
    query = select(*(generations.c[name] for name in fields))
    row = connection.execute(query.where(*_is(generations, organization, number))).one()
    return Generation(**row._mapping, audiences=_audiences(connection, organization, number))


def _audiences(
    connection: Connection, organization: str, number: int
) -> dict[str, GenerationAudience]:
    table = generation_audiences
    query = select(table.c.audience, *(table.c[name] for name in _AUDIENCE))
    rows = connection.execute(query.where(*_is(table, organization, number)))
    return {row[0]: GenerationAudience(*row[1:]) for row in rows}


def drop(connection: Connection, organization: str, instant: int) -> None:
    """Deletes the generations that are neither among the last nor young, and their bitmaps.

    `instant` is now.
    """
    c = generations.c
    old = select(c.number).where(
        c.organization == organization,
        c.number <= newest(connection, organization) - KEEP,
        c.created_at < instant - KEEP_FOR,
    )
    numbers = connection.execute(old).scalars().all()
    if not numbers:
        return
    for table in (memberships, generation_audiences, generations):
        connection.execute(delete(table).where(*_among(table, organization, numbers)))
    sweep(connection, organization)


def _is(table: Any, organization: str, number: int) -> tuple[Any, ...]:
    return _among(table, organization, [number])


def _among(table: Any, organization: str, numbers: Iterable[int]) -> tuple[Any, ...]:
    column = table.c.number if table is generations else table.c.generation
    return table.c.organization == organization, column.in_(list(numbers))
