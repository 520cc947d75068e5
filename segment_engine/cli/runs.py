"""The commands on many audiences, and on the language itself: materialize, operators."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.findings import CatalogError
from segment_engine.cli.generations import (
    FORMS,
    folder_of,
    run_table,
    wanted_exports,
)
from segment_engine.cli.inputs import (
    AsJson,
    AsOf,
    Consumers,
    EngineName,
    IdColumn,
    Jobs,
    Keep,
    KeepFor,
    Memory,
    SchemaFile,
    Timezone,
    loaded_catalog,
    size_in_bytes,
    span_of_time,
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
    from segment_engine.batch.difference import Change
    from segment_engine.batch.generations import Generation
    from segment_engine.batch.manifest import About
    from segment_engine.batch.memberships import Memberships
    from segment_engine.batch.publishing import Writer


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
    snapshot: Annotated[
        Path | None,
        typer.Option(help="A folder to keep the consumers in, prepared for the next run."),
    ] = None,
    incremental: Annotated[
        bool,
        typer.Option(
            "--incremental",
            help="Ask only who has changed since the generation before, and whom time moves.",
        ),
    ] = False,
    changed_by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Who has changed, by a column that grows with each change, such as updatedAt.",
        ),
    ] = None,
    changed_ids: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Who has changed since the generation before, as ids in a .txt, .csv, .tsv or "
            ".parquet file.",
        ),
    ] = None,
    keep: Keep = 2,
    keep_for: KeepFor = "1 hour",
    export: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT=PATH",
            help=f"Write the run for other programs, too, as {FORMS}; may be given several times.",
        ),
    ] = None,
    memory: Memory = None,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> int:
    """Publish the members of the audiences of a catalog.

    A catalog is one or more YAML or JSON files, or folders of them: rules, static lists, and
    perhaps a schema, a time zone and an id column. The run becomes the next generation in OUT, in
    one step; see `diff` and `export` for what can be done with it. Older generations are removed,
    but for the last two and those of the last hour, or as --keep and --keep-for say.

    With --snapshot the consumers are kept in that folder, too, in a form that is many times as
    fast to ask; only what changed is read again. It is a cache: deleting it loses nothing.

    With --incremental only those are asked who have changed since the generation before, and
    whom the time that has passed moves; the members are the same as if all were asked. Who has
    changed is found by comparing all with the snapshot, unless --changed-by or --changed-ids
    tells; ids that are told and not there are of consumers who are gone. Where too much has
    changed, all are asked.

    An audience that fails is named, with those that refer to it, and keeps the members that it
    had in the generation before; the others are published, and the exit code is 1.

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
    bound = None if memory is None else size_in_bytes(memory)
    _limit(bound, jobs)
    held = loaded_catalog(catalog, schema, timezone)
    wrong = [finding for finding in held.findings if finding.item.severity == "error"]
    if len(held.failed) == len(held):
        if not as_json:
            complain(f"nothing is published: no audience can be computed; {out} is as it was")
        raise CatalogError(wrong)
    show_findings(finding for finding in wrong if finding.key is None)
    exports = wanted_exports(export or ())
    changed = _changed(incremental, snapshot, changed_by, changed_ids, id_column or held.id_column)
    about = {
        "as_of": instant_of(held.engine, as_of),
        "timezone": held.engine.timezone,
        "engine": engine,
        "source": consumers,
        "id_column": id_column or held.id_column,
    }
    kept = {"keep": keep, "keep_for": span_of_time(keep_for)}
    told = _about(held, about)
    with part("publishing").writing(out) as writer:
        before = writer.before() if incremental else None
        with progress("computing audiences") as step:
            run = held.materialize(
                consumers,
                as_of=about["as_of"],
                engine=engine,
                id_column=about["id_column"],
                progress=step,
                snapshot=snapshot,
                since=before,
                changed=changed,
                count_predicates=engine == "snapshot",
                memory=bound,
            )
        made = _published(writer, run, out, told, kept) if len(run) else None
    if not as_json:
        _show_run(run, held, out, made)
    if made is not None:
        for form, path in exports:
            part("exports").export(made.now.memberships, form, path)
    if as_json:
        say_json(_run_json(run, about, made, out, exports))
    return 1 if run.failed or not held.sound else 0


def _changed(
    incremental: bool, snapshot: Path | None, by: str | None, file: Path | None, id_column: str
) -> Any:
    """Who has changed, as `Engine.materialize` is told."""
    if incremental and snapshot is None:
        raise typer.BadParameter("--incremental wants --snapshot FOLDER")
    if (by is not None or file is not None) and not incremental:
        raise typer.BadParameter("--changed-by and --changed-ids want --incremental")
    if by is not None and file is not None:
        raise typer.BadParameter("--changed-by and --changed-ids exclude each other")
    return by if file is None else part("lists").read_ids(str(file), None, id_column)


def _limit(memory: int | None, jobs: int | None) -> None:
    """Bounds what this process takes."""
    if jobs is not None:
        os.environ["POLARS_MAX_THREADS"] = str(jobs)  # which is read when Polars is loaded
    if memory is not None or jobs is not None:
        part("sources").limit(None if memory is None else memory // 2, jobs)


@dataclass(frozen=True, slots=True)
class _Made:
    """The generation of a run, and what changed since the one before it."""

    now: "Generation"
    changes: "Mapping[str, Change]"


def _about(held: Catalog, told: Mapping[str, Any]) -> "About":
    hashes = {key: rule.hash for key, rule in held.rules.items()}
    fingerprint = part("manifest").fingerprint_of(told["source"])
    found: About = part("manifest").About(**told, fingerprint=fingerprint, rules=hashes)
    return found


def _published(
    writer: "Writer", run: "Memberships", out: Path, about: "About", kept: Mapping[str, Any]
) -> _Made:
    before = writer.before()
    number = writer.publish(run, about, **kept).number
    now = part("generations").Generations(out).open(number)
    changes = part("difference").Difference(before, now).changes if before else {}
    return _Made(now, changes)


def _run_json(
    run: "Memberships",
    about: Mapping[str, Any],
    made: _Made | None,
    out: Path,
    exports: Sequence[tuple[str, str]],
) -> Json:
    failed = {
        key: {**error_json(fault), "diagnostics": diagnostics_of(fault)}
        for key, fault in run.failed.items()
    }
    told: Json = {"ok": not failed, **about, "failed": failed, "generation": None}
    if made is None:
        return told
    manifest, changes = made.now.manifest, made.changes
    return {
        **told,
        "generation": manifest.number,
        "folder": folder_of(out, manifest.number),
        "consumers": manifest.consumers,
        "asked": run.asked,
        "counts": {key: one.count for key, one in manifest.audiences.items()},
        "carried": dict(manifest.carried),
        "entered": {key: one.entered for key, one in changes.items()},
        "left": {key: one.left for key, one in changes.items()},
        "exports": [{"as": form, "to": path} for form, path in exports],
    }


def _show_run(run: "Memberships", held: Catalog, out: Path, made: _Made | None) -> None:
    for key, fault in run.failed.items():
        entry = held.audiences[key]
        _show_failed(key, f"{entry.file.path}:{entry.at.start_mark.line + 1}", fault)
    if made is None:
        complain(f"nothing is published: every audience failed; {out} is as it was")
        return
    run_table(list(held.audiences), made.now, made.changes)
    number = sum(len(found) for found in made.now.audiences.values())
    asked = "" if run.moves is None else f"; {run.asked:,} of {run.consumers:,} consumers asked"
    say(f"published {number:,} memberships in {out}, generation {made.now.number}{asked}")


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
