"""Runs over consumers whose ids are their ordinals, as a store has them: slots are ordinals."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import pyarrow as pa

from segment_engine.batch.basis import Basis
from segment_engine.batch.bitmaps import TILE, Bitmap
from segment_engine.batch.memberships import Memberships
from segment_engine.batch.snapshot.changes import FEW, SHARE


def run_before(ordinals: int, audiences: Mapping[str, Bitmap], basis: str | None) -> Memberships:
    """A run as it was kept: of so many ordinals, with its `basis` as `basis_text` gave it.

    A basis that cannot be read tells nothing, and all consumers will be asked.
    """
    known = _basis(basis)
    if known is not None:
        held = {key: one for key, one in known.audiences.items() if key in audiences}
        known = replace(known, audiences=held)
    return Memberships(_ids(ordinals), audiences, {}, basis=known)


def basis_text(run: Memberships) -> str | None:
    """What a run was computed from, to be kept; see `run_before`."""
    return None if run.basis is None else json.dumps(asdict(run.basis))


def token_of(basis: str | None) -> str | None:
    """What the snapshot that a run left behind is known by; of what `basis_text` gave."""
    known = _basis(basis)
    return None if known is None else known.snapshot


def _basis(text: str | None) -> Basis | None:
    try:
        return Basis(**json.loads(text or ""))
    except (ValueError, TypeError):
        return None


def is_by_ordinal(run: Memberships, ordinals: int) -> bool:
    """Whether the ids of a run are all the ordinals, in order."""
    return len(run.ids) == ordinals and run.ids.cast(pa.int64()).equals(_ids(ordinals))


def most_told(ordinals: int) -> int:
    """Where more than so many have changed, it is as fast to ask all."""
    return max(FEW, ordinals // SHARE)


def _ids(ordinals: int) -> pa.ChunkedArray:
    starts = range(0, ordinals, TILE)
    chunks = [pa.array(np.arange(low, min(low + TILE, ordinals))) for low in starts]
    return pa.chunked_array(chunks, pa.int64())
