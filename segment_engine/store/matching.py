"""Rows put to the consumers that they mean: those of the database, and those that rows make.

A row means who has the first of its identifiers that somebody has. Who has a weaker one of them and
another one of a stronger kind is somebody else, with whom the row shares nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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


class State:
    """A consumer while rows are put to it; `ordinal` is -1 for a new one."""

    __slots__ = ("before", "id", "ordinal", "values")

    def __init__(self, ordinal: int, id: str, values: dict[str, Any]) -> None:
        self.ordinal, self.id = ordinal, id
        self.values = self.before = values

    @property
    def changed(self) -> bool:
        """Whether it is another one than in the database."""
        return self.values is not self.before and self.values != self.before


class Matcher:
    """Rows in their order, each seeing what those before it gave."""

    def __init__(self, connection: Connection, organization: str, rows: Sequence[Values]) -> None:
        """Looks up whom the rows can mean; the organization is to be held before."""
        self._by: dict[str, dict[str, State]] = {name: {} for name in _STRONGER}
        found = {
            name: _with(connection, organization, name, wanted)
            for name in _STRONGER
            if (wanted := {row[name] for row in rows if row.get(name)})
        }
        ordinals = sorted({ordinal for pairs in found.values() for ordinal, _ in pairs})
        known = _read(connection, organization, ordinals) if ordinals else {}
        for name, pairs in found.items():
            for ordinal, value in pairs:
                self._by[name].setdefault(value, known[ordinal])
        for state in known.values():
            self._index(state, IDENTIFIERS)

    def put(self, values: Values, place: str, fresh: Iterator[str]) -> tuple[State, list[Problem]]:
        """The consumer whom the row means, with what it gives; conflicts are left out and told.

        Where nobody is meant, the consumer is a new one, of the next fresh id.
        """
        found = [
            (name, state)
            for name, states in self._by.items()
            if (value := values.get(name)) and (state := states.get(value)) is not None
        ]
        if values.get("id") is not None and (not found or found[0][0] != "id"):
            return State(-1, "", {}), [Problem(f"{place}.id", "there is no such consumer")]
        meant = (state for name, state in found if not _contradicts(values, state, name))
        state = next(meant, None) or State(-1, next(fresh), _NOBODY)
        others = [name for name, other in found if other is not state]
        problems = [
            Problem(f"{place}.{IDENTIFIERS[name]}", "it is another consumer's", "identity-conflict")
            for name in others
        ]
        try:
            self._apply(state, _without(values, others) if others else values)
        except ValueError as fault:
            problems.append(Problem(f"{place}.metadata", str(fault)))
        return state, problems

    def _apply(self, state: State, values: Values) -> None:
        """Raises ValueError where the metadata would be too long; the rest is applied then."""
        held = state.values
        changes = {
            name: one
            for name, one in values.items()
            if name != "metadata" and name != "id" and held[name] != one
        }
        for name in IDENTIFIERS.keys() & changes:
            if self._by[name].get(held[name]) is state:
                del self._by[name][held[name]]
        if changes:
            state.values = {**held, **changes}
        if state.ordinal < 0 or changes:
            self._index(state, changes)
        if "metadata" in values:
            merged = _merged(held["metadata"], values["metadata"])
            if merged != held["metadata"]:
                state.values = {**state.values, "metadata": merged}

    def _index(self, state: State, names: Iterable[str]) -> None:
        self._by["id"].setdefault(state.id, state)
        for name in names:
            if name in IDENTIFIERS and state.values[name] is not None:
                self._by[name].setdefault(state.values[name], state)


_STRONGER = {
    name: (*IDENTIFIERS,)[: max(0, place - 1)] for place, name in enumerate(("id", *IDENTIFIERS))
}
"""The identifiers, and those that count more than each; an id is always right."""
_NOBODY: dict[str, Any] = dict.fromkeys(KEPT)


def _contradicts(values: Values, state: State, name: str) -> bool:
    """Whether the row has another identifier than the consumer that counts more than this one."""
    return any(
        values.get(one) and state.values[one] and values[one] != state.values[one]
        for one in _STRONGER[name]
    )


def _without(values: Values, names: Sequence[str]) -> Values:
    left = {*names, "email"} if "email_folded" in names else {*names}
    return {name: one for name, one in values.items() if name not in left}


def _merged(text: str | None, patch: Mapping[str, Any] | None) -> str | None:
    """Metadata with the keys of the patch in it; a key with None goes."""
    if patch is None:
        return None
    given = {key: value for key, value in patch.items() if value is not None}
    if text is None or (len(given) == len(patch) and written(given) == text):
        return written(given)
    whole = {**exact_json.loads(text), **patch}
    return written({key: value for key, value in whole.items() if value is not None})


def _with(
    connection: Connection, organization: str, name: str, wanted: Collection[str]
) -> list[tuple[int, str]]:
    """The ordinals of those with one of many values, with the value, ascending."""
    query = select(consumers.c.ordinal, consumers.c[name]).where(
        consumers.c.organization == organization,
        consumers.c.erased_at.is_(None),
        is_one_of(connection, consumers.c[name], sorted(wanted)),
    )
    return sorted(map(tuple, connection.execute(query).all()))


def _read(connection: Connection, organization: str, ordinals: Sequence[int]) -> dict[int, State]:
    columns = [consumers.c[name] for name in ("ordinal", "id", *KEPT)]
    query = select(*columns).where(
        consumers.c.organization == organization,
        is_one_of(connection, consumers.c.ordinal, ordinals),
    )
    return {
        ordinal: State(ordinal, id, dict(zip(KEPT, values, strict=True)))
        for ordinal, id, *values in connection.execute(query.order_by(consumers.c.ordinal)).all()
    }


def is_one_of(connection: Connection, column: Any, wanted: Sequence[Any]) -> Any:
    """The condition that a column has one of many values, which are one parameter."""
    if connection.dialect.name == "sqlite":
        given = func.json_each(exact_json.dumps(list(wanted))).table_valued("value")
        return column.in_(select(given.c.value))
    kind = ARRAY(Text() if isinstance(column.type, Text) else column.type)
    return column == any_(bindparam(None, list(wanted), type_=kind))
