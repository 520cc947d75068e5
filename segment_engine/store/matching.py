"""Rows put to the consumers that they mean: those of the database, and those that rows make.

An identifier is one consumer's alone. A row means who has the first of its identifiers that
somebody has. Who has a weaker one of them and another one of a stronger kind is somebody else, with
whom the row shares nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from pyroaring import BitMap
from sqlalchemy import ARRAY, Connection, Text, any_, bindparam, func, select

from segment_engine.errors import Problem
from segment_engine.store import exact_json
from segment_engine.store.database import now
from segment_engine.store.identity import IDENTIFIERS, Values, written
from segment_engine.store.ids import new_ids
from segment_engine.store.tables import consumers

KEPT = (
    *("email", "email_folded", "phone", "full_name", "external_id", "total_orders"),
    *("total_order_value", "last_order_at", "metadata", "created_at"),
)
"""The columns that rows give."""

Kept = tuple[Any, ...]
"""What is known of a consumer, or what a row gives, in that order; metadata as it is kept."""


class State:
    """A consumer while rows are put to it; `ordinal` is -1 for a new one."""

    __slots__ = ("before", "id", "ordinal", "values")

    def __init__(
        self,
        ordinal: int,
        id: str,
        before: dict[str, Any],
        values: dict[str, Any] | None = None,
    ) -> None:
        self.ordinal, self.id, self.before = ordinal, id, before
        self.values = before if values is None else values

    @property
    def changed(self) -> bool:
        """Whether it is another one than in the database."""
        new = self.ordinal < 0
        return new or (self.values is not self.before and self.values != self.before)

    @property
    def status(self) -> Literal["created", "updated", "unchanged"]:
        """What rows have made of it."""
        if self.ordinal < 0:
            return "created"
        return "updated" if self.changed else "unchanged"

    @property
    def kept(self) -> Kept:
        """Its values in the order of the columns."""
        return tuple(self.values[name] for name in KEPT)


def matched(
    connection: Connection,
    organization: str,
    rows: Mapping[int, Values],
    told: BitMap | None = None,
) -> tuple[dict[int, State], list[Problem]]:
    """The consumers whom rows mean, by the rows' numbers and in their order, and what is wrong.

    A row that is refused means one without an id. The organization is to be held before. With
    `told` rows give as to a `Filler`.
    """
    given = list(rows.values())
    matcher = (
        Matcher(connection, organization, given)
        if told is None
        else Filler(connection, organization, given, told)
    )
    fresh = new_ids("cons", now(connection))
    states: dict[int, State] = {}
    problems: list[Problem] = []
    for n, values in rows.items():
        states[n], found = matcher.put(values, f"consumers.{n}", fresh)
        problems += found
    return states, problems


class Matcher:
    """Rows in their order, each seeing what those before it gave."""

    def __init__(self, connection: Connection, organization: str, rows: Sequence[Values]) -> None:
        """Looks up whom the rows can mean; the organization is to be held before."""
        self._by: dict[str, dict[str, State]] = {name: {} for name in _STRONGER}
        known: set[int] = set()
        meant: list[State | None] = [None] * len(rows)
        for name, states in self._by.items():
            # Whom a row means already is not looked up by what is known of them.
            wanted = {
                value
                for row, state in zip(rows, meant, strict=True)
                if (value := row.get(name)) and (state is None or state.values.get(name) != value)
            }
            for ordinal, id, *kept in known_by(connection, organization, name, wanted):
                if ordinal not in known:
                    known.add(ordinal)
                    self._index(State(ordinal, id, dict(zip(KEPT, kept, strict=True))))
            if states:
                meant = [
                    state or states.get(row.get(name, ""))
                    for row, state in zip(rows, meant, strict=True)
                ]

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
            return State(-1, "", {}), [*problems, Problem(f"{place}.metadata", str(fault))]
        return state, problems

    def _apply(self, state: State, values: Values) -> None:
        """Raises ValueError where the metadata would be too long; nothing is applied then."""
        held = state.values
        given = {name: one for name, one in values.items() if name != "id"}
        if "metadata" in given:
            given["metadata"] = _merged(held["metadata"], given["metadata"])
        changes = {name: one for name, one in given.items() if held[name] != one}
        if is_same_number(changes.get(_DECIMAL), held[_DECIMAL]):
            del changes[_DECIMAL]
        if changes:
            state.values = {**held, **changes}
            for name in IDENTIFIERS:
                if name in changes and held[name] is not None:
                    self._by[name].pop(held[name], None)
        if changes or state.ordinal < 0:
            self._index(state)

    def _index(self, state: State) -> None:
        self._by["id"][state.id] = state
        for name in IDENTIFIERS:
            if (value := state.values[name]) is not None:
                self._by[name][value] = state


class Filler(Matcher):
    """Rows that give consumers only what they lack, and metadata: the first one of each does.

    Metadata that would be too long is left out alone.
    """

    def __init__(
        self, connection: Connection, organization: str, rows: Sequence[Values], told: BitMap
    ) -> None:
        """`told` are the ordinals of those to whom metadata was given before."""
        super().__init__(connection, organization, rows)
        self._told, self._given = told, set[str]()

    def put(self, values: Values, place: str, fresh: Iterator[str]) -> tuple[State, list[Problem]]:
        """See Matcher."""
        state, problems = super().put(values, place, fresh)
        if not state.id and _METADATA in values:
            rest = {name: one for name, one in values.items() if name != _METADATA}
            state, _ = super().put(rest, place, fresh)
        return state, problems

    def _apply(self, state: State, values: Values) -> None:
        lacking = {name: one for name, one in values.items() if state.values.get(name) is None}
        if _METADATA in values and not self._is_told(state):
            lacking[_METADATA] = values[_METADATA]
        else:
            lacking.pop(_METADATA, None)
        super()._apply(state, lacking)
        self._given.add(state.id)

    def _is_told(self, state: State) -> bool:
        return state.id in self._given or (state.ordinal >= 0 and state.ordinal in self._told)


_STRONGER = {
    name: (*IDENTIFIERS,)[: max(0, place - 1)] for place, name in enumerate(("id", *IDENTIFIERS))
}
"""The identifiers, and those that count more than each; an id is always right."""
_NOBODY: dict[str, Any] = dict.fromkeys(KEPT)


_DECIMAL, _METADATA = "total_order_value", "metadata"


def is_same_number(given: str | None, held: str | None) -> bool:
    """Whether decimals are equal, however many zeros they end with."""
    return given is not None and held is not None and Decimal(given) == Decimal(held)


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


def known_by(
    connection: Connection, organization: str, name: str, wanted: Collection[str]
) -> list[Any]:
    """Those who have one of many values of an identifier: ordinal, id, and what is kept."""
    if not wanted:
        return []
    query = select(*(consumers.c[one] for one in ("ordinal", "id", *KEPT))).where(
        consumers.c.organization == organization,
        consumers.c.erased_at.is_(None),
        is_one_of(connection, consumers.c[name], sorted(wanted)),
    )
    found: Any = connection.execute(query)
    # The driver's own tuples; rows of SQLAlchemy cost as much as all else of the query.
    return list(found.cursor.fetchall())


def is_one_of(connection: Connection, column: Any, wanted: Sequence[Any]) -> Any:
    """The condition that a column has one of many values, which are one parameter."""
    if connection.dialect.name == "sqlite":
        given = func.json_each(exact_json.dumps(list(wanted))).table_valued("value")
        return column.in_(select(given.c.value))
    kind = ARRAY(Text() if isinstance(column.type, Text) else column.type)
    return column == any_(bindparam(None, list(wanted), type_=kind))
