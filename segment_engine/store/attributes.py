"""What an audience says of itself beside its rule and its members, checked."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from segment_engine.errors import Problem
from segment_engine.store.exact_json import dumps
from segment_engine.store.problems import refuse

DYNAMIC, STATIC, SYNCED_LIST = TYPES = ("DYNAMIC", "STATIC", "SYNCED_LIST")
_ALSO = {"STATIC_LIST": STATIC}

MOST_NAME = 255
MOST_DESCRIPTION = 5_000
MOST_ICON = 255
MOST_METADATA = 64 * 1024
LEAST_INTERVAL, MOST_INTERVAL = 60, 366 * 86_400

_UNSPEAKABLE = re.compile("[\x00\ud800-\udfff]")


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes as they are kept, by the keys that they are given under.

    Keys are `name`, `type`, `description`, `icon_name`, `metadata`, `refresh_interval` (seconds)
    and `archived`. Raises Invalid with all that is wrong.
    """
    kept, problems = {}, []
    for key, value in given.items():
        name, check = _CHECKS.get(key, (key, _unknown))
        try:
            kept[key] = check(value)
        except ValueError as fault:
            problems.append(Problem(name, str(fault)))
    refuse(problems)
    return kept


def name_of(value: Any) -> str:
    """A name without the blanks around it. Raises ValueError."""
    if not isinstance(value, str):
        raise ValueError("a name is a text")
    name = _speakable(value).strip()
    if not 1 <= len(name) <= MOST_NAME:
        raise ValueError(f"a name has 1 to {MOST_NAME} characters")
    return name


def icon_of(value: Any) -> str | None:
    """The name of an icon, or None. Raises ValueError."""
    return _optional(value, MOST_ICON)


def _description(value: Any) -> str | None:
    return _optional(value, MOST_DESCRIPTION)


def _optional(value: Any, most: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("it is a text")
    if len(value) > most:
        raise ValueError(f"it has at most {most:,} characters")
    return _speakable(value)


def is_speakable(text: str) -> bool:
    """Whether both databases can keep the text."""
    return _UNSPEAKABLE.search(text) is None


def _speakable(text: str) -> str:
    if not is_speakable(text):
        raise ValueError("a text holds no NUL and no lone surrogate")
    return text


def type_of(value: Any) -> str:
    """The type of an audience by any of its names. Raises ValueError."""
    found = _ALSO.get(value, value) if isinstance(value, str) else value
    if found not in TYPES:
        raise ValueError(f"a type is one of {', '.join(TYPES)}")
    return str(found)


def _metadata(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError("metadata is an object")
    if len(dumps(value).encode()) > MOST_METADATA:
        raise ValueError(f"metadata has at most {MOST_METADATA // 1024} KB as JSON")
    return dict(value)


def _refresh_interval(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("it is a whole number of seconds")
    if not LEAST_INTERVAL <= value <= MOST_INTERVAL:
        raise ValueError(f"it is {LEAST_INTERVAL} to {MOST_INTERVAL:,} seconds")
    return value


def _archived(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it is true or false")
    return value


def _unknown(_: Any) -> Any:
    raise ValueError("an audience has no such attribute")


_CHECKS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", name_of),
    "type": ("type", type_of),
    "description": ("description", _description),
    "icon_name": ("iconName", icon_of),
    "metadata": ("metadata", _metadata),
    "refresh_interval": ("refreshIntervalSeconds", _refresh_interval),
    "archived": ("archived", _archived),
}
"""By key, the name in the API and what checks it."""
