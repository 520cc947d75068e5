"""Names that a misspelt one may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """At most `most` of the known names, the likeliest first; case and `_` count little."""
    by_key: dict[str, str] = {}
    for candidate in known:
        by_key.setdefault(_key(candidate), candidate)
    close = get_close_matches(_key(name[:100]), by_key, n=most, cutoff=0.7)
    if close and close[0] == _key(name):
        close = close[:1]
    return tuple(by_key[key] for key in close)


def _key(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "")
