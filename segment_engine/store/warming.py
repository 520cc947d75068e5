"""What a process that begins to serve reads beforehand, so that nobody waits for it."""

from contextlib import suppress
from threading import Event, Thread

from sqlalchemy import select

from segment_engine.errors import StoreError
from segment_engine.store.lately import KEPT
from segment_engine.store.store import Store
from segment_engine.store.tables import organizations


class Warming:
    """Reads the texts of the largest organizations, beside all else, until it is ended."""

    def __init__(self, store: Store) -> None:
        self._store, self._ending = store, Event()
        self._thread = Thread(target=self._warm, daemon=True)

    def begin(self) -> None:
        """Begins to read."""
        self._thread.start()

    def end(self) -> None:
        """Leaves the rest to whoever searches."""
        self._ending.set()
        self._thread.join()

    def _warm(self) -> None:
        with suppress(StoreError):  # whoever searches is told
            for organization in self._largest():
                if self._ending.is_set():
                    return
                self._store.of(organization).search.warm(self._ending.is_set)

    def _largest(self) -> list[str]:
        c = organizations.c
        query = select(c.id).where(c.next_ordinal > 0).order_by(c.next_ordinal.desc()).limit(KEPT)
        with self._store.database.reading() as connection:
            return list(connection.execute(query).scalars())
