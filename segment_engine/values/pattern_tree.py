"""The tree of a pattern in postfix order, and sets of code points as sorted ranges."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Final, TypeVar

Ranges = tuple[tuple[int, int], ...]
LAST: Final = 0x10FFFF
WORD: Final[Ranges] = ((48, 57), (65, 90), (95, 95), (97, 122))
_T = TypeVar("_T")


class Place(Enum):
    """What a pattern can ask of a position in the text."""

    START = r"\A"
    END = r"\z"
    BOUNDARY = r"\b"


@dataclass(frozen=True, slots=True)
class Chars:
    """One code point out of sorted, separate, inclusive ranges."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """The last `count` parts, one after the other."""

    count: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of the last `count` parts."""

    count: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """The last part, `low` to `high` times; None is without end."""

    low: int
    high: int | None


# Trees are kept in postfix order: a walk is a loop over a stack, however deep the pattern.
Node = Chars | Place | Sequence | Choice | Repeat


def united(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Returns the code points of `ranges`, overlapping or not, as sorted separate ranges."""
    union: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if union and low <= union[-1][1] + 1:
            union[-1] = union[-1][0], max(high, union[-1][1])
        else:
            union.append((low, high))
    return tuple(union)


def complement(ranges: Ranges) -> Ranges:
    """Returns every other code point."""
    edges = [(-1, -1), *ranges, (LAST + 1, LAST + 1)]
    gaps = ((before[1] + 1, after[0] - 1) for before, after in pairwise(edges))
    return tuple((low, high) for low, high in gaps if low <= high)


def contains(ranges: Ranges, code: int) -> bool:
    """Returns whether the code point is in the ranges."""
    at = bisect_right(ranges, (code, LAST)) - 1
    return at >= 0 and code <= ranges[at][1]


def take(stack: list[_T], count: int) -> list[_T]:
    """Removes and returns the last `count` items of `stack`, in their order."""
    at = len(stack) - count
    taken = stack[at:]
    del stack[at:]
    return taken
