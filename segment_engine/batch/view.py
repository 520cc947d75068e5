"""Consumers by ordinal as they are at one instant, for rules that are asked of them now and then.

What they have is that of a snapshot, which is only read; values that it lacks are read of all when
a rule asks for them first, and stay in memory. Over them lie those who have changed since.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from segment_engine.backends.reading import Columns as Physicals
from segment_engine.backends.sources import Source
from segment_engine.backends.sources.tiled import ORDINAL, Columns, frame
from segment_engine.batch import machine
from segment_engine.batch.asked import asked_of
from segment_engine.batch.bitmaps import TILE, Bitmap, Words, packed
from segment_engine.batch.frames import Predicates, Values
from segment_engine.batch.made import Made
from segment_engine.batch.plan import Plan
from segment_engine.batch.snapshot.asking import Asking
from segment_engine.batch.snapshot.encoding import Encoded, Rows, encoded
from segment_engine.batch.snapshot.keys import key_of
from segment_engine.batch.snapshot.some import put
from segment_engine.batch.snapshot.store import Segment, Store
from segment_engine.errors import OutputError, SegmentError
from segment_engine.expression.nodes import Expr

if TYPE_CHECKING:
    from segment_engine.engine import Engine
    from segment_engine.rule import AsOf

MOST_READ = 64
"""Values that the snapshot lacks of which the last are kept."""
TRIES = 3
"""So often a snapshot that changes meanwhile is opened."""


class Question:
    """Rules to be asked at one instant, and lists by ordinal that they refer to."""

    def __init__(
        self,
        engine: "Engine",
        rules: Mapping[str, Any],
        lists: Mapping[str, Bitmap],
        columns: Physicals,
        as_of: "AsOf",
    ) -> None:
        """`columns` are those of the source."""
        asked = asked_of(engine, rules, {}, None, None)
        self.lists = list(lists.values())
        self.plan = Plan(asked.rules, lists, asked.failed, {}, engine.clock(as_of), columns)
        self.predicates = list(self.plan.predicates)
        self.values = Values(self.predicates)

    @property
    def failed(self) -> Mapping[str, SegmentError]:
        """What is wrong with rules that cannot be asked."""
        return self.plan.failed


class Tile:
    """Some values of the consumers of one tile; see `asking.EncodedTile`."""

    def __init__(self, size: int, values: Mapping[str, Encoded]) -> None:
        """The values by key."""
        self.everybody, self._values = machine.first(size), values

    def encoded(self, value: Expr) -> Encoded:
        """A value of all of them."""
        return self._values[key_of(value)]

    def kept(self, predicate: Expr) -> Words | None:
        """None: rules that are asked now and then are others each time."""
        return None

    def keep(self, predicate: Expr, words: Words) -> None:
        """Does not; see `kept`."""


class Tiles:
    """Values of all consumers when the source's fingerprint was `source`; "" with no values yet."""

    def __init__(
        self,
        source: str,
        sizes: Sequence[int],
        values: Sequence[dict[str, Encoded]],
        tokens: Sequence[str] = (),
    ) -> None:
        """The values of each tile by key; `tokens` are those of snapshots in which they lie."""
        self.source, self.tokens = source, tokens
        self._sizes, self._values = sizes, values
        self._read: dict[str, None] = {}

    def lack(self, values: Values) -> bool:
        """Whether some of the values are to be read."""
        return any(key not in held for key in _keys(values) for held in self._values)

    def read(self, question: Question, source: Source) -> None:
        """Reads what lacks of all consumers, as they are now: those who have changed since are to
        lie over the tiles. Raises SourceError.
        """
        wanted = Values([one for one in question.predicates if self.lack(Values([one]))])
        frames = source.frames([ORDINAL, *wanted.columns], TILE)
        for size, held, given in zip(self._sizes, self._values, frames, strict=False):
            made = wanted.added(given.head(size))
            held |= {key_of(one): encoded(made[name]) for name, one in wanted.expressions.items()}
        self._read |= dict.fromkeys(_keys(wanted))
        asked = set(_keys(question.values))
        for key in [one for one in self._read if one not in asked][: -MOST_READ or None]:
            del self._read[key]
            for held in self._values:
                held.pop(key, None)

    def of(self, values: Values) -> list[Tile]:
        """The tiles with those values; none of them lacks."""
        keys = _keys(values)
        return [
            Tile(size, {key: held[key] for key in keys})
            for size, held in zip(self._sizes, self._values, strict=True)
        ]


def fresh_tiles(size: int) -> Tiles:
    """Those of so many ordinals, with no values yet."""
    sizes = [min(TILE, size - first) for first in range(0, size, TILE)]
    return Tiles("", sizes, [{} for _ in sizes])


def tiles_of(folder: Path, known: str | None) -> Tiles | None:
    """Those of a snapshot, though a run may be changing it; None where there are none.

    So it is where the source's fingerprint of them is `known`.
    """
    store = Store(folder)
    for _ in range(TRIES):
        state = store.seen()
        if state.base is None or state.base == known or state.id_column != ORDINAL:
            return None
        values = [_mapped(store, one) for one in state.segments]
        if store.seen().base == state.base:
            return Tiles(state.base, [one.size for one in state.segments], values, state.tokens)
    return None


def _mapped(store: Store, segment: Segment) -> dict[str, Encoded]:
    """The values of a segment, but for those that are not there any more."""
    found: dict[str, Encoded] = {}
    for key, files in segment.values.items():
        with suppress(OutputError, OSError):
            value = store.value(files, segment.size)
            if value is not None and files.made_of.items() <= segment.digests.items():
                assert value.loaded is not None  # the file may be gone when it is asked for
                found[key] = value
    return found


@dataclass(frozen=True, slots=True)
class View:
    """All consumers: `size` ordinals, those of the tiles and over them those who have changed."""

    tiles: Tiles
    changed: pl.DataFrame
    size: int

    def with_changed(self, rows: Columns, size: int) -> "View":
        """With all columns of more who have changed, or are new."""
        fresh = frame(rows)
        kept = self.changed.join(fresh, on=ORDINAL, how="anti")
        return View(self.tiles, pl.concat([kept, fresh]).sort(ORDINAL), size)

    def members(self, question: Question, tiles: Sequence[Tile]) -> dict[str, Bitmap]:
        """The members of each rule and list; `tiles` are those of the view for the question."""
        plan = question.plan
        asking, found = Asking(plan, question.values), []
        for number in range(-(-self.size // TILE)):
            width = -(-min(TILE, self.size - number * TILE) // 64)
            if number < len(tiles):
                everybody = tiles[number].everybody
                lists = [_words(one, number, len(everybody)) & everybody for one in question.lists]
                found.append(asking.rows(tiles[number], lists, width=width))
            else:
                found.append(np.zeros((len(plan.roots), width), np.uint64))
        self._lay_over(question, found)
        return Made(plan, range(len(plan.roots)), found).audiences

    def _lay_over(self, question: Question, found: Sequence[Rows]) -> None:
        """Puts the bits of those who have changed in place of those in the tiles."""
        predicates, program = Predicates(question.predicates), question.plan.program()
        ordinals = self.changed[ORDINAL].to_numpy()
        for number, rows in enumerate(found):
            low, high = np.searchsorted(ordinals, (number * TILE, (number + 1) * TILE))
            if low == high:
                continue
            places = (ordinals[low:high] % TILE).astype(np.uint32)
            lists = [packed(_truths(one, number)[places]) for one in question.lists]
            inputs = [*predicates.words(self.changed[low:high]), *lists]
            put(rows, places, machine.run(program, machine.first(len(places)), inputs))


def view_of(tiles: Tiles, size: int) -> View:
    """A view of tiles of so many ordinals over which nobody lies yet."""
    return View(tiles, frame({}), size)


def _keys(values: Values) -> list[str]:
    return [*map(key_of, values.expressions.values())]


def _truths(members: Bitmap, number: int) -> Any:
    truths = np.zeros(TILE, np.bool_)
    if (tile := members.tiles.get(number)) is not None:
        truths[tile.ordinals()] = True
    return truths


def _words(members: Bitmap, number: int, size: int) -> Words:
    return packed(_truths(members, number))[:size]
