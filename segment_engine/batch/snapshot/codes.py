"""Predicates about an encoded value: sets of codes, and those as logic over its bits."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, TypeGuard

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from segment_engine.backends.polars_expr import constants, to_polars
from segment_engine.backends.reading import Reading, Value
from segment_engine.batch.graph import FALSE, TRUE, Graph, Signed, negated
from segment_engine.batch.snapshot.encoding import Encoded
from segment_engine.expression.nodes import Call, Expr
from segment_engine.operators.row import Operator
from segment_engine.operators.table import operator

Spans = list[tuple[int, int]]
"""Half-open spans of places among the distinct values, ascending."""

MOST_SPANS = 16
"""A predicate of more spans is asked consumer by consumer."""

DIGIT = 5
"""Bits of a code that are compared with a threshold's at once."""

_EQ, _IN, _EXISTS = (operator(name) for name in ("eq", "in", "exists"))
_SPANNING: dict[Operator, Callable[[list[int], list[int], int], Spans]] = {
    _EQ: lambda left, right, size: list(zip(left, right, strict=True)),
    operator("lt"): lambda left, right, size: [(0, left[0])],
    operator("le"): lambda left, right, size: [(0, right[0])],
    operator("gt"): lambda left, right, size: [(right[0], size)],
    operator("ge"): lambda left, right, size: [(left[0], size)],
    operator("in_range"): lambda left, right, size: [(left[0], right[1])],
    _IN: lambda left, right, size: _merged(zip(left, right, strict=True)),
    _EXISTS: lambda left, right, size: [(0, size)],
}


class Questions:
    """Predicates about one value, ready to be asked of tile after tile.

    They are given by their numbers, reading the one column `name`.
    """

    def __init__(self, name: str, asked: Sequence[tuple[int, Expr]]) -> None:
        self.name = name
        self._simple = [(number, one) for number, one in asked if _is_simple(one)]
        self.predicates = dict(asked)
        self._others = [number for number, one in asked if not _is_simple(one)]
        values = [part for _, one in self._simple for part in _values(one)]
        self._constants = [_listed(part) for part in values]
        self._physical = {part.physical for part in values}

    def spans(self, distinct: pl.Series) -> Iterator[tuple[int, Spans, bool]]:
        """The distinct values for which each is true, and whether it is of the missing one."""
        given = self._given(distinct.dtype)
        if given is not None:
            yield from self._searched(distinct, given)
        others = self._others if given is not None else list(self.predicates)
        if others:
            for number, truths in self._truths(others, distinct.extend_constant(None, 1)):
                yield number, _runs(truths[:-1]), bool(truths[-1])

    def elements(self, distinct: pl.Series) -> Iterator[tuple[int, list[int], bool, bool]]:
        """The places of the elements for which each is true, and whether of none and of missing.

        Nothing that is asked of a list depends on more than one of its elements.
        """
        alone: Any = pa.LargeListArray.from_arrays(range(len(distinct) + 1), distinct.to_arrow())
        lists = pl.Series(alone, dtype=pl.List(distinct.dtype))
        every = pl.concat([lists, pl.Series([[], None], dtype=lists.dtype)])
        for number, truths in self._truths(list(self.predicates), every):
            *_, of_none, of_missing = truths.tolist()
            yield number, np.flatnonzero(truths[:-2]).tolist(), of_none, of_missing

    def _truths(
        self, numbers: Sequence[int], values: pl.Series
    ) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """For which of the values each predicate is true."""
        asked = [to_polars(self.predicates[number]).alias(str(number)) for number in numbers]
        frame = pl.DataFrame({self.name: values})
        for one in frame.select(asked):
            truths = one if len(one) == len(frame) else one.new_from_index(0, len(frame))
            yield int(one.name), truths.fill_null(False).to_numpy()

    def _given(self, dtype: pl.DataType) -> pl.Series | None:
        """The constants; None where they are not of the values' own type, as they should be."""
        if len(self._physical) > 1:
            return None
        flat = [value for values in self._constants for value in values]
        given = constants(flat, *self._physical) if flat else pl.Series([], dtype=dtype)
        return given if given.dtype == dtype else None

    def _searched(self, distinct: pl.Series, given: pl.Series) -> Iterator[tuple[int, Spans, bool]]:
        ordered = pl.lit(distinct)
        found = pl.select(
            left=ordered.search_sorted(given, side="left"),
            right=ordered.search_sorted(given, side="right"),
        )
        left, right = (column.to_list() for column in found)
        at = 0
        for number, one in self._simple:
            end = at + sum(len(_listed(part)) for part in _values(one))
            spans = _SPANNING[one.op](left[at:end], right[at:end], len(distinct))
            yield number, [(low, high) for low, high in spans if low < high], False
            at = end


class Codes:
    """The codes of one value in a graph: what was compared once is not built again."""

    def __init__(self, encoded: Encoded, rows: Sequence[Signed], graph: Graph) -> None:
        """`rows` are the nodes of the encoded bits."""
        self._rows, self._graph = rows, graph
        self._size = len(encoded.distinct)
        self._above = cache(self._above_steps if encoded.kind == "steps" else self._above_slices)
        self._greater = cache(self._greater_digit)

    def within(self, spans: Spans) -> Signed:
        """The consumers whose value is in one of the spans."""
        parts = [
            self._graph.both(self._above(low), negated(self._above(high))) for low, high in spans
        ]
        return self._graph.any_of(parts) if len(parts) != 1 else parts[0]

    def present(self) -> Signed:
        """The consumers that have a value."""
        return self._above(0)

    def _above_steps(self, code: int) -> Signed:
        """The consumers with a greater code."""
        if code == self._size:
            return FALSE
        everyone = self._rows[self._size - 1]
        return self._graph.both(everyone, negated(self._rows[code - 1])) if code else everyone

    def _above_slices(self, code: int) -> Signed:
        """Digit by digit, the lowest first: many codes have few digits between them."""
        if code == self._size:
            return FALSE
        found = FALSE
        for at in range(0, len(self._rows), DIGIT):
            digit = code >> at & (1 << DIGIT) - 1
            not_less = self._greater(digit - 1, at) if digit else TRUE
            same_and_found = self._graph.both(not_less, found)
            found = self._graph.either(self._greater(digit, at), same_and_found)
        return found

    def _greater_digit(self, digit: int, at: int) -> Signed:
        found = FALSE
        for place, row in enumerate(self._rows[at : at + DIGIT]):
            join = self._graph.both if digit >> place & 1 else self._graph.either
            found = join(row, found)
        return found


def _is_simple(predicate: Expr) -> TypeGuard[Call]:
    """Whether it compares the value itself with constants."""
    if not isinstance(predicate, Call) or predicate.op not in _SPANNING:
        return False
    value, *others = predicate.args
    return isinstance(value, Reading) and all(
        isinstance(one, Value) and one.physical is not None for one in others
    )


def _values(predicate: Call) -> list[Value]:
    return [part for part in predicate.args if isinstance(part, Value)]


def _listed(part: Value) -> tuple[Any, ...]:
    return part.value if isinstance(part.value, tuple) else (part.value,)


def _merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """Spans of single values that may be neighbours, or the same."""
    found: Spans = []
    for low, high in sorted(spans):
        if found and found[-1][1] >= low:
            found[-1] = found[-1][0], max(high, found[-1][1])
        elif low < high:
            found.append((low, high))
    return found


def _runs(truths: NDArray[np.bool_]) -> Spans:
    """Where the truths are true."""
    padded = np.concatenate(([False], truths, [False]))
    edges = np.flatnonzero(padded[1:] != padded[:-1]).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
