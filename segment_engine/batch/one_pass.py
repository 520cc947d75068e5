"""All audiences in one pass over the consumers: each predicate once, then their bits combined."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa

from segment_engine.backends.duckdb_engine import query
from segment_engine.backends.sources import Source
from segment_engine.backends.sources.beside import id_type
from segment_engine.batch import machine
from segment_engine.batch.asked import Asked
from segment_engine.batch.bitmaps import TILE
from segment_engine.batch.combine import Ids, listed
from segment_engine.batch.consumers import as_ids, check_ids
from segment_engine.batch.frames import Predicates, Values
from segment_engine.batch.made import Made, in_lists
from segment_engine.batch.memberships import Memberships
from segment_engine.batch.plan import Plan
from segment_engine.batch.snapshot.encoding import Rows
from segment_engine.batch.snapshot_run import Batch, Keeping, SnapshotRun
from segment_engine.errors import SegmentError, SourceError
from segment_engine.values.moments import Clock

Progress = Callable[[int, int], None]

HELD = 1 << 28
"""Bytes of members that are held in memory; more are in files without a name."""


def one_pass(
    asked: Asked,
    clock: Clock,
    source: Source,
    id_column: str,
    progress: Progress | None = None,
    snapshot: Keeping | None = None,
    counted: bool = False,
    memory: int | None = None,
) -> Memberships:
    """The members of all audiences; one that cannot be computed is in `.failed`.

    `snapshot` is one to bring up to date and ask instead of the source; `counted`: conditions
    are counted, too; `memory`: bytes, half of which members may take. Raises SourceError where
    the ids cannot be read, RunError where they are none.
    """
    run = _Run(asked, clock, source, id_column, counted)
    held = HELD if memory is None else memory // 2
    try:
        if snapshot is None:
            return run.memberships(progress, held)
        return run.of_snapshot(snapshot, progress, held)
    except SourceError:
        failed = {**asked.failed, **run.unreadable()}
        if failed.keys() == asked.failed.keys():
            raise
    again = Asked(asked.rules, asked.lists, failed, asked.aliases)
    return one_pass(again, clock, source, id_column, progress, snapshot, counted, memory)


class _Run:
    def __init__(
        self, asked: Asked, clock: Clock, source: Source, id_column: str, counted: bool
    ) -> None:
        self._asked, self._source, self._id = asked, source, id_column
        self._clock = clock
        self._kind = id_type(source, id_column)
        self._lists, failed = self._listed()
        rules = {key: rule for key, rule in asked.rules.items() if key not in failed}
        self._plan = Plan(rules, self._lists, failed, asked.aliases, clock, source.columns, counted)
        self._predicates = list(self._plan.predicates)

    def memberships(self, progress: Progress | None, held: int) -> Memberships:
        """Reads the consumers tile by tile; members of more than `held` bytes are in files."""
        predicates, program = Predicates(self._predicates), self._plan.program()
        columns = list(dict.fromkeys((self._id, *predicates.columns)))
        total = self._tiles() if progress else 0
        ids: list[Any] = []
        found: list[Rows] = []
        for frame in self._source.frames(columns, TILE):
            ids.append(as_ids(frame[self._id], self._kind))
            inputs = [*predicates.words(frame), *in_lists(ids[-1], self._lists)]
            held -= self._bytes(len(frame))
            found.append(machine.run(program, machine.first(len(frame)), inputs, held < 0))
            if progress:
                progress(len(found), total)
        whole = pa.chunked_array(ids, self._kind)
        check_ids(whole, self._id)
        made = Made(self._plan, range(len(self._plan.outputs())), found)
        return Memberships(whole, made.audiences, self._plan.failed, made.predicates())

    def of_snapshot(self, keeping: Keeping, progress: Progress | None, held: int) -> Memberships:
        """As `memberships`, of a snapshot that is brought up to date before."""
        if not (isinstance(keeping.changed, str) or keeping.changed is None):
            kinds = {type(row[self._id]) for row in self._first()} - {type(None)}
            ids = self._array(listed("those who changed", keeping.changed, kinds), kinds)
            # Where nobody is there, nothing tells of what type ids are: all are gone.
            keeping = replace(keeping, changed=ids if kinds else None)
        batch = Batch(
            asked=self._asked,
            clock=self._clock,
            source=self._source,
            id_column=self._id,
            kind=self._kind,
            lists=self._lists,
            plan=self._plan,
            held=held,
            progress=progress,
        )
        return SnapshotRun(batch, keeping).memberships()

    def unreadable(self) -> dict[str, SegmentError]:
        """The audiences that read a column which cannot be read."""
        found: dict[str, SourceError] = {}
        for column in Values(self._predicates).columns:
            try:
                for _ in self._source.frames([column], TILE):
                    pass
            except SourceError as fault:
                found[column] = fault
        return {
            key: found[column]
            for key, rule in self._asked.rules.items()
            for column in rule.columns
            if column in found
        }

    def _bytes(self, rows: int) -> int:
        """How many the members of so many consumers take."""
        return len(self._plan.roots) * rows // 8

    def _tiles(self) -> int:
        rows: int = query(self._source, "select count(*)").column(0)[0].as_py()
        return -(-rows // TILE)

    def _listed(self) -> tuple[dict[str, Any], dict[str, SegmentError]]:
        """The lists as arrays of ids, and the audiences that have failed."""
        lists: dict[str, Any] = {}
        failed = dict(self._asked.failed)
        if self._asked.lists:
            kinds = {type(row[self._id]) for row in self._first()}
            for key, given in self._asked.lists.items():
                try:
                    lists[key] = self._array(listed(f"audience {key!r}", given, kinds), kinds)
                except SegmentError as fault:
                    failed[key] = fault
        return lists, failed

    def _first(self) -> Iterator[dict[str, object]]:
        for frame in self._source.frames([self._id], 1):
            yield {self._id: frame.to_series().to_list()[0]}
            return

    def _array(self, ids: Ids, kinds: set[type]) -> Any:
        """The ids that consumers can have, as an array of their type."""
        same = _NUMBERS if kinds <= _NUMBERS else kinds
        held = [one for one in ids if type(one) in same and one == one]
        try:
            return pa.array(held, self._kind)
        except (*_NOT_HELD, pa.ArrowException):
            return pa.array([one for one in held if self._holds(one)], self._kind)

    def _holds(self, one: Any) -> bool:
        try:
            return bool(pa.scalar(one, self._kind).as_py() == one)
        except (*_NOT_HELD, pa.ArrowException):
            return False


_NUMBERS = {int, float, Decimal}
_NOT_HELD = (TypeError, ValueError, OverflowError)
