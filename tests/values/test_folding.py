import sys
import unicodedata
from collections.abc import Sequence

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine.backends.folding_series import fold_series
from segment_engine.values.folding import FOLD, fold

CHARACTERS = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
TRICKY = st.text(
    st.sampled_from("aAΣσςİiıIßẞ \u0307ÀÉ\u1c89\ua7cbǅﬀ𐐀𞤀\U00010d50.") | st.characters()
)


def fold_in_duckdb(texts: Sequence[str | None]) -> list[str | None]:
    """Returns the texts folded by the SQL that the DuckDB backend emits."""
    with duckdb.connect() as connection:
        connection.register(
            "texts", pa.table({"row": range(len(texts)), "x": pa.array(texts, pa.string())})
        )
        query = "select replace(lower(x), 'ς', 'σ') from texts order by row"
        return [row[0] for row in connection.sql(query).fetchall()]


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="needs Unicode 14 to compare")
def test_table_is_simple_lowercase_of_unicode_14() -> None:
    lowered = {ord(c): ord(c.lower()) for c in CHARACTERS if len(c.lower()) == 1 and c.lower() != c}
    assert lowered | {0x130: ord("i"), ord("ς"): ord("σ")} == FOLD


def test_table_is_frozen() -> None:
    assert len(FOLD) == 1434
    assert not FOLD.keys() & set(FOLD.values())


def test_duckdb_folds_every_code_point_alike() -> None:
    assert fold_in_duckdb(CHARACTERS) == [fold(c) for c in CHARACTERS]


def test_polars_folds_every_code_point_alike() -> None:
    assert fold_series(pl.Series(CHARACTERS)).to_list() == [fold(c) for c in CHARACTERS]


@settings(deadline=None)
@given(st.lists(st.none() | TRICKY))
def test_engines_fold_texts_alike_and_keep_nulls(texts: list[str | None]) -> None:
    expected = [None if text is None else fold(text) for text in texts]
    folded = fold_series(pl.Series("name", texts, dtype=pl.String))
    assert (folded.name, folded.dtype, folded.to_list()) == ("name", pl.String, expected)
    assert fold_in_duckdb(texts) == expected


@pytest.mark.parametrize(
    ("text", "folded"),
    [("ADA@X.org", "ada@x.org"), ("ΟΔΟΣ", "οδοσ"), ("İI", "ii"), ("ẞ", "ß"), ("ﬀ", "ﬀ"), ("", "")],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded
