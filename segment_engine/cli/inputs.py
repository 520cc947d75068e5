"""What the commands read: a rule from an argument, a file or a pipe; options and their checks."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from segment_engine.catalog.catalog import Catalog
from segment_engine.engine import Engine
from segment_engine.errors import RunError, SchemaError, SegmentError
from segment_engine.expression.clocks import clock_at, named_zone
from segment_engine.expression.placed_yaml import read_text
from segment_engine.expression.schema import Schema
from segment_engine.parts import ENGINES

MAX_BYTES = 2 * 1024 * 1024
"""More is not read from a pipe: what is longer is refused as a rule all the same."""


def _checked(check: Callable[[str], object]) -> Callable[[str | None], str | None]:
    """An option's callback: what an error says of its value is a usage error."""

    def callback(value: str | None) -> str | None:
        try:
            if value is not None:
                check(value)
        except SegmentError as fault:
            raise typer.BadParameter(str(fault)) from None
        return value

    return callback


def _is_engine(name: str) -> None:
    if name not in ENGINES:
        raise RunError(f"there is no engine {name!r}; there are {', '.join(ENGINES)}")


_SPAN = re.compile(r"([0-9]{1,6}) *(minute|hour|day|week)s?")


def span_of_time(text: str) -> timedelta:
    """What `90 minutes` says. Raises RunError."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise RunError(f"{text!r} is no span of time such as '90 minutes', '1 hour' or '2 days'")
    return timedelta(**{f"{found[2]}s": int(found[1])})


_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) *([KMGT]?)(i?)B", re.I)
LEAST_MEMORY = 100_000_000


def size_in_bytes(text: str) -> int:
    """What `500 MB` says: a thousand of each less, or 1,024 with an `i`. Raises RunError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise RunError(f"{text!r} is no size such as '500MB', '2GB' or '1.5 GiB'")
    step = 1024 if found[3] else 1000
    size = int(float(found[1]) * step ** " KMGT".index(found[2].upper() or " "))
    if size < LEAST_MEMORY:
        raise RunError(f"{text!r} is too little for any run; give 100MB or more")
    return size


CATALOG_ENDINGS = (".yaml", ".yml", ".json")

RulesOrCatalog = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RULE|CATALOG...",
        help="A rule, as text or JSON (- reads it from stdin), or the files and folders of a "
        "catalog.",
    ),
]
CatalogPath = Annotated[
    Path | None,
    typer.Option(
        "--catalog", help="A catalog whose audiences the rule may refer to; its schema and zone."
    ),
]
RuleText = Annotated[
    str | None,
    typer.Argument(
        metavar="RULE",
        help="The rule, as text, query-builder JSON or rule rows; - reads it from stdin.",
    ),
]
RuleFile = Annotated[Path | None, typer.Option("--file", "-f", help="Read the rule from a file.")]
SchemaFile = Annotated[
    Path | None,
    typer.Option("--schema", help="YAML or JSON file of fields; else the default consumer."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Timezone = Annotated[
    str | None,
    typer.Option(
        help="IANA zone of days and periods; else the catalog's, or UTC.",
        callback=_checked(named_zone),
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        help="Instant of the run, ISO 8601, such as 2026-01-31T10:00:00Z; else now.",
        callback=_checked(lambda text: clock_at(text, named_zone("UTC"))),
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        help=f"One of {', '.join(ENGINES)}.",
        callback=_checked(_is_engine),
        autocompletion=lambda: list(ENGINES),
    ),
]
Consumers = Annotated[
    str, typer.Option("--consumers", "-c", help="Parquet, CSV or NDJSON file, or a glob of them.")
]
Keep = Annotated[int, typer.Option(min=1, help="Keep so many generations, this one among them.")]
KeepFor = Annotated[
    str,
    typer.Option(
        help="Keep generations that are younger than this, too, such as '90 minutes' or '2 days'.",
        callback=_checked(span_of_time),
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Half of it for members, half for what DuckDB reads, such as '500MB' or '2GB'; what "
        "is more lies in temporary files. The columns of a million consumers are in memory anyway.",
        callback=_checked(size_in_bytes),
    ),
]
Jobs = Annotated[
    int | None, typer.Option(min=1, help="Read and prepare with so many threads; else all cores.")
]
Currency = Annotated[
    str,
    typer.Option(
        help="ISO 4217 code of fields that hold money.",
        callback=_checked(lambda code: Schema({"any": "any"}, currency=code)),
    ),
]
Sample = Annotated[
    int, typer.Option(min=0, help="Look at the values of so many consumers; 0 for all.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")]
IdColumn = Annotated[
    str | None,
    typer.Option(help="The column that identifies a consumer; else the catalog's, or `id`."),
]


@dataclass(frozen=True, slots=True)
class Given:
    """A rule's text and the file that it came from, if any."""

    text: str
    path: Path | None = None


def given_rule(rule: str | None, file: Path | None) -> Given:
    """The rule that a command was given; a usage error where that is none or two."""
    if file is not None:
        if rule is not None:
            raise typer.BadParameter("give a rule or --file, not both")
        return Given(read_text(file, RunError), file)
    if rule is None and (sys.stdin is None or sys.stdin.isatty()):
        raise typer.BadParameter("give a rule, --file, or a rule on stdin")
    return Given(_piped() if rule in (None, "-") else str(rule))


def _piped() -> str:
    held = sys.stdin.buffer.read(MAX_BYTES)
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        if len(held) == MAX_BYTES:
            return held.decode("utf-8", "replace")
        raise RunError(f"stdin is not UTF-8 text at byte {fault.start + 1}") from None


def is_catalog(given: str) -> bool:
    """Whether an argument is the path of a catalog and not a rule."""
    try:
        return (bool(given) and os.path.isdir(given)) or given.lower().endswith(CATALOG_ENDINGS)
    except ValueError:  # a NUL character is in no path
        return False


def one_rule(given: list[str] | None) -> str | None:
    """The rule among the arguments; a usage error where there are several."""
    if given and len(given) > 1:
        raise typer.BadParameter("give one rule, in quotes, or the paths of a catalog alone")
    return given[0] if given else None


def loaded_catalog(
    paths: Sequence[str | Path], schema: Path | None, timezone: str | None
) -> Catalog:
    """The catalog of the paths, with the schema and the zone of the command where it has them."""
    fields = None if schema is None else Schema.load(schema)
    return Catalog.load(*paths, schema=fields, timezone=timezone)


def engine_of(schema: Path | None, timezone: str | None = None) -> Engine:
    """The engine for the schema file, or for the default schema. Raises SchemaError."""
    timezone = timezone or "UTC"
    if schema is None:
        return Engine(timezone=timezone)
    loaded = Schema.load(schema)
    try:
        return Engine(loaded, timezone)
    except SchemaError as fault:
        raise SchemaError(f"{schema}: {fault}") from None
