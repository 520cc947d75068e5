"""The commands on webhooks: webhook create, list, delete, failed, replay."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from segment_engine.cli.inputs import AsJson
from segment_engine.cli.output import Json, complain, say, say_json, show_table
from segment_engine.cli.stores import Organization, StoreUrl, opened
from segment_engine.values.isotime import format_instant

if TYPE_CHECKING:
    from segment_engine.store import records
    from segment_engine.store.store import Store

SomeOrganization = Annotated[
    str | None,
    typer.Argument(metavar="ORG", help="The organization, by name or id; else all of the store."),
]


def create(
    organization: Organization,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Where to: https, or http on this host.")
    ],
    audience: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AUDIENCE", help="Tell of this one alone, by name or id; may be repeated."
        ),
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Tell a receiver who enters and leaves the audiences of an organization.

    The secret that messages are signed with is printed once, and nobody can tell it again.

    \b
    Example:
        segment-engine webhook create shop https://example.com/hook --audience 'Big spenders'
    """
    held = opened(store)
    shop = held.of(held.organizations.get(organization).id)
    only = [shop.audiences.id_of(one) for one in audience] if audience else None
    secret, made = held.webhooks.create(shop.organization.id, url, only)
    if as_json:
        say_json({"ok": True, "secret": secret, "webhook": _json(made)})
    else:
        say(secret)
        complain(f"made {made.id}; the secret is not shown again")
    return 0


def list_(
    organization: SomeOrganization = None, store: StoreUrl = None, as_json: AsJson = False
) -> int:
    """Show webhooks, how much waits for each, and how much was given up."""
    held = opened(store)
    found = held.webhooks.list(_id_of(held, organization))
    if as_json:
        say_json({"ok": True, "webhooks": [_json(one) for one in found]})
        return 0
    rows = (
        (
            one.id,
            one.organization,
            _shown(one.url),
            "all" if one.audiences is None else f"{len(one.audiences)}",
            "listens" if one.ended_at is None else f"gone since {format_instant(one.ended_at)}",
            f"{one.waiting:,}",
            f"{one.dead:,}",
        )
        for one in found
    )
    headings = ("id", "organization", "url", "audiences", "receiver", "waiting", "dead")
    show_table(headings, rows, 5, 6)
    return 0


def delete(
    webhook: Annotated[
        str, typer.Argument(metavar="ID", help="The webhook's id, as webhook list shows it.")
    ],
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """End a webhook; what waits for it, and what was given up, is deleted as well."""
    ended = opened(store).webhooks.delete(webhook)
    if as_json:
        say_json({"ok": True, "webhook": _json(ended)})
    else:
        say(f"deleted {ended.id} ({_shown(ended.url)})")
    return 0


def failed(
    organization: SomeOrganization = None, store: StoreUrl = None, as_json: AsJson = False
) -> int:
    """Show what could not be delivered: each can be replayed for 30 days."""
    held = opened(store)
    found = held.webhooks.failed(_id_of(held, organization))
    if as_json:
        say_json({"ok": True, "deliveries": [_letter_json(one) for one in found]})
        return 0
    rows = (
        (
            one.id,
            one.webhook,
            one.audience,
            f"{one.generation}",
            f"{one.sent + 1} of {one.parts}",
            f"{one.attempts}",
            format_instant(one.updated_at),
            one.reason,
        )
        for one in found
    )
    headings = ("id", "webhook", "audience", "generation", "part", "attempts", "when", "reason")
    show_table(headings, rows, 3, 4, 5)
    return 0


def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="As webhook failed shows them.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All of the store whose receivers are not gone.")
    ] = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Deliver after all what could not be delivered, from the part that failed on.

    \b
    Example:
        segment-engine webhook replay --all
    """
    if bool(ids) == every:
        raise typer.BadParameter("give ids, or --all")
    count = opened(store).webhooks.replay(None if every else ids)
    if as_json:
        say_json({"ok": True, "replayed": count})
    else:
        say(f"{count:,} will be delivered")
    return 0


def _id_of(held: "Store", organization: str | None) -> str | None:
    return None if organization is None else held.organizations.get(organization).id


def _shown(url: str) -> str:
    """A URL without its query, which may hold a secret."""
    return urlsplit(url)._replace(query="").geturl()


def _json(one: "records.Webhook") -> Json:
    return {
        "id": one.id,
        "organizationId": one.organization,
        "url": _shown(one.url),
        "audienceIds": one.audiences,
        "createdAt": format_instant(one.created_at),
        "endedAt": None if one.ended_at is None else format_instant(one.ended_at),
        "waiting": one.waiting,
        "dead": one.dead,
    }


def _letter_json(one: "records.DeadLetter") -> Json:
    return {
        "id": one.id,
        "organizationId": one.organization,
        "webhookId": one.webhook,
        "audienceId": one.audience,
        "generation": one.generation,
        "sent": one.sent,
        "parts": one.parts,
        "attempts": one.attempts,
        "reason": one.reason,
        "lastAttemptAt": format_instant(one.updated_at),
    }
