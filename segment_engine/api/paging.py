"""Pages: how many are asked for, behind which cursor, and how members are read by ordinal."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Annotated, Any

from fastapi import Query

from segment_engine.api.answers import Label, PageInfo
from segment_engine.api.cursors import Place, expired
from segment_engine.api.here import Caller
from segment_engine.api.problems import invalid
from segment_engine.batch.bitmaps import Bitmap
from segment_engine.errors import Problem
from segment_engine.store.generations import Generation, Gone
from segment_engine.store.records import Consumer, Page

DEFAULT = 20
MOST = 100
_READ_AT_ONCE = 100

Size = Annotated[int, Query(ge=1, le=MOST, examples=[DEFAULT])]
MaybeSize = Annotated[int | None, Query(ge=1, le=MOST, examples=[DEFAULT])]
Search = Annotated[
    str | None,
    Query(min_length=2, max_length=200, description="part of an email, a phone or a name"),
]
Cursor = Annotated[str | None, Query(description="a cursor of the same query", max_length=4_096)]


class Forward:
    """`first` items behind the cursor `after`."""

    def __init__(self, first: Size = DEFAULT, after: Cursor = None) -> None:
        self.size, self.after = first, after


class BothWays:
    """The `first` items behind the cursor `after`, or the `last` before the cursor `before`."""

    def __init__(
        self,
        first: MaybeSize = None,
        after: Cursor = None,
        last: MaybeSize = None,
        before: Cursor = None,
    ) -> None:
        forward, back = first is not None or after is not None, last or before
        if forward and back:
            raise invalid(Problem("last", "give first and after, or last and before"))
        self.after, self.before = after, before
        self.first = None if back else first or DEFAULT
        self.last = last or DEFAULT if back else None

    @staticmethod
    def info(page: Page[Any], cursor: Callable[[Any], str]) -> PageInfo:
        """Where a page of the store stands; `cursor` makes one of a position."""
        ends = [cursor(position) for position in [*page.positions[:1], *page.positions[-1:]]]
        return PageInfo(
            start_cursor=ends[0] if ends else None,
            end_cursor=ends[-1] if ends else None,
            has_next_page=page.after,
            has_previous_page=page.before,
        )


@dataclass(frozen=True, slots=True)
class Walk:
    """One walk through members: a query that cursors are good for, in one generation."""

    caller: Caller
    query: tuple[Any, ...]
    generation: Generation | None
    behind: int
    """The ordinal behind which the page begins; -1 is the beginning."""

    def members(self, audience_id: str) -> Bitmap:
        """Who is in the audience; nobody where the generation does not have it yet."""
        at = self.generation
        if at is None or audience_id not in at.audiences:
            return Bitmap({})
        return self.caller.store.generations.bitmap(at, audience_id)

    def changes(self, audience_id: str) -> tuple[Bitmap, Bitmap]:
        """Who entered and who left with the generation."""
        at = self.generation
        if at is None or audience_id not in at.audiences:
            return Bitmap({}), Bitmap({})
        return self.caller.store.generations.changes(at, audience_id)

    def labels(self, ordinal: int) -> list[Label]:
        """The audiences of a consumer, by name."""
        assert self.generation is not None
        store = self.caller.store
        ids = store.generations.audiences_of(self.generation, ordinal)
        return [Label(id=id, name=name) for id, name in store.audiences.labels(ids).items()]

    def page(self, members: Bitmap, size: int) -> tuple[list[Consumer], PageInfo]:
        """The next consumers, those that were erased left out, and where they stand."""
        found: list[Consumer] = []
        behind, consumers = self.behind, self.caller.store.consumers
        while len(found) <= size:
            ordinals = members.after(behind, max(size + 1 - len(found), _READ_AT_ONCE)).tolist()
            if not ordinals:
                break
            found += consumers.at(ordinals)
            behind = ordinals[-1]
        page = found[:size]
        return page, self._info(page, more=len(found) > size)

    def _info(self, page: Sequence[Consumer], more: bool) -> PageInfo:
        number = self.generation.number if self.generation else None
        ends = [
            self.caller.cursor(self.query, one.ordinal, number) for one in [*page[:1], *page[-1:]]
        ]
        return PageInfo(
            start_cursor=ends[0] if ends else None,
            end_cursor=ends[-1] if ends else None,
            has_next_page=more,
            has_previous_page=self.behind >= 0,
        )


def walk(
    caller: Caller, query: tuple[Any, ...], after: str | None, number: int | None = None
) -> Walk:
    """A walk from its beginning in a generation, the newest unless told, or on from a cursor.

    Raises Fault: 400 for a cursor of another query, 410 where its generation is gone; NotFound
    where there is no generation of that number.
    """
    generations = caller.store.generations
    if after is None:
        begun = generations.latest() if number is None else generations.get(number)
        return Walk(caller, query, begun, -1)
    place = caller.place(query, after)
    return Walk(caller, query, _generation(caller, place), int(place.position))


def _generation(caller: Caller, place: Place) -> Generation:
    if place.generation is None:
        raise expired()
    try:
        return caller.store.generations.get(place.generation)
    except Gone:
        raise expired() from None


def searched(caller: Caller, members: Bitmap, search: str | None) -> Bitmap:
    """The members of whom email, phone or name contain the text."""
    return members if search is None else members & caller.store.search.ordinals(search)


def together(members: Iterable[Bitmap]) -> Bitmap:
    """Who is in any of them."""
    return reduce(or_, members, Bitmap({}))
