"""Whether the tables of a database are those of this version; steps.py makes them so.

Every process asks when it begins, and hardly any has something to do: Alembic is left alone then.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from segment_engine.errors import StoreError
from segment_engine.parts import part
from segment_engine.store.database import Database

STEPS = Path(__file__).parent / "migrations"
NEWEST = max(file.name.partition("_")[0] for file in STEPS.glob("versions/[0-9]*.py"))
"""The step that this version wants."""


def migrate(database: Database) -> None:
    """Makes the tables what this version wants, in one transaction, and once whoever does it.

    Raises StoreError for a database that a newer version has changed.
    """
    with database.reading() as connection:
        if version(connection) == NEWEST:
            return
    part("steps").upgrade(database)


def check(database: Database) -> None:
    """Raises StoreError where the tables are not those of this version, or out of reach."""
    with database.reading() as connection:
        found = version(connection)
    if found is None:
        raise StoreError("the database has no tables of the store yet")
    if found != NEWEST:
        raise StoreError(f"the store is of version {found}, and is to be of {NEWEST}")


def version(connection: Connection) -> str | None:
    """The step that the tables are at, None for none of them. Raises StoreError for a newer one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    query = text("select version_num from alembic_version")
    found: str | None = connection.execute(query).scalar_one_or_none()
    if found is not None and found > NEWEST:
        raise StoreError(
            f"the store is of version {found}, which is newer than this segment_engine; "
            "use the one that changed it, or a newer one"
        )
    return found
