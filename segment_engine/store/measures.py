"""What a monitor asks of a store as a whole."""

from sqlalchemy import func, select

from segment_engine.store.database import Database
from segment_engine.store.tables import jobs, organizations


def counted_jobs(database: Database) -> dict[tuple[str, str], int]:
    """How many jobs there are, by kind and state."""
    by = jobs.c.kind, jobs.c.state
    with database.reading() as connection:
        rows = connection.execute(select(*by, func.count()).group_by(*by)).all()
    return {(kind, state): count for kind, state, count in rows}


def check(database: Database) -> None:
    """Asks the store something small, to know that it answers."""
    with database.reading() as connection:
        connection.execute(select(organizations.c.id).limit(1)).first()
