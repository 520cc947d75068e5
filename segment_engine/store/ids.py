"""Ids of what the store keeps: a word for the kind, and a ULID."""

import re
from base64 import b32encode
from collections.abc import Iterator
from secrets import token_bytes
from typing import Any

from ulid import ULID

_RANDOM = 10
"""Bytes of a ULID that are drawn by lot; the first six are its milliseconds."""
_DRAWN = 100 * _RANDOM
_CROCKFORD = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)
_ID = re.compile("[a-z]{3,4}_[0-9A-HJKMNP-TV-Z]{26}")


def new_id(kind: str, now: int) -> str:
    """A new id of an instant in microseconds; it sorts behind those of earlier milliseconds."""
    return f"{kind}_{ULID.from_timestamp(now / 1_000_000)}"


def new_ids(kind: str, now: int) -> Iterator[str]:
    """As many new ids of an instant as are wanted: as `new_id`, many times as fast."""
    milliseconds = (now // 1_000) << 80
    while True:
        for at in range(0, len(drawn := token_bytes(_DRAWN)), _RANDOM):
            whole = milliseconds | int.from_bytes(drawn[at : at + _RANDOM], "big")
            spelt = b32encode((whole << 30).to_bytes(20, "big"))[:26]
            yield f"{kind}_{spelt.translate(_CROCKFORD).decode()}"


def is_id(id: Any) -> bool:
    """Whether something is spelt as an id; about what is not, no database need be asked."""
    return isinstance(id, str) and _ID.fullmatch(id) is not None
