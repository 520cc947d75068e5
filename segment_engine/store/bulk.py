"""Parts of files put in: who is plainly somebody new, or the same as before, is not matched singly.

A row stands apart where no other row of its part shares an identifier with it, nor with the
consumer whom it means: then neither has to do with the other, and their order says nothing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from segment_engine.errors import Problem
from segment_engine.store.counting import lock
from segment_engine.store.database import Database
from segment_engine.store.given_rows import Row
from segment_engine.store.identity import IDENTIFIERS, Values, checked
from segment_engine.store.matching import KEPT, Kept, known_by, matched
from segment_engine.store.records import Organization
from segment_engine.store.writing import write


class Part(NamedTuple):
    """Some rows of a file: those that are plainly sound, else None; and what reads any of them."""

    plain: Sequence[Kept | None]
    read: Callable[[Sequence[int]], Iterable[Row]]


class Counted(NamedTuple):
    """How many rows became what, and what was wrong, at `consumers.n` for the n-th of them."""

    statuses: Counter[str]
    problems: list[Problem]


def put(database: Database, organization: Organization, part: Part) -> Counted:
    """Puts in a part in one transaction, as `Consumers.put` would."""
    odd = [n for n, row in enumerate(part.plain) if row is None]
    sound, problems = _checked(part, odd, organization)
    with database.writing() as connection:
        lock(connection, organization.id)
        new, same = _apart(connection, organization.id, part.plain, sound.values())
        left = [
            n
            for n, row in enumerate(part.plain)
            if row is not None and n not in new and n not in same
        ]
        more, found = _checked(part, left, organization)
        rows = dict(sorted({**sound, **more}.items()))
        states, conflicts = matched(connection, organization.id, rows)
        write(connection, organization.id, states, new)
    statuses: Counter[str] = Counter(one.status for one in states.values() if one.id)
    statuses.update(created=len(new), unchanged=len(same))
    return Counted(statuses, [*problems, *found, *conflicts])


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


_AT = {name: KEPT.index(name) for name in IDENTIFIERS}


def _apart(
    connection: Connection,
    organization: str,
    plain: Sequence[Kept | None],
    others: Collection[Values],
) -> tuple[dict[int, Kept], set[int]]:
    """Of the plain rows that stand apart, those that are new consumers, and the numbers of those
    that tell nothing new."""
    given = {
        name: Counter([*(row[at] for row in plain if row), *(row.get(name) for row in others)])
        for name, at in _AT.items()
    }
    shared = {
        name: {value for value, times in given[name].items() if times > 1 and value is not None}
        for name in _AT
    }
    new = {
        n: row
        for n, row in enumerate(plain)
        if row and not any(values and row[_AT[name]] in values for name, values in shared.items())
    }
    same: set[int] = set()
    for name, at in _AT.items():
        wanted = {row[at]: n for n, row in new.items() if row[at] is not None}
        for _, _, *values in known_by(connection, organization, name, wanted):
            held = tuple(values)
            n = wanted[held[at]]
            if _tells_nothing_new(new.pop(n), held, given):
                same.add(n)
    return new, same


def _tells_nothing_new(row: Kept, held: Kept, given: Mapping[str, Container[Any]]) -> bool:
    """Whether the consumer stays as it is, and no other row gives what it is known by."""
    if row != held and any(
        one is not None and one != kept for one, kept in zip(row, held, strict=True)
    ):
        return False
    return not any(
        row[at] is None and held[at] is not None and held[at] in given[name]
        for name, at in _AT.items()
    )
