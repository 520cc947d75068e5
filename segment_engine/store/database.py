"""The database: SQLite in WAL mode or PostgreSQL, its transactions and its clock."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from threading import RLock
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
        """A transaction that may write; on SQLite it waits for the others from its start.

        It commits at its end, or with all of those that it is joined with.
        """
        if (joined := _JOINED.get()) is not None:
            with _reached(), joined.part(self._begun) as connection:
                yield connection
            return
        with _reached(), self._begun() as connection:
            yield connection
            connection.commit()

    @contextmanager
    def _begun(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("begin immediate")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads one state of the database, whoever writes meanwhile.

        Behind one that is joined with others it reads what that has written.
        """
        if (joined := _JOINED.get()) is not None and joined.has_begun:
            with _reached(), joined.part(self._begun) as connection:
                yield connection
            return
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


class Joined:
    """Transactions that write, one after the other in any threads, and commit as one.

    One that fails is undone alone; without `commit` all are.
    """

    def __init__(self) -> None:
        self._held, self._lock = ExitStack(), RLock()
        self._connection: Connection | None = None
        self._ended = False

    @contextmanager
    def joining(self) -> Iterator[None]:
        """Those that begin in the block are joined, also in threads that have its context."""
        before = _JOINED.set(self)
        try:
            yield
        finally:
            _JOINED.reset(before)

    @property
    def has_begun(self) -> bool:
        """Whether there is something to commit."""
        return self._connection is not None

    @contextmanager
    def part(self, begun: Callable[[], AbstractContextManager[Connection]]) -> Iterator[Connection]:
        """One of the transactions; `begun` makes the whole where it is the first."""
        with self._lock:
            if self._ended:
                raise StoreError("the transactions that this one is joined with have ended")
            if self._connection is None:
                self._connection = self._held.enter_context(begun())
            with self._connection.begin_nested():
                yield self._connection

    def commit(self) -> None:
        """All is there from now on, or nothing where this raises StoreError."""
        self._end(lambda connection: connection.commit())

    def undo(self) -> None:
        """Nothing of it was; after `commit` there is nothing to undo."""
        self._end(lambda connection: connection.rollback())

    def _end(self, how: Callable[[Connection], None]) -> None:
        with self._lock, _reached(), self._held:
            self._ended = True
            if self._connection is not None:
                connection, self._connection = self._connection, None
                how(connection)


_JOINED: ContextVar[Joined | None] = ContextVar("joined", default=None)


@contextmanager
def as_one() -> Iterator[None]:
    """The transactions that write in the block commit as one, or none of them does."""
    changes = Joined()
    try:
        with changes.joining():
            yield
        changes.commit()
    finally:
        changes.undo()


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
