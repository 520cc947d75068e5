"""What the name of a column tells: a name for its field, and whether it holds money."""

import re
from collections.abc import Collection
from itertools import pairwise

from segment_engine.values.paths import WORD

LONGEST = 64

_PART = re.compile(r"[^\W_]+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[\W_]+")
_MONEY = re.compile(
    "amounts?|balance|costs?|earnings|fees?|gmv|income|ltv|money|paid|payments?|prices?|refunds?"
    "|revenue|sales|spend|spending|spent|turnover|(orders?|lifetime|cart|basket|customer) value"
)
_NO_MONEY = re.compile(
    "at|cents|count|date|days?|id|latitude|longitude|minor|number|percent|percentage|pct|points"
    "|qty|quantity|rank|rate|ratio|score|share|weight"
)
_LABEL = re.compile(
    "code|ean|ids?|isbn|number|nr|phone|mobile|tel|telephone|postcode|postal|plz|zip|sku"
)


def words_of(name: str) -> list[str]:
    """The words in a name, in lower case: of `totalOrderValue`, total, order and value."""
    return [word.lower() for word in _HUMPS.split(name) if word]


def tells_money(name: str) -> str | None:
    """The words of the name for which it seems to hold money, or None."""
    words = words_of(name)
    if tells_no_money(name):
        return None
    pairs = (" ".join(pair) for pair in pairwise(words))
    return next(filter(_MONEY.fullmatch, [*words, *pairs]), None)


def tells_no_money(name: str) -> bool:
    """Whether the name says that it counts or measures something else than money."""
    return any(map(_NO_MONEY.fullmatch, words_of(name)))


def tells_label(name: str) -> str | None:
    """The word of the name for which its digits seem to be a label, as a postcode is, or None."""
    return next(filter(_LABEL.fullmatch, reversed(words_of(name))), None)


def field_name(column: str, taken: Collection[str], position: int) -> str:
    """A name for the column's field that no other has: its own where that is a word.

    A reserved word stays; rules write it in backticks. Of any other the words are joined:
    `Total spend ($)` is called `totalSpend`. `position` counts columns from 1.
    """
    name = column if WORD.fullmatch(column) and len(column) <= LONGEST else _joined(column)
    return unused(name or f"column{position}", taken)


def unused(name: str, taken: Collection[str]) -> str:
    """The name, numbered where it is taken."""
    tried, number = name, 2
    while tried in taken:
        tried, number = f"{name}{number}", number + 1
    return tried


def _joined(column: str) -> str:
    first, *rest = _PART.findall(column) or [""]
    head = first.lower() if first.isupper() else first[:1].lower() + first[1:]
    name = "".join([head, *(part[:1].upper() + part[1:] for part in rest)])[:LONGEST]
    if name and not WORD.fullmatch(name):
        name = f"column{name[:1].upper()}{name[1:]}"
    return name if WORD.fullmatch(name) else ""
