"""Consumers written as rows of their table, under one change number, and a run wanted for them."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, update

from segment_engine.store.counting import new_ordinals, next_change
from segment_engine.store.database import now
from segment_engine.store.ids import new_ids
from segment_engine.store.jobs import want
from segment_engine.store.matching import KEPT, Kept, State, is_one_of
from segment_engine.store.tables import consumers

_WRITTEN = ("organization", "ordinal", "id", *KEPT, "updated_at", "change_seq")
_NOBODY: Mapping[int, Kept] = {}


def write(
    connection: Connection,
    organization: str,
    states: dict[int, State],
    apart: Mapping[int, Kept] = _NOBODY,
) -> range:
    """Writes what rows, by their numbers, have made of consumers; the organization is held.
    Returns the ordinals of new ones.

    `apart` are new consumers that no state is of. New ones get ordinals in the order of rows;
    who has no instant of creation is created now.
    """
    # Of several rows that mean one consumer the first counts.
    each = {id(one): (n, one) for n, one in reversed(states.items()) if one.id and one.changed}
    known = [one for _, one in each.values() if one.ordinal >= 0]
    made = [(n, one.id, one.kept) for n, one in each.values() if one.ordinal < 0]
    if not made and not apart and not known:
        return range(0)
    instant = now(connection)
    number = next_change(connection, organization)
    ids = new_ids("cons", instant)
    new = sorted([*made, *zip(apart, ids, apart.values(), strict=False)])
    first = new_ordinals(connection, organization, len(new))
    _let_go(connection, organization, known)
    if new:
        _insert(
            connection,
            [
                (organization, ordinal, id, *_created(kept, instant), instant, number)
                for ordinal, (_, id, kept) in enumerate(new, first)
            ],
        )
    if known:
        _update(connection, organization, known, instant, number)
    want(connection, organization)
    return range(first, first + len(new))


def _created(kept: Kept, instant: int) -> Kept:
    """With the instant where no creation is told."""
    return (*kept[:-1], instant) if kept[-1] is None else kept


def _let_go(connection: Connection, organization: str, known: Iterable[State]) -> None:
    """External ids that change are nobody's first: another row may take them over."""
    name = "external_id"
    moved = [one.ordinal for one in known if one.before[name] not in (None, one.values[name])]
    if moved:
        theirs = is_one_of(connection, consumers.c.ordinal, moved)
        mine = consumers.c.organization == organization
        connection.execute(update(consumers).where(mine, theirs).values({name: None}))


def _insert(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(_WRITTEN))
        names = ", ".join(_WRITTEN)
        connection.exec_driver_sql(f"insert into consumers ({names}) values ({marks})", rows)
        return
    cursor: Any = connection.connection.cursor()
    with cursor.copy(f"copy consumers ({', '.join(_WRITTEN)}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def _update(
    connection: Connection, organization: str, known: list[State], instant: int, number: int
) -> None:
    # A column that is set is indexed anew, also where it stays.
    names = [name for name in KEPT if any(one.values[name] != one.before[name] for one in known)]
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    changed = ", ".join(f"{name} = {mark}" for name in (*names, "updated_at", "change_seq"))
    connection.exec_driver_sql(
        f"update consumers set {changed} where organization = {mark} and ordinal = {mark}",
        [
            (*(one.values[name] for name in names), instant, number, organization, one.ordinal)
            for one in known
        ],
    )
