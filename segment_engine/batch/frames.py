"""Predicates over one frame of consumers: each value is read once, each predicate is bits."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from segment_engine.backends import json_series
from segment_engine.backends.physical import Json, Other
from segment_engine.backends.polars_expr import place_of, reading, recast, to_polars
from segment_engine.backends.reading import Reading, Step
from segment_engine.backends.sql import json_reader
from segment_engine.batch.bitmaps import Words
from segment_engine.expression.nodes import Call, Expr, fold, walk


class Predicates:
    """Bound predicates, ready to be asked of frame after frame."""

    def __init__(self, predicates: Sequence[Expr]) -> None:
        found = dict.fromkeys(node for one in predicates for node in walk(one))
        self.readings = tuple(node for node in found if isinstance(node, Reading))
        self._read = Readings([item for item in self.readings if not _plain(item)])
        asked = (fold(one, self._read.replaced) for one in predicates)
        self._asked = [to_polars(one).alias(str(place)) for place, one in enumerate(asked)]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns read, each once."""
        return tuple(dict.fromkeys(item.column for item in self.readings))

    def words(self, frame: pl.DataFrame) -> list[Words]:
        """The consumers for whom each predicate is true."""
        read = self._read.added(frame)
        return [words_of(truths, len(frame)) for truths in read.select(self._asked)]


class Readings:
    """Readings that take work, each done once and kept in a column of its own."""

    def __init__(self, items: Sequence[Reading]) -> None:
        self._names = {item: f"\0{place}" for place, item in enumerate(items)}
        self._documents: dict[tuple[str, tuple[Step, ...]], list[Reading]] = {}
        for item in items:
            if isinstance(item.stored, Json):
                self._documents.setdefault((item.column, item.steps), []).append(item)

    def replaced(self, node: Expr, args: tuple[Expr, ...]) -> Expr:
        """The node, reading what is kept where there is such."""
        if isinstance(node, Call):
            return replace(node, args=args)
        if isinstance(node, Reading) and node in self._names:
            return Reading(self._names[node], (), (), Other("read"), node.wanted)
        return node

    def added(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with a column for each reading; all paths into a document in one call."""
        made = [
            reading(item).alias(name)
            for item, name in self._names.items()
            if not isinstance(item.stored, Json)
        ]
        for items in self._documents.values():
            made += self._extracted(frame, items)
        return frame.with_columns(made) if made else frame

    def _extracted(self, frame: pl.DataFrame, items: Sequence[Reading]) -> list[pl.Expr]:
        documents = frame.select(place_of(items[0])).to_series()
        found = json_series.extract_many(
            documents, [(item.json, json_reader(item)) for item in items]
        )
        return [
            recast(pl.lit(values), item).alias(self._names[item])
            for values, item in zip(found.struct.unnest(), items, strict=True)
        ]


def _plain(item: Reading) -> bool:
    """Whether the column itself is what is read."""
    stored = not isinstance(item.stored, Json) and item.form == "value"
    return stored and not item.steps and item.cast is None


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
