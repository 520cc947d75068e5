"""A sync done by this process, or awaited where a worker has taken it."""

import os
import time
from contextlib import suppress

from segment_engine.errors import Conflict, StoreError
from segment_engine.store import syncing
from segment_engine.store.import_here import POLL_S
from segment_engine.store.jobs import Job, Lost
from segment_engine.store.records import Sync
from segment_engine.store.store import OrganizationStore
from segment_engine.store.worker import Heartbeat, this_host


def sync_here(shop: OrganizationStore, audience: str, progress: syncing.Progress) -> Sync:
    """Syncs an audience, by id or name, and waits for the end: of a sync that is in progress, too.

    Where this process dies, the next worker goes on. Raises NotFound, Invalid, Conflict for an
    archived audience, and StoreError where the vendor cannot be read now: a worker tries again.
    """
    id = shop.audiences.id_of(audience)
    if (job := _taken(shop, id)) is not None:
        with suppress(Lost), Heartbeat(shop.store, job, lambda: False):
            _run(shop, job, progress)
    while (found := _sync(shop, id)).status in ("PENDING", "IN_PROGRESS"):
        progress(found.processed, found.profiles)
        time.sleep(POLL_S)
    return found


def _taken(shop: OrganizationStore, audience: str) -> Job | None:
    """The job of the sync, unless somebody else has it."""
    try:
        wanted: str | None = shop.syncs.want(audience)
    except Conflict:
        wanted = shop.syncs.job(_sync(shop, audience).id)
        if wanted is None and shop.audiences.get(audience).archived:
            raise
    return shop.store.jobs.take(wanted, this_host(), os.getpid()) if wanted else None


def _run(shop: OrganizationStore, job: Job, progress: syncing.Progress) -> None:
    try:
        syncing.run(shop, job, progress)
    except Lost:
        raise
    except StoreError as fault:
        shop.store.jobs.fail(job, fault.message)
        raise


def _sync(shop: OrganizationStore, audience: str) -> Sync:
    found = shop.syncs.get(audience)
    assert found is not None
    return found
