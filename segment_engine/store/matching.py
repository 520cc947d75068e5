"""Rows put to the consumers that they mean: those of the database, and those that rows make.

A row means who has the first of its identifiers that somebody has. Who has a weaker one of them and
another one of a stronger kind is somebody else, with whom the row shares nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from sqlalchemy import ARRAY, Connection, Text, any_, bindparam, func, select

from segment_engine.errors import Problem
from segment_engine.store import exact_json
from segment_engine.store.identity import IDENTIFIERS, Values, written
from segment_engine.store.tables import consumers

KEPT = (
    *("email", "email_folded", "phone", "full_name", "external_id", "total_orders"),
    *("total_order_value", "last_order_at", "metadata", "created_at"),
)
"""The columns that rows give."""


@dataclass(slots=True)
class State:
    """A consumer while rows are put to it; `ordinal` is -1 for a new one."""

    ordinal: int
    id: str
    values: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether it is another one than in the database."""
        return self.values != self.before


class Matcher:
    """Rows in their order, each seeing what those before it gave."""

    def __init__(self, connection: Connection, organization: str, rows: Sequence[Values]) -> None:
        """Looks up whom the rows can mean; the organization is to be held before."""
        self._by: dict[str, dict[str, State]] = {name: {} for name in ("id", *IDENTIFIERS)}
        known: dict[int, State] = {}
        for name, states in self._by.items():
            wanted = sorted({row[name] for row in rows if row.get(name)})
            for found in _with(connection, organization, name, wanted) if wanted else ():
                state = known.setdefault(found.ordinal, _state(found))
                states.setdefault(getattr(found, name), state)
        for state in known.values():
            self._index(state)

    def put(self, values: Values, place: str, new_id: str) -> tuple[State, list[Problem]]:
        """The consumer whom the row means, with what it gives; conflicts are left out and told.

        Where nobody is meant, the consumer is a new one of that id.
        """
        if values.get("id") is not None and values["id"] not in self._by["id"]:
            return State(-1, "", {}), [Problem(f"{place}.id", "there is no such consumer")]
        found = [
            (name, state)
            for name in ("id", *IDENTIFIERS)
            if values.get(name) and (state := self._by[name].get(values[name])) is not None
        ]
        meant = (state for name, state in found if not _contradicts(values, state, name))
        state = next(meant, None) or State(-1, new_id, dict.fromkeys(KEPT))
        others = [name for name, other in found if other is not state]
        problems = [
            Problem(f"{place}.{IDENTIFIERS[name]}", "it is another consumer's", "identity-conflict")
            for name in others
        ]
        problems += self._apply(state, values, others, place)
        self._index(state)
        return state, problems

    def _apply(
        self, state: State, values: Values, others: Iterable[str], place: str
    ) -> list[Problem]:
        left = {"id", "metadata", *others} | ({"email"} if "email_folded" in others else set())
        for name in IDENTIFIERS.keys() & values.keys() - left:
            if self._by[name].get(state.values[name]) is state:
                del self._by[name][state.values[name]]
        state.values |= {name: one for name, one in values.items() if name not in left}
        if "metadata" in values:
            try:
                state.values["metadata"] = _merged(state.values["metadata"], values["metadata"])
            except ValueError as fault:
                return [Problem(f"{place}.metadata", str(fault))]
        return []

    def _index(self, state: State) -> None:
        self._by["id"].setdefault(state.id, state)
        for name in IDENTIFIERS:
            if state.values[name] is not None:
                self._by[name].setdefault(state.values[name], state)


def _contradicts(values: Values, state: State, name: str) -> bool:
    """Whether the row has another identifier than the consumer that counts more than this one."""
    stronger = takewhile(lambda one: one != name, IDENTIFIERS) if name != "id" else ()
    return any(
        values.get(one) and state.values[one] and values[one] != state.values[one]
        for one in stronger
    )


def _merged(text: str | None, patch: Mapping[str, Any] | None) -> str | None:
    """Metadata with the keys of the patch in it; a key with None goes."""
    if patch is None:
        return None
    given = {key: value for key, value in patch.items() if value is not None}
    if text is None or (len(given) == len(patch) and written(given) == text):
        return written(given)
    whole = {**exact_json.loads(text), **patch}
    return written({key: value for key, value in whole.items() if value is not None})


def _state(row: Any) -> State:
    values = {name: getattr(row, name) for name in KEPT}
    return State(row.ordinal, row.id, values, dict(values))


def _with(connection: Connection, organization: str, name: str, wanted: list[str]) -> list[Any]:
    """The consumers with one of many values, in the order of their ordinals."""
    column = consumers.c[name]
    query = (
        select(consumers.c.ordinal, consumers.c.id, *(consumers.c[one] for one in KEPT))
        .where(consumers.c.organization == organization, consumers.c.erased_at.is_(None))
        .where(is_one_of(connection, column, wanted))
    )
    rows: list[Any] = list(connection.execute(query))
    return sorted(rows, key=lambda row: row.ordinal)


def is_one_of(connection: Connection, column: Any, wanted: Sequence[Any]) -> Any:
    """The condition that a column has one of many values, which are one parameter."""
    if connection.dialect.name == "sqlite":
        given = func.json_each(exact_json.dumps(list(wanted))).table_valued("value")
        return column.in_(select(given.c.value))
    kind = ARRAY(Text() if isinstance(column.type, Text) else column.type)
    return column == any_(bindparam(None, list(wanted), type_=kind))
