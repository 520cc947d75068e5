"""What a route works with: the store of the caller's organization, and its cursors."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from pydantic import AfterValidator

from segment_engine.api import answers, telling
from segment_engine.api.cursors import Cursors, Place
from segment_engine.store.records import Audience
from segment_engine.store.store import OrganizationStore

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: everything that a route reaches is of one organization."""

    store: OrganizationStore
    cursors: Cursors
    time_run_s: float
    """How often time alone asks for a run, at most."""

    @property
    def organization(self) -> str:
        """Its id."""
        return self.store.organization.id

    def audience(self, found: Audience, include: tuple[str, ...] = ()) -> answers.Audience:
        """An audience as it is answered, with when it was refreshed."""
        imports = self.store.imports.list(found.id) if "imports" in include else ()
        sync = self.store.syncs.get(found.id) if "primarySyncSource" in include else None
        latest = self.store.generations.latest()
        return telling.audience(found, self.organization, latest, include, imports, sync)

    def cursor(self, query: tuple[Any, ...], position: Any, generation: int | None = None) -> str:
        """The cursor of a place in one query of this organization."""
        return self.cursors.made(self._whole(query), Place(position, generation))

    def place(self, query: tuple[Any, ...], cursor: str | None, name: str = "after") -> Place:
        """What a cursor of the query says; the beginning where there is none. Raises Fault."""
        if cursor is None:
            return Place(None)
        return self.cursors.read(self._whole(query), cursor, name)

    def _whole(self, query: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.organization, *query)


def _caller(request: Request) -> Caller:
    state = request.app.state
    return Caller(state.store.of(request.state.organization), state.cursors, state.time_run_s)


Here = Annotated[Caller, Depends(_caller)]


def _known(given: str) -> str:
    """An id as it may be in the store; anything else is no id of anything, and becomes "-"."""
    return given if _ID.fullmatch(given) else "-"


_Given = AfterValidator(_known)
AudienceId = Annotated[str, Path(examples=["aud_01JDTX5Z5Z0000000000000000"]), _Given]
GroupId = Annotated[str, Path(examples=["grp_01JDTX5Z5Z0000000000000000"]), _Given]
ImportId = Annotated[str, Path(examples=["imp_01JDTX5Z5Z0000000000000000"]), _Given]
ConsumerId = Annotated[str, Path(examples=["cons_01JDTX5Z5Z000000000000000"]), _Given]
