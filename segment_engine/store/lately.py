"""What a process keeps of organizations: of those that were asked for last."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")

KEPT = 16
"""Organizations of which something is kept."""


class Lately(Generic[Item]):
    """One item an organization; safe to share between threads."""

    def __init__(self, made: Callable[[str], Item]) -> None:
        """`made` gives the item of an organization that has none."""
        self._made, self._lock = made, Lock()
        self._held: OrderedDict[str, Item] = OrderedDict()

    def of(self, organization: str) -> Item:
        """That of one."""
        with self._lock:
            if organization not in self._held:
                self._held[organization] = self._made(organization)
            self._held.move_to_end(organization)
            while len(self._held) > KEPT:
                self._held.popitem(last=False)
            return self._held[organization]
