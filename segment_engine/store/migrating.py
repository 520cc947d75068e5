"""The tables of a database brought to what this version wants, by the steps in `migrations/`."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from segment_engine.errors import StoreError
from segment_engine.store.database import Database

LOCK = 7_331_202_611
"""A number of ours under which PostgreSQL lets one process migrate at a time."""
_STEPS = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Makes the tables what this version wants, in one transaction, and once whoever does it.

    Raises StoreError for a database that a newer version has changed.
    """
    with database.reading() as connection:
        if _version(connection) == _newest():
            return
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
        _version(connection)
        command.upgrade(_config(connection), "head")


def check(database: Database) -> None:
    """Raises StoreError where the tables are not those of this version, or out of reach."""
    with database.reading() as connection:
        found = _version(connection)
    if found is None:
        raise StoreError("the database has no tables of the store yet")
    if found != _newest():
        raise StoreError(f"the store is of version {found}, and is to be of {_newest()}")


def _version(connection: Connection) -> str | None:
    """The step that the tables are at, None for none of them. Raises StoreError for a newer one."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {one.revision for one in _steps().walk_revisions()}:
        raise StoreError(
            f"the store is of version {found}, which is newer than this segment_engine; "
            "use the one that changed it, or a newer one"
        )
    return found


def _newest() -> str | None:
    return _steps().get_current_head()


def _steps() -> ScriptDirectory:
    return ScriptDirectory(str(_STEPS))


def _config(connection: Connection) -> Config:
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(_STEPS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made
