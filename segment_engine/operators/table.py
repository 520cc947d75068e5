"""All rows of all families, by name."""

import copyreg

from segment_engine.operators import (
    arithmetic,
    audiences,
    comparison,
    lists,
    logic,
    presence,
    texts,
    times,
)
from segment_engine.operators.row import Operator, Shape

TABLE: dict[str, Operator] = {
    row.name: row
    for family in (logic, comparison, presence, texts, lists, times, arithmetic, audiences)
    for row in family.ROWS
}


def operator(name: str) -> Operator:
    """The row called `name`; KeyError where there is none."""
    return TABLE[name]


def of_shape(*shapes: Shape) -> list[Operator]:
    """The rows written in one of these shapes, in table order."""
    return [row for row in TABLE.values() if row.shape in shapes]


def spelled(*shapes: Shape) -> dict[str, tuple[Operator, bool]]:
    """Each spelling of those shapes, with its row and whether it negates it."""
    return {
        word: (row, negated)
        for row in of_shape(*shapes)
        for negated, words in ((False, row.words), (True, row.negated))
        for word in words
    }


copyreg.pickle(Operator, lambda row: (operator, (row.name,)))
