"""Organizations: whose consumers and audiences they are, and under which settings."""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, or_, select, update
from ulid import ULID

from segment_engine import Engine, Schema
from segment_engine.errors import Conflict, Invalid, NotFound, Problem, SegmentError
from segment_engine.store import exact_json
from segment_engine.store.counting import definition_changed, lock
from segment_engine.store.database import Database, now
from segment_engine.store.ids import is_id
from segment_engine.store.jobs import want
from segment_engine.store.records import Organization
from segment_engine.store.tables import organizations

COLUMNS = (
    *("email", "phone", "fullName", "externalId", "totalOrders", "totalOrderValue"),
    *("lastOrderAt", "createdAt", "metadata"),
)
"""What a consumer of the store has."""

SETTINGS = ("timezone", "currency", "phone_region", "schema")


class Organizations:
    """All organizations of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        *,
        timezone: str = "UTC",
        currency: str = "USD",
        phone_region: str | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Organization:
        """A new one. `schema` is as its file spells it. Raises Invalid, Conflict for a name
        that is taken."""
        if not 1 <= len(name.strip()) <= 100 or "\0" in name:
            raise Invalid("an organization's name has 1 to 100 characters")
        if is_id(name.strip()):
            raise Invalid("an organization's name is not spelt as an id")
        given = dict(zip(SETTINGS, (timezone, currency, phone_region, schema), strict=True))
        with self._database.writing() as connection:
            identity = f"org_{ULID()}"
            made = {"id": identity, "name": name.strip(), "created_at": now(connection)}
            taken = select(organizations.c.id).where(organizations.c.name == made["name"])
            if connection.execute(taken).first():
                raise Conflict(f"there is an organization {made['name']!r} already")
            connection.execute(organizations.insert().values(**made, **_checked(given)))
        return self.get(identity)

    def get(self, id_or_name: str) -> Organization:
        """The one of that id, else the one of that name. Raises NotFound."""
        known = organizations.c.id == id_or_name
        named = select(organizations).where(or_(known, organizations.c.name == id_or_name))
        with self._database.reading() as connection:
            row = connection.execute(named.order_by(known.desc())).first()
        if row is None:
            raise NotFound(f"there is no organization {id_or_name!r}")
        return _organization(row._asdict())

    def list(self) -> list[Organization]:
        """All of them, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(organizations).order_by(organizations.c.id)).all()
        return [_organization(row._asdict()) for row in rows]

    def set(self, id_or_name: str, **changes: Any) -> Organization:
        """Changes settings (`SETTINGS`); all its audiences are computed anew. Raises Invalid."""
        found = self.get(id_or_name)
        if unknown := changes.keys() - set(SETTINGS):
            raise Invalid(f"an organization has no setting {min(unknown)!r}")
        before = {name: getattr(found, name) for name in SETTINGS}
        values = _checked({**before, **changes})
        with self._database.writing() as connection:
            lock(connection, found.id)
            if values != _checked(before):
                changed = update(organizations).where(organizations.c.id == found.id)
                connection.execute(changed.values(**values))
                definition_changed(connection, found.id)
                want(connection, found.id)
        return self.get(found.id)


def read(connection: Connection, organization_id: str) -> Organization:
    """An organization as a transaction sees it. Raises NotFound."""
    query = select(organizations).where(organizations.c.id == organization_id)
    row = connection.execute(query).first()
    if row is None:
        raise NotFound("Organization not found")
    return _organization(row._asdict())


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the table has them; what is wrong with them is told together."""
    schema, problems = given["schema"], []
    region = given["phone_region"]
    if region is not None and not re.fullmatch("[A-Z]{2}", region):
        problems.append(
            Problem("phone_region", f"a region is two letters such as US, not {region}")
        )
    try:
        Engine(Schema.default(), given["timezone"])
    except SegmentError as fault:
        problems.append(Problem("timezone", str(fault)))
    try:
        fields = (schema or Schema.default().to_dict())["fields"]
        checked = Schema(fields, currency=given["currency"])
        Engine(checked)
        problems += _of_columns(checked)
    except SegmentError as fault:
        problems.append(Problem("schema", str(fault)))
    if problems:
        raise Invalid("; ".join(one.message for one in problems), problems)
    written = exact_json.dumps(checked.to_dict()) if schema else None
    return {**given, "schema": written}


def _of_columns(schema: Schema) -> list[Problem]:
    """Fields that no consumer of the store has."""
    return [
        Problem(
            f"schema.{spec.name}",
            f"field {spec.name!r} reads the column {spec.column!r}, and consumers of the store "
            f"have {', '.join(COLUMNS)}; declare it as `metadata.{spec.name}`",
        )
        for spec in schema.specs.values()
        if spec.derived is None and spec.column not in COLUMNS
    ]


def _organization(row: Mapping[str, Any]) -> Organization:
    schema = row["schema"]
    return Organization(**{**row, "schema": exact_json.loads(schema) if schema else None})
