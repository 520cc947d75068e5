"""How often a process of ours looks for cycles of objects: seldom, as it makes many and no cycles.

A program that has segment_engine inside decides that for itself.
"""

import gc

_ALLOCATED = 50_000


def look_seldom() -> None:
    """Lets this process make so many objects between two looks; Python's own number is 700."""
    gc.set_threshold(_ALLOCATED)
