"""Texts of consumers, searched all at once: whose have a term in them."""

import numpy as np
import polars as pl

from segment_engine.backends.folding_series import fold_series
from segment_engine.batch.bitmaps import Bitmap, bitmap_of


class TextIndex:
    """A text of each ordinal from 0 on; None where there is nothing to find. Not for threads."""

    def __init__(self) -> None:
        self._texts = pl.Series([], dtype=pl.String)

    def put(self, ordinals: str, texts: str) -> None:
        """Takes the texts for those ordinals, both as arrays in JSON, and folds them; ordinals up
        to the greatest are there then.
        """
        places = pl.Series([ordinals]).str.json_decode(pl.List(pl.Int64))[0]
        given = fold_series(pl.Series([texts]).str.json_decode(pl.List(pl.String))[0])
        if not len(places):
            return
        lacking = int(places.max()) + 1 - len(self._texts)
        if lacking == len(given) and places[0] == len(self._texts):
            self._texts = pl.concat([self._texts, given])
            return
        if lacking > 0:
            self._texts = self._texts.extend_constant(None, lacking)
        # A copy: who searches meanwhile has the texts as they were.
        self._texts = self._texts.clone().scatter(places, given)

    def ordinals(self, term: str) -> Bitmap:
        """Those whose text has the term in it."""
        found = self._texts.str.contains(term, literal=True).fill_null(False).arg_true()
        return bitmap_of(np.asarray(found))
