"""The commands on many audiences, and on the language itself: materialize, operators."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.findings import CatalogError
from segment_engine.cli.inputs import (
    AsJson,
    AsOf,
    Consumers,
    EngineName,
    IdColumn,
    SchemaFile,
    Timezone,
    loaded_catalog,
)
from segment_engine.cli.output import (
    Json,
    complain,
    diagnostics_of,
    error_json,
    say,
    say_json,
    show_failure,
    show_findings,
    show_table,
)
from segment_engine.cli.progress import progress
from segment_engine.cli.rules import instant_of
from segment_engine.errors import SegmentError
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import TABLE
from segment_engine.parts import part

if TYPE_CHECKING:
    from segment_engine.batch.memberships import Memberships


def materialize(
    catalog: Annotated[
        list[str],
        typer.Argument(metavar="CATALOG...", help="YAML or JSON files of audiences, or folders."),
    ],
    consumers: Consumers,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to publish in.")],
    as_of: AsOf = None,
    timezone: Timezone = None,
    engine: EngineName = "snapshot",
    id_column: IdColumn = None,
    schema: SchemaFile = None,
    as_json: AsJson = False,
) -> int:
    """Publish the members of the audiences of a catalog.

    A catalog is one or more YAML or JSON files, or folders of them: rules, static lists, and
    perhaps a schema, a time zone and an id column. OUT gets memberships.parquet, a row a
    membership with `consumer_id` and `audience`, and run.json, which tells of the run. An
    earlier run there is replaced as a whole, in one step. An audience that fails is named and
    left out, with those that refer to it; the others are published, and the exit code is 1.

    \b
    Example of a catalog:
        vips: totalOrderValue >= 500
        lapsed: |
          # came back once or more
          totalOrders > 1 and lastOrderAt older than 6 months and not in audience "vips"

    \b
    Example:
        segment-engine materialize audiences.yaml --consumers consumers.parquet \\
            --out audiences --as-of 2026-01-31 --timezone America/New_York
    """
    held = loaded_catalog(catalog, schema, timezone)
    wrong = [finding for finding in held.findings if finding.item.severity == "error"]
    if len(held.failed) == len(held):
        if not as_json:
            complain(f"nothing is published: no audience can be computed; {out} is as it was")
        raise CatalogError(wrong)
    show_findings(finding for finding in wrong if finding.key is None)
    publisher = part("publish")
    publisher.check_target(out)
    about = {
        "as_of": instant_of(held.engine, as_of),
        "timezone": held.engine.timezone,
        "engine": engine,
        "consumers": consumers,
        "id_column": id_column or held.id_column,
    }
    with progress("computing audiences") as step:
        run = held.materialize(
            consumers,
            as_of=about["as_of"],
            engine=engine,
            id_column=about["id_column"],
            progress=step,
        )
    files = publisher.publish(run, out, about) if len(run) else []
    if as_json:
        say_json(_run_json(run, about, files))
    else:
        _show_run(run, held, out, files)
    return 1 if run.failed or not held.sound else 0


def _run_json(run: "Memberships", about: Mapping[str, Any], files: list[Path]) -> Json:
    failed = {
        key: {**error_json(fault), "diagnostics": diagnostics_of(fault)}
        for key, fault in run.failed.items()
    }
    files_told = [str(path) for path in files]
    told = {"counts": run.counts(), "failed": failed, "files": files_told}
    return {"ok": not failed, **about, **told}


def _show_run(run: "Memberships", held: Catalog, out: Path, files: list[Path]) -> None:
    for key, fault in run.failed.items():
        entry = held.audiences[key]
        _show_failed(key, f"{entry.file.path}:{entry.at.start_mark.line + 1}", fault)
    counts = run.counts()
    rows = [
        (key, f"{counts[key]:,}" if key in counts else Text("failed", "bold red"))
        for key in held.audiences
    ]
    show_table(("audience", "members"), rows, 1)
    if files:
        say(f"published {sum(counts.values()):,} memberships in {out}")
    else:
        complain(f"nothing is published: every audience failed; {out} is as it was")


def _show_failed(key: str, place: str, fault: SegmentError) -> None:
    if not isinstance(fault, CatalogError):
        complain(f"{place}: audience {key!r} failed", "bold")
    show_failure(fault, as_json=False)


def operators(as_json: AsJson = False) -> int:
    """Show the operators of the language.

    Their words, what they take, what they mean, and what they do with a missing value.

    \b
    Example:
        segment-engine operators | grep contains
    """
    rows = [row for row in TABLE.values() if row.shape is not Shape.HIDDEN]
    if as_json:
        say_json({"ok": True, "operators": [_operator_json(row) for row in rows]})
    else:
        headings = ("operator", "negated", "takes", "meaning", "if missing", "example")
        show_table(headings, [_operator_cells(row) for row in rows])
    return 0


def _operator_cells(row: Operator) -> tuple[str, ...]:
    takes = ", ".join("anything" if family == "*" else family for family in row.takes)
    example = row.examples[0] if row.examples else ""
    words, negated = ", ".join(row.words), ", ".join(row.negated)
    return words, negated, takes, row.doc, row.missing, example


def _operator_json(row: Operator) -> Json:
    return {
        "name": row.name,
        "words": list(row.words),
        "negated": list(row.negated),
        "takes": {family: right.value for family, right in row.takes.items()},
        "gives": row.gives.name,
        "doc": row.doc,
        "missing": row.missing,
        "examples": list(row.examples),
        "ignoring_case": row.folds,
        "json": list(row.json),
        "json_negated": list(row.json_negated),
        "api": row.api or None,
        "api_negated": row.api_negated or None,
    }
