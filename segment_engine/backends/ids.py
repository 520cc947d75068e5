"""Ids of consumers: each consumer has one, and no two have the same."""

from segment_engine.errors import RunError


def refuse_ids(id_column: str, nulls: int, repeated: int) -> None:
    """Raises RunError where there are null or repeated ids."""
    if nulls:
        raise RunError(f"column {id_column!r} has {_ids(nulls, 'null')}: every consumer needs one")
    if repeated:
        raise RunError(f"column {id_column!r} has {_ids(repeated, 'repeated')}: one row a consumer")


def _ids(count: int, kind: str) -> str:
    return f"{count:,} {kind} id{'s' * (count != 1)}"
