"""The commands on lists kept elsewhere: klaviyo key, and sync."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segment_engine.cli.inputs import AsJson
from segment_engine.cli.output import complain, say, say_json, show_table
from segment_engine.cli.progress import progress
from segment_engine.cli.stores import Organization, StoreUrl, opened
from segment_engine.parts import part
from segment_engine.values.isotime import format_instant

if TYPE_CHECKING:
    from segment_engine.store.records import Sync

KEY = "KLAVIYO_API_KEY"


def klaviyo_key(
    organization: Organization,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the key.")] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Set the private key with which an organization's lists at Klaviyo are read.

    It comes from the environment variable KLAVIYO_API_KEY, else from standard input, and is stored
    sealed with the secret of the store; nobody can read it again. It needs the scopes lists:read
    and profiles:read.

    \b
    Example:
        KLAVIYO_API_KEY=pk_... segment-engine klaviyo key shop
    """
    held = opened(store)
    shop = held.of(held.organizations.get(organization).id)
    if remove:
        shop.vendor_keys.remove("klaviyo")
    else:
        shop.vendor_keys.set("klaviyo", os.environ.get(KEY) or _typed())
    done = "removed" if remove else "set"
    if as_json:
        say_json({"ok": True, "organization": shop.organization.id, "key": done})
    else:
        say(f"{done} the key of Klaviyo of {shop.organization.name}")
    return 0


def _typed() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Private key of Klaviyo", hide_input=True, err=True))
    return sys.stdin.readline()


def sync(
    audience: Annotated[
        str, typer.Argument(metavar="AUDIENCE", help="A synced list, by name or id.")
    ],
    organization: Annotated[
        str, typer.Option("--org", metavar="ORG", help="The organization, by name or id.")
    ],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Make the people of a list kept elsewhere the members of its audience, now.

    The list is read whole before anything changes. Consumers are given what they lack, and what the
    vendor tells of them as metadata; who is not on the list any more is no member any more. A sync
    that is in progress is awaited. What a killed command began, the worker of a service ends.

    \b
    Example:
        segment-engine sync Newsletter --org shop
    """
    held = opened(store)
    shop = held.of(held.organizations.get(organization).id)
    with progress("syncing") as step:
        done = part("sync_here").sync_here(shop, audience, step)
    if as_json:
        say_json(_json(done))
    elif done.status == "FAILED":
        complain(f"the list was not synced: {done.error}")
    else:
        rows = (("profiles", f"{done.processed:,}"), ("values left out", f"{done.left_out:,}"))
        show_table(("sync", done.id), rows, 1)
    return 0 if done.status == "COMPLETED" else 1


def _json(done: "Sync") -> dict[str, Any]:
    synced = done.last_synced_at
    return {
        "ok": done.status == "COMPLETED",
        "id": done.id,
        "audienceId": done.audience,
        "syncSource": f"{done.vendor}:list",
        "syncSourceId": done.list_id,
        "syncStatus": done.status,
        "lastSyncedAt": None if synced is None else format_instant(synced),
        "error": done.error,
        "name": done.name,
        "profiles": done.profiles,
        "processed": done.processed,
        "leftOut": done.left_out,
    }
