"""Ids of what the store keeps: a word for the kind, and a ULID."""

import re
from collections.abc import Iterator
from secrets import token_bytes
from typing import Any

from ulid import ULID

_DRAWN = 16
"""Characters of a ULID that are drawn by lot; the ten before them are its milliseconds."""
_AT_ONCE = 1_000
_CROCKFORD = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ" * 8
_ID = re.compile("[a-z]{3,4}_[0-9A-HJKMNP-TV-Z]{26}")


def new_id(kind: str, now: int) -> str:
    """A new id of an instant in microseconds; it sorts behind those of earlier milliseconds."""
    return f"{kind}_{ULID.from_timestamp(now / 1_000_000)}"


def new_ids(kind: str, now: int) -> Iterator[str]:
    """As many new ids of an instant as are wanted: as `new_id`, many times as fast."""
    first = f"{kind}_{str(ULID.from_timestamp(now / 1_000_000))[:-_DRAWN]}"
    while True:
        # 32 divides 256: a byte by lot is a character by lot.
        drawn = token_bytes(_AT_ONCE * _DRAWN).translate(_CROCKFORD).decode()
        for at in range(0, len(drawn), _DRAWN):
            yield first + drawn[at : at + _DRAWN]


def is_id(id: Any) -> bool:
    """Whether something is spelt as an id; about what is not, no database need be asked."""
    return isinstance(id, str) and _ID.fullmatch(id) is not None
