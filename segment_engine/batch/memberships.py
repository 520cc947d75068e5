"""Who is in which audience: the result of a run."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from segment_engine.display.shown import Shown
from segment_engine.display.words import Block, Table, Words, said
from segment_engine.errors import RuleError, RunError, SegmentError

SHOWN = 200
"""How many audiences a display lists."""


class Memberships(Shown):
    """The members of each audience of one run; immutable.

    `failed` maps the audiences that could not be computed to the error: they have no members
    here, which is not the same as being empty.
    """

    def __init__(
        self,
        members: Mapping[str, list[Any]],
        failed: Mapping[str, SegmentError],
        id_type: pa.DataType | None = None,
        consumers: int | None = None,
    ) -> None:
        """Made by `Engine.materialize`."""
        self._members = dict(members)
        self._failed = MappingProxyType(dict(failed))
        self._id_type = id_type
        self._consumers = consumers

    @property
    def consumers(self) -> int | None:
        """How many consumers there were to choose from; None where that is not known."""
        return self._consumers

    @property
    def failed(self) -> Mapping[str, SegmentError]:
        """The audiences that could not be computed, with their errors."""
        return self._failed

    def counts(self) -> dict[str, int]:
        """The number of members of each audience that was computed."""
        return {key: len(ids) for key, ids in self._members.items()}

    def members(self, key: str) -> list[Any]:
        """The sorted ids of one audience. Raises its error if it failed, RunError if unknown."""
        if key in self._failed:
            raise self._failed[key]
        if key not in self._members:
            raise RunError(f"there is no audience {key!r} in this run")
        return list(self._members[key])

    def in_order(self, keys: Iterable[str]) -> "Memberships":
        """The same audiences, or some of them, in the order of `keys`."""
        order = list(keys)
        return Memberships(
            {key: self._members[key] for key in order if key in self._members},
            {key: self._failed[key] for key in order if key in self._failed},
            self._id_type,
            self.consumers,
        )

    def to_arrow(self) -> pa.Table:
        """One row a membership: `consumer_id` and `audience`, in the order of the run."""
        ids = [pa.array(found, self._id_type) for found in self._members.values()]
        keys = pa.array(
            [key for key, found in self._members.items() for _ in found], type=pa.string()
        )
        whole = pa.chunked_array(ids, self._id_type or pa.string())
        return pa.table({"consumer_id": whole, "audience": keys})

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, key: object) -> bool:
        return key in self._members

    def __repr__(self) -> str:
        failed = f", {len(self._failed)} failed" if self._failed else ""
        return f"<Memberships of {len(self._members)} audiences{failed}>"

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
        share = f"{number / self._consumers:.1%}" if self._consumers else ""
        return said(key), said(f"{number:,}", "number"), said(share)


def _failure(key: str, fault: SegmentError) -> Words:
    message = str(fault)
    if isinstance(fault, RuleError) and fault.diagnostics:
        message = fault.diagnostics[0].message
    return (*said(f"{key} failed", "error"), *said(f": {message}"))
