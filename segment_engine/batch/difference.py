"""Who came into audiences and who left them between two generations, and what made them jump."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

from segment_engine.batch.bitmaps import Bitmap, Tile
from segment_engine.batch.generations import Generation
from segment_engine.batch.packs import StoredTile
from segment_engine.display.shown import Shown
from segment_engine.display.words import Block, Table, Words, said
from segment_engine.errors import OutputError, RunError

SHOWN = 200
"""How many audiences a display lists."""

REASONS = 3
"""How many predicates of an audience are told."""

State = Literal["kept", "new", "gone", "unreadable"]


@dataclass(frozen=True, slots=True)
class Change:
    """How an audience changed.

    It is in both generations (`kept`), in the later alone (`new`: all have entered), in the
    earlier alone (`gone`: all have left), or a file of its members is damaged (`unreadable`: the
    counts are those that were published, `entered` and `left` are None and `fault` says why).
    `carried` is the generation that the members now are from where the audience failed since.
    """

    state: State
    before: int
    after: int
    entered: int | None
    left: int | None
    carried: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """For how many consumers a predicate was true; None in a run that did not ask it."""

    predicate: str
    before: int | None
    after: int | None


class Difference(Shown):
    """What changed from one generation to another; immutable."""

    def __init__(self, before: Generation, after: Generation) -> None:
        """Two generations of one folder, in either order."""
        self._before, self._after = before, after

    @property
    def numbers(self) -> tuple[int, int]:
        """The numbers of the two generations."""
        return self._before.number, self._after.number

    @cached_property
    def changes(self) -> dict[str, Change]:
        """What changed of each audience: those that there are now, then those that are gone."""
        keys = dict.fromkeys((*self._after.audiences, *self._before.audiences))
        return {key: self._change(key) for key in keys}

    def entered(self, key: str) -> list[Any]:
        """The sorted ids of who came in.

        Raises RunError for an audience that neither has, OutputError where it is damaged.
        """
        return sorted(self._ids(self._moved(key)[0]).to_pylist())

    def left(self, key: str) -> list[Any]:
        """The sorted ids of who left, also of those who are no consumers any more; as `entered`."""
        return sorted(self._ids(self._moved(key)[1]).to_pylist())

    def reasons(self, key: str) -> list[Reason]:
        """The predicates of an audience whose counts moved most.

        None where the number of members stayed, or a generation has no counts of predicates.
        """
        change = self._known(key)
        mine, theirs = self._counts
        if change.before == change.after or mine is None or theirs is None:
            return []
        before, after = mine.get(key, {}), theirs.get(key, {})
        asked = dict.fromkeys((*after, *before))
        found = [Reason(text, before.get(text), after.get(text)) for text in asked]
        moved = [one for one in found if one.before != one.after]
        return sorted(moved, key=lambda one: -abs((one.after or 0) - (one.before or 0)))[:REASONS]

    def to_arrow(self, keys: Iterable[str] | None = None) -> pa.Table:
        """A row a change: `consumer_id`, `audience`, and `change`, "entered" or "left".

        Of all audiences that can be read, or of `keys`; by ordinal within each.
        """
        chunks = list(self.batches(keys))
        return pa.concat_tables(chunks) if chunks else self.schema.empty_table()

    @property
    def schema(self) -> pa.Schema:
        """The columns of `to_arrow`."""
        kinds = {"consumer_id": self._known_ids.type, "audience": pa.string()}
        return pa.schema({**kinds, "change": pa.string()})

    def batches(self, keys: Iterable[str] | None = None) -> Iterator[pa.Table]:
        """As `to_arrow`, in parts."""
        for key in self._readable() if keys is None else keys:
            for moved, change in zip(self._moved(key), ("entered", "left"), strict=True):
                if len(moved):
                    yield self._table(moved, key, change)

    def __repr__(self) -> str:
        before, after = self.numbers
        return f"<Difference of generations {before} and {after}, {len(self.changes)} audiences>"

    # ---- members

    def _change(self, key: str) -> Change:
        counts = [
            one.manifest.audiences[key].count if key in one.audiences else None
            for one in (self._before, self._after)
        ]
        state: State = "new" if counts[0] is None else "gone" if counts[1] is None else "kept"
        before, after = (count or 0 for count in counts)
        carried = self._after.manifest.carried.get(key)
        try:
            mine, theirs = self._differing(key)
            shared = mine.overlap(theirs)
        except OutputError as fault:
            return Change("unreadable", before, after, None, None, carried, str(fault))
        return Change(state, before, after, len(theirs) - shared, len(mine) - shared, carried)

    def _known(self, key: str) -> Change:
        if key not in self.changes:
            raise RunError(f"there is no audience {key!r} in generations {self.numbers}")
        return self.changes[key]

    def _readable(self) -> list[str]:
        return [key for key, change in self.changes.items() if change.fault is None]

    def _differing(self, key: str) -> tuple[Bitmap, Bitmap]:
        """The members before and after, without the tiles that stayed as they were."""
        before, after = (
            one.audiences.get(key, Bitmap({})).tiles for one in (self._before, self._after)
        )
        same = {n for n in before.keys() & after.keys() if _same(before[n], after[n])}
        mine, theirs = (
            Bitmap({n: _alone(tile) for n, tile in tiles.items() if n not in same})
            for tiles in (before, after)
        )
        return mine, theirs

    def _moved(self, key: str) -> tuple[Bitmap, Bitmap]:
        self._known(key)
        before, after = self._differing(key)
        return after - before, before - after

    @cached_property
    def _known_ids(self) -> pa.ChunkedArray:
        later = max(self._before, self._after, key=lambda one: one.manifest.ordinals)
        return later.known_ids

    def _ids(self, moved: Bitmap) -> pa.ChunkedArray:
        return self._known_ids.take(pa.array(moved.ordinals()))

    def _table(self, moved: Bitmap, key: str, change: str) -> pa.Table:
        texts = {"audience": key, "change": change}
        columns = {name: pa.repeat(pa.scalar(text), len(moved)) for name, text in texts.items()}
        return pa.table({"consumer_id": self._ids(moved), **columns})

    # ---- reasons

    @cached_property
    def _counts(self) -> tuple["Counts | None", "Counts | None"]:
        return _counts_of(self._before.predicates), _counts_of(self._after.predicates)

    # ---- display

    def _blocks(self) -> list[Block]:
        before, after = self.numbers
        changes = list(self.changes.items())
        rows = tuple(_row(key, change) for key, change in changes[:SHOWN])
        headings = ("audience", "before", "members", "entered", "left")
        blocks: list[Block] = [
            said(f"generation {before} -> {after}"),
            Table(headings, rows, frozenset(range(1, 5))),
        ]
        if len(changes) > SHOWN:
            blocks.append(said(f"... and {len(changes) - SHOWN:,} more"))
        return [*blocks, *(words for key, _ in changes[:SHOWN] for words in self.remarks(key))]

    def remarks(self, key: str) -> list[Words]:
        """What there is to say of an audience beside its numbers; as `entered`."""
        change = self._known(key)
        told = {
            "new": "is new",
            "gone": "is gone",
            "unreadable": f"cannot be compared: {change.fault}",
            "kept": "",
        }[change.state]
        if change.carried is not None:
            told = f"failed, and keeps the members of generation {change.carried}"
        found = [said(f"{key} {told}")] if told else []
        return found + [said(f"{key}: {_said(reason)}") for reason in self.reasons(key)]


def _alone(tile: Tile) -> Tile:
    """The tile, not to be held in memory by its generation: all of a large run are too many."""
    return tile.twin() if isinstance(tile, StoredTile) else tile


def _same(mine: Tile, theirs: Tile) -> bool:
    if isinstance(mine, StoredTile) and isinstance(theirs, StoredTile):
        return mine.hash == theirs.hash
    return False


Counts = Mapping[str, Mapping[str, int]]
"""For each audience the counts of its predicates."""


def _counts_of(table: pa.Table | None) -> Counts | None:
    if table is None:
        return None
    found: dict[str, dict[str, int]] = {}
    for row in table.to_pylist():
        for key in row["audiences"]:
            found.setdefault(key, {})[row["predicate"]] = row["count"]
    return found


def _row(key: str, change: Change) -> tuple[Words, ...]:
    numbers = (
        None if change.state == "new" else change.before,
        None if change.state == "gone" else change.after,
        change.entered,
        change.left,
    )
    return said(key), *(said("-" if n is None else f"{n:,}", "number") for n in numbers)


def _said(reason: Reason) -> str:
    before, after = (
        "not asked" if count is None else f"{count:,}" for count in (reason.before, reason.after)
    )
    return f"`{reason.predicate}` {before} -> {after}"
