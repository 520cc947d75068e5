"""By what values, predicates and columns are known in the files of a snapshot."""

from hashlib import blake2b
from io import BytesIO

import polars as pl

from segment_engine.backends.reading import Reading
from segment_engine.expression.nodes import Expr, walk


def key_of(expr: Expr) -> str:
    """What tells a value or a predicate from others."""
    return blake2b(repr(expr).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def columns_of(expr: Expr) -> list[str]:
    """The columns that are read."""
    return list(dict.fromkeys(one.column for one in walk(expr) if isinstance(one, Reading)))


def digest(values: pl.Series) -> str:
    """A digest of a column: another one where a value is another, or at another place."""
    made = blake2b(str(values.dtype).encode(), digest_size=16)
    if values.dtype.is_nested():
        file = BytesIO()
        pl.DataFrame({"": values}).write_ipc(file, compression="uncompressed")
        made.update(file.getbuffer())
    else:
        made.update(values.hash().to_numpy().data)
    return made.hexdigest()
