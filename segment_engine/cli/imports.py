"""The command that fills a static audience from a file: import."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from segment_engine.cli.inputs import AsJson
from segment_engine.cli.output import complain, say_json, show_table
from segment_engine.cli.progress import progress
from segment_engine.cli.stores import StoreUrl, opened
from segment_engine.errors import SourceError
from segment_engine.parts import part

if TYPE_CHECKING:
    from segment_engine.store.records import Import, RowIssues

SHOWN, TOLD = 20, 1_000


def import_(
    audience: Annotated[
        str, typer.Argument(metavar="AUDIENCE", help="A static audience, by name or id.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file of consumers.")],
    organization: Annotated[
        str, typer.Option("--org", metavar="ORG", help="The organization, by name or id.")
    ],
    mode: Annotated[
        Literal["add", "replace"],
        typer.Option(help="Put the consumers in, or make them the members."),
    ] = "add",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Put the consumers of a CSV file into a static audience.

    Columns are email, phone, externalId, fullName, firstName, lastName, tags, metadata as JSON and
    metadata.KEY; one of the first three is needed. A row means who has its external id, else its
    email ignoring case, else its phone, or somebody new; an empty cell leaves what there is. Rows
    that are wrong are told and left out; then the command ends with 1. The same file again changes
    nothing. What a killed command began, the worker of a service ends.

    \b
    Example:
        segment-engine import 'Asked by hand' fair.csv --org shop
    """
    held = opened(store)
    shop = held.of(held.organizations.get(organization).id)
    try:
        content = file.read_bytes()
    except OSError as fault:
        raise SourceError(f"{file} cannot be read: {fault.strerror}") from None
    with progress("putting in consumers") as step:
        made = part("import_here").import_here(shop, audience, content, mode.upper(), step)
    issues = list(shop.imports.issues(made.id, TOLD))
    if as_json:
        say_json(_json(made, issues))
    else:
        _tell(made, issues)
    return 0 if made.status == "COMPLETED" else 1


def _tell(made: "Import", issues: "list[RowIssues]") -> None:
    if made.reason is not None:
        complain(f"the file was not put in: {made.reason}")
    else:
        rows = (("rows", f"{made.processed:,}"), ("with errors", f"{made.wrong:,}"))
        show_table(("import", made.id), rows, 1)
    if made.ignored:
        complain(f"left out columns that consumers do not have: {', '.join(made.ignored)}")
    for found in issues[:SHOWN]:
        told = "; ".join(": ".join(filter(None, (o["field"], o["message"]))) for o in found.issues)
        complain(f"row {found.row:,}: {told}")
    if made.wrong > SHOWN:
        complain(f"... and {made.wrong - SHOWN:,} more; --json tells the first thousand")


def _json(made: "Import", issues: "list[RowIssues]") -> dict[str, Any]:
    return {
        "ok": made.status == "COMPLETED",
        "id": made.id,
        "audienceId": made.audience,
        "status": made.status,
        "reason": made.reason,
        "totalConsumers": made.total,
        "processedConsumers": made.processed,
        "errorCount": made.wrong,
        "columnsLeftOut": made.ignored,
        "errors": [{"row": one.row, "issues": one.issues} for one in issues],
    }
