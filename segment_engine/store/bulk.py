"""Parts of files put in: who is plainly somebody new, or the same as before, is not matched singly.

A row stands apart where no other row of its part shares an identifier with it, nor with the
consumer whom it means: then neither has to do with the other, and their order says nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection

from segment_engine.backends.sources.plain_cells import EMAIL_FOLDED
from segment_engine.errors import Problem
from segment_engine.store.consumers import READ
from segment_engine.store.counting import lock
from segment_engine.store.database import Database
from segment_engine.store.given_rows import Row
from segment_engine.store.identity import IDENTIFIERS, Values, checked
from segment_engine.store.matching import KEPT, Kept, State, is_same_number, known_by, matched
from segment_engine.store.records import Organization
from segment_engine.store.writing import write

_COLUMNS = {**READ, EMAIL_FOLDED: "email_folded"}


class Part(NamedTuple):
    """Some rows of a file: those that are plainly sound, else None; and what reads any of them."""

    plain: Sequence[Kept | None]
    read: Callable[[Sequence[int]], Iterable[Row]]


class Counted(NamedTuple):
    """How many rows became what, and what was wrong, at `consumers.n` for the n-th of them.

    `ordinals` are those of the consumers whom rows mean; one may be there several times.
    """

    statuses: Counter[str]
    problems: list[Problem]
    ordinals: list[int]


def put(database: Database, organization: Organization, part: Part) -> Counted:
    """Puts in a part in one transaction, as `Consumers.put` would."""
    odd = [n for n, row in enumerate(part.plain) if row is None]
    sound, problems = _checked(part, odd, organization)
    with database.writing() as connection:
        lock(connection, organization.id)
        apart = _apart(connection, organization.id, part.plain, sound.values())
        more, found = _checked(part, apart.left, organization)
        rows = dict(sorted({**sound, **more}.items()))
        states, conflicts = matched(connection, organization.id, rows)
        states.update(apart.changed)
        new = write(connection, organization.id, states, apart.new)
    statuses: Counter[str] = Counter(one.status for one in states.values() if one.id)
    statuses.update(created=len(apart.new), unchanged=len(apart.same))
    known = (one.ordinal for one in states.values() if one.id and one.ordinal >= 0)
    return Counted(statuses, [*problems, *found, *conflicts], [*new, *known, *apart.same])


def plain_rows(columns: Mapping[str, list[Any]], sound: Sequence[bool]) -> list[Kept | None]:
    """Rows of a part, of columns as `plain_cells.plain` calls them, and metadata as it is kept;
    None for those that are not sound, or tell of nobody.
    """
    given, nothing = {_COLUMNS[key]: cells for key, cells in columns.items()}, [None] * len(sound)
    rows = zip(*(given.get(name, nothing) for name in KEPT), strict=True)
    named = zip(*(given.get(name, nothing) for name in IDENTIFIERS), strict=True)
    return [
        row if is_sound and any(by) else None
        for row, is_sound, by in zip(rows, sound, named, strict=True)
    ]


def _checked(
    part: Part, numbers: Sequence[int], organization: Organization
) -> tuple[dict[int, Values], list[Problem]]:
    """What the rows of some numbers give, without those that are wrong."""
    sound: dict[int, Values] = {}
    problems: list[Problem] = []
    for n, (row, found) in zip(numbers, part.read(numbers), strict=True):
        values, wrong = ({}, _at(n, found)) if found else checked(row, organization, _place(n))
        problems += wrong
        if not wrong:
            sound[n] = values
    return sound, problems


def _place(n: int) -> str:
    return f"consumers.{n}"


def _at(n: int, problems: list[Problem]) -> list[Problem]:
    return [Problem(f"{_place(n)}.{one.field}", one.message) for one in problems]


class _Apart(NamedTuple):
    """What rows that stand apart make: by their numbers new consumers and those that are others
    then, the ordinals of whom nothing new is told; and the numbers of the plain rows left."""

    new: dict[int, Kept]
    changed: dict[int, State]
    same: list[int]
    left: list[int]


def _apart(
    connection: Connection,
    organization: str,
    plain: Sequence[Kept | None],
    others: Collection[Values],
) -> _Apart:
    new = {n: row for n, row in enumerate(plain) if row}
    told, given = _told(new.values()), _given(new.values(), others)
    left: list[int] = []
    for name, at in _AT.items():
        times = given[name]
        if len(times) < times.total():
            left += [n for n, row in new.items() if times[row[at]] > 1]
            new = {n: row for n, row in new.items() if times[row[at]] <= 1}
    changed: dict[int, State] = {}
    same: list[int] = []
    for name, at in _AT.items():
        wanted = {row[at]: n for n, row in new.items() if row[at] is not None}
        for ordinal, id, *values in known_by(connection, organization, name, wanted):
            held = tuple(values)
            n = wanted[held[at]]
            row = new.pop(n)
            after = held if told(row) == told(held) else _after(row, held, given)
            if after is None:
                left.append(n)
            elif after == held:
                same.append(ordinal)
            else:
                changed[n] = State(ordinal, id, _named(held), _named(after))
    return _Apart(new, changed, same, left)


_AT = {name: KEPT.index(name) for name in IDENTIFIERS}
_VALUE, _METADATA = KEPT.index("total_order_value"), KEPT.index("metadata")

_Given = Mapping[str, Counter[Any]]
"""How many rows of a part give an identifier, by its column and itself."""


def _given(rows: Iterable[Kept], others: Iterable[Values]) -> _Given:
    found = {
        name: Counter([*(row[at] for row in rows), *(row.get(name) for row in others)])
        for name, at in _AT.items()
    }
    for times in found.values():
        del times[None]
    return found


def _told(rows: Collection[Kept]) -> Callable[[Kept], Kept]:
    """What takes of a row, or of a consumer, that of which some row tells, and all identifiers."""
    columns = enumerate(zip(*rows, strict=True))
    some = {*_AT.values(), *(at for at, values in columns if values.count(None) < len(values))}
    return itemgetter(*sorted(some))


def _after(row: Kept, held: Kept, given: _Given) -> Kept | None:
    """A consumer with what a row tells of it.

    None where that is for `Matcher` to say: it is to be known otherwise, or another row gives what
    it is known by; metadata is to be merged; a number is the same one.
    """
    for name, at in _AT.items():
        if held[at] != row[at] and (row[at] is not None or held[at] in given[name]):
            return None
    if held[_METADATA] is not None and row[_METADATA] not in (None, held[_METADATA]):
        return None
    if held[_VALUE] != row[_VALUE] and is_same_number(row[_VALUE], held[_VALUE]):
        return None
    return tuple(kept if one is None else one for one, kept in zip(row, held, strict=True))


def _named(kept: Kept) -> dict[str, Any]:
    return dict(zip(KEPT, kept, strict=True))
