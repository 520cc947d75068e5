"""What a run found, beside the generation before: what is new of it, and who moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyroaring import BitMap
from sqlalchemy import Connection

from segment_engine.batch.bitmaps import Bitmap, Tile
from segment_engine.errors import RuleError, SegmentError
from segment_engine.store.bitmaps import CACHE, Read, TileRow, row_of
from segment_engine.store.generations import (
    Found,
    Generation,
    GenerationAudience,
    basis_of,
    newest,
    read_generation,
    rows_of_all,
)
from segment_engine.store.source import Erased, Rows

NEVER = 0
"""The version of an audience that could never be computed."""


@dataclass(frozen=True, slots=True)
class Before:
    """The generation before a run; its bitmaps as rows, by audience."""

    generation: Generation
    basis: str | None
    rows: Mapping[str, Rows]


def before(connection: Connection, organization: str) -> Before | None:
    """The newest generation; None before the first."""
    if not (number := newest(connection, organization)):
        return None
    return Before(
        read_generation(connection, organization, number),
        basis_of(connection, organization, number),
        rows_of_all(connection, organization, number),
    )


class Outcome:
    """Takes the members that a run found for what they are in the next generation."""

    def __init__(self, known: Before | None, read: Read, erased: Erased, newly: Erased) -> None:
        """`erased` are all those who are, `newly` those who are since the generation before."""
        self._known, self._read = known, read
        self._erased, self._newly = erased, newly

    def found(self, key: str, version: int, members: Bitmap) -> Found:
        """An audience with those members, without the erased ones."""
        return self._found(key, version, members, None)

    def failed(self, key: str, members: Bitmap, error: SegmentError) -> Found:
        """An audience that could not be computed; `members` are those of the generation before."""
        known = self._known.generation.audiences.get(key) if self._known else None
        return self._found(key, known.version if known else NEVER, members, reason_of(error))

    def _found(self, key: str, version: int, members: Bitmap, error: str | None) -> Found:
        known = self._known.rows.get(key, ()) if self._known else ()
        held = {row[0]: TileRow(*row) for row in known}
        made = (self._row(number, tile, held) for number, tile in members.tiles.items())
        rows = [row for row in made if row.members]
        entered, left = self._moves(rows, held)
        count = sum(row.members for row in rows)
        return Found(GenerationAudience(version, count, entered, left, error), rows)

    def _row(self, number: int, tile: Tile, known: Mapping[int, TileRow]) -> TileRow:
        row = row_of(number, tile)
        same = number in known and known[number].hash == row.hash
        # Who was erased before is in no tile of the generation before.
        gone = (self._newly if same else self._erased).get(number)
        if gone is None or not (members := self._members(row)).intersect(gone):
            return row
        return row_of(number, Tile.of(members - gone))

    def _members(self, row: TileRow) -> BitMap:
        written = row.bytes
        read = self._read if written is None else lambda _: {row.hash: written}
        return CACHE.tiles([row.hash], read)[row.hash]

    def _moves(self, rows: Sequence[TileRow], known: Mapping[int, TileRow]) -> tuple[int, int]:
        """How many entered and left; tiles that are the same are not read."""
        entered = left = 0
        now = {row.tile: row for row in rows}
        for number in now.keys() | known.keys():
            after, before = now.get(number), known.get(number)
            if after and before and after.hash != before.hash:
                both = self._members(after).intersection_cardinality(self._members(before))
            else:
                both = before.members if after and before else 0
            entered += (after.members if after else 0) - both
            left += (before.members if before else 0) - both
        return entered, left


def reason_of(error: SegmentError) -> str:
    """Why an audience could not be computed, in a line."""
    if isinstance(error, RuleError) and error.diagnostics:
        return error.diagnostics[0].message
    return str(error)
