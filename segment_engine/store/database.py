"""The database: SQLite in WAL mode or PostgreSQL, its transactions and its clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from segment_engine.errors import StoreError

_IN_MEMORY = (None, "", ":memory:")
BUSY_MS = 30_000
"""How long a writer of SQLite waits for another one."""


class Database:
    """Transactions over one database; safe to share between threads."""

    def __init__(self, url: str) -> None:
        """`url` as SQLAlchemy reads it: sqlite:///file or postgresql://user@host/name.

        Raises StoreError where it is of no database that the store can be kept in.
        """
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreError(
                "the store wants a URL such as sqlite:///segment-engine.db or "
                "postgresql://user@host/name"
            ) from None
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            self.engine = create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
        elif parsed.get_backend_name() == "sqlite" and parsed.database not in (
            None,
            "",
            ":memory:",
        ):
            self.engine = create_engine(
                parsed, hide_parameters=True, connect_args={"timeout": BUSY_MS / 1000}
            )
            _in_wal_mode(self.engine)
        else:
            raise StoreError(
                f"the store is kept in SQLite or PostgreSQL, not in {parsed.get_backend_name()!r}"
                " without a file"
            )
        self.is_sqlite = parsed.get_backend_name() == "sqlite"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that may write; on SQLite it waits for the others from its start."""
        with _reached(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("begin immediate")
            yield connection
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads one state of the database, whoever writes meanwhile."""
        with _reached(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("begin")
            else:
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    def now(self, connection: Connection) -> int:
        """The instant in microseconds since 1970 by the database's clock, the same everywhere."""
        return now(connection)

    def close(self) -> None:
        """Ends all connections."""
        self.engine.dispose()


@contextmanager
def _reached() -> Iterator[None]:
    """A database that is out of reach, locked, full or none is told in a line, without a query."""
    try:
        yield
    except DatabaseError as fault:
        if type(fault) not in (DatabaseError, OperationalError):
            raise
        told = str(fault.orig).strip().split("\n")[0]
        raise StoreError(f"the database cannot be used: {told}") from None


_NOW = {
    "sqlite": "select cast((julianday('now') - 2440587.5) * 86400000 as integer) * 1000",
    "postgresql": "select (extract(epoch from clock_timestamp()) * 1000000)::bigint",
}


def now(connection: Connection) -> int:
    """See `Database.now`."""
    found: Any = connection.execute(text(_NOW[connection.dialect.name])).scalar_one()
    return int(found)


def _in_wal_mode(engine: Engine) -> None:
    """SQLite's driver begins no transaction by itself; ours are begun in `Database`."""

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode = wal",
            "synchronous = normal",
            "foreign_keys = on",
            f"busy_timeout = {BUSY_MS}",
            "cache_size = -65536",
        ):
            connection.execute(f"pragma {pragma}").close()
