"""Fixtures of a store on SQLite and on PostgreSQL, for whatever tests one.

PostgreSQL is a cluster of the test session's own, on a socket, where tests share a database whose
rows are deleted behind each: that takes a hundredth of the time of making one. SQLite's file is
copied from one that has the tables.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from segment_engine.store.database import Database
from segment_engine.store.migrating import migrate
from segment_engine.store.records import Organization
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.tables import metadata

USER = "segment_engine"
_PLACES = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), None]
PROGRAMS = [found for place in _PLACES if (found := shutil.which("initdb", path=place))]
_NUMBERS = count()
TEMPLATE = "tests"
_LET_GO = """select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()"""


class Cluster:
    """A PostgreSQL of our own, without a network."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._programs = Path(os.path.realpath(PROGRAMS[0])).parent
        self._as = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._as:
            shutil.chown(self._folder, "postgres")
        data = self._folder / "data"
        self._run("initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        settings = f"-k {self._folder} -h '' -F -c max_connections=100 -c full_page_writes=off"
        log = self._folder / "log"
        self._run("pg_ctl", "-D", data, "-w", "-l", log, "-o", settings, "start")
        self._data = data
        self._state(f"create database {TEMPLATE}")
        template = Database(self.url(TEMPLATE))
        migrate(template)
        template.close()

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self._folder}"

    @contextmanager
    def emptied(self) -> Iterator[str]:
        """The URL of the database that tests share; whoever is still connected is let go."""
        yield self.url(TEMPLATE)
        shared = Database(self.url(TEMPLATE))
        with shared.writing() as connection:
            connection.exec_driver_sql(_LET_GO)
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        shared.close()

    @contextmanager
    def database(self, template: str) -> Iterator[str]:
        """The URL of a database of one's own, as another one is."""
        name = f"test_{next(_NUMBERS)}"
        self._state(f"create database {name} template {template} strategy file_copy")
        yield self.url(name)
        self._state(f"drop database {name} with (force)")

    def _state(self, statement: str) -> None:
        engine = create_engine(
            self.url("postgres").replace("postgresql:", "postgresql+psycopg:"),
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._as, self._programs / program, *arguments]
        done = subprocess.run(
            list(map(str, command)),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster | None]:
    """PostgreSQL; None where it is not installed."""
    if not PROGRAMS:
        yield None
        return
    made = Cluster()
    yield made
    made.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the tables and no rows."""
    if request.param == "sqlite":
        shutil.copy(_migrated(), file := tmp_path / "store.db")
        yield f"sqlite:///{file}"
        return
    with _cluster(request).emptied() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database of the test's own, without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    with _cluster(request).database("template0") as url:
        yield url


def _cluster(request: pytest.FixtureRequest) -> Cluster:
    cluster: Cluster | None = request.getfixturevalue("cluster")
    if cluster is None:
        pytest.skip("PostgreSQL is not installed here")
    return cluster


@cache
def _migrated() -> Path:
    """A file of SQLite with the tables."""
    folder = Path(tempfile.mkdtemp(prefix="sqlite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Database(f"sqlite:///{folder / 'store.db'}")
    migrate(made)
    made.close()
    return folder / "store.db"


@pytest.fixture
def store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """A store with its tables."""
    made = Store(database_url, b"a secret of tests", tmp_path / "cache")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def organization(store: Store) -> Organization:
    """An organization in it."""
    return store.organizations.create("shop")


@pytest.fixture
def shop(store: Store, organization: Organization) -> OrganizationStore:
    """What belongs to the organization."""
    return store.of(organization.id)
