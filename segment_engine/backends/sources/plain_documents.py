"""JSON objects of plain values spelt anew by column: keys sorted, no blanks, as the store has them.

Objects are mostly written by one program and have the keys of their neighbours. So the first that
is left is taken for a pattern, which says to the last character what is like it, until none is.
"""

import re

import polars as pl

_LONG = 10_000
_MOST_KEYS, _MOST_SHAPES = 20, 32
_KEY = r"[A-Za-z0-9_-]+"
_SCALAR = r'"[^"\\\x00-\x1f]*"|-?[1-9][0-9]{0,17}|0|-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,5}|true|false'
_LIST = rf"\[(?:(?:{_SCALAR})(?:,(?:{_SCALAR}))*)?\]"
_VALUE = rf"(?:{_SCALAR}|{_LIST})"
_PAIR = rf'"({_KEY})": ?{_VALUE}'
_NEXT = re.compile(_PAIR)
_OBJECT = re.compile(rf"\{{(?:{_PAIR}(?:, ?{_PAIR})*)?\}}")


def spelt_anew(documents: pl.Series) -> pl.Series:
    """Text of objects as they are kept; null for a document that is not plain, and for none.

    Plain are values that are texts without escapes, numbers of few digits, truths, and lists of
    them, under keys of letters and digits, each once; null is not.
    """
    rows = pl.DataFrame({"at": pl.int_range(len(documents), eager=True), "text": documents})
    left = rows.filter(pl.col("text").str.len_bytes() <= _LONG)
    done = [left.clear()]
    for _ in range(_MOST_SHAPES):
        if left.is_empty():
            break
        shape = _shape(left["text"][0])
        if shape is None:
            left = left[1:]
        else:
            alike = pl.col("text").str.contains(shape[0])
            done.append(left.filter(alike).with_columns(pl.col("text").str.replace(*shape)))
            left = left.filter(~alike)
    found = pl.concat(done)
    return rows.select("at").join(found, on="at", how="left", maintain_order="left")["text"]


def _shape(text: str) -> tuple[str, str] | None:
    """What objects with the keys of a plain one match, and what they are replaced by."""
    if not _OBJECT.fullmatch(text):
        return None
    keys = [pair[1] for pair in _NEXT.finditer(text)]
    if len(set(keys)) < len(keys) or len(keys) > _MOST_KEYS:
        return None
    pairs = ", ?".join(f'"{key}": ?({_VALUE})' for key in keys)
    anew = ",".join(f'"{key}":${{{keys.index(key) + 1}}}' for key in sorted(keys))
    return rf"^\{{{pairs}\}}$", f"{{{anew}}}"
