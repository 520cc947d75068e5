"""Rules asked of the consumers of an organization, by way of a snapshot brought up to date."""

import shutil
from pathlib import Path
from typing import Any

from segment_engine.backends.sources.tiled import ORDINAL
from segment_engine.batch.by_ordinal import is_by_ordinal
from segment_engine.batch.memberships import Memberships
from segment_engine.errors import OutputError, StoreError
from segment_engine.store.source import Reading
from segment_engine.values.isotime import format_instant


def asked(
    reading: Reading,
    snapshot: Path,
    rules: Any,
    since: Memberships | None,
    change: int | None,
) -> Memberships:
    """A run over the consumers as they are read, by way of a snapshot.

    `since` is a run as of the change `change`. A snapshot that is damaged is made anew.
    """
    try:
        found = _asked(reading, snapshot, rules, since, change)
        if is_by_ordinal(found, reading.ordinals):
            return found
    except OutputError:
        if not snapshot.exists():
            raise
    shutil.rmtree(snapshot, ignore_errors=True)
    found = _asked(reading, snapshot, rules, None, None)
    if not is_by_ordinal(found, reading.ordinals):
        raise StoreError("the ordinals of consumers are not those from 0 on")
    return found


def _asked(
    reading: Reading,
    snapshot: Path,
    rules: Any,
    since: Memberships | None,
    change: int | None,
) -> Memberships:
    changed, lists = reading.source(change), reading.lists(rules.values())
    told = since is not None and changed.ordinals is not None
    return reading.engine.materialize(
        rules,
        changed.source,
        as_of=format_instant(reading.as_of),
        id_column=ORDINAL,
        lists={key: one.ordinals().tolist() for key, one in lists.items()},
        snapshot=snapshot,
        since=since if told else None,
        changed=changed.ordinals if told else None,
    )
