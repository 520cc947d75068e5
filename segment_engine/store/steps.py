"""The steps in `migrations/` taken by Alembic."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from segment_engine.store.database import Database
from segment_engine.store.migrating import NEWEST, STEPS, version

LOCK = 7_331_202_611
"""A number of ours under which PostgreSQL lets one process migrate at a time."""


def upgrade(database: Database) -> None:
    """Takes those that the tables lack. Raises StoreError where the tables are newer."""
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
        version(connection)
        command.upgrade(_config(connection), NEWEST)


def _config(connection: Connection) -> Config:
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made
