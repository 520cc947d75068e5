"""Opening consumers for rules: only the columns that they read, and the ids."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from segment_engine.backends.physical import Other
from segment_engine.backends.sources.opening import Source, open_source
from segment_engine.errors import RunError

if TYPE_CHECKING:
    from segment_engine.engine import Engine
    from segment_engine.rule import Rule


def open_for(
    engine: "Engine",
    rules: Sequence["Rule"],
    source: Any,
    id_column: str | None,
    more: Collection[str] = (),
) -> Source:
    """The consumers with the columns that the rules read, and `more`; what is open stays as it is.

    Raises SourceError where they cannot be read, RunError where there is no such id column.
    """
    if isinstance(source, Source):
        return source
    columns = {column for rule in rules for column in rule.columns} | set(more)
    opened = open_source(source, engine.schema, columns | ({id_column} if id_column else set()))
    if id_column is not None and id_column not in opened.columns:
        known = ", ".join(list(opened.columns)[:20]) or "none"
        raise RunError(
            f"there is no id column {id_column!r}; the columns are {known}; "
            "name the one that identifies a consumer (id_column, --id-column)"
        )
    if id_column is not None and isinstance(kind := opened.columns[id_column], Other):
        raise RunError(f"the id column {id_column!r} is {kind}; make it text or whole numbers")
    return opened
