"""Klaviyo's lists, as its API of the revision 2026-10-15 gives them.

| of a profile in Klaviyo | of a `Profile` |
| --- | --- |
| `id` | `id` |
| `external_id`, `email`, `phone_number` | `external_id`, `email`, `phone`; blank ones are None |
| `first_name`, `last_name` | `full_name`, with a blank between |
| `joined_group_at` | `joined_at` |
| `title`, `organization`, `locale` | the same in `data` |
| `location` | `location` in `data`: `city`, `region`, `country`, `zip` |
| `properties` | `properties` in `data` |

What is null is not in `data`, nor what a consumer's metadata cannot hold: texts with NUL, nesting
beyond 10 levels, more than 100 digits in a row. `data` has at most 8 KB as JSON: properties are
taken in the order of their names, each where it still fits. `leftOut` tells how many values are
not there. Nothing else of a profile is asked for, such as its street.

The key needs the scopes `lists:read` and `profiles:read`. Klaviyo allows 75 questions a second and
700 a minute to an account; 600 a minute are asked.
"""

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from segment_engine.syncing.asking import Asking, Misshapen, Sleep
from segment_engine.syncing.source import (
    CursorGone,
    Json,
    Listed,
    Profile,
    Read,
    SourceGone,
    SyncFault,
)
from segment_engine.values.isotime import SECOND, format_instant, parse_iso

URL = "https://a.klaviyo.com"
REVISION = "2026-10-15"
PAGE = 100
MOST_DATA, MOST_DEPTH, MOST_DIGITS = 8 * 1024, 10, 100

_TEXTS = ("title", "organization", "locale")
_PLACE = ("city", "region", "country", "zip")
_FIELDS = (
    *("external_id", "email", "phone_number", "first_name", "last_name", "joined_group_at"),
    *_TEXTS,
    *(f"location.{part}" for part in _PLACE),
    "properties",
)
_LIST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(r"[!-~]{1,200}")
_UNHELD = re.compile(rf"(?<!\\)(?:\\\\)*\\u0000|[\ud800-\udfff]|[0-9]{{{MOST_DIGITS + 1}}}")
"""NUL, half a pair of surrogates, a number that is too long; in JSON."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)

_REFUSED = "Klaviyo refuses the key: it is a private one with the scopes lists:read, profiles:read"


class KlaviyoLists:
    """The lists of the account that a private key is of; a `SyncSource`."""

    def __init__(
        self,
        key: str,
        url: str = URL,
        *,
        deadline_s: float = 90.0,
        per_minute: float = 600.0,
        sleep: Sleep = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`deadline_s` is for each call as a whole, however often it has to ask.

        Raises SyncFault for what can be no key, and for a `url` that is neither HTTPS nor here.
        """
        if not _KEY.fullmatch(key):
            raise SyncFault(_REFUSED)
        self._url = url.rstrip("/")
        headers = {
            "authorization": f"Klaviyo-API-Key {key}",
            "revision": REVISION,
            "accept": "application/vnd.api+json",
        }
        self._asking = Asking(
            "Klaviyo",
            self._url,
            headers,
            {401: SyncFault(_REFUSED), 403: SyncFault(_REFUSED)},
            deadline_s=deadline_s,
            per_minute=per_minute,
            sleep=sleep,
            clock=clock,
        )

    def find(self, list_id: str) -> Listed:
        """The list; `data` has what there is of `created`, `updated` and `optInProcess`."""
        return self._asking.ask(self._link(list_id), _listed, {404: _gone()})

    def read(
        self, list_id: str, cursor: str | None = None, joined_since: int | None = None
    ) -> Read:
        """A page of at most 100 people, as `SyncSource.read` says; a cursor is Klaviyo's link."""
        faults: dict[int, SyncFault] = {404: _gone()}
        if cursor is None:
            link = f"{self._link(list_id)}/profiles?{_query(joined_since)}"
        else:
            link = cursor
            faults[400] = CursorGone("Klaviyo no longer takes the cursor", temporary=True)
        return self._asking.ask(link, lambda document: self._page(document, link), faults)

    def close(self) -> None:
        self._asking.close()

    def _link(self, list_id: str) -> str:
        if not _LIST_ID.fullmatch(list_id):
            raise _gone()
        return f"{self._url}/api/lists/{list_id}"

    def _page(self, document: Json, link: str) -> Read:
        given = _object(document, "it")
        data = given.get("data")
        if not isinstance(data, list):
            raise Misshapen("data is no list")
        links = _object(given.get("links"), "links")
        if _text(links, "self", "links") is None:  # else anything would be the end of a list
            raise Misshapen("links.self is none")
        following = _text(links, "next", "links")
        if following == link:
            raise Misshapen("links.next is the page itself")
        return Read([_profile(one, f"data.{at}") for at, one in enumerate(data)], following)


def _gone() -> SourceGone:
    return SourceGone("Klaviyo has no such list")


def _query(joined_since: int | None) -> str:
    asked = {"page[size]": PAGE, "sort": "joined_group_at", "fields[profile]": ",".join(_FIELDS)}
    if joined_since is not None:
        # Klaviyo tells the second in which somebody joined.
        since = format_instant(joined_since // SECOND * SECOND)
        asked["filter"] = f"greater-or-equal(joined_group_at,{since})"
    return urlencode(asked)


def _listed(document: Json) -> Listed:
    given = _object(_object(document, "it").get("data"), "data")
    told = _object(given.get("attributes"), "data.attributes")
    named = {"created": "created", "updated": "updated", "opt_in_process": "optInProcess"}
    found = {ours: _text(told, theirs, "data.attributes") for theirs, ours in named.items()}
    list_id = _id(given, "data")
    data = {key: text for key, text in found.items() if text}
    return Listed(list_id, _text(told, "name", "data.attributes") or list_id, data)


def _profile(given: Json, place: str) -> Profile:
    given = _object(given, place)
    inside = f"{place}.attributes"
    told = _object(given.get("attributes"), inside)
    names = (_text(told, key, inside) for key in ("first_name", "last_name"))
    return Profile(
        id=_id(given, place),
        external_id=_text(told, "external_id", inside),
        email=_text(told, "email", inside),
        phone=_text(told, "phone_number", inside),
        full_name=" ".join(name.strip() for name in names if name) or None,
        joined_at=_instant(told, inside),
        data=_data(told, inside),
    )


def _instant(told: Mapping[str, Json], place: str) -> int | None:
    text = _text(told, "joined_group_at", place)
    if text is None:
        return None
    if not isinstance(found := parse_iso(text), int):
        raise Misshapen(f"{place}.joined_group_at is no instant")
    return found


def _data(told: Mapping[str, Json], place: str) -> dict[str, Json]:
    where = _object(told.get("location") or {}, f"{place}.location")
    properties = _object(told.get("properties") or {}, f"{place}.properties")
    located = {part: _text(where, part, f"{place}.location") for part in _PLACE}
    data = _there(
        {
            **{key: _text(told, key, place) for key in _TEXTS},
            "location": _there(located) or None,
            "properties": _there(properties) or None,
        }
    )
    return data if _size(data) <= MOST_DATA else _cut(data)


def _there(values: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in values.items() if value is not None}


def _cut(data: Mapping[str, Json]) -> dict[str, Json]:
    """What of it metadata can hold and there is room for, and how much is left out."""
    properties = sorted(data.get("properties", {}).items())
    others = [(key, value) for key, value in data.items() if key != "properties"]
    room, left_out = MOST_DATA - _size({"properties": {}, "leftOut": MOST_DATA}), 0
    kept: list[dict[str, Json]] = []
    for pairs in (others, properties):
        kept.append({})
        for key, value in pairs:
            if (size := _size({key: value})) > room:
                left_out += 1
            else:
                kept[-1][key], room = value, room - size
    return _there({**kept[0], "properties": kept[1] or None, "leftOut": left_out or None})


def _size(value: Json) -> float:
    """In bytes as JSON; infinite where metadata cannot hold it."""
    try:
        text = _ENCODER.encode(value)
    except RecursionError:
        return math.inf
    many = text.count("{") + text.count("[") > MOST_DEPTH
    if _UNHELD.search(text) or (many and _is_deeper(value, MOST_DEPTH)):
        return math.inf
    return len(text.encode())


def _is_deeper(value: Json, levels: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value
    deeper = (one for one in inside if isinstance(one, dict | list))
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in deeper)


def _id(given: Mapping[str, Json], place: str) -> str:
    found = _text(given, "id", place)
    if found is None:
        raise Misshapen(f"{place}.id is none")
    return found


def _text(given: Mapping[str, Json], key: str, place: str) -> str | None:
    """The text at a key; None for a blank one."""
    found = given.get(key)
    if found is not None and not isinstance(found, str):
        raise Misshapen(f"{place}.{key} is no text")
    return found if found and not found.isspace() else None


def _object(given: Any, place: str) -> dict[str, Json]:
    if not isinstance(given, dict):
        raise Misshapen(f"{place} is no object")
    return given
