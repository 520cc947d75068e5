"""What every vendor gives of its lists: people, a page at a time, and the faults of reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from segment_engine.errors import SegmentError

Json = Any


@dataclass(frozen=True, slots=True)
class Profile:
    """One person of a list; `id` is the vendor's.

    `joined_at` is in microseconds since 1970, UTC. `data` becomes `metadata.<vendor>`; it is small,
    and which keys it has each vendor's module says.
    """

    id: str
    external_id: str | None
    email: str | None
    phone: str | None
    full_name: str | None
    joined_at: int | None
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Listed:
    """A list; `data` is what its vendor tells of it."""

    id: str
    name: str
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Read:
    """A page of a list. `cursor` asks for what follows, also after a restart; None at the end."""

    profiles: Sequence[Profile]
    cursor: str | None


class SyncFault(SegmentError):
    """A list could not be read; the message holds no key and nothing of a person.

    `temporary` says whether the same may work later, as nobody has to mend anything.
    """

    def __init__(self, message: str, temporary: bool = False) -> None:
        super().__init__(message, temporary)
        self.message, self.temporary = message, temporary

    def __str__(self) -> str:
        return self.message


class SourceGone(SyncFault):
    """There is no such list, or no longer."""


class CursorGone(SyncFault):
    """A cursor is no longer good; the list has to be read from its start."""


class SyncSource(Protocol):
    """The lists of one account at a vendor. Threads do not share one."""

    def find(self, list_id: str) -> Listed:
        """The list of this id. Raises SyncFault, and SourceGone where there is none."""
        ...

    def read(
        self, list_id: str, cursor: str | None = None, joined_since: int | None = None
    ) -> Read:
        """A page of the list: the first, or what follows that of which `cursor` came.

        `joined_since`, in microseconds since 1970 by the vendor's clock, leaves out who joined
        before the second that it is in; a cursor keeps it. People are in the order in which they
        joined; a list that changes meanwhile may miss or repeat some. Raises SyncFault, SourceGone
        where there is no such list, and CursorGone.
        """
        ...

    def close(self) -> None:
        """Ends its connections."""
        ...
