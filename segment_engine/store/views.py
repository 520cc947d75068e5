"""The consumers of organizations as a process keeps them for previews: brought up to date when one
is asked for, with those who have changed since the last.

They begin with the snapshot of the runs on this host, where that is of the newest generation.
"""

from pathlib import Path
from threading import Lock

from segment_engine.batch.by_ordinal import token_of
from segment_engine.batch.view import Question, Tile, Tiles, View, fresh_tiles, tiles_of, view_of
from segment_engine.store.lately import Lately
from segment_engine.store.source import Reading, change_of

FEW, SHARE = 4_096, 16
"""Where more than few, and more than one of so many, have changed, newer tiles are looked for."""


class Kept:
    """The consumers of one organization; whoever asks holds the lock from before its transaction
    begins, so that time does not go back.
    """

    def __init__(self, snapshot: Path) -> None:
        """`snapshot` is the folder that runs keep."""
        self.lock = Lock()
        self._snapshot = snapshot
        self._view: View | None = None
        self._fingerprint = ""

    def asked(self, reading: Reading, question: Question) -> tuple[View, list[Tile]]:
        """The consumers as they are read, and their tiles with what the question wants."""
        view = self._current(reading)
        if view.tiles.lack(question.values):
            view = self._based(reading, view.tiles) or view
        if view.tiles.lack(question.values):
            view.tiles.read(question, reading.source(None).source)
        self._view, self._fingerprint = view, reading.fingerprint
        return view, view.tiles.of(question.values)

    def _current(self, reading: Reading) -> View:
        if self._view is not None and self._fingerprint == reading.fingerprint:
            return self._view
        view = self._brought(reading)
        if view is not None and len(view.changed) <= max(FEW, view.size // SHARE):
            return view
        return self._based(reading, view.tiles if view else None) or view or _fresh(reading)

    def _brought(self, reading: Reading) -> View | None:
        """The view that is kept with those who have changed since; None where it is of no use."""
        since = change_of(self._fingerprint)
        if self._view is None or since >= change_of(reading.fingerprint):
            return None
        return _changed(reading, self._view, since)

    def _based(self, reading: Reading, known: Tiles | None) -> View | None:
        """The consumers on the tiles of the runs; None where those are known or of no use."""
        tiles = tiles_of(self._snapshot, known.source if known else None)
        if tiles is None or token_of(reading.newest_basis()) not in tiles.tokens:
            return None  # what is of no generation may be of another copy of the database
        return _changed(reading, view_of(tiles, reading.ordinals), change_of(tiles.source))


class Views(Lately[Kept]):
    """Those of the organizations that were asked for last."""

    def __init__(self, folder: Path) -> None:
        """`folder` has the snapshots of this host."""
        super().__init__(lambda organization: Kept(folder / organization))


def _changed(reading: Reading, view: View, since: int) -> View | None:
    """With those who changed after `since`; None where they are too many."""
    rows = reading.changed(since)
    return None if rows is None else view.with_changed(rows, reading.ordinals)


def _fresh(reading: Reading) -> View:
    """As they are read now, each value when it is asked for."""
    return view_of(fresh_tiles(reading.ordinals), reading.ordinals)
