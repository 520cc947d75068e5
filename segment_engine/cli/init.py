"""The command that begins a catalog: init."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segment_engine.cli.inputs import AsJson, AsOf, Currency, Force, Sample, Timezone
from segment_engine.cli.output import say, say_json
from segment_engine.cli.progress import progress
from segment_engine.cli.starters import Starter, Starters
from segment_engine.cli.writing import write_new
from segment_engine.discovery import SAMPLE, infer_schema
from segment_engine.engine import Engine
from segment_engine.errors import RunError
from segment_engine.expression.column_names import words_of
from segment_engine.expression.inferred import scalar, schema_lines
from segment_engine.parts import part

if TYPE_CHECKING:
    from segment_engine.expression.inferred import Inferred

_NAME = "audiences.yaml"
_ID = "id"
_PROPOSED = 5


def init(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="Parquet, CSV or NDJSON file, or a glob of them.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help=f"The file to write, or a folder for {_NAME}.")
    ] = Path(_NAME),
    force: Force = False,
    id_column: Annotated[
        str | None,
        typer.Option(help=f"The column that identifies a consumer; else {_ID!r} where it does."),
    ] = None,
    currency: Currency = "USD",
    timezone: Timezone = None,
    as_of: AsOf = None,
    sample: Sample = SAMPLE,
    as_json: AsJson = False,
) -> int:
    """Begin a catalog of audiences from a file.

    Nobody has to have prepared it. OUT gets a schema, proposed from the columns and a sample of
    the values with what was seen in comments, and up to six audiences to begin with: everyone, and
    such as keep some consumers and not all. A file that is there stays as it is.

    \b
    Examples:
        segment-engine init consumers.parquet
        segment-engine init 'export/*.csv' --id-column customer_id --out shop/ --currency EUR
    """
    target = out / _NAME if out.is_dir() or not out.suffix else out
    with progress("looking at consumers") as step:
        found = infer_schema(path, sample or None, currency=currency, progress=step)
    engine = Engine(found.schema, timezone or "UTC")
    opened = part("sources").open_source(path, found.schema)
    chosen = _identifying(found, opened, id_column)
    with progress("profiling fields") as step:
        everyone = engine.rule("true")
        everybody = everyone.preview(opened, as_of, 0, chosen, progress=step)
    starters = Starters(engine, opened, everybody, chosen).found()
    text = "\n".join([*_lines(path, found, engine.timezone, chosen, starters), ""])
    written = write_new(target, text, force)
    if as_json:
        told = {"path": str(target), "id": chosen, "written": written}
        keys = {"audiences": [starter.key for starter in starters]}
        say_json({"ok": True, **told, "fields": list(found.schema.names), **keys})
        return 0
    done = "wrote" if written else "nothing to change in"
    audiences = f"{len(starters)} audience{'s' * (len(starters) != 1)}"
    say(f"{done} {target}: {len(found.schema.names)} fields, {audiences}")
    _say_next(target, path)
    return 0


def _say_next(target: Path, path: str) -> None:
    catalog, consumers = shlex.quote(str(target)), shlex.quote(path)
    say("next:")
    say(f"  segment-engine check {catalog}")
    say(f"  segment-engine materialize {catalog} --consumers {consumers} --out memberships")


def _identifying(found: "Inferred", opened: Any, given: str | None) -> str:
    """The id column. Raises RunError with those that could be it."""
    if given is not None or _ID in opened.columns:
        wanted = given or _ID
        if wanted in opened.columns and _unique(found, opened, [wanted]):
            return wanted
        reason = f"{wanted!r} {_why_not(opened, wanted)}"
    else:
        reason = f"there is no column {_ID!r}"
    candidates = _candidates(found, opened)
    if candidates:
        named = ", ".join(map(repr, candidates[:_PROPOSED]))
        raise RunError(
            f"{reason}; name the one that identifies a consumer with --id-column: {named}"
        )
    raise RunError(f"{reason}, and no column has a value for every consumer that none other has")


def _why_not(opened: Any, wanted: str) -> str:
    if wanted not in opened.columns:
        return "is no column"
    return "has missing or repeated values" if wanted in opened.read else "cannot be used"


def _candidates(found: "Inferred", opened: Any) -> list[str]:
    """The columns that identify a consumer, those named so first."""
    columns = [
        field.column
        for field in found.fields
        if field.type in ("text", "number") and field.distinct == found.sampled
    ]
    return sorted(_unique(found, opened, columns), key=lambda name: "id" not in words_of(name))


def _unique(found: "Inferred", opened: Any, columns: Sequence[str]) -> list[str]:
    made: list[str] = part("inference").identifying(opened, columns)
    return made


def _lines(
    path: str, found: "Inferred", timezone: str, id_column: str, starters: Sequence[Starter]
) -> Iterator[str]:
    yield f"# Begun from {scalar(os.path.basename(path))}. The audiences are there to be changed."
    yield f"timezone: {scalar(timezone)}"
    if id_column != _ID:
        yield f"id: {scalar(id_column)}"
    yield "schema:"
    yield from (f"  {line}" for line in schema_lines(found))
    yield "audiences:"
    for starter in starters:
        yield f"  {starter.key}:"
        yield f"    name: {scalar(starter.name)}"
        yield f"    description: {scalar(starter.description)}"
        yield "    tags: [starter]"
        yield f"    rule: {scalar(starter.rule)}"
