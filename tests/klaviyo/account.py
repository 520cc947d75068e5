"""An account of Klaviyo in memory: lists, profiles, who joined which list when."""

import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
Key = tuple[Any, ...]

IDENTIFIERS = ("email", "phone_number", "external_id")
LOCATION = (
    *("address1", "address2", "city", "country", "latitude", "longitude", "region", "zip"),
    *("timezone", "ip"),
)
PLAIN = (*IDENTIFIERS, "first_name", "last_name", "organization", "locale", "title", "image")
STAMPS = ("created", "updated", "last_event_date")
GIVEN = (*PLAIN, "location", "properties")


class Conflict(Exception):
    """An identifier is another profile's, whose id this holds."""


@dataclass
class Members:
    """A list. `order` has (microseconds since 1970, id of the profile) of each, sorted."""

    name: str
    opt_in_process: str
    created: str
    joined: dict[str, int] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)

    def add(self, ids: Iterable[str], at: int) -> None:
        for one in ids:
            if one not in self.joined:
                self.joined[one] = at
                insort(self.order, (at, one))

    def remove(self, ids: Iterable[str]) -> None:
        for one in ids:
            if (at := self.joined.pop(one, None)) is not None:
                del self.order[bisect_left(self.order, (at, one))]


def _now() -> int:
    since = datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def written(at: int) -> str:
    seconds, rest = divmod(at, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).isoformat()


class Account:
    """Profiles are kept as JSON, which is a quarter of the size of dicts."""

    def __init__(self, now: Callable[[], int] = _now) -> None:
        self.now = now
        self.lists: dict[str, Members] = {}
        self.profile_ids: list[Key] = []
        self._profiles: dict[str, bytes] = {}
        self._known: dict[str, dict[str, str]] = {key: {} for key in IDENTIFIERS}

    def create_list(self, name: str, opt_in_process: str = "double_opt_in") -> str:
        list_id = f"L{len(self.lists):05d}"
        self.lists[list_id] = Members(name, opt_in_process, written(self.now()))
        return list_id

    def create_profile(self, **given: Any) -> str:
        """The new profile's id. Raises Conflict."""
        for key, known in self._known.items():
            if (found := known.get(given.get(key) or "")) is not None:
                raise Conflict(found)
        profile_id = f"01{len(self._profiles):024d}"
        for key, known in self._known.items():
            if given.get(key):
                known[given[key]] = profile_id
        at = written(self.now())
        kept = {key: value for key, value in given.items() if value is not None}
        self._profiles[profile_id] = json.dumps({**kept, "created": at, "updated": at}).encode()
        self.profile_ids.append((profile_id,))
        return profile_id

    def add(self, list_id: str, ids: Iterable[str], at: int | None = None) -> None:
        self.lists[list_id].add(ids, self.now() if at is None else at)

    def remove(self, list_id: str, ids: Iterable[str]) -> None:
        self.lists[list_id].remove(ids)

    def has_profile(self, profile_id: str) -> bool:
        return profile_id in self._profiles

    def known_by(self, key: str, value: str) -> str | None:
        if key == "id":
            return value if value in self._profiles else None
        return self._known[key].get(value)

    def attributes(self, profile_id: str, wanted: Mapping[str, Sequence[str]]) -> Json:
        """What is wanted of a profile, null where it has none; of a location some parts."""
        kept = json.loads(self._profiles[profile_id])
        found = {name: kept.get(name) for name in wanted}
        if parts := wanted.get("location"):
            location = kept.get("location") or {}
            found["location"] = {part: location.get(part) for part in parts}
        if "properties" in wanted:
            found["properties"] = kept.get("properties") or {}
        return found


def piece(
    order: Sequence[Key], after: Key | int | None, size: int, descending: bool = False
) -> tuple[Sequence[Key], Key | None]:
    """What follows a key or begins at a place, and the key behind which more is, if more is."""
    count = len(order)
    if isinstance(after, int):
        at = after
    elif after is None:
        at = 0
    else:
        at = count - bisect_left(order, after) if descending else bisect_right(order, after)
    if descending:
        found = order[max(count - at - size, 0) : max(count - at, 0)][::-1]
    else:
        found = order[at : at + size]
    return found, found[-1] if found and at + size < count else None


def between(order: Sequence[Key], bounds: Iterable[tuple[str, int]]) -> Sequence[Key]:
    """Those whose first number is within the bounds, such as ("greater-or-equal", 5)."""
    low, high = 0, len(order)
    for operator, at in bounds:
        match operator:
            case "greater-or-equal":
                low = max(low, bisect_left(order, (at,)))
            case "greater-than":
                low = max(low, bisect_left(order, (at + 1,)))
            case "less-or-equal":
                high = min(high, bisect_left(order, (at + 1,)))
            case "less-than":
                high = min(high, bisect_left(order, (at,)))
    return order if (low, high) == (0, len(order)) else order[low:high]


def filled(account: Account, profiles: int, name: str = "Newsletter") -> str:
    """The id of a new list of so many made up people, who joined a second after another."""
    list_id, start = account.create_list(name), 1_700_000_000_000_000
    for number in range(profiles):
        profile_id = account.create_profile(**made_up(number))
        account.add(list_id, [profile_id], start + number * 1_000_000)
    return list_id


def made_up(number: int) -> Mapping[str, Any]:
    return {
        "email": f"person{number}@example.com",
        "phone_number": f"+1206{number % 10_000_000:07d}" if number % 3 == 0 else None,
        "external_id": str(number) if number % 2 == 0 else None,
        "first_name": f"First{number % 997}",
        "last_name": f"Last{number % 1009}",
        "location": {"city": "Boston", "region": "MA", "country": "United States"},
        "properties": {"tier": ("gold", "silver")[number % 2], "points": number % 1_000},
    }
