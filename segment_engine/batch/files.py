"""Files that are whole or not there: written beside their place, made durable, then named."""

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa

from segment_engine.errors import OutputError

if sys.platform == "win32":
    import msvcrt

    def take(number: int, wait: bool) -> None:
        """Locks an open file for this process; OSError where another has it, after a while."""
        msvcrt.locking(number, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def take(number: int, wait: bool) -> None:
        """Locks an open file for this process; OSError where another has it, unless to wait."""
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@contextmanager
def reported(place: str | Path, done: str = "written") -> Iterator[None]:
    """Faults of the file system and of what writes become an OutputError that names the place."""
    try:
        yield
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise OutputError(f"{place} cannot be {done}: {reason[:1].lower()}{reason[1:]}") from None
    except (pa.ArrowException, pl.exceptions.PolarsError, UnicodeError) as fault:
        raise OutputError(f"{place} cannot be {done}: {fault}") from None


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A new name to write a file or a folder at, which takes the name `path` at the end.

    A file at `path` is replaced in one step. After an error nothing is left of the new one.
    """
    fresh = beside(path)
    try:
        yield fresh
        settle(fresh)
        os.replace(fresh, path)
        settle(path.parent)
    finally:
        remove(fresh)


def beside(path: Path) -> Path:
    """A name in the same folder that nobody has, told from others by its ending."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")


def settle(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder."""
    folder = path.is_dir()
    if folder and not hasattr(os, "O_DIRECTORY"):  # Windows cannot open folders
        return
    number = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def remove(path: Path) -> None:
    """Remove a file or a folder with all in it, where that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
