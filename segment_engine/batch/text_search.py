"""Texts of consumers, searched all at once: whose have a term in them."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from segment_engine.batch.bitmaps import Bitmap, bitmap_of


class TextIndex:
    """A text of each ordinal from 0 on; None where there is nothing to find. Not for threads."""

    def __init__(self) -> None:
        self._texts = pl.Series([], dtype=pl.String)

    def put(self, ordinals: Sequence[int], texts: Sequence[str | None]) -> None:
        """Takes the texts for those ordinals; ordinals up to the greatest are there then."""
        lacking = max(ordinals, default=-1) + 1 - len(self._texts)
        given = pl.Series(texts, dtype=pl.String)
        if lacking == len(given) and [*ordinals[:1]] == [len(self._texts)]:
            self._texts = pl.concat([self._texts, given])
            return
        if lacking > 0:
            self._texts = self._texts.extend_constant(None, lacking)
        # A copy: who searches meanwhile has the texts as they were.
        self._texts = self._texts.clone().scatter(list(ordinals), given)

    def ordinals(self, term: str) -> Bitmap:
        """Those whose text has the term in it."""
        found = self._texts.str.contains(term, literal=True).fill_null(False).arg_true()
        return bitmap_of(np.asarray(found))
