"""Audiences as rows of their table, in a transaction that others begin."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, select, update

from segment_engine.store.exact_json import dumps, loads
from segment_engine.store.records import Audience
from segment_engine.store.tables import audience_references, audiences, groups
from segment_engine.values.folding import fold

_PLAIN = (
    *("id", "name", "description", "type", "icon_name", "version", "revision", "group_id"),
    *("sync_source_id", "refresh_interval", "archived", "expression", "created_at", "updated_at"),
)
_JSON = ("metadata", "rules", "tier")


def query(organization: str) -> Select[Any]:
    """The audiences of an organization with the names of their groups."""
    joined = audiences.outerjoin(
        groups,
        (groups.c.organization == audiences.c.organization) & (groups.c.id == audiences.c.group_id),
    )
    named = groups.c.name.label("group_name"), groups.c.type.label("group_type")
    chosen = select(audiences, *named).select_from(joined)
    return chosen.where(audiences.c.organization == organization)


def read(
    connection: Connection, organization: str, *conditions: ColumnElement[bool]
) -> list[Audience]:
    """The audiences of which all that is true, in the order of their ids."""
    asked = query(organization).where(*conditions).order_by(audiences.c.id)
    return [audience_of(row) for row in connection.execute(asked)]


def audience_of(row: Row[Any]) -> Audience:
    """The audience of a row of `query`."""
    values = row._mapping
    names = (*_PLAIN, "group_name", "group_type")
    plain: dict[str, Any] = {name: values[name] for name in names}
    json = {name: values[name] and loads(values[name]) for name in _JSON}
    return Audience(**plain, **json)


def add(connection: Connection, organization: str, made: Audience) -> None:
    """Writes a new audience."""
    connection.execute(insert(audiences).values(organization=organization, **columns_of(made)))


def write(connection: Connection, organization: str, before: Audience, after: Audience) -> bool:
    """Writes what differs, as the next revision; False where nothing does.

    `after` has the instant of the change as its `updated_at`.
    """
    old, new = columns_of(before), columns_of(after)
    changed = {name: value for name, value in new.items() if value != old[name]}
    if not changed.keys() - {"updated_at"}:
        return False
    changed["revision"] = before.revision + 1
    where = audiences.c.organization == organization, audiences.c.id == before.id
    connection.execute(update(audiences).where(*where).values(**changed))
    return True


def columns_of(audience: Audience) -> dict[str, Any]:
    """The columns of an audience; its organization is the caller's."""
    found = {name: getattr(audience, name) for name in _PLAIN}
    for name in _JSON:
        value = getattr(audience, name)
        found[name] = None if value is None else dumps(value)
    found["name_folded"] = fold(audience.name)
    found["description_folded"] = audience.description and fold(audience.description)
    return found


def refer(connection: Connection, organization: str, id: str, others: Sequence[str]) -> None:
    """Keeps to which audiences the rule of one refers."""
    table = audience_references.c
    where = table.organization == organization, table.audience == id
    connection.execute(delete(audience_references).where(*where))
    rows = [{"organization": organization, "audience": id, "refers": other} for other in others]
    if rows:
        connection.execute(insert(audience_references), rows)
