"""An import done by the process that has the file, or awaited where a worker has taken it."""

import os
import time
from contextlib import suppress

from segment_engine.errors import Invalid
from segment_engine.store import importing
from segment_engine.store.csv_rows import MOST_BYTES
from segment_engine.store.imports import PROCESSING, VALIDATING
from segment_engine.store.jobs import Lost
from segment_engine.store.records import Import
from segment_engine.store.store import OrganizationStore
from segment_engine.store.worker import Heartbeat, this_host

POLL_S = 0.3


def import_here(
    shop: OrganizationStore,
    audience: str,
    content: bytes,
    mode: str,
    progress: importing.Progress,
) -> Import:
    """Puts a file into a static audience, by id or name, and waits for the end.

    Where this process dies, the next worker goes on. Raises NotFound, Invalid.
    """
    if len(content) > MOST_BYTES:
        raise Invalid(f"a file has at most {MOST_BYTES // 1024**2} MB; divide it")
    made, token = shop.imports.create(shop.audiences.id_of(audience), mode)
    job_id = shop.store.uploads.receive(token, content)
    job = shop.store.jobs.take(job_id, this_host(), os.getpid())
    if job is not None:
        with suppress(Lost), Heartbeat(shop.store, job, lambda: False):
            importing.run(shop, job, progress)
    while (found := shop.imports.get(made.audience, made.id)).status in (VALIDATING, PROCESSING):
        progress(found.processed, found.total or 0)
        time.sleep(POLL_S)
    return found
