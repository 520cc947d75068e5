"""All audiences asked of a snapshot: of all its consumers, or of those who have changed since."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from segment_engine.backends.sources import Source
from segment_engine.batch import machine
from segment_engine.batch.asked import Asked
from segment_engine.batch.basis import Basis, basis_of
from segment_engine.batch.bitmaps import TILE, Words, bitmap_of, positions
from segment_engine.batch.consumers import as_ids
from segment_engine.batch.frames import Values
from segment_engine.batch.made import Made, in_lists
from segment_engine.batch.memberships import Memberships
from segment_engine.batch.plan import Plan
from segment_engine.batch.since import Both, Flips, Moved, ordinals_of
from segment_engine.batch.snapshot.asking import Asking
from segment_engine.batch.snapshot.changes import FEW, Changes, Told, Update, most_changes
from segment_engine.batch.snapshot.encoding import Rows
from segment_engine.batch.snapshot.keys import key_of
from segment_engine.batch.snapshot.overlay import Overlay
from segment_engine.batch.snapshot.snapshot import Snapshot
from segment_engine.batch.snapshot.some import Layout, Some, put
from segment_engine.batch.snapshot.store import Store
from segment_engine.expression.nodes import Expr
from segment_engine.values.moments import Clock

FOLDED = 16
"""Where one consumer in so many lies over the tiles, these are made anew."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The folder of a snapshot, and how it is brought up to date.

    `changed` tells who has changed; ids do since the run `since`, and where that was not of the
    snapshot as it is, all are compared. With `since` only they and those whom time moves are
    asked, as far as that run was of the same snapshot, rules and lists.
    """

    folder: str | Path
    since: Memberships | None = None
    changed: Told = None

    @property
    def by_row(self) -> bool:
        """Whether changes are looked for consumer by consumer."""
        return self.since is not None or self.changed is not None


class Batch(NamedTuple):
    """What a run is, before consumers are asked.

    `lists` are arrays of ids of type `kind`; members of more than `held` bytes are in files.
    """

    asked: Asked
    clock: Clock
    source: Source
    id_column: str
    kind: pa.DataType
    lists: Mapping[str, Any]
    plan: Plan
    held: int
    progress: Callable[[int, int], None] | None


class _Patch(NamedTuple):
    """Audiences and conditions that the run before has, and whose bits in them are others."""

    keys: list[str]
    texts: list[str]
    flips: Flips


class SnapshotRun:
    """One run; a part of `one_pass`."""

    def __init__(self, run: Batch, keeping: Keeping) -> None:
        self._run, self._keeping = run, keeping
        self._plan, self._kind = run.plan, run.kind
        self._values = Values(list(run.plan.predicates))

    def memberships(self) -> Memberships:
        """Brings the snapshot up to date, and asks it."""
        store = Store(self._keeping.folder)
        with store.locked() as state:
            snapshot = Snapshot(store, state, self._run.source, self._run.id_column)
            update = self._refreshed(snapshot)
            basis = self._basis(snapshot.token)
            patch = self._patch(snapshot, update, basis) if update else None
            only = self._others(patch)
            found = self._pass(snapshot, self._plan, self._values, only)
            ids = snapshot.ids(self._kind)
        made = Made(self._plan, only, found)
        if patch is None or update is None:
            return Memberships(ids, made.audiences, self._plan.failed, made.predicates(), basis)
        return self._patched(patch, made, ids, update.ids, basis)

    def _refreshed(self, snapshot: Snapshot) -> Update | None:
        """Who has changed; None where that is not known."""
        update = None
        if self._keeping.by_row:
            run = self._run
            changes = Changes(run.source, run.id_column, self._kind, self._told(snapshot))
            update = changes.update(snapshot, self._values)
            if update is None and changes.seen:
                snapshot.seen = changes.seen
        if update is None:
            snapshot.refresh(self._values, self._kind)
        elif snapshot.laid_over > max(FEW, snapshot.size // FOLDED):
            snapshot.fold_in(self._values, self._kind)
        return update

    def _told(self, snapshot: Snapshot) -> Told:
        """Who has changed: ids are those since the run before, so it is to be of the snapshot."""
        told = self._keeping.changed
        return (
            told if told is None or isinstance(told, str) or self._known(snapshot.token) else None
        )

    def _known(self, token: str) -> Basis | None:
        """What the run before was computed from, if that is the same snapshot as it was then."""
        known = self._keeping.since.basis if self._keeping.since is not None else None
        return known if known is not None and known.snapshot == token else None

    # ---- asking

    def _pass(
        self, snapshot: Snapshot, plan: Plan | Moved, values: Values, only: Sequence[int]
    ) -> list[Rows]:
        """The bits of some roots, a row each, tile by tile."""
        if not only:
            return []
        lists = self._run.lists if plan is self._plan else {}
        asking, tiles, found = Asking(plan, values), snapshot.tiles(), []
        ids = snapshot.ids(self._kind).chunks
        on_disk = len(only) * snapshot.size // 8 > self._run.held
        for number, some in enumerate(ids):
            width = -(-len(some) // 64)
            if number < len(tiles):
                held = in_lists(some.slice(0, tiles[number].size), lists)
                found.append(asking.rows(tiles[number], held, on_disk, width, only))
            else:
                found.append(machine.rows(len(only), width, on_disk))
                found[-1][:] = 0
            if self._run.progress and plan is self._plan:
                self._run.progress(len(found), len(ids))
        if snapshot.overlay:
            self._lay_over(snapshot, snapshot.overlay, asking, only, lists, found)
        if sum(tile.settle() for tile in tiles):
            snapshot.settle()
        return found

    def _lay_over(
        self,
        snapshot: Snapshot,
        overlay: Overlay,
        asking: Asking,
        only: Sequence[int],
        lists: Mapping[str, Any],
        found: list[Rows],
    ) -> None:
        """Puts the bits of those in the overlay in place of those in the tiles."""
        layout = Layout(overlay.slots)
        some = Some(layout.padded(overlay.values), layout.packed(~overlay.gone))
        held = self._some_in_lists(snapshot, layout, lists)
        bits = asking.rows(some, held, only=only) & some.everybody
        for number, slots, words in layout.tiles():
            put(found[number], layout.slots[slots] % TILE, bits[:, words])

    def _some_in_lists(
        self, snapshot: Snapshot, layout: Layout, lists: Mapping[str, Any]
    ) -> list[Words]:
        if not lists:
            return []
        ids = as_ids(snapshot.known_ids().gather(layout.slots), self._kind)
        return [layout.packed(_is_in(ids, wanted)) for wanted in lists.values()]

    # ---- those who have changed

    def _patch(self, snapshot: Snapshot, update: Update, basis: Basis) -> _Patch | None:
        """What is known of the run before, and who has moved; None where too little is known."""
        since, known = self._keeping.since, self._known(update.token)
        if since is None or known is None or known.run != basis.run:
            return None
        before = self._plan.at(replace(self._run.clock, as_of=known.as_of))
        if before is None or not self._has(before.values()):
            return None
        same = [k for k, one in basis.audiences.items() if known.audiences.get(k) == one]
        texts = [one.text for one in since.predicates if one.text in self._plan.counted]
        if not (same or texts):
            return None
        slots = np.union1d(update.slots, self._moved(snapshot, before))
        if len(slots) > most_changes(snapshot):
            return None
        layout = Layout(slots)
        bits = self._before_and_now(
            snapshot, layout, update, before, _places(self._plan, same, texts)
        )
        old, new = np.split(bits, 2, axis=1)
        return _Patch(same, texts, Flips(layout, new & ~old, old & ~new))

    def _has(self, predicates: Collection[Expr]) -> bool:
        """Whether the values that they ask about are kept."""
        kept = set(self._values.expressions.values())
        return kept.issuperset(Values(list(predicates)).expressions.values())

    def _moved(self, snapshot: Snapshot, before: Mapping[Expr, Expr]) -> NDArray[np.uint32]:
        """The slots of those whom time moves."""
        moved = Moved(before)
        values = Values(moved.predicates)
        found = self._pass(snapshot, moved, values, [0] if before else [])
        parts = [positions(rows[0]) + np.uint32(n * TILE) for n, rows in enumerate(found)]
        return np.concatenate([np.empty(0, np.uint32), *parts])

    def _before_and_now(
        self,
        snapshot: Snapshot,
        layout: Layout,
        update: Update,
        before: Mapping[Expr, Expr],
        only: Sequence[int],
    ) -> Rows:
        """The bits of some roots, as they were and behind them as they are."""
        slots, keys = layout.slots, self._keys(self._values)
        now, there = snapshot.at(slots.astype(np.int64), keys), snapshot.live()[slots]
        was, was_there = now, there.copy()
        if len(update.slots):
            places = np.searchsorted(slots, update.slots)
            was_there[places] = update.there
            rows = np.arange(len(slots))
            rows[places] = len(slots) + np.arange(len(places))
            was = pl.concat([now, update.before.select(keys)])[rows] if keys else now
        sides = layout.packed(was_there), layout.packed(there)
        both = Some(pl.concat(map(layout.padded, (was, now))), np.concatenate(sides))
        held = [np.tile(one, 2) for one in self._some_in_lists(snapshot, layout, self._run.lists)]
        first = np.repeat(np.array([~np.uint64(0), np.uint64(0)]), len(sides[0]))
        plan = Both(self._plan, before)
        asking = Asking(plan, Values(plan.predicates))
        bits: Rows = asking.rows(both, [*held, first], only=only)
        return bits & both.everybody

    @staticmethod
    def _keys(values: Values) -> list[str]:
        return [*dict.fromkeys(map(key_of, values.expressions.values()))]

    # ---- the result

    def _basis(self, token: str) -> Basis:
        run = self._run
        return basis_of(token, run.asked, run.plan, run.lists, run.clock)

    def _others(self, patch: _Patch | None) -> list[int]:
        """The roots that are to be asked of all."""
        every = [*self._plan.roots, *self._plan.counted]
        known = set(_places(self._plan, patch.keys, patch.texts)) if patch else set()
        return [place for place in range(len(every)) if place not in known]

    def _patched(
        self,
        patch: _Patch,
        made: Made,
        ids: pa.ChunkedArray,
        before: pa.ChunkedArray,
        basis: Basis,
    ) -> Memberships:
        """The run before with what has changed, by its ordinals."""
        since = self._keeping.since
        assert since is not None
        flips, fresh = patch.flips, made.audiences
        ordinals = ordinals_of(before, since.ids)
        if ordinals is not None:
            ordinals, ids = _extended(ordinals, ids, since.ids)
            flips = flips.at(ordinals)
            fresh = {k: bitmap_of(ordinals[one.ordinals()]) for k, one in fresh.items()}
        patched = {key: flips.over(row, since.bitmap(key)) for row, key in enumerate(patch.keys)}
        moves = flips.moves()
        counts = {one.text: one.count for one in since.predicates}
        moved = zip(patch.texts, moves[len(patch.keys) :], strict=True)
        counted = {text: counts[text] + entered - left for text, (entered, left) in moved}
        found = patched | fresh
        return Memberships(
            ids,
            {key: found[key] for key in self._plan.roots},
            self._plan.failed,
            made.predicates(counted),
            basis,
            dict(zip(patch.keys, moves, strict=False)),
            None if fresh else len(patch.flips.layout.slots),
        )


def _places(plan: Plan, keys: Sequence[str], texts: Sequence[str]) -> list[int]:
    """Which of the roots those audiences and conditions are."""
    roots = {key: place for place, key in enumerate(plan.roots)}
    counted = {text: place for place, text in enumerate(plan.counted, len(roots))}
    return [*(roots[key] for key in keys), *(counted[text] for text in texts)]


def _is_in(ids: Any, wanted: Any) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = pc.is_in(ids, wanted).to_numpy(zero_copy_only=False)
    return found


def _extended(
    ordinals: NDArray[np.int64], ids: pa.ChunkedArray, known: pa.ChunkedArray
) -> tuple[NDArray[np.int64], pa.ChunkedArray]:
    """The ordinals of all slots, and the ids by ordinal; those without one get the next."""
    there = ids.is_valid().to_numpy()
    whole = np.full(len(ids), -1)
    whole[: len(ordinals)] = ordinals
    new = there & (whole < 0)
    whole[new] = len(known) + np.arange(int(new.sum()))
    slots = np.full(len(known) + int(new.sum()), -1)
    slots[whole[there]] = np.flatnonzero(there)
    return whole, ids.take(pa.array(slots, mask=slots < 0))
