"""The command that looks at the members of one rule: preview."""

from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segment_engine.cli.catalogs import members_of
from segment_engine.cli.inputs import (
    AsJson,
    AsOf,
    CatalogPath,
    Consumers,
    IdColumn,
    RuleFile,
    RuleText,
    SchemaFile,
    Timezone,
    engine_of,
    loaded_catalog,
)
from segment_engine.cli.output import say, say_json, show_table
from segment_engine.cli.progress import progress
from segment_engine.cli.rules import checked_rule, instant_of
from segment_engine.expression.inferred import percent
from segment_engine.values.numbers import plain

if TYPE_CHECKING:
    from segment_engine.backends.preview import Preview
    from segment_engine.backends.profile import Figures

_TOLD = 3


def preview(
    consumers: Consumers,
    rule: RuleText = None,
    file: RuleFile = None,
    first: Annotated[
        int, typer.Option("--first", "-n", min=0, help="How many members to show.")
    ] = 5,
    catalog: CatalogPath = None,
    as_of: AsOf = None,
    timezone: Timezone = None,
    id_column: IdColumn = None,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> int:
    """Show the members of a rule beside everybody.

    How many there are, and the first of them by id with the fields that the rule reads. Then, for
    each field of the schema that the consumers have: the share filled, and the lowest, median and
    highest value (numbers, times) or the most frequent ones (booleans, and texts of at most 20
    different values).

    \b
    Example:
        segment-engine preview 'totalOrders >= 3' --consumers consumers.parquet --first 10
    """
    held = None if catalog is None else loaded_catalog([catalog], schema, timezone)
    engine = held.engine if held else engine_of(schema, timezone)
    checked, _ = checked_rule(engine, rule, file)
    chosen = id_column or (held.id_column if held else "id")
    instant = instant_of(engine, as_of)
    known = members_of(held, checked.audiences, consumers, instant, chosen) if held else {}
    with progress("profiling fields") as step:
        found = checked.preview(consumers, instant, first, chosen, step, known)
    if as_json:
        told = {"ok": True, "text": checked.text, "timezone": engine.timezone}
        say_json({**told, **found.to_dict()})
        return 0
    say(f"{found.count:,} of {found.total:,} consumers ({percent(found.share)})")
    if found.members:
        say("")
        headings = list(found.members[0])
        show_table(
            headings, [[_told(member[name]) for name in headings] for member in found.members]
        )
    say("")
    show_profile(found)
    return 0


def show_profile(found: "Preview") -> None:
    """A row a field: the members' figures beside those of everybody."""
    headings = ("field", "filled", "members", "filled", "everybody")
    rows = [
        (
            field.name,
            percent(field.members.filled),
            _figures(field.members),
            percent(field.everybody.filled),
            _figures(field.everybody),
        )
        for field in found.profile
    ]
    show_table(headings, rows, 1, 3)


def _figures(figures: "Figures") -> str:
    if figures.low is not None:
        return " .. ".join(map(_told, (figures.low, figures.median, figures.high)))
    return ", ".join(f"{_told(value)} {percent(share)}" for value, share in figures.top[:_TOLD])


def _told(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    exact = isinstance(value, int | float | Decimal) and isfinite(value)
    return plain(Decimal(str(value))) if exact else str(value)
