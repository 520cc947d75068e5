"""A bar for long work: on a terminal only, on stderr, and not before a second has passed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

AFTER = 1.0
"""Seconds; what takes less needs no bar."""


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function to call with the steps done and the steps there are; the bar goes at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
    task = bar.add_task(what, total=None)
    begun = bar.get_time()

    def step(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if console.is_terminal and bar.get_time() - begun >= AFTER:
            bar.start()

    try:
        yield step
    finally:
        if bar.live.is_started:
            bar.stop()
