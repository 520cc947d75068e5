"""The commands on schemas: schema show, schema infer, schema check."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segment_engine.cli.inputs import AsJson, Currency, Force, Sample, SchemaFile, engine_of
from segment_engine.cli.output import (
    Json,
    complain,
    say,
    say_json,
    show_table,
)
from segment_engine.cli.progress import progress
from segment_engine.cli.writing import write_new
from segment_engine.discovery import SAMPLE, infer_schema
from segment_engine.expression.schema import FieldSpec
from segment_engine.parts import part

if TYPE_CHECKING:
    from segment_engine.expression.inferred import Inferred


def show(schema: SchemaFile = None, as_json: AsJson = False) -> int:
    """Show the fields that rules may name.

    Their types, labels and source columns, and what derived fields are derived by.

    \b
    Examples:
        segment-engine schema show
        segment-engine schema show --schema shop.yaml --json
    """
    shown = engine_of(schema).schema
    if as_json:
        fields = [_field_json(spec) for spec in shown.specs.values()]
        say_json({"ok": True, "currency": shown.currency, "fields": fields})
    else:
        rows = (_field_cells(spec) for spec in shown.specs.values())
        show_table(("field", "type", "label", "column or expression"), rows)
    return 0


def _field_cells(spec: FieldSpec) -> tuple[str, ...]:
    kind = f"{spec.type} ({spec.currency})" if spec.currency else str(spec.type)
    return spec.name, kind, spec.label, f"= {spec.derived}" if spec.derived else spec.column


def _field_json(spec: FieldSpec) -> Json:
    return {
        "name": spec.name,
        "type": spec.type.name,
        "label": spec.label,
        "column": None if spec.derived else spec.column,
        "path": list(spec.path),
        "derived": spec.derived,
        "currency": spec.currency,
    }


def infer(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="Parquet, CSV or NDJSON file, or a glob of them.")
    ],
    sample: Sample = SAMPLE,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; else stdout.")
    ] = None,
    force: Force = False,
    currency: Currency = "USD",
    as_json: AsJson = False,
) -> int:
    """Propose a schema for a file of consumers.

    It is YAML, with what was seen in comments: shares of consumers that have a value, reasons for
    the types, paths into metadata of which the values are of several types, and columns that cannot
    be used. Nothing is guessed later: rules read what the schema says. With --json also examples
    and numbers of different values.

    \b
    Examples:
        segment-engine schema infer consumers.parquet --out schema.yaml
        segment-engine schema infer people.csv | less
    """
    with progress("looking at consumers") as step:
        found = infer_schema(path, sample or None, currency=currency, progress=step)
    text = found.to_yaml()
    written = write_new(out, text, force) if out is not None else False
    if as_json:
        say_json(_inferred_json(found, out if written else None))
    elif out is None:
        say(text.removesuffix("\n"))
    else:
        done = "wrote" if written else "nothing to change in"
        say(f"{done} {out}: {len(found.schema.names)} fields")
    return 0


def _inferred_json(found: "Inferred", written: Path | None) -> Json:
    return {
        "ok": True,
        "rows": found.rows,
        "sampled": found.sampled,
        "schema": found.schema.to_dict(),
        **found.to_dict(),
        "files": [str(written)] if written else [],
    }


def check(
    schema: Annotated[Path, typer.Argument(metavar="FILE", help="YAML or JSON file of fields.")],
    consumers: Annotated[
        str | None,
        typer.Option("--consumers", "-c", help="Consumers whose columns the schema has to fit."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say what is wrong with a schema file, and whether consumers fit it.

    All mistakes are told at once: those of the file with their lines, those of the columns with
    what is found and what is wanted.

    \b
    Examples:
        segment-engine schema check shop.yaml
        segment-engine schema check shop.yaml --consumers consumers.parquet
    """
    checked = engine_of(schema).schema
    wrong = part("fitting").mismatches(consumers, checked) if consumers is not None else []
    if as_json:
        say_json({"ok": not wrong, "mismatches": [_mismatch_json(item) for item in wrong]})
    else:
        for item in wrong:
            complain(f"error: {item.message}")
        if not wrong:
            say("\n".join(_all_is_well(checked, consumers)))
    return 1 if wrong else 0


def _mismatch_json(item: Any) -> Json:
    return {"field": item.field, "column": item.column, "message": item.message}


def _all_is_well(checked: Any, consumers: str | None) -> Iterator[str]:
    yield f"ok: {len(checked.names)} fields"
    if consumers is not None:
        yield f"{consumers} has all their columns"
