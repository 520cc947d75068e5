"""Ids of what the store keeps: a word for the kind, and a ULID."""

import re
from typing import Any

from ulid import ULID

_ID = re.compile("[a-z]{3,4}_[0-9A-HJKMNP-TV-Z]{26}")


def new_id(kind: str, now: int) -> str:
    """A new id of an instant in microseconds; it sorts behind those of earlier milliseconds."""
    return f"{kind}_{ULID.from_timestamp(now / 1_000_000)}"


def is_id(id: Any) -> bool:
    """Whether something is spelt as an id; about what is not, no database need be asked."""
    return isinstance(id, str) and _ID.fullmatch(id) is not None
