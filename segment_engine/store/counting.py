"""The counters of an organization. Whoever counts holds the organization's row to the commit.

So numbers are given in the order of commits: who has seen a number has seen all that are lower.
"""

from typing import Any

from sqlalchemy import Connection, select, update

from segment_engine.errors import NotFound
from segment_engine.store.tables import organizations


def next_change(connection: Connection, organization: str) -> int:
    """The number of a change of consumers, taken after all else is prepared."""
    return _counted(connection, organization, organizations.c.change_seq)


def definition_changed(connection: Connection, organization: str) -> int:
    """The number of a change of anything else that members depend on."""
    return _counted(connection, organization, organizations.c.definition_seq)


def new_ordinals(connection: Connection, organization: str, number: int) -> int:
    """The first of so many ordinals that nobody had."""
    return _counted(connection, organization, organizations.c.next_ordinal, number) - number


def lock(connection: Connection, organization: str) -> None:
    """Holds the organization to the end of the transaction: nobody else changes definitions."""
    query = select(organizations.c.id).where(organizations.c.id == organization)
    # Rows that refer to the organization hold its key: waiting for them could be waiting for one
    # that waits for us.
    if connection.execute(query.with_for_update(key_share=True)).first() is None:
        raise NotFound("Organization not found")


def _counted(connection: Connection, organization: str, counter: Any, by: int = 1) -> int:
    counted = (
        update(organizations)
        .where(organizations.c.id == organization)
        .values({counter: counter + by})
        .returning(counter)
    )
    found = connection.execute(counted).scalar_one_or_none()
    if found is None:
        raise NotFound("Organization not found")
    return int(found)
