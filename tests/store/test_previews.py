"""Previews show who a rule keeps as things are, whatever was read, run or changed before."""

import os
import subprocess
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import update

from segment_engine.batch import snapshot_run
from segment_engine.batch.view import Tiles
from segment_engine.store import bitmaps, source, views
from segment_engine.store.generations import Generations
from segment_engine.store.previewing import Preview
from segment_engine.store.store import SNAPSHOTS, OrganizationStore, Store
from segment_engine.store.tables import consumers as kept_consumers
from segment_engine.store.tables import (
    generation_audiences,
    generations,
    memberships,
    organizations,
)
from segment_engine.values.isotime import format_instant
from tests.store.test_running import RULES, History, consumers, expected


def kept(shop: OrganizationStore, rule: str, found: Preview) -> list[int]:
    """Whom the engine for single records finds among all consumers."""
    run = shop.organization.engine.materialize(
        {"rule": rule},
        consumers(shop),
        as_of=format_instant(found.as_of),
        engine="records",
        id_column="ordinal",
    )
    return run.members("rule")


def check(shop: OrganizationStore, random: Random) -> None:
    rule = random.choice(RULES).format(n=random.randint(1, 6))
    found = shop.runs.preview(rule, first=10_000)
    whom = kept(shop, rule, found)
    assert (found.ordinals, found.count) == (whom, len(whom))
    assert found.consumers == len(consumers(shop))


def play(shop: OrganizationStore, seed: int, steps: int) -> None:
    """Now and then there is a run, or a process that knows nothing yet."""
    history = History(shop, seed)
    for _ in range(steps):
        history.step()
        if history.random.random() < 0.4:
            made = shop.runs.run()
            for key, members in expected(shop, made).items():
                assert shop.runs.preview(f'in audience "{key}"', 10_000).ordinals == members
        if history.random.random() < 0.3:
            shop = beside(shop)
        for _ in range(3):
            check(shop, history.random)


def beside(shop: OrganizationStore) -> OrganizationStore:
    """As another process of the same host has it."""
    shop.store.views = views.Views(shop.store.folder / SNAPSHOTS)
    return shop.store.of(shop.organization.id)


@pytest.mark.parametrize("seed", range(2))
def test_histories(shop: OrganizationStore, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed:  # tiles are made anew all the time, and previews go over to them
        monkeypatch.setattr(views, "FEW", 0)
        monkeypatch.setattr(snapshot_run, "FEW", 0)
    play(shop, seed, 8)


def test_histories_of_many_tiles(tmp_path: Path) -> None:
    """In a process of its own, in which tiles are small."""
    story = (
        "import segment_engine.batch.bitmaps as bitmaps; bitmaps.TILE = 16\n"
        "from tests.store import test_previews; test_previews.told()\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", story], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2_000:]


def told() -> None:
    """One history."""
    views.FEW = 0
    with TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/store.db", b"a secret of tests", Path(folder))
        store.migrate()
        play(store.of(store.organizations.create("shop").id), seed=5, steps=12)
        store.close()


def test_lists_that_another_process_has_filled(
    shop: OrganizationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"externalId": str(n), "totalOrders": n} for n in range(6)]
    ids = [one.id for one in shop.consumers.upsert(rows)]
    named = [shop.audiences.create(name, "STATIC").id for name in ("a", "b")]
    for audience, some in zip(named, (ids[:2], ids[3:]), strict=True):
        shop.members.add(audience, some)
    monkeypatch.setattr(bitmaps, "CACHE", bitmaps.Cache(0))
    rule = f'in audience "{named[0]}" or in audience "{named[1]}" and totalOrders >= 4'
    assert shop.runs.preview(rule).ordinals == [0, 1, 4, 5]


def test_a_value_is_read_of_all_once(
    shop: OrganizationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [one.id for one in shop.consumers.upsert([{"email": f"{n}@x.org"} for n in range(9)])]
    read: list[list[str]] = []
    reads = source.json_columns

    def counted(connection: Any, organization: str, columns: Any, *those: Any) -> list[str]:
        read.append([one.name for one in columns])
        return reads(connection, organization, columns, *those)

    monkeypatch.setattr(source, "json_columns", counted)
    assert shop.runs.preview("email exists").count == 9
    shop.consumers.upsert([{"id": ids[3], "email": None, "externalId": "3"}])
    assert shop.runs.preview("email exists").count == 8
    assert shop.runs.preview("email exists and externalId exists").count == 0
    assert read == [["ordinal", "email"], ["ordinal", "external_id"]]
    shop.audiences.create("reached", "DYNAMIC", expression="email exists")
    shop.runs.run()
    assert beside(shop).runs.preview("email exists").count == 8
    assert len(read) == 3, "the run has read it"


def test_a_database_that_was_put_back_is_read_anew(
    shop: OrganizationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that a snapshot has seen may never have been there."""
    shop.audiences.create("reached", "DYNAMIC", expression="email exists")
    shop.consumers.upsert([{"externalId": "1", "email": "1@x.org"}])
    shop.runs.run()
    with shop.store.database.writing() as connection:
        for table in (memberships, generation_audiences, generations):
            connection.execute(table.delete())
        connection.execute(update(kept_consumers).values(change_seq=2, email=None))
        connection.execute(update(organizations).values(change_seq=2))
    assert shop.runs.preview("email exists").count == 0
    assert beside(shop).runs.preview("email exists").count == 0


def test_the_tiles_are_there_while_a_run_goes_on(
    shop: OrganizationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.audiences.create("reached", "DYNAMIC", expression="email exists")
    ids = [one.id for one in shop.consumers.upsert([{"email": f"{n}@x.org"} for n in range(9)])]
    shop.runs.run()
    shop.consumers.upsert([{"id": ids[3], "email": None, "externalId": "3"}])
    with monkeypatch.context() as patched:
        patched.setattr(Generations, "publish", lambda *_: None)
        shop.runs.run()
    monkeypatch.setattr(Tiles, "read", None)
    assert beside(shop).runs.preview("email exists").count == 8
