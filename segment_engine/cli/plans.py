"""The command that tells what a run of a catalog would do: plan."""

from typing import Annotated

import typer

from segment_engine.cli.inputs import AsJson, AsOf, SchemaFile, Timezone, loaded_catalog
from segment_engine.cli.output import complain, say, say_json, show_table


def plan(
    catalog: Annotated[
        list[str],
        typer.Argument(metavar="CATALOG...", help="YAML or JSON files of audiences, or folders."),
    ],
    consumers: Annotated[
        str | None,
        typer.Option("--consumers", "-c", help="Whose column types to go by, else the usual ones."),
    ] = None,
    as_of: AsOf = None,
    timezone: Timezone = None,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> int:
    """Show what one pass over the consumers would read and ask.

    Conditions that mean the same are asked once, and so is one with its complement; the table has
    those first that most audiences share. Paths into metadata are read once each.

    \b
    Example:
        segment-engine plan audiences.yaml --consumers consumers.parquet
    """
    found = loaded_catalog(catalog, schema, timezone).plan(consumers, as_of=as_of)
    if as_json:
        say_json({"ok": not found.failed, **found.to_json()})
        return 1 if found.failed else 0
    for line in found.summary:
        say(line)
    rows = [(one.text, f"{len(one.audiences):,}") for one in found.conditions]
    show_table(("condition", "audiences"), rows, 1)
    for key, fault in found.failed.items():
        complain(f"audience {key!r} fails: {str(fault).splitlines()[0]}", "bold")
    return 1 if found.failed else 0
