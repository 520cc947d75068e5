"""The processes that a service consists of, as /proc tells."""

from collections.abc import Iterator
from pathlib import Path

WORKER, ANSWERS = "segment_engine.store.worker", "spawn_main"
"""What the command lines of the worker and of one of several that answer hold."""


def children(process: int) -> Iterator[int]:
    """The processes that a process has started, in any thread, theirs behind them."""
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, _text(thread).split()):
            yield child
            yield from children(child)


def called(process: int, word: str) -> list[int]:
    """Those among them whose command line holds the word."""
    return [one for one in children(process) if word in _text(Path(f"/proc/{one}/cmdline"))]


def lives(process: int) -> bool:
    """Whether there is such a process, and not just what is left of it."""
    told = _text(Path(f"/proc/{process}/stat"))
    return bool(told) and ") Z " not in told


def _text(file: Path) -> str:
    """What it says; nothing where the process has ended."""
    try:
        return file.read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
