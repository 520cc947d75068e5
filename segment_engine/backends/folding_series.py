"""The frozen case folding for Polars columns."""

from typing import Final

import polars as pl

from segment_engine.values.folding import fold

# Polars lowercases these; they became capitals after Unicode 14, so the frozen table keeps them.
_NEWER_CAPITALS: Final = (
    r"[\x{1C89}\x{A7CB}\x{A7CC}\x{A7CE}\x{A7D2}\x{A7D4}\x{A7DA}\x{A7DC}"
    r"\x{10D50}-\x{10D65}\x{16EA0}-\x{16EB8}]"
)


def fold_series(s: pl.Series) -> pl.Series:
    """Returns the String series `s` folded as `fold` does; nulls, length and name stay."""
    if (s.str.len_bytes() == s.str.len_chars()).all():
        return s.str.to_lowercase()  # All of ASCII, as nearly all texts are.
    # Lowercasing a capital sigma depends on its neighbours, so both sigmas are settled before it.
    lowered = s.str.replace_many(["İ", "Σ", "ς"], ["i", "σ", "σ"]).str.to_lowercase()
    newer = s.str.contains(_NEWER_CAPITALS).fill_null(False)
    if not newer.any():
        return lowered
    return lowered.scatter(newer.arg_true(), [fold(text) for text in s.filter(newer)])
