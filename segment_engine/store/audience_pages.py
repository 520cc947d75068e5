"""Pages of audiences in an order: each begins behind an audience's place, not its number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, collate, or_

from segment_engine.errors import Problem
from segment_engine.store import audience_rows
from segment_engine.store.attributes import is_speakable, type_of
from segment_engine.store.ids import is_id
from segment_engine.store.problems import refuse
from segment_engine.store.records import Audience, Page
from segment_engine.store.tables import audiences
from segment_engine.values.folding import fold

ORDERS: dict[str, tuple[Any, type]] = {
    "name": (audiences.c.name_folded, str),
    "createdAt": (audiences.c.created_at, int),
    "updatedAt": (audiences.c.updated_at, int),
}
MOST = 1_000
MOST_SEARCHED = 255

Place = Sequence[Any]
"""What an audience is sorted by, and its id."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What page is wanted; see `Audiences.list`."""

    sort_by: str
    sort_dir: str
    first: int | None
    last: int | None
    after: Place | None
    before: Place | None
    search: str | None
    type: str | None
    archived: bool | None

    @property
    def down(self) -> bool:
        """Whether the order is from the greatest to the least."""
        return self.sort_dir.lower() == "desc"


def page(connection: Connection, organization: str, wanted: Wanted) -> Page[Audience]:
    """That page, and whether there are audiences on either side of it. Raises Invalid."""
    refuse(_faults(wanted))
    key = _key(connection, wanted.sort_by)
    every = audience_rows.query(organization).where(*_filters(wanted))

    def between(after: Place | None, before: Place | None) -> Select[Any]:
        low, high = (before, after) if wanted.down else (after, before)
        sides = [_beyond(key, low, up=True)] if low else []
        return every.where(*sides, *([_beyond(key, high, up=False)] if high else []))

    def any_between(after: Place | None, before: Place | None) -> bool:
        return connection.execute(between(after, before).limit(1)).first() is not None

    backwards = wanted.last is not None
    order = [part.desc() if wanted.down != backwards else part.asc() for part in key]
    most = next((n for n in (wanted.first, wanted.last) if n is not None), MOST)
    asked = between(wanted.after, wanted.before).order_by(*order).limit(most)
    rows = list(connection.execute(asked))[:: -1 if backwards else 1]
    positions = [[row._mapping[ORDERS[wanted.sort_by][0].name], row.id] for row in rows]
    return Page(
        items=[audience_rows.audience_of(row) for row in rows],
        after=any_between(positions[-1], None) if rows else wanted.before is not None,
        before=any_between(None, positions[0]) if rows else wanted.after is not None,
        positions=positions,
    )


def _key(connection: Connection, sort_by: str) -> list[Any]:
    """What audiences are sorted by, texts by their code points on every database."""
    column, kind = ORDERS[sort_by]
    ids = audiences.c.id
    if connection.dialect.name == "sqlite":
        return [column, ids]
    return [collate(column, "C") if kind is str else column, collate(ids, "C")]


def _beyond(key: Sequence[Any], place: Place, up: bool) -> ColumnElement[bool]:
    (value, id), (found, own) = place, key
    if up:
        return or_(found > value, and_(found == value, own > id))
    return or_(found < value, and_(found == value, own < id))


def _filters(wanted: Wanted) -> list[ColumnElement[bool]]:
    table = audiences.c
    found: list[ColumnElement[bool]] = []
    if wanted.archived is not None:
        found.append(table.archived.is_(wanted.archived))
    if wanted.type is not None:
        found.append(table.type == type_of(wanted.type))
    if wanted.search and wanted.search.strip():
        term = fold(wanted.search.strip())
        searched = (table.name_folded, table.description_folded)
        found.append(or_(*(column.contains(term, autoescape=True) for column in searched)))
    return found


def _faults(wanted: Wanted) -> Iterator[Problem]:
    if wanted.sort_by not in ORDERS:
        yield Problem("sortBy", f"audiences are sorted by {', '.join(ORDERS)}")
    if wanted.sort_dir.lower() not in ("asc", "desc"):
        yield Problem("sortDir", "a direction is asc or desc")
    if wanted.first is not None and wanted.last is not None:
        yield Problem("last", "a page has the first or the last, not both")
    for name, most in (("first", wanted.first), ("last", wanted.last)):
        if most is not None and not 1 <= most <= MOST:
            yield Problem(name, f"a page has 1 to {MOST:,} audiences")
    for name, place in (("after", wanted.after), ("before", wanted.before)):
        if place is not None and not _is_place(place, wanted.sort_by):
            yield Problem(name, "this is no place in this order")
    yield from _of_texts(wanted)


def _of_texts(wanted: Wanted) -> Iterator[Problem]:
    if wanted.search is not None and (
        len(wanted.search) > MOST_SEARCHED or not is_speakable(wanted.search)
    ):
        yield Problem("search", f"a search is a text of at most {MOST_SEARCHED} characters")
    if wanted.type is not None:
        try:
            type_of(wanted.type)
        except ValueError as fault:
            yield Problem("type", str(fault))


def _is_place(place: Place, sort_by: str) -> bool:
    _, kind = ORDERS.get(sort_by, (None, str))
    match place:
        case [bool(), _]:
            return False
        case [int() as value, str() as id]:
            return kind is int and abs(value) < 2**63 and is_id(id)
        case [str() as value, str() as id]:
            return kind is str and is_speakable(value) and is_id(id)
    return False
