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


def migrate(database: Database) -> None:
    """Raises StoreError for a database that a newer version has changed."""
    script = _config()
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
        _check(connection, script)
        script.attributes["connection"] = connection
        command.upgrade(script, "head")


def _config() -> Config:
    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    found.set_main_option("path_separator", "os")
    return found


def _check(connection: Connection, config: Config) -> None:
    at = MigrationContext.configure(connection).get_current_revision()
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if at is not None and at not in known:
        raise StoreError(
            f"the store is of version {at}, which is newer than this segment_engine; "
            "use the one that changed it, or a newer one"
        )
