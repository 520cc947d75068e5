"""How often Python looks for cycles of objects: seldom while we make many objects and no cycles.

Each look at all objects of a large program takes as long as a run over its audiences.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_ALLOCATED = 50_000
"""Objects made between two looks; Python's own number is 700."""


def look_seldom() -> None:
    """For processes of ours, as long as they live."""
    _, *older = gc.get_threshold()
    gc.set_threshold(_ALLOCATED, *older)


class _Inside:
    """How many are inside, and what there is to be put back by the last one who leaves."""

    def __init__(self) -> None:
        self._lock, self._count, self._before = Lock(), 0, gc.get_threshold()

    @contextmanager
    def seldom(self) -> Iterator[None]:
        """For other people's processes, until all have left; where it is off, it stays off."""
        with self._lock:
            if self._count == 0:
                self._before = often, *older = gc.get_threshold()
                gc.set_threshold(often and max(often, _ALLOCATED), *older)
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if self._count == 0:
                    gc.set_threshold(*self._before)


looking_seldom = _Inside().seldom
