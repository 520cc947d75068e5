"""Audiences that a rule names: by id or by name as it comes, by id as it is kept."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Select, and_, select

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.nearest import nearest
from segment_engine.diagnostics.spans import NOWHERE
from segment_engine.errors import RuleError
from segment_engine.expression.references import Reference, dependency_order
from segment_engine.store.tables import audience_references, audiences

MOST_GUESSED = 10
"""Unknown audiences whose nearest names are looked for among all: that takes time."""

MOST_CANDIDATES = 10
"""Audiences of one name that a message tells."""


_ID = re.compile("aud_[0-9A-Z]{26}")


class Names:
    """What the audiences of an organization are called, in one transaction."""

    def __init__(self, connection: Connection, organization: str) -> None:
        self._connection, self._organization = connection, organization

    @cached_property
    def _rows(self) -> Mapping[str, tuple[str, bool]]:
        """Name of each audience by id, and whether it is archived."""
        table = audiences.c
        asked = select(table.id, table.name, table.archived).order_by(table.id)
        found = self._connection.execute(asked.where(table.organization == self._organization))
        return {id: (name, archived) for id, name, archived in found}

    @cached_property
    def _ids(self) -> dict[str, list[str]]:
        """The audiences of each name that are not archived."""
        ids: dict[str, list[str]] = {}
        for id, (name, archived) in self._rows.items():
            if not archived:
                ids.setdefault(name, []).append(id)
        return ids

    def resolved(self, named: Iterable[Reference]) -> dict[str, str]:
        """The id of each audience that is named; an id comes before a name.

        Raises RuleError for names of none, of several, and of archived ones.
        """
        ids: dict[str, str] = {}
        faults: list[Diagnostic] = []
        for reference in named:
            found = self._found(reference.key)
            if len(found) == 1:
                ids[reference.key] = found[0]
            else:
                guess = len(faults) < MOST_GUESSED
                faults.append(self._fault(reference, found, guess))
        if faults:
            raise RuleError(tuple(faults))
        return ids

    def _found(self, key: str) -> list[str]:
        if key in self._rows:
            return [] if self._rows[key][1] else [key]
        return self._ids.get(key.strip(), [])

    def _fault(self, reference: Reference, found: list[str], guess: bool) -> Diagnostic:
        key, span = reference.key, reference.span
        if found:
            more = ", ..." if len(found) > MOST_CANDIDATES else ""
            ids = ", ".join(found[:MOST_CANDIDATES]) + more
            message = f'{len(found)} audiences are called "{key}"'
            return Diagnostic(
                "ambiguous-audience", message, span, help=f"name one by its id: {ids}"
            )
        names = [name for name, archived in self._rows.values() if archived]
        if key in self._rows or key.strip() in names:
            return Diagnostic("archived-audience", f'the audience "{key}" is archived', span)
        near = nearest(key, self._ids) if guess else ()
        return Diagnostic("unknown-audience", f'no audience is called "{key}"', span, near=near)

    def label(self, id: str) -> str:
        """The name of an audience, with its id where another one is called so."""
        name, _ = self._rows.get(id, (id, False))
        return name if self._ids.get(name) == [id] else f"{name} ({id})"

    def check_cycle(self, id: str, named: Iterable[Reference]) -> None:
        """Raises RuleError where the audience would refer to itself through these references.

        Right only while nobody else can write: the organization is locked.
        """
        graph: dict[str, tuple[Reference, ...]] = {
            **{audience: tuple(refers) for audience, refers in self._edges().items()},
            id: tuple(named),
        }
        fault = dependency_order(graph, self._rows).faults.get(id)
        if fault is not None:
            told = _ID.sub(lambda found: self.label(found[0]), fault.message)
            raise RuleError((replace(fault, message=told),))

    def _edges(self) -> dict[str, list[Reference]]:
        table = audience_references.c
        asked = select(table.audience, table.refers)
        edges: dict[str, list[Reference]] = {}
        for audience, refers in self._connection.execute(
            asked.where(table.organization == self._organization)
        ):
            edges.setdefault(audience, []).append(Reference(refers, NOWHERE))
        return edges

    def dependents(self, ids: Iterable[str]) -> list[tuple[str, str]]:
        """Ids and names of those, not archived, that refer to one of `ids` from outside of them."""
        refers, audience, chosen = audience_references.c, audiences.c, tuple(ids)
        joined = refers.audience == audience.id, refers.organization == audience.organization
        asked = (
            select(audience.id, audience.name).distinct().join(audience_references, and_(*joined))
        )
        outside = refers.refers.in_(chosen), audience.id.not_in(chosen)
        return self._named(asked.where(*outside, audience.archived.is_(False)))

    def archived(self, id: str) -> list[tuple[str, str]]:
        """Ids and names of the archived audiences that one refers to."""
        refers, audience = audience_references.c, audiences.c
        joined = and_(refers.refers == audience.id, refers.organization == audience.organization)
        asked = select(audience.id, audience.name).join(audience_references, joined)
        return self._named(asked.where(refers.audience == id, audience.archived.is_(True)))

    def _named(self, asked: Select[Any]) -> list[tuple[str, str]]:
        """Asked anew each time: the transaction itself may have archived some."""
        own = asked.where(audiences.c.organization == self._organization)
        return [(id, name) for id, name in self._connection.execute(own.order_by(audiences.c.id))]
