"""Where choices come from: Hypothesis, or a plain `Random` where millions are wanted.

Everything here is written for `random.Random`. Under Hypothesis a `Drawn` stands in for it, so that
a failing example shrinks: whole numbers towards 0, choices towards the first of a list.
"""

from collections.abc import Callable, MutableSequence, Sequence
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

Item = TypeVar("Item")
Draw = Callable[[st.SearchStrategy[Any]], Any]

_GRAIN = 1 << 10
_SHARES = st.integers(0, _GRAIN - 1)


class Drawn(Random):
    """The methods of `Random` that are used here, on what Hypothesis draws.

    `st.randoms()` draws `random()` from floats, which are near 0 and 1 far too often.
    """

    def __init__(self, draw: Draw) -> None:
        super().__init__(0)
        self.draw = draw

    def __new__(cls, draw: Draw) -> "Drawn":
        """`Random` would take the argument for a seed."""
        return super().__new__(cls)

    def random(self) -> float:
        """From 0 to below 1, in steps fine enough for a share; simplest is almost 1.

        The numbers that Hypothesis favours, the first and the last two, are all near 1.
        """
        drawn: int = self.draw(_SHARES)
        return (drawn - 2) % _GRAIN / _GRAIN

    def randint(self, a: int, b: int) -> int:
        """From a to b, both included; simplest is the one nearest to 0."""
        drawn: int = self.draw(st.integers(a, b))
        return drawn

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """As Python's."""
        among = range(start) if stop is None else range(start, stop, step)
        return among[self.randint(0, len(among) - 1)]

    def choice(self, seq: Sequence[Item]) -> Item:  # type: ignore[override]
        """One of them; simplest is the first."""
        return seq[self.randint(0, len(seq) - 1)]

    def shuffle(self, x: MutableSequence[Any]) -> None:
        """Another order; simplest is the order as it is."""
        for at in range(len(x) - 1):
            other = self.randrange(at, len(x))
            x[at], x[other] = x[other], x[at]


def chance(random: Random, share: float) -> bool:
    """True that often; simplest is False."""
    return random.random() < share


def part(random: Random, make: Callable[[], Item]) -> Item:
    """What `make` gives; under Hypothesis a unit that can shrink to a part of itself."""
    if isinstance(random, Drawn):
        made: Item = random.draw(whole(make))
        return made
    return make()


@st.composite
def whole(draw: st.DrawFn, make: Callable[[], Item]) -> Item:
    """What `make` gives, as a strategy of its own."""
    return draw(st.just(make))()
