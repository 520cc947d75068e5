"""The folder of runs: what may lie in it, and the lock of the one run that writes there.

OUT/.lock
OUT/ids/0000000000.parquet ...       ids in the order of their ordinals, see `ordinals`
OUT/generations/000007/...           a published run, see `generations`
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from segment_engine.batch.files import remove, reported, take
from segment_engine.batch.manifest import MANIFEST, is_manifest
from segment_engine.errors import OutputError

IDS, GENERATIONS, LOCK = "ids", "generations", ".lock"
PACK, INDEX, PREDICATES = "bitmaps.bin", "bitmaps.parquet", "predicates.parquet"
FILES = frozenset((MANIFEST, PACK, INDEX, PREDICATES))
EARLIER = frozenset(("memberships.parquet", "run.json"))
"""What versions before generations wrote."""

PIECE = re.compile(r"[0-9]{10}\.parquet")
NUMBER = re.compile(r"[0-9]{6,}")
LEFT_OVER = re.compile(r"\.[0-9]{6,}(?:\.parquet)?\.[0-9a-f]{8}\.new")


def folder_of(number: int) -> str:
    """The name of a generation's folder."""
    return f"{number:06}"


def check_target(out: str | Path) -> Path:
    """The folder that a run may write in or make, links followed; OutputError where it may not.

    It is new, empty, or holds nothing but what runs have written.
    """
    with reported(out):
        target = Path(os.path.realpath(out))
        if target == target.parent:
            raise OutputError(f"{out} is the root folder; name a folder in it")
        _refuse_files(out, target)
        if target.exists():
            _refuse_others(out, target)
    return target


def refuse_earlier(out: str | Path, target: Path) -> None:
    """Raises OutputError for a folder that a version before generations wrote."""
    if all((target / name).is_file() for name in EARLIER):
        raise OutputError(
            f"{out} holds a run as earlier versions wrote it (memberships.parquet and run.json), "
            "without generations; name a new folder, or remove the two files"
        )


def _refuse_files(out: str | Path, target: Path) -> None:
    if target.is_symlink():
        raise OutputError(f"{out} cannot be written: it is a link to itself")
    for part in (target, *target.parents):
        if part.exists() and not part.is_dir():
            raise OutputError(f"{out} cannot be written: {part} is a file; name a folder")


def _refuse_others(out: str | Path, target: Path) -> None:
    refuse_earlier(out, target)
    held = sorted(os.listdir(target))
    if held and not {IDS, GENERATIONS, LOCK} & set(held):
        raise OutputError(
            f"{out} is not empty and holds no earlier run; name a new folder, or empty it"
        )
    for path in _others(target, held):
        name = path.relative_to(target).as_posix()
        raise OutputError(f"{out} holds {name!r}, which no run wrote; move it elsewhere")


def _others(target: Path, held: list[str]) -> Iterator[Path]:
    """What no run has written, at any depth."""
    for name in held:
        if name not in (IDS, GENERATIONS, LOCK):
            yield target / name
    for folder, known in ((IDS, PIECE), (GENERATIONS, NUMBER)):
        for name in _names(target / folder):
            if not known.fullmatch(name) and not LEFT_OVER.fullmatch(name):
                yield target / folder / name
    for number in numbered(target):
        folder_ = target / GENERATIONS / folder_of(number)
        for name in _names(folder_):
            if name not in FILES or (name == MANIFEST and not is_manifest(folder_ / name)):
                yield folder_ / name


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


def numbered(target: Path) -> list[int]:
    """The numbers of all folders of generations, also of those of which only the pack is left."""
    names = _names(target / GENERATIONS)
    return sorted(int(name) for name in names if NUMBER.fullmatch(name))


def clear(target: Path) -> None:
    """Remove what runs that died have left."""
    for folder in (target / IDS, target / GENERATIONS):
        for name in _names(folder):
            if LEFT_OVER.fullmatch(name):
                remove(folder / name)


@contextmanager
def locked(out: str | Path) -> Iterator[Path]:
    """The checked folder, made where there is none, for one run alone; left-overs removed.

    Raises OutputError where another run has it. The system frees the lock of a process that
    died. A folder in which nothing was published is removed again, if this made it.
    """
    target = check_target(out)
    with reported(out):
        made = [part for part in (target, *target.parents) if not part.exists()]
        number = _locked(out, target)
    try:
        with reported(out):
            clear(target)
        yield target
    finally:
        if made and os.listdir(target) == [LOCK]:
            _unmake(target, made)
        os.close(number)


def _locked(out: str | Path, target: Path) -> int:
    """The number of the open lock; again where it was removed before it was taken."""
    while True:
        target.mkdir(parents=True, exist_ok=True)
        number = os.open(target / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            take(number, wait=False)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(number), os.stat(target / LOCK)):
                    return number
        except (BlockingIOError, PermissionError):
            os.close(number)
            raise OutputError(
                f"another run is writing in {out}; wait until it has ended, or name another folder"
            ) from None
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _unmake(target: Path, made: list[Path]) -> None:
    with suppress(OSError):
        (target / LOCK).unlink()
        for folder in made:
            folder.rmdir()
