"""The commands on organizations and their keys: org create, set, list; key create, list, revoke."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segment_engine.cli.inputs import AsJson, Timezone
from segment_engine.cli.output import Json, complain, say, say_json, show_table
from segment_engine.cli.stores import Organization, StoreUrl, opened
from segment_engine.expression.schema import Schema
from segment_engine.expression.schema_file import load_schema
from segment_engine.values.isotime import format_instant

if TYPE_CHECKING:
    from segment_engine.store import records

Currency = Annotated[
    str | None, typer.Option(help="ISO 4217 code of its money; else the schema's, or USD.")
]
PhoneRegion = Annotated[
    str | None,
    typer.Option(
        metavar="REGION", help="Where telephone numbers without a country are of, such as US or DE."
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option("--schema", help="YAML or JSON file of fields; else the default consumer."),
]


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    timezone: Timezone = None,
    currency: Currency = None,
    phone_region: PhoneRegion = None,
    schema: SchemaFile = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Make an organization, whose consumers and audiences are apart from all others'.

    The store is made where there is none yet.

    \b
    Example:
        segment-engine org create shop --timezone Europe/Berlin --currency EUR --phone-region DE
    """
    made = opened(store).organizations.create(
        name, **_settings(timezone, currency, phone_region, schema)
    )
    _tell(made, "made", as_json)
    return 0


def set_(
    organization: Organization,
    timezone: Timezone = None,
    currency: Currency = None,
    phone_region: PhoneRegion = None,
    schema: SchemaFile = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Change what an organization is set to; its audiences are computed anew.

    \b
    Example:
        segment-engine org set shop --schema shop.yaml
    """
    changes = _settings(timezone, currency, phone_region, schema)
    if not changes:
        raise typer.BadParameter(
            "give what to change: --timezone, --currency, --phone-region or --schema"
        )
    _tell(opened(store).organizations.set(organization, **changes), "set", as_json)
    return 0


def list_(store: StoreUrl = None, as_json: AsJson = False) -> int:
    """Show the organizations of the store."""
    found = opened(store).organizations.list()
    if as_json:
        say_json({"ok": True, "organizations": [_organization_json(one) for one in found]})
        return 0
    rows = (
        (one.name, one.id, one.timezone, one.currency, one.phone_region or "-", _fields(one))
        for one in found
    )
    show_table(("name", "id", "time zone", "currency", "phones", "fields"), rows)
    return 0


def create_key(
    organization: Organization,
    name: Annotated[str, typer.Option(help="What it is for, to be told apart.")] = "key",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Make a secret key that opens an organization to programs.

    It is printed once, and nobody can tell it again: the store knows a hash of it.

    \b
    Example:
        segment-engine key create shop --name "back office"
    """
    held = opened(store)
    secret, key = held.keys.create(held.organizations.get(organization).id, name)
    if as_json:
        say_json({"ok": True, "secret": secret, "key": _key_json(key)})
    else:
        say(secret)
        complain(f"made {key.id}; the key is not shown again")
    return 0


def list_keys(organization: Organization, store: StoreUrl = None, as_json: AsJson = False) -> int:
    """Show the keys of an organization, also those that were revoked."""
    held = opened(store)
    found = held.keys.list(held.organizations.get(organization).id)
    if as_json:
        say_json({"ok": True, "keys": [_key_json(key) for key in found]})
        return 0
    rows = (
        (key.id, key.name, f"{key.shown}...", _instant(key.created_at), _instant(key.revoked_at))
        for key in found
    )
    show_table(("id", "name", "key", "made", "revoked"), rows)
    return 0


def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as key list shows it.")],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Make a key open nothing any more."""
    ended = opened(store).keys.revoke(key)
    if as_json:
        say_json({"ok": True, "key": _key_json(ended)})
    else:
        say(f"revoked {ended.id} ({ended.shown}...)")
    return 0


def _settings(
    timezone: str | None, currency: str | None, phone_region: str | None, schema: Path | None
) -> dict[str, Any]:
    """Those that were given; a schema's file may name the currency, too."""
    fields, named = (None, None) if schema is None else load_schema(_read, schema)
    given = {
        "timezone": timezone,
        "currency": currency or named,
        "phone_region": phone_region,
        "schema": fields,
    }
    return {name: value for name, value in given.items() if value is not None}


def _read(fields: Mapping[str, Any], currency: str | None = None) -> tuple[Json, str | None]:
    return Schema(fields, **({"currency": currency} if currency else {})).to_dict(), currency


def _tell(one: "records.Organization", done: str, as_json: bool) -> None:
    if as_json:
        say_json({"ok": True, "organization": _organization_json(one)})
    else:
        say(f"{done} {one.name} ({one.id}): {one.timezone}, {one.currency}, {_fields(one)} fields")


def _fields(one: "records.Organization") -> str:
    return "default" if one.schema is None else f"{len(one.schema['fields'])}"


def _organization_json(one: "records.Organization") -> Json:
    return {
        "id": one.id,
        "name": one.name,
        "timezone": one.timezone,
        "currency": one.currency,
        "phoneRegion": one.phone_region,
        "schema": one.schema,
        "createdAt": _instant(one.created_at),
    }


def _key_json(key: "records.Key") -> Json:
    return {
        "id": key.id,
        "organization": key.organization,
        "name": key.name,
        "shown": key.shown,
        "createdAt": _instant(key.created_at),
        "revokedAt": None if key.revoked_at is None else _instant(key.revoked_at),
    }


def _instant(instant: int | None) -> str:
    return "-" if instant is None else format_instant(instant)
