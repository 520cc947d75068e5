"""The consumers of an organization: put in, read and erased.

Everything about a consumer but the ordinal goes when it is erased. A row of the table is never
deleted: an ordinal that somebody had is nobody else's.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from pyroaring import BitMap
from sqlalchemy import Connection, delete, func, select, update

from segment_engine.errors import Invalid, NotFound, Problem
from segment_engine.store import exact_json
from segment_engine.store.counting import lock, next_change
from segment_engine.store.database import Database, now
from segment_engine.store.identity import checked, read
from segment_engine.store.jobs import want
from segment_engine.store.matching import KEPT, is_one_of, matched
from segment_engine.store.problems import refuse
from segment_engine.store.records import Consumer, Organization, Upserted
from segment_engine.store.tables import consumers, identities
from segment_engine.store.writing import write

MOST_ROWS = 10_000
READ = {
    "ordinal": "ordinal",
    "email": "email",
    "phone": "phone",
    "fullName": "full_name",
    "externalId": "external_id",
    "totalOrders": "total_orders",
    "totalOrderValue": "total_order_value",
    "lastOrderAt": "last_order_at",
    "createdAt": "created_at",
    "metadata": "metadata",
}
"""The columns of the table by the names that rules know them by."""


class Put(NamedTuple):
    """What became of rows: of each, None where it was refused; and what was wrong."""

    rows: list[Upserted | None]
    problems: list[Problem]


class Consumers:
    """The consumers of one organization."""

    def __init__(self, database: Database, organization: Organization) -> None:
        self._database, self._organization = database, organization

    def upsert(self, rows: Sequence[Mapping[str, Any]]) -> list[Upserted]:
        """Puts in at most 10,000 rows, all or none, each to whom it means or as a new consumer.

        Absent keys leave what there is, None clears, metadata merges by top-level key. A row means
        who has its id, else its externalId, folded email, or phone. Raises Invalid.
        """
        return [one for one in self.put(rows, whole=True).rows if one is not None]

    def put(self, rows: Sequence[Mapping[str, Any]], whole: bool = False) -> Put:
        """As `upsert`; unless they are to be put in whole, rows that are wrong are left out.

        An identifier that is another consumer's is left out of its row and told.
        """
        if len(rows) > MOST_ROWS:
            raise Invalid(f"at most {MOST_ROWS:,} consumers at a time, not {len(rows):,}")
        given = [checked(row, self._organization, f"consumers.{n}") for n, row in enumerate(rows)]
        problems = [problem for _, found in given for problem in found]
        if whole:
            refuse(problems)
        sound = {n: values for n, (values, found) in enumerate(given) if not found}
        with self._database.writing() as connection:
            lock(connection, self._organization.id)
            states, conflicts = matched(connection, self._organization.id, sound)
            if whole:
                refuse(conflicts)
            write(connection, self._organization.id, states)
        told = {n: Upserted(one.id, one.status) for n, one in states.items() if one.id}
        return Put([told.get(n) for n in range(len(rows))], problems + conflicts)

    def fill(self, rows: Sequence[Mapping[str, Any]], told: BitMap) -> Put:
        """Gives those whom rows mean what they lack, and metadata, by top-level key.

        As `put`, but only the value that is wrong is left out, and a row that names nobody is
        somebody new. Of several rows that mean one consumer the first gives metadata, and none
        does to those of the ordinals `told`.
        """
        given = [read(row, self._organization, f"consumers.{n}") for n, row in enumerate(rows)]
        problems = [problem for _, found in given for problem in found]
        sound = {
            n: {name: one for name, one in values.items() if one is not None}
            for n, (values, _) in enumerate(given)
        }
        with self._database.writing() as connection:
            lock(connection, self._organization.id)
            states, conflicts = matched(connection, self._organization.id, sound, told)
            write(connection, self._organization.id, states)
        rows_told = [Upserted(one.id, one.status) if one.id else None for one in states.values()]
        return Put(rows_told, problems + conflicts)

    def erase(self, consumer_id: str) -> None:
        """Forgets a consumer for good. Raises NotFound."""
        with self._database.writing() as connection:
            lock(connection, self._organization.id)
            row = connection.execute(self._living().where(consumers.c.id == consumer_id)).first()
            if row is None:
                raise NotFound("Consumer not found")
            organization = self._organization.id
            number, instant = next_change(connection, organization), now(connection)
            cleared = dict.fromkeys(KEPT)
            connection.execute(
                update(consumers)
                .where(consumers.c.organization == organization)
                .where(consumers.c.ordinal == row.ordinal)
                .values(
                    **cleared,
                    id=f"erased_{row.ordinal}",
                    updated_at=instant,
                    erased_at=instant,
                    change_seq=number,
                )
            )
            theirs = identities.c.organization == organization, identities.c.consumer == consumer_id
            connection.execute(delete(identities).where(*theirs))
            want(connection, organization)

    # ---- reading

    def get(self, consumer_id: str) -> Consumer:
        """One of them. Raises NotFound."""
        with self._database.reading() as connection:
            row = connection.execute(self._living().where(consumers.c.id == consumer_id)).first()
        if row is None:
            raise NotFound("Consumer not found")
        return _consumer(row)

    def at(self, ordinals: Sequence[int]) -> list[Consumer]:
        """The consumers of those ordinals, in that order, without those that were erased."""
        with self._database.reading() as connection:
            given = is_one_of(connection, consumers.c.ordinal, list(map(int, ordinals)))
            rows = connection.execute(self._living().where(given)).all()
        found = {row.ordinal: row for row in rows}
        return [_consumer(found[one]) for one in map(int, ordinals) if one in found]

    def ordinals_of(self, ids: Sequence[str]) -> dict[str, int]:
        """The ordinals by id; ids that nobody has are absent."""
        columns = select(consumers.c.id, consumers.c.ordinal).where(*self._mine())
        with self._database.reading() as connection:
            rows = connection.execute(columns.where(is_one_of(connection, consumers.c.id, ids)))
            return {row.id: row.ordinal for row in rows}

    def erased(self, connection: Connection) -> list[int]:
        """The ordinals of those that were erased, ascending."""
        query = select(consumers.c.ordinal).where(
            consumers.c.organization == self._organization.id, consumers.c.erased_at.is_not(None)
        )
        return list(connection.execute(query.order_by(consumers.c.ordinal)).scalars())

    def count_ordinals(self, connection: Connection) -> int:
        """How many ordinals were given: they are 0 and those that follow."""
        query = select(func.max(consumers.c.ordinal)).where(
            consumers.c.organization == self._organization.id
        )
        greatest = connection.execute(query).scalar_one()
        return 0 if greatest is None else int(greatest) + 1

    def read_changed(
        self, connection: Connection, since: int, most: int
    ) -> dict[str, Sequence[Any]] | None:
        """The values by column (`READ`), by ordinal, of those with a change behind number `since`;
        None for more than `most`.

        Those that were erased have nothing but their ordinal. Instants are microseconds,
        totalOrderValue and metadata are text.
        """
        query = select(*(consumers.c[name] for name in READ.values())).where(
            consumers.c.organization == self._organization.id, consumers.c.change_seq > since
        )
        rows = sorted(connection.execute(query.limit(most + 1)).all())
        columns = zip(*rows, strict=True) if rows else ([] for _ in READ)
        return None if len(rows) > most else dict(zip(READ, columns, strict=True))

    def _living(self) -> Any:
        return select(consumers).where(*self._mine())

    def _mine(self) -> tuple[Any, ...]:
        return consumers.c.organization == self._organization.id, consumers.c.erased_at.is_(None)


def _consumer(row: Any) -> Consumer:
    value = row.total_order_value
    return Consumer(
        ordinal=row.ordinal,
        id=row.id,
        email=row.email,
        phone=row.phone,
        full_name=row.full_name,
        external_id=row.external_id,
        total_orders=row.total_orders,
        total_order_value=None if value is None else Decimal(value),
        last_order_at=row.last_order_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        metadata=exact_json.loads(row.metadata) if row.metadata else None,
    )
