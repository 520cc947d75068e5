"""Rows of files as the API would give them: what cells and lines of JSON say, by the API's keys."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from segment_engine.errors import Problem
from segment_engine.store import exact_json
from segment_engine.store.identity import FRACTION_DIGITS, KEYS, written
from segment_engine.values.isotime import format_instant, instant_of

METADATA, PATH = "metadata", "metadata."

Row = tuple[Mapping[str, Any], list[Problem]]
"""A row as the API would give it, and what cannot be."""

Names = Mapping[str, str]
"""The API's keys by the names that a file has for them."""


def names(external_id: str) -> Names:
    """Those of a file that calls external ids so."""
    own = {one: one for one in KEYS if one not in ("id", "externalId", METADATA)}
    return {**own, external_id: "externalId"}


def is_metadata(name: str, names: Names) -> bool:
    """Whether what is called so is metadata, or one key of it."""
    return name not in names and (name == METADATA or name.startswith(PATH))


def row_of(given: Mapping[str, Any], names: Names) -> Row:
    """What a row gives; what is empty it leaves, and what is called otherwise is left out."""
    row: dict[str, Any] = {}
    for name, key in names.items():
        value = given.get(name)
        if value is not None and key in _CONVERTED:
            value = _CONVERTED[key](value)
        if value is not None and value != "":
            row[key] = value
    try:
        metadata = _metadata(given, names)
    except (ValueError, RecursionError):
        return row, [Problem(METADATA, "it is no JSON")]
    if metadata is not None:
        row[METADATA] = metadata
    return row, []


def metadata_of(given: Mapping[str, Any], names: Names) -> str | None:
    """Metadata that a row gives, as it is kept. Raises ValueError or RecursionError."""
    return kept(_metadata(given, names))


def kept(metadata: Any) -> str | None:
    """A patch of metadata as it is kept where there is none yet, as `metadata_of`."""
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        raise ValueError("it is no object")
    return written({key: one for key, one in metadata.items() if one is not None})


def in_iso(cells: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """The cells of a row, days and instants in metadata as texts: JSON has no others."""
    return {name: one if name in names else _in_iso(one) for name, one in cells.items()}


def _in_iso(value: Any) -> Any:
    match value:
        case datetime():
            instant = instant_of(value)
            return None if instant is None else format_instant(instant)
        case date():
            return value.isoformat()
        case Mapping():
            return {key: _in_iso(one) for key, one in value.items()}
        case list():
            return [_in_iso(one) for one in value]
    return value


def _metadata(given: Mapping[str, Any], names: Names) -> Any:
    """A patch of metadata, its own cell and those of its keys together, or what is none."""
    cell = given.get(METADATA) if METADATA not in names else None
    metadata = exact_json.loads(cell) if isinstance(cell, str) and cell else cell or None
    beside = {
        name[len(PATH) :]: one
        for name, one in given.items()
        if name.startswith(PATH) and name not in names and one is not None and one != ""
    }
    return {**(metadata or {}), **beside} if beside and _is_patch(metadata) else metadata


def _is_patch(metadata: Any) -> bool:
    return metadata is None or isinstance(metadata, Mapping)


def _as_text(given: Any) -> Any:
    """Numbers that name somebody; a file may hold them as numbers."""
    return str(given) if type(given) is int else given


def _as_number(given: Any) -> Any:
    """A double without the noise behind its digits; one that is no number is missing."""
    if type(given) is not float:
        return given
    return round(given, FRACTION_DIGITS) if math.isfinite(given) else None


def _as_instant(given: Any) -> Any:
    """A time without a zone is UTC."""
    naive = isinstance(given, datetime) and given.tzinfo is None
    return given.replace(tzinfo=UTC) if naive else given


_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "externalId": _as_text,
    "phone": _as_text,
    "totalOrders": _as_number,
    "totalOrderValue": _as_number,
    "lastOrderAt": _as_instant,
    "createdAt": _as_instant,
}
