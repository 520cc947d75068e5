"""The command that puts consumers into the store: consumers load."""

from typing import TYPE_CHECKING, Annotated

import typer

from segment_engine.cli.inputs import AsJson
from segment_engine.cli.output import complain, say_json, show_table
from segment_engine.cli.progress import progress
from segment_engine.cli.stores import StoreUrl, opened
from segment_engine.parts import part

if TYPE_CHECKING:
    from segment_engine.store.loading import Loaded

SHOWN = 20


def load(
    path: Annotated[
        str,
        typer.Argument(metavar="PATH", help="Parquet, CSV or NDJSON file, or a glob of them."),
    ],
    organization: Annotated[
        str, typer.Option("--org", metavar="ORG", help="The organization, by name or id.")
    ],
    external_id: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column of external ids.")
    ] = "externalId",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> int:
    """Put the consumers of files into the store.

    Columns are named as in the API: externalId, email, phone, fullName, totalOrders,
    totalOrderValue, lastOrderAt, createdAt, metadata, and metadata.KEY for one of its keys. A row
    means who has its external id, else its email ignoring case, else its phone, or somebody new;
    an empty cell leaves what there is. Rows that are wrong are left out and told; then the command
    ends with 1. The same file again changes nothing.

    \b
    Example:
        segment-engine consumers load consumers.parquet --org shop
    """
    held = opened(store)
    shop = held.of(held.organizations.get(organization).id)
    with progress("putting in consumers") as step:
        told = part("loading").load(shop, path, external_id, step)
    if as_json:
        _tell_json(told)
    else:
        _tell(told)
    return 1 if told.wrong else 0


def _tell(told: "Loaded") -> None:
    counts = part("loading").lines(told)
    show_table(("consumers", "rows"), ((name, f"{number:,}") for name, number in counts), 1)
    if told.left_out:
        complain(f"left out columns that consumers do not have: {', '.join(told.left_out)}")
    for one in told.rejected[:SHOWN]:
        complain(f"row {one.row:,}{f', {one.field}' if one.field else ''}: {one.reason}")
    if told.wrong > SHOWN:
        complain(f"... and {told.wrong - SHOWN:,} more; --json tells the first thousand")


def _tell_json(told: "Loaded") -> None:
    say_json(
        {
            "ok": not told.wrong,
            "rows": told.rows,
            **dict(part("loading").lines(told)),
            "columnsLeftOut": told.left_out,
            "errorCount": told.wrong,
            "errors": [
                {"row": one.row, "field": one.field or None, "reason": one.reason}
                for one in told.rejected
            ],
        }
    )
