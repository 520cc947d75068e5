"""Lists of people in memory, in place of a vendor's."""

from collections.abc import Callable
from typing import Any

from segment_engine.syncing.source import Listed, Profile, Read, SourceGone


class Lists:
    """What a vendor has; called as a vendor is, it gives its `SyncSource`, which is itself."""

    def __init__(self, page: int = 2) -> None:
        """So many people are on a page."""
        self.page, self.lists, self.names = page, dict[str, dict[str, Profile]](), {}
        self.before: Callable[[int], Any] = lambda asked: None
        self.asked = 0
        self.opened: list[tuple[str, str]] = []

    def __call__(self, key: str, url: str) -> "Lists":
        self.opened.append((key, url))
        return self

    def put(self, list_id: str, *profiles: Profile) -> None:
        """People join a list, or are others now."""
        self.lists.setdefault(list_id, {}).update({one.id: one for one in profiles})

    def take(self, list_id: str, *ids: str) -> None:
        """People leave a list."""
        for one in ids:
            del self.lists[list_id][one]

    def find(self, list_id: str) -> Listed:
        if list_id not in self.lists:
            raise SourceGone("no such list")
        return Listed(list_id, self.names.get(list_id, f"List {list_id}"), {"optInProcess": "x"})

    def read(
        self, list_id: str, cursor: str | None = None, joined_since: int | None = None
    ) -> Read:
        """Pages by the place of the last one, which a cursor is."""
        self.asked += 1
        self.before(self.asked)
        since = joined_since or 0
        people = [one for one in self.lists[list_id].values() if (one.joined_at or 0) >= since]
        start = int(cursor or 0)
        page = people[start : start + self.page]
        behind = start + self.page
        return Read(page, str(behind) if behind < len(people) else None)

    def close(self) -> None: ...


def person(id: str, **told: Any) -> Profile:
    """A profile of whom that is known."""
    blank: dict[str, Any] = dict.fromkeys(("external_id", "email", "phone", "full_name"))
    return Profile(**{**blank, "id": id, "joined_at": 0, "data": {"title": id}, **told})
