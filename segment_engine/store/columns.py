"""Columns of many consumers at a time, each as one JSON text that the database writes.

So it costs no Python object a value, and other threads go on meanwhile.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, func, select

from segment_engine.store.tables import consumers

AT_ONCE = 1 << 14
"""Consumers of one text; a database's text has about a gigabyte."""


def json_columns(
    connection: Connection,
    organization: str,
    columns: Sequence[ColumnElement[Any]],
    *those: ColumnElement[bool],
) -> list[str]:
    """An array for each column, with its values by ordinal; null where there is none."""
    named = [one.label(f"c{n}") for n, one in enumerate(columns)]
    mine = consumers.c.organization == organization
    rows = select(*named).where(mine, *those).order_by(consumers.c.ordinal).subquery()
    array = func.json_group_array if connection.dialect.name == "sqlite" else func.json_agg
    query = select(*(cast(array(one), Text) for one in rows.c))
    return [found or "[]" for found in connection.execute(query).one()]
