"""Who is in which audience: the result of a run."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from segment_engine.batch.basis import Basis
from segment_engine.batch.bitmaps import Bitmap
from segment_engine.display.shown import Shown
from segment_engine.display.words import Block, Table, Words, said
from segment_engine.errors import RuleError, RunError, SegmentError

SHOWN = 200
"""How many audiences a display lists."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition, the number of consumers for whom it is true, and the audiences that have it."""

    text: str
    count: int
    audiences: tuple[str, ...]


class Memberships(Shown):
    """The members of each audience of one run; immutable.

    `failed` maps the audiences that could not be computed to the error: they have no members
    here, which is not the same as being empty.
    """

    def __init__(
        self,
        ids: pa.ChunkedArray,
        audiences: Mapping[str, Bitmap],
        failed: Mapping[str, SegmentError],
        predicates: Iterable[Predicate] = (),
        basis: Basis | None = None,
        moves: Mapping[str, tuple[int, int]] | None = None,
        asked: int | None = None,
    ) -> None:
        """Made by `Engine.materialize`. `ids` are by ordinal, null for one that nobody has now."""
        self._basis, self._moves, self._asked = basis, moves, asked
        self._ids, self._audiences = ids, dict(audiences)
        self._failed = MappingProxyType(dict(failed))
        self._predicates = tuple(predicates)

    @property
    def ids(self) -> pa.ChunkedArray:
        """The ids of all consumers by ordinal; null where nobody has the ordinal any more."""
        return self._ids

    @property
    def consumers(self) -> int:
        """How many consumers there were to choose from."""
        return len(self._ids) - int(self._ids.null_count)

    @property
    def failed(self) -> Mapping[str, SegmentError]:
        """The audiences that could not be computed, with their errors."""
        return self._failed

    @property
    def predicates(self) -> tuple[Predicate, ...]:
        """The distinct conditions, where the run was asked to count them."""
        return self._predicates

    @property
    def basis(self) -> Basis | None:
        """What the run was computed from; None where no snapshot was asked."""
        return self._basis

    @property
    def moves(self) -> Mapping[str, tuple[int, int]] | None:
        """How many entered and left an audience since the run before, where only they were asked.

        None where all consumers were asked, as they are where too little is known.
        """
        return self._moves

    @property
    def asked(self) -> int:
        """How many consumers were asked: all, or those who may have moved since the run before."""
        return self.consumers if self._asked is None else self._asked

    def counts(self) -> dict[str, int]:
        """The number of members of each audience that was computed."""
        return {key: len(found) for key, found in self._audiences.items()}

    def bitmap(self, key: str) -> Bitmap:
        """The members of one audience by ordinal; `&`, `|`, `-` and `^` are those of sets.

        Raises its error if it failed, RunError if unknown.
        """
        if key in self._failed:
            raise self._failed[key]
        if key not in self._audiences:
            raise RunError(f"there is no audience {key!r} in this run")
        return self._audiences[key]

    def members(self, key: str) -> list[Any]:
        """The sorted ids of one audience. Raises as `bitmap` does."""
        return sorted(self.ids_of(self.bitmap(key)).to_pylist())

    def page(self, key: str, start: int, most: int) -> list[Any]:
        """The ids of at most so many members from position `start`, in the order of the ordinals.

        Raises as `bitmap` does.
        """
        found = self.bitmap(key).ordinals(start, most)
        return self._ids.take(pa.array(found)).to_pylist()  # type: ignore[no-any-return]

    def overlap(self, key: str, other: str) -> int:
        """How many consumers are in both audiences. Raises as `bitmap` does."""
        return self.bitmap(key).overlap(self.bitmap(other))

    def ids_of(self, bitmap: Bitmap) -> pa.ChunkedArray:
        """The ids of the members of a bitmap, in the order of the ordinals."""
        return self._ids.take(pa.array(bitmap.ordinals()))

    def in_order(self, keys: Iterable[str]) -> "Memberships":
        """The same audiences, or some of them, in the order of `keys`."""
        order = list(keys)
        return Memberships(
            self._ids,
            {key: self._audiences[key] for key in order if key in self._audiences},
            {key: self._failed[key] for key in order if key in self._failed},
            self._predicates,
            self._basis,
            self._moves,
            self._asked,
        )

    def to_arrow(self) -> pa.Table:
        """One row a membership: `consumer_id` and `audience`, in the order of the run."""
        ids = [chunk for found in self._audiences.values() for chunk in self.ids_of(found).chunks]
        keys = [pa.repeat(pa.scalar(key), len(found)) for key, found in self._audiences.items()]
        return pa.table(
            {
                "consumer_id": pa.chunked_array(ids, self._ids.type),
                "audience": pa.chunked_array(keys, pa.string()),
            }
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._audiences)

    def __len__(self) -> int:
        return len(self._audiences)

    def __contains__(self, key: object) -> bool:
        return key in self._audiences

    def __repr__(self) -> str:
        failed = f", {len(self._failed)} failed" if self._failed else ""
        return f"<Memberships of {len(self._audiences)} audiences{failed}>"

    def _blocks(self) -> list[Block]:
        rows = [self._row(key, number) for key, number in self.counts().items()]
        failed = [(said(key), said("failed", "error"), said("")) for key in self._failed]
        shown = tuple((rows + failed)[:SHOWN])
        more = len(rows) + len(failed) - len(shown)
        blocks: list[Block] = [Table(("audience", "members", "share"), shown, frozenset((1, 2)))]
        if more:
            blocks.append(said(f"... and {more:,} more"))
        return blocks + [_failure(key, fault) for key, fault in self._failed.items()]

    def _row(self, key: str, number: int) -> tuple[Words, ...]:
        share = f"{number / self.consumers:.1%}" if self.consumers else ""
        return said(key), said(f"{number:,}", "number"), said(share)


def _failure(key: str, fault: SegmentError) -> Words:
    message = str(fault)
    if isinstance(fault, RuleError) and fault.diagnostics:
        message = fault.diagnostics[0].message
    return (*said(f"{key} failed", "error"), *said(f": {message}"))
