"""The commands on published runs: diff, export; and what `materialize` says of the one it made."""

import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from segment_engine.cli.inputs import AsJson
from segment_engine.cli.output import Json, complain, say, say_json, show_table
from segment_engine.display.words import plain
from segment_engine.errors import RunError
from segment_engine.parts import part

if TYPE_CHECKING:
    from segment_engine.batch.difference import Change, Difference
    from segment_engine.batch.generations import Generation, Generations

Out = Annotated[Path, typer.Argument(metavar="OUT", help="The folder that runs publish in.")]
FORMS = "long, parquet, csv, duckdb or arrow"


class Style(StrEnum):
    """How changes are printed."""

    table = "table"
    parquet = "parquet"
    jsonl = "jsonl"


def diff(
    out: Out,
    from_: Annotated[
        int | None,
        typer.Option("--from", help="The generation before; else the one before the later."),
    ] = None,
    to: Annotated[
        int | None, typer.Option("--to", help="The later generation; else the newest.")
    ] = None,
    audience: Annotated[
        list[str] | None,
        typer.Option("--audience", help="Only this audience; may be given several times."),
    ] = None,
    style: Annotated[
        Style,
        typer.Option(
            "--format",
            help="table: the numbers. parquet, jsonl: a row a change, with consumer_id, audience "
            "and change (entered, left).",
        ),
    ] = Style.table,
    to_file: Annotated[
        Path | None, typer.Option("--to-file", help="The file for parquet or jsonl, else stdout.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show who came into audiences and who left them.

    Compares two generations that `materialize` has published, the newest with the one before it
    where none are named. Audiences that are new or gone are told as such; all their members have
    entered, or left.

    \b
    Examples:
        segment-engine diff audiences
        segment-engine diff audiences --from 3 --audience vips --format jsonl
    """
    if style is Style.parquet and to_file is None:
        raise typer.BadParameter("--format parquet wants --to-file PATH")
    if style is Style.table and to_file is not None:
        raise typer.BadParameter("--to-file wants --format parquet or jsonl")
    found = _difference(part("generations").Generations(out), from_, to)
    changes = _chosen(found, audience)
    sound = all(change.fault is None for change in changes.values())
    readable = [key for key, change in changes.items() if change.fault is None]
    if to_file is not None:
        part("exports").write_changes(found, readable, style, to_file)
    if as_json:
        say_json({"ok": sound, **_json(found, changes)})
    elif style is Style.table:
        _show(found, changes)
    elif to_file is None:
        for line in part("exports").json_lines(found, readable):
            say(line)
    else:
        say(f"wrote {_moves(changes):,} changes to {to_file}")
    if not as_json and style is not Style.table:
        _complain(found, [key for key in changes if key not in readable])
    return 0 if sound else 1


def export(
    out: Out,
    form: Annotated[str, typer.Option("--as", metavar="FORMAT", help=f"One of {FORMS}.")],
    to: Annotated[
        str, typer.Option("--to", help="The file; for parquet and csv the folder to write.")
    ],
    generation: Annotated[
        int | None, typer.Option(min=1, help="Its number; else the newest.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Write a published run for other programs.

    long is one Parquet file with a row a membership, `consumer_id` and `audience`; arrow the same
    as an Arrow IPC stream; duckdb the same as the table `memberships` of a file, or that of
    PATH::TABLE. parquet and csv are folders with a file of ids for each audience, and
    audiences.json, which tells its name. In csv, texts that a spreadsheet would run begin with '.
    What an export wrote is replaced, and nothing else is.

    \b
    Example:
        segment-engine export audiences --as long --to memberships.parquet
    """
    generations = part("generations").Generations(out)
    found = generations.newest() if generation is None else generations.open(generation)
    part("exports").export(found.memberships, form, to)
    counts = found.memberships.counts()
    if as_json:
        told = {"generation": found.number, "as": form, "to": to, "counts": counts}
        say_json({"ok": True, **told})
    else:
        number = sum(counts.values())
        say(f"wrote {number:,} memberships of generation {found.number} to {to}")
    return 0


def wanted_exports(given: Sequence[str]) -> list[tuple[str, str]]:
    """The forms and paths of `--export`; a usage error where one is none of them."""
    pairs = [text.partition("=") for text in given]
    for text, (form, _, path) in zip(given, pairs, strict=True):
        if not path or form not in part("exports").FORMS:
            raise typer.BadParameter(f"--export {text!r} wants FORMAT=PATH, FORMAT one of {FORMS}")
        part("exports").check_export(form, path)
    return [(form, path) for form, _, path in pairs]


def _difference(generations: "Generations", from_: int | None, to: int | None) -> "Difference":
    after = generations.newest() if to is None else generations.open(to)
    if from_ is None:
        earlier = [number for number in generations.numbers() if number < after.number]
        if not earlier:
            raise RunError(
                f"there is no generation before {after.number} to compare it with; "
                "a later run, or `materialize --keep`, gives one"
            )
        from_ = earlier[-1]
    found: Difference = part("difference").Difference(generations.open(from_), after)
    return found


def _chosen(found: "Difference", keys: Sequence[str] | None) -> dict[str, "Change"]:
    for key in keys or ():
        if key not in found.changes:
            raise RunError(f"there is no audience {key!r} in generations {found.numbers}")
    return {key: found.changes[key] for key in keys or found.changes}


def _moves(changes: Mapping[str, "Change"]) -> int:
    return sum((change.entered or 0) + (change.left or 0) for change in changes.values())


def _show(found: "Difference", changes: Mapping[str, "Change"]) -> None:
    rows = [
        (
            key,
            "-" if change.state == "new" else f"{change.before:,}",
            "-" if change.state == "gone" else f"{change.after:,}",
            number_of(change.entered),
            number_of(change.left),
        )
        for key, change in changes.items()
    ]
    before, after = found.numbers
    say(f"generation {before} -> {after}")
    show_table(("audience", "before", "members", "entered", "left"), rows, 1, 2, 3, 4)
    for key, change in changes.items():
        for words in found.remarks(key) if change.fault is None else ():
            say(plain(words))
    _complain(found, [key for key, change in changes.items() if change.fault is not None])


def _complain(found: "Difference", keys: Sequence[str]) -> None:
    for key in keys:
        for words in found.remarks(key):
            complain(f"error: {plain(words)}")


def number_of(count: int | None) -> str:
    """A count, or that there is none."""
    return "-" if count is None else f"{count:,}"


def _json(found: "Difference", changes: Mapping[str, "Change"]) -> Json:
    before, after = found.numbers
    return {
        "from": before,
        "to": after,
        "audiences": {key: _change_json(found, key, one) for key, one in changes.items()},
    }


def _change_json(found: "Difference", key: str, change: "Change") -> Json:
    reasons = [
        {"predicate": reason.predicate, "before": reason.before, "after": reason.after}
        for reason in found.reasons(key)
    ]
    return {
        "state": change.state,
        "before": change.before,
        "members": change.after,
        "entered": change.entered,
        "left": change.left,
        "carried": change.carried,
        "fault": change.fault,
        "reasons": reasons,
    }


# ---- what a run says


def run_table(keys: Sequence[str], now: "Generation", changes: Mapping[str, "Change"]) -> None:
    """A row an audience of a run; `changes` since the generation before, none on the first."""
    told = now.manifest
    rows: list[tuple[str | Text, ...]] = []
    for key in keys:
        if key not in told.audiences:
            rows.append((key, Text("failed", "bold red"), "-", "-", "-"))
            continue
        count, change = told.audiences[key].count, changes.get(key)
        moved = (None, None) if change is None else (change.entered, change.left)
        members = Text(f"{count:,}", "bold red" if key in told.carried else "")
        share = f"{count / told.consumers:.1%}" if told.consumers else "-"
        rows.append((key, members, *map(number_of, moved), share))
    show_table(("audience", "members", "entered", "left", "share"), rows, 1, 2, 3, 4)
    for key, number in told.carried.items():
        kept = f"its {told.audiences[key].count:,} members of generation {number}"
        complain(f"note: {key} failed and keeps {kept}")


def folder_of(out: Path, number: int) -> str:
    """The path of a generation."""
    return os.path.join(out, "generations", f"{number:06}")
