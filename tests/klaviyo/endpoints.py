"""The endpoints of Klaviyo that have to do with lists, over an account in memory."""

import base64
import json
import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.klaviyo.account import (
    GIVEN,
    IDENTIFIERS,
    LOCATION,
    PLAIN,
    STAMPS,
    Account,
    Conflict,
    Json,
    Key,
    Members,
    between,
    piece,
    written,
)
from tests.klaviyo.faults import failing

_FIELDS = (
    *("id", *PLAIN, *STAMPS, "location", "properties", "joined_group_at"),
    *(f"location.{part}" for part in LOCATION),
)
_FILTER = re.compile(r"([a-z-]+)\(([\w.]+),((?:\[[^\]]*\]|\"[^\"]*\"|[^()\"\[\]])+)\)")


class Bad(Exception):
    """A request that is refused; the answer says why."""

    def __init__(self, status: int, detail: str) -> None:
        self.answer = failing(status, detail)


class Cursors:
    """Cursors of people, or of places, so that who leaves a list moves others."""

    def __init__(self, by_place: bool = False) -> None:
        self.by_place, self.era = by_place, 0

    def spelt(self, key: Key | int) -> str:
        return base64.urlsafe_b64encode(json.dumps([self.era, key]).encode()).decode()

    def place(self, cursor: str) -> Key | int:
        try:
            era, key = json.loads(base64.urlsafe_b64decode(cursor))
        except (ValueError, TypeError):
            era = None
        if era != self.era:
            raise Bad(400, "Invalid cursor provided.")
        return key if isinstance(key, int) else tuple(key)


class Asked:
    """A request with its parameters, and the documents that answer it."""

    def __init__(
        self, account: Account, cursors: Cursors, base: str, target: str, body: bytes
    ) -> None:
        self.account, self._cursors, self._base, self._target = account, cursors, base, target
        self._path = urlsplit(target).path.rstrip("/")
        self.query = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
        self._body = body
        self._wanted = self._asked_for()

    def allow(self, *names: str) -> None:
        for name in self.query.keys() - set(names):
            raise Bad(400, f"'{name}' is not a valid query parameter.")

    def data(self) -> Any:
        try:
            return json.loads(self._body)["data"]
        except (ValueError, KeyError, TypeError):
            raise Bad(400, "The request body is not valid.") from None

    def listed(self, list_id: str) -> Members:
        if (found := self.account.lists.get(list_id)) is None:
            raise Bad(404, f"A list with id {list_id} does not exist.")
        return found

    def profile(self, profile_id: str, joined: int | None = None) -> Json:
        attributes = self.account.attributes(profile_id, self._wanted)
        if joined is not None and "joined_group_at" in self._wanted:
            attributes["joined_group_at"] = written(joined)
        elif joined is None:
            attributes.pop("joined_group_at", None)
        return self._resource("profile", "profiles", profile_id, attributes)

    def listing(self, list_id: str) -> Json:
        found = self.account.lists[list_id]
        attributes = {"name": found.name, "created": found.created, "updated": found.created}
        attributes["opt_in_process"] = found.opt_in_process
        if asked := self.query.get("fields[list]"):
            attributes = {name: attributes[name] for name in _known(asked, attributes.keys())}
        return self._resource("list", "lists", list_id, attributes)

    def _asked_for(self) -> dict[str, list[str]]:
        """The fields of a profile that are asked for, of its location with the parts."""
        asked = self.query.get("fields[profile]")
        found: dict[str, list[str]] = {}
        for name in _known(asked, _FIELDS) if asked else _FIELDS:
            outer, _, inner = name.partition(".")
            if outer != "id":
                found.setdefault(outer, []).extend([inner] if inner else [])
        if found.get("location") == []:
            found["location"] = list(LOCATION)
        return found

    def _resource(self, kind: str, plural: str, its_id: str, attributes: Json) -> Json:
        links = {"self": f"{self._base}/api/{plural}/{its_id}/"}
        return {"type": kind, "id": its_id, "attributes": attributes, "links": links}

    def one(self, resource: Json) -> Json:
        return {"data": resource, "links": {"self": f"{self._base}{self._target}"}}

    def page(self, order: Sequence[Key], most: int, default: int) -> tuple[Sequence[Key], Json]:
        """A page of the keys, and the links beside it."""
        given = self.query.get("page[size]", str(default))
        if not given.isdecimal() or not 1 <= (size := int(given)) <= most:
            raise Bad(400, f"Page size must be an integer between 1 and {most}.")
        cursor = self.query.get("page[cursor]")
        after = self._cursors.place(cursor) if cursor is not None else None
        found, last = piece(order, after, size, self.query.get("sort", "").startswith("-"))
        following = None
        if last is not None:
            at = after if isinstance(after, int) else 0
            key = at + size if self._cursors.by_place else last
            query = {**self.query, "page[cursor]": self._cursors.spelt(key)}
            following = f"{self._base}{self._path}/?{urlencode(query)}"
        return found, {"self": f"{self._base}{self._target}", "next": following, "prev": None}

    def filters(self, allowed: dict[str, tuple[str, ...]]) -> list[tuple[str, str, str]]:
        """Operator, field and value of each part of the filter."""
        text = self.query.get("filter", "")
        text = text[4:-1] if text.startswith("and(") and text.endswith(")") else text
        found = _FILTER.findall(text)
        if ",".join(f"{one}({name},{value})" for one, name, value in found) != text:
            raise Bad(400, "The filter is not valid.")
        for operator, name, _ in found:
            if operator not in allowed.get(name, ()):
                raise Bad(400, f"'{operator}' is not an operator of the field '{name}'.")
        return found


def _known(asked: str, known: Collection[str]) -> list[str]:
    names = asked.split(",")
    for name in names:
        if name not in known:
            raise Bad(400, f"'{name}' is not a valid field.")
    return names


def _microseconds(text: str) -> int:
    try:
        since = datetime.fromisoformat(text.strip("\"'")) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, TypeError):
        raise Bad(400, "A datetime of the filter is not valid.") from None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _values(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        raise Bad(400, "A value of the filter is not valid.") from None
    return found if isinstance(found, list) else [found]


def _profiles(asked: Asked, found: list[tuple[str, str, str]]) -> set[str] | None:
    """The ids of those that are named by an identifier; None where nobody is."""
    named: set[str] | None = None
    for _, name, text in found:
        if name != "joined_group_at":
            known = (asked.account.known_by(name, value) for value in _values(text))
            ids = {one for one in known if one is not None}
            named = ids if named is None else named & ids
    return named


_SAME = ("equals", "any")
_MOMENTS = ("greater-or-equal", "greater-than", "less-or-equal", "less-than")
_PAGED = ("page[size]", "page[cursor]", "sort", "filter")
Reply = tuple[int, Json | None]


def get_members(asked: Asked, list_id: str, related: str) -> Reply:
    asked.allow(*_PAGED, "fields[profile]", "additional-fields[profile]")
    members = asked.listed(list_id)
    if asked.query.get("sort", "joined_group_at").lstrip("-") != "joined_group_at":
        raise Bad(400, "'sort' must be 'joined_group_at' or '-joined_group_at'.")
    known = {"email": _SAME, "phone_number": _SAME, "joined_group_at": _MOMENTS}
    found = asked.filters(known)
    moments = [(one, _microseconds(at)) for one, name, at in found if name == "joined_group_at"]
    order = between(members.order, moments)
    if (named := _profiles(asked, found)) is not None:
        order = [key for key in order if key[1] in named]
    keys, links = asked.page(order, 100, 20)
    if related:
        data = [{"type": "profile", "id": one} for _, one in keys]
    else:
        data = [asked.profile(one, at) for at, one in keys]
    return 200, {"data": data, "links": links}


def change_members(asked: Asked, list_id: str, *, adding: bool) -> Reply:
    asked.listed(list_id)
    ids = [one.get("id") for one in asked.data()]
    if len(ids) > 1_000:
        raise Bad(400, "At most 1000 profiles can be changed in one call.")
    for one in ids:
        if not asked.account.has_profile(one):
            raise Bad(404, f"A profile with id {one} does not exist.")
    (asked.account.add if adding else asked.account.remove)(list_id, ids)
    return 204, None


def add_members(asked: Asked, list_id: str) -> Reply:
    return change_members(asked, list_id, adding=True)


def remove_members(asked: Asked, list_id: str) -> Reply:
    return change_members(asked, list_id, adding=False)


def get_list(asked: Asked, list_id: str) -> Reply:
    asked.allow("fields[list]", "additional-fields[list]", "include")
    count = len(asked.listed(list_id).joined)
    found = asked.listing(list_id)
    if asked.query.get("additional-fields[list]") == "profile_count":
        found["attributes"]["profile_count"] = count
    return 200, asked.one(found)


def get_lists(asked: Asked) -> Reply:
    asked.allow(*_PAGED, "fields[list]", "include")
    lists = asked.account.lists
    for _, name, text in asked.filters({"name": _SAME, "id": _SAME}):
        values = _values(text)
        lists = {
            key: one for key, one in lists.items() if {"id": key, "name": one.name}[name] in values
        }
    keys, links = asked.page([(key,) for key in lists], 10, 10)
    return 200, {"data": [asked.listing(key) for (key,) in keys], "links": links}


def create_list(asked: Asked) -> Reply:
    given = asked.data().get("attributes", {})
    if not given.get("name"):
        raise Bad(400, "'name' is a required field.")
    list_id = asked.account.create_list(
        given["name"], given.get("opt_in_process") or "double_opt_in"
    )
    return 201, asked.one(asked.listing(list_id))


def delete_list(asked: Asked, list_id: str) -> Reply:
    asked.listed(list_id)
    del asked.account.lists[list_id]
    return 204, None


def get_profile(asked: Asked, profile_id: str) -> Reply:
    if not asked.account.has_profile(profile_id):
        raise Bad(404, f"A profile with id {profile_id} does not exist.")
    return 200, asked.one(asked.profile(profile_id))


def get_profiles(asked: Asked) -> Reply:
    asked.allow(*_PAGED, "fields[profile]", "additional-fields[profile]")
    order: Sequence[Key] = asked.account.profile_ids
    named = _profiles(asked, asked.filters(dict.fromkeys(("id", *IDENTIFIERS), _SAME)))
    if named is not None:
        order = sorted((one,) for one in named)
    keys, links = asked.page(order, 100, 20)
    return 200, {"data": [asked.profile(one) for (one,) in keys], "links": links}


def create_profile(asked: Asked) -> Reply:
    given = asked.data().get("attributes", {})
    if unknown := given.keys() - set(GIVEN):
        raise Bad(400, f"'{min(unknown)}' is not a valid field for the resource 'profile'.")
    if not any(given.get(key) for key in IDENTIFIERS):
        raise Bad(400, "One of email, phone_number, external_id is required.")
    try:
        profile_id = asked.account.create_profile(**given)
    except Conflict:
        raise Bad(409, "A profile already exists with one of these identifiers.") from None
    return 201, asked.one(asked.profile(profile_id))


ROUTES: list[tuple[str, str, Callable[..., Reply]]] = [
    ("GET", r"/api/lists/(\w+)/(relationships/)?profiles", get_members),
    ("POST", r"/api/lists/(\w+)/relationships/profiles", add_members),
    ("DELETE", r"/api/lists/(\w+)/relationships/profiles", remove_members),
    ("GET", r"/api/lists/(\w+)", get_list),
    ("DELETE", r"/api/lists/(\w+)", delete_list),
    ("GET", r"/api/lists", get_lists),
    ("POST", r"/api/lists", create_list),
    ("GET", r"/api/profiles/(\w+)", get_profile),
    ("GET", r"/api/profiles", get_profiles),
    ("POST", r"/api/profiles", create_profile),
]
