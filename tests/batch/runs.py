"""Small runs to publish, and what a folder of runs holds."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from segment_engine.batch.bitmaps import bitmap_of
from segment_engine.batch.manifest import About, Manifest
from segment_engine.batch.memberships import Memberships, Predicate
from segment_engine.batch.publishing import publish
from segment_engine.errors import RunError

ABOUT = About(
    as_of="2026-07-01T00:00:00Z", timezone="UTC", engine="snapshot", source="people.parquet"
)


def run_of(
    ids: Sequence[Any],
    audiences: Mapping[str, Collection[Any]],
    *failed: str,
    predicates: Iterable[Predicate] = (),
) -> Memberships:
    """The run over those ids in which those are the members."""
    places = {one: place for place, one in enumerate(ids)}
    bitmaps = {
        key: bitmap_of(np.array([places[one] for one in members], np.uint32))
        for key, members in audiences.items()
    }
    faults = {key: RunError(f"{key} is broken") for key in failed}
    return Memberships(pa.chunked_array([pa.array(ids)]), bitmaps, faults, predicates)


def published(
    out: Path,
    ids: Sequence[Any],
    audiences: Any,
    *failed: str,
    predicates: Iterable[Predicate] = (),
    **options: Any,
) -> Manifest:
    """Publish such a run."""
    run = run_of(ids, audiences, *failed, predicates=predicates)
    return publish(run, out, ABOUT, **options)


def members_of(memberships: Memberships) -> dict[str, list[Any]]:
    """The sorted members of every audience."""
    return {key: memberships.members(key) for key in memberships}


def files_of(out: Path) -> set[str]:
    """The paths of all files below a folder."""
    return {
        os.path.relpath(os.path.join(folder, name), out)
        for folder, _, names in os.walk(out)
        for name in names
    }
