"""Timing of two things in turn, so that a noisy machine is noisy for both."""

import time
from collections.abc import Callable
from statistics import median


def in_turn(runs: int, *things: Callable[[], object]) -> list[float]:
    """The median seconds of each, over `runs` rounds in which each runs once."""
    seconds: list[list[float]] = [[] for _ in things]
    for _ in range(runs):
        for place, thing in enumerate(things):
            start = time.perf_counter()
            thing()
            seconds[place].append(time.perf_counter() - start)
    return [median(found) for found in seconds]
