"""Predicates over one frame of consumers: each value is made once, each predicate is bits."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from segment_engine.backends import json_series
from segment_engine.backends.physical import Json, Other
from segment_engine.backends.polars_expr import place_of, reading, recast, to_polars, value
from segment_engine.backends.reading import Reading, Step
from segment_engine.backends.sql import json_reader
from segment_engine.batch.bitmaps import Words
from segment_engine.expression.nodes import Call, Expr, fold, walk
from segment_engine.values.types import ANY


class Predicates:
    """Bound predicates, ready to be asked of frame after frame.

    A *value* is what a predicate asks about: a column, or what is read in it or computed of it.
    """

    def __init__(self, predicates: Sequence[Expr]) -> None:
        self._values = Values(predicates)
        self.columns = self._values.columns
        asked = map(self._values.kept, predicates)
        self._asked = [to_polars(one).alias(str(place)) for place, one in enumerate(asked)]

    def words(self, frame: pl.DataFrame) -> list[Words]:
        """The consumers for whom each predicate is true."""
        truths = self._values.added(frame).select(self._asked)
        return [words_of(one, len(frame)) for one in truths]


class Values:
    """What predicates ask about, each made once and kept in a column of its own."""

    def __init__(self, predicates: Sequence[Expr]) -> None:
        nodes = dict.fromkeys(node for one in predicates for node in walk(one))
        readings = [node for node in nodes if isinstance(node, Reading)]
        self.columns = tuple(dict.fromkeys(item.column for item in readings))
        self._names: dict[Expr, str] = {}
        longer = "-" * max(map(len, self.columns), default=0)  # than the name of any column
        self._documents: dict[tuple[str, tuple[Step, ...]], list[Reading]] = {}
        self._read = [item for item in readings if not _plain(item) and not _in_json(item)]
        for item in readings:
            if _in_json(item):
                self._documents.setdefault((item.column, item.steps), []).append(item)
            if not _plain(item):
                self._names[item] = f"{longer}-{len(self._names)}"
        calls = dict.fromkeys(
            part for one in predicates if isinstance(one, Call) for part in one.args
        )
        made = {
            part: value(self.kept(part))
            for part in calls
            if isinstance(part, Call) and any(isinstance(one, Reading) for one in walk(part))
        }
        self._names |= {
            part: f"{longer}-{place}" for place, part in enumerate(made, len(self._names))
        }
        self._made = [one.alias(self._names[part]) for part, one in made.items()]
        # By whatever type it is wanted, a column is the same value.
        plain = {
            item.column: Reading(item.column, (), (), item.stored, ANY)
            for item in readings
            if _plain(item)
        }
        self.expressions: dict[str, Expr] = plain | {n: part for part, n in self._names.items()}
        """By the name of its column: what each value is."""

    def kept(self, expr: Expr) -> Expr:
        """The expression, reading what is kept where there is such."""
        return fold(expr, self._kept)

    def _kept(self, node: Expr, args: tuple[Expr, ...]) -> Expr:
        if node in self._names:
            return Reading(self._names[node], (), (), Other("kept"), node.type)
        if not isinstance(node, Call) or args == node.args:
            return node
        return replace(node, args=args)

    def added(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with a column for each value; all paths into a document in one call."""
        read = [reading(item).alias(self._names[item]) for item in self._read]
        for items in self._documents.values():
            read += self._extracted(frame, items)
        with_readings = frame.with_columns(read) if read else frame
        return with_readings.with_columns(self._made) if self._made else with_readings

    def _extracted(self, frame: pl.DataFrame, items: Sequence[Reading]) -> list[pl.Expr]:
        documents = frame.select(place_of(items[0])).to_series()
        wanted = [(item.json, json_reader(item)) for item in items]
        found = json_series.extract_many(documents, wanted).struct.unnest()
        return [
            recast(pl.lit(values), item).alias(self._names[item])
            for values, item in zip(found, items, strict=True)
        ]


def _in_json(item: Reading) -> bool:
    return isinstance(item.stored, Json)


def _plain(item: Reading) -> bool:
    """Whether the column itself is what is read."""
    return not _in_json(item) and item.form == "value" and not item.steps and item.cast is None


def words_of(truths: pl.Series, rows: int) -> Words:
    """Truths, one a row or one for all, as words."""
    if len(truths) != rows:
        truths = truths.new_from_index(0, rows)
    array: Any = truths.rechunk().to_arrow()
    if array.null_count:
        array = array.fill_null(False)
    if array.offset % 8:
        array = pa.concat_arrays([pa.array([], pa.bool_()), array])
    words = np.zeros(-(-rows // 64), np.uint64)
    octets = np.frombuffer(array.buffers()[1], np.uint8, -(-rows // 8), array.offset // 8)
    words.view(np.uint8)[: len(octets)] = octets
    if rows % 64:
        words[-1] &= np.uint64((1 << rows % 64) - 1)
    return words
