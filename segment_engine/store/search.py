"""Who has a term in email, phone or name, ignoring case: a text each, in the process's memory.

What has changed since the last search is read before the next one, so that an erased consumer is
found no more. Organizations that were searched last are kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

from sqlalchemy import Connection, func, select

from segment_engine.batch.bitmaps import Bitmap
from segment_engine.batch.text_search import TextIndex
from segment_engine.errors import Invalid, Problem
from segment_engine.store.columns import AT_ONCE, json_columns
from segment_engine.store.database import Database
from segment_engine.store.lately import Lately
from segment_engine.store.records import Organization
from segment_engine.store.tables import consumers, organizations
from segment_engine.values.folding import fold

LEAST, MOST = 2, 200
TERMS = 16
"""Terms whose consumers are kept until one of them changes."""
BETWEEN = "\n"
"""Stands between the texts of a consumer; no term has it."""


class _Texts:
    """The texts of one organization, and how far they were read."""

    def __init__(self) -> None:
        self.lock, self.index, self.seen = Lock(), TextIndex(), 0
        self._found: OrderedDict[str, Bitmap] = OrderedDict()

    def put(self, ordinals: str, texts: str) -> None:
        """Takes the texts for those ordinals."""
        self._found.clear()
        self.index.put(ordinals, texts)

    def ordinals(self, term: str) -> Bitmap:
        """Those whose text has the term in it; the next page is of the same ones."""
        if term not in self._found:
            self._found[term] = self.index.ordinals(term)
            while len(self._found) > TERMS:
                self._found.popitem(last=False)
        return self._found[term]


class Texts(Lately[_Texts]):
    """Those of the organizations that were searched last."""

    def __init__(self) -> None:
        super().__init__(lambda _: _Texts())


class Search:
    """The search of one organization."""

    def __init__(self, database: Database, organization: Organization, texts: Texts) -> None:
        self._database, self._id = database, organization.id
        self._texts = texts

    def ordinals(self, term: str) -> Bitmap:
        """The consumers with the term in their email, phone or full name. Raises Invalid."""
        if not LEAST <= len(term) <= MOST:
            message = f"a search has {LEAST} to {MOST} characters"
            raise Invalid(message, [Problem("search", message)])
        if any(not character.isprintable() for character in term):
            return Bitmap({})
        texts = self._texts.of(self._id)
        with texts.lock:
            self._read(texts, lambda: False)
            return texts.ordinals(fold(term))

    def warm(self, ended: Callable[[], bool]) -> None:
        """Reads what the next search would have to read first, unless it `ended` meanwhile."""
        texts = self._texts.of(self._id)
        with texts.lock:
            self._read(texts, ended)

    def _read(self, texts: _Texts, ended: Callable[[], bool]) -> None:
        asked = select(organizations.c.change_seq).where(organizations.c.id == self._id)
        with self._database.reading() as connection:
            newest = connection.execute(asked).scalar_one()
            if newest == texts.seen:
                return
            for those in self._unseen(connection, texts.seen):
                if ended():
                    return
                found = json_columns(connection, self._id, (consumers.c.ordinal, _TEXT), *those)
                texts.put(*found)
            texts.seen = newest

    def _unseen(self, connection: Connection, seen: int) -> Iterator[tuple[Any, ...]]:
        """Who was not seen yet; all of them in parts."""
        if seen:
            yield (consumers.c.change_seq > seen,)
            return
        greatest = select(func.max(consumers.c.ordinal)).where(consumers.c.organization == self._id)
        for first in range(0, 1 + (connection.execute(greatest).scalar_one() or 0), AT_ONCE):
            yield consumers.c.ordinal >= first, consumers.c.ordinal < first + AT_ONCE


_EMAIL, _PHONE, _NAME = (
    func.coalesce(consumers.c[name], "") for name in ("email_folded", "phone", "full_name")
)
_TEXT = _EMAIL + BETWEEN + _PHONE + BETWEEN + _NAME
