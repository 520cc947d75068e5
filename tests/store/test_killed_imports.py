"""An import killed at any point: another process ends it, and every row counts once.

`SEGMENT_ENGINE_PROFILE=release`: 50 times on each database, once on SQLite else.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from segment_engine.store import importing
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import import_files, jobs
from segment_engine.store.worker import this_host
from tests.profile import COMMIT

ROOT = Path(__file__).parents[2]
POINTS = 1 if COMMIT else 50
PEOPLE, WRONG = 6_000, 1_000
"""How many rows there are, of which each so many-th is wrong."""
KILLED = """
import sys
from pathlib import Path
from segment_engine.store.import_here import import_here
from segment_engine.store.store import Store
url, folder, organization, audience, file = sys.argv[1:]
shop = Store(url, b"a secret of tests", Path(folder)).of(organization)
content = Path(file).read_bytes()
print("ready", flush=True)
import_here(shop, audience, content, "ADD", lambda done, total: None)
"""


def rows(round_: int) -> bytes:
    lines = (
        f"{'wrong' if n % WRONG == 0 else f'u{n}@x.org'},round {round_}\n" for n in range(PEOPLE)
    )
    return ("email,fullName\n" + "".join(lines)).encode()


def begun(shop: OrganizationStore, audience: str, url: str, file: Path) -> subprocess.Popen[str]:
    """A process that has all but the import behind it."""
    arguments = (url, str(shop.store.folder), shop.organization.id, audience, str(file))
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def end_all(shop: OrganizationStore) -> None:
    """Does what is left of imports, as a worker would."""
    while (job := shop.store.jobs.claim(this_host(), os.getpid())) is not None:
        if job.kind == "import":
            importing.run(shop, job)
        else:
            shop.store.jobs.finish(job)


def test_kills(shop: OrganizationStore, database_url: str, tmp_path: Path) -> None:
    if COMMIT and not database_url.startswith("sqlite"):
        pytest.skip("the commit profile kills on SQLite")
    audience, file = shop.audiences.create("by hand", "STATIC").id, tmp_path / "fair.csv"
    file.write_bytes(rows(0))
    start = time.monotonic()
    with begun(shop, audience, database_url, file) as process:
        start = time.monotonic()
    assert process.returncode == 0
    longest, chance = time.monotonic() - start, random.Random(3 if COMMIT else None)
    left = 0
    for round_ in range(1, POINTS + 1):
        file.write_bytes(rows(round_))
        with begun(shop, audience, database_url, file) as process:
            time.sleep(chance.uniform(0, longest))
            process.send_signal(signal.SIGKILL)
        left += _check(shop, audience, round_)
    print(f"killed {POINTS} times, {left} imports were ended by another process")


def _check(shop: OrganizationStore, audience: str, round_: int) -> bool:
    """Whether there was something to end; one that had not begun is nothing."""
    newest = shop.imports.list(audience)[0]
    was_open = newest.status in ("VALIDATING", "PROCESSING")
    end_all(shop)
    told = shop.imports.get(audience, newest.id)
    wrong = [*range(1, PEOPLE + 1, WRONG)]
    if told.status != "AWAITING_UPLOAD":
        assert (told.status, told.processed) == ("COMPLETED_WITH_ERRORS", PEOPLE)
        assert [one.row for one in shop.imports.issues(told.id)] == wrong
        assert told.wrong == len(wrong)
    found: list[Any] = shop.consumers.at(shop.members.bitmap(audience).ordinals().tolist())
    assert len(found) == len({one.email for one in found}) == PEOPLE - len(wrong)
    assert len({one.full_name for one in found}) == 1
    with shop.store.database.reading() as connection:
        assert connection.execute(select(import_files.c.import_id)).all() == []
        ours = select(jobs.c.state).where(jobs.c.kind == "import")
        states = set(connection.execute(ours).scalars())
    assert states <= {"DONE"}
    own = shop.store.organizations.get(shop.organization.id)
    assert own.next_ordinal == len(found)
    return was_open
