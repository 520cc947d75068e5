"""Memberships as files, published in one step: a reader sees one run, never a mix of two."""

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from segment_engine.batch.memberships import Memberships
from segment_engine.errors import OutputError

MEMBERSHIPS, RUN = "memberships.parquet", "run.json"
MARKER = "segment-engine memberships"


def publish(
    memberships: Memberships, out: str | Path, about: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write a run to the folder `out`, replacing an earlier run there; the paths of its files.

    `memberships.parquet` has a row a membership, `consumer_id` and `audience`; `run.json` has
    the `counts`, the messages of what `failed`, and `about`, what else is told of the run. The
    folder is written beside `out`, then takes its name; for the moment between two renames there
    is none. Raises OutputError, and leaves what was there, where that cannot be done.
    """
    target = check_target(out)
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    with _reported(out):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh.mkdir()
            _write(fresh, memberships, about or {})
            _swap(fresh, target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return [Path(out) / MEMBERSHIPS, Path(out) / RUN]


def check_target(out: str | Path) -> Path:
    """The folder that a run may replace or make, links followed; OutputError where it may not."""
    with _reported(out):
        target = Path(os.path.realpath(out))
        if target == target.parent:
            raise OutputError(f"{out} is the root folder; name a folder in it")
        _refuse_files(out, target)
        held = sorted(os.listdir(target)) if target.exists() else []
    if held and not _is_a_run(target / RUN):
        raise OutputError(
            f"{out} is not empty and holds no earlier run; name a new folder, or empty it"
        )
    others = [name for name in held if name not in (MEMBERSHIPS, RUN)]
    if others:
        raise OutputError(f"{out} holds {others[0]!r}, which no run wrote; move it elsewhere")
    return target


def _refuse_files(out: str | Path, target: Path) -> None:
    if target.is_symlink():
        raise OutputError(f"{out} cannot be written: it is a link to itself")
    for part in (target, *target.parents):
        if part.exists() and not part.is_dir():
            raise OutputError(f"{out} cannot be written: {part} is a file; name a folder")


def _is_a_run(path: Path) -> bool:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("format") == MARKER


@contextmanager
def _reported(out: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise OutputError(f"{out} cannot be written: {reason[:1].lower()}{reason[1:]}") from None
    except (pa.ArrowException, UnicodeError) as fault:
        raise OutputError(f"{out} cannot be written: {fault}") from None


def _write(folder: Path, memberships: Memberships, about: Mapping[str, Any]) -> None:
    told = {
        "format": MARKER,
        **about,
        "counts": memberships.counts(),
        "failed": {key: str(fault) for key, fault in memberships.failed.items()},
    }
    with open(folder / MEMBERSHIPS, "wb") as file:
        pq.write_table(memberships.to_arrow(), file)
        _settle(file.fileno(), file.flush)
    with open(folder / RUN, "w", encoding="utf-8") as text:
        text.write(json.dumps(told, indent=2) + "\n")
        _settle(text.fileno(), text.flush)
    _settle_folder(folder)


def _settle(number: int, flush: Any) -> None:
    flush()
    os.fsync(number)


def _settle_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot open folders
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _swap(fresh: Path, target: Path) -> None:
    old = fresh.with_suffix(".old")
    replaced = target.exists()
    if replaced:
        os.rename(target, old)
    try:
        os.rename(fresh, target)
    except OSError:
        if replaced:
            os.rename(old, target)
        raise
    _settle_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)
