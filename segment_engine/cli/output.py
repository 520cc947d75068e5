"""What the commands print: results to stdout, what is wrong to stderr, JSON for machines.

With `--json` a command prints one object to stdout. `ok` says whether it succeeded; where it did
not, `error` is `{kind, message}` and `diagnostics` is a list; see `Diagnostic.to_json`.
"""

import io
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from segment_engine.catalog.findings import CatalogError, Finding
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.picture import draw
from segment_engine.errors import RuleError, SegmentError

Json = dict[str, Any]
P = ParamSpec("P")

_STYLES = {"error": "bold red", "warning": "bold yellow", "hint": "bold cyan"}
_INTERRUPTED = 130
_UNBOUNDED = 1_000


def command(body: Callable[P, int]) -> Callable[P, None]:
    """A command that ends with the exit code of `body`, and without a traceback for mistakes."""

    @wraps(body)
    def run(*args: P.args, **options: P.kwargs) -> None:
        try:
            code = body(*args, **options)
            sys.stdout.flush()
        except SegmentError as fault:
            show_failure(fault, bool(options.get("as_json")))
            if not options.get("as_json"):
                _tell_own_fields(fault, options)
            code = 1
        except BrokenPipeError:
            _let_go_of_stdout()
            code = 0
        except KeyboardInterrupt:
            complain("stopped")
            code = _INTERRUPTED
        raise typer.Exit(code)

    return run


def _tell_own_fields(fault: SegmentError, options: Mapping[str, Any]) -> None:
    """Where the fields of a file are to come from: a rule about a file has those of no file yet."""
    file = options.get("consumers")
    if not file or options.get("schema") or options.get("catalog"):
        return
    if isinstance(fault, RuleError) and "unknown-field" in {one.code for one in fault.diagnostics}:
        complain(
            "the fields are those of the default consumer; "
            f"`segment-engine schema infer {shlex.quote(str(file))} > schema.yaml` proposes those "
            "of the file, for --schema schema.yaml"
        )


def never_fail_to_encode() -> None:
    """Characters that the terminal cannot show are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _let_go_of_stdout() -> None:
    """Whoever read has gone, as `head` does; Python must not flush to it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{text}\n")


def say_json(told: Json) -> None:
    """The result for machines."""
    say(json.dumps(told, indent=2, default=str))


def complain(message: str, style: str = "") -> None:
    """A line about what is wrong, to stderr."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(Text(message, style))


def show_pictures(found: Iterable[Diagnostic], text: str) -> None:
    """The pictures of diagnostics, to stderr."""
    for item in found:
        head, *rest = draw(item, text).split("\n")
        complain(head, _STYLES[item.severity])
        for row in rest:
            complain(row)


def show_findings(found: Iterable[Finding]) -> None:
    """The pictures of a catalog's findings, to stderr."""
    for finding in found:
        head, *rest = finding.draw().split("\n")
        complain(head, _STYLES[finding.item.severity])
        for row in rest:
            complain(row)


def show_failure(fault: SegmentError, as_json: bool) -> None:
    """What went wrong, with pictures where it is a rule."""
    if as_json:
        say_json({"ok": False, "error": error_json(fault), "diagnostics": diagnostics_of(fault)})
    elif isinstance(fault, CatalogError):
        show_findings(f for f in fault.findings if f.item.severity == "error")
    elif isinstance(fault, RuleError):
        show_pictures(errors_of(fault.diagnostics), fault.source)
    else:
        complain(f"error: {fault}")


def show_table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]], *right: int) -> None:
    """A table to stdout; the columns numbered in `right` are aligned there."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for at, heading in enumerate(headings):
        table.add_column(Text(heading), justify="right" if at in right else "left")
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    width = None if sys.stdout.isatty() else _UNBOUNDED
    Console(highlight=False, markup=False, emoji=False, width=width).print(table)


def errors_of(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The findings that make a rule wrong."""
    return [item for item in found if item.severity == "error"]


def error_json(fault: SegmentError) -> Json:
    """The kind of an error and its message."""
    return {"kind": type(fault).__name__, "message": str(fault)}


def diagnostics_of(fault: SegmentError) -> list[Json]:
    """The diagnostics of a wrong rule; none of any other error."""
    if isinstance(fault, CatalogError):
        return [finding.to_json() for finding in fault.findings]
    if not isinstance(fault, RuleError):
        return []
    return [item.to_json(fault.source) for item in fault.diagnostics]
