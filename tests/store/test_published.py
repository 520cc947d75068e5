"""A generation is there whole or not at all, and stays as long as it has to."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from segment_engine.batch.bitmaps import Bitmap, bitmap_of
from segment_engine.errors import NotFound
from segment_engine.store import bitmaps
from segment_engine.store.bitmaps import Cache, rows_of
from segment_engine.store.fresh import fresh_audiences
from segment_engine.store.generations import Draft, Found, GenerationAudience, Gone
from segment_engine.store.jobs import Lost, want
from segment_engine.store.measures import RunMeasures, run_measures
from segment_engine.store.status import status
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import bitmaps as bitmaps_table
from segment_engine.store.tables import generations, jobs, memberships


def draft(before: int, audiences: dict[str, Bitmap]) -> Draft:
    found = {
        key: Found(GenerationAudience(1, len(one), 0, 0, None), rows_of(one))
        for key, one in audiences.items()
    }
    return Draft(before, 0, 0, 0, 10, 10, 10, None, found)


def count(shop: OrganizationStore, table: Any) -> int:
    with shop.store.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def aged(shop: OrganizationStore) -> None:
    with shop.store.database.writing() as connection:
        connection.execute(update(generations).values(created_at=0))


def test_bitmaps_are_kept_once(shop: OrganizationStore) -> None:
    some, own = bitmap_of([3, 5, 1 << 20]), shop.organization.id
    with shop.store.database.writing() as connection:
        rows = bitmaps.keep(connection, own, some)
        assert bitmaps.keep(connection, own, bitmap_of([3, 5, 1 << 20])) == rows
        found = bitmaps.read(connection, own, [row[:3] for row in rows])
        assert found == some
        assert [row.bytes for row in bitmaps.keep(connection, own, found)] == [None, None]
    assert count(shop, bitmaps_table) == 2
    with shop.store.database.writing() as connection:
        assert bitmaps.sweep(connection, own) == 2


def test_generations_that_are_not_kept_are_gone(shop: OrganizationStore) -> None:
    lists = [bitmap_of([n, 2_000_000]) for n in range(4)]
    first, *_ = [
        shop.generations.publish(draft(n, {"a": one, "none": Bitmap({})}))
        for n, one in enumerate(lists)
    ]
    assert shop.generations.get(1) == first
    assert shop.generations.bitmap(first, "a") == lists[0]
    assert shop.generations.audiences_of(first, 2_000_000) == ["a"]
    assert shop.generations.audiences_of(first, 1) == []
    aged(shop)
    last = shop.generations.publish(draft(4, {"a": lists[0]}))
    assert count(shop, generations) == 2
    assert count(shop, bitmaps_table) == 3
    assert shop.generations.latest() == last
    asked = (
        lambda: shop.generations.get(3),
        lambda: shop.generations.bitmap(first, "a"),
        lambda: shop.generations.bitmap(first, "none"),
        lambda: shop.generations.audiences_of(first, 2_000_000),
    )
    for one in asked:
        with pytest.raises(Gone):
            one()
    with pytest.raises(NotFound):
        shop.generations.get(6)
    with pytest.raises(NotFound):
        shop.generations.bitmap(last, "none")
    entered, left = shop.generations.changes(last, "a")
    assert (entered.ordinals().tolist(), left.ordinals().tolist()) == ([0], [3])


def test_what_is_lost_publishes_nothing(shop: OrganizationStore) -> None:
    with shop.store.database.writing() as connection:
        want(connection, shop.organization.id, after_s=0)
    job = shop.store.jobs.claim("host", 1)
    assert job is not None
    with shop.store.database.writing() as connection:
        connection.execute(update(jobs).values(lease_until=0))
    again = shop.store.jobs.claim("another host", 1)
    made = draft(0, {"a": bitmap_of([1])})
    with pytest.raises(Lost):
        shop.generations.publish(made, job)
    assert (count(shop, memberships), count(shop, bitmaps_table)) == (0, 0)
    shop.generations.publish(made, again)
    with pytest.raises(Lost):
        shop.generations.publish(made)
    assert count(shop, generations) == 1


def test_audiences_that_fail_keep_their_members(shop: OrganizationStore) -> None:
    gold = shop.audiences.create("gold", "DYNAMIC", expression='metadata.tier = "gold"').id
    much = shop.audiences.create("much", "DYNAMIC", expression="not (totalOrders > 7)").id
    assert status(shop, gold).status == "PENDING"
    rows = [{"email": f"{n}@x.org", "metadata": {"tier": "gold"}} for n in range(3)]
    ids = [one.id for one in shop.consumers.upsert(rows)]
    assert status(shop, gold).stale
    shop.runs.run()
    told = status(shop, gold)
    assert (told.status, told.materialized_version, told.member_count) == ("READY", 1, 3)
    fields = {"email": "text", "metadata": "any"}
    shop.store.organizations.set(shop.organization.id, schema={"fields": fields})
    shop.consumers.upsert([{"id": ids[0], "metadata": {"tier": "none"}}])
    shop.consumers.erase(ids[1])
    made = shop.runs.run()
    audience = made.audiences[much]
    assert (audience.version, audience.count, audience.left) == (1, 2, 1)
    assert "totalOrders" in (audience.error or "")
    assert shop.generations.bitmap(made, much).ordinals().tolist() == [0, 2]
    assert shop.generations.bitmap(made, gold).ordinals().tolist() == [2]
    told = status(shop, much)
    assert (told.status, told.member_count, told.error) == ("FAILED", 2, audience.error)


def test_the_cache_of_bitmaps_holds_those_that_were_used_last() -> None:
    cache = Cache(most=40)
    tiles = {f"{n}": bytes(bitmap_of([n]).tiles[0].blob) for n in range(4)}
    asked: list[str] = []

    def read(hashes: Any) -> dict[str, bytes]:
        asked.extend(hashes)
        return {one: tiles[one] for one in hashes}

    for some in (["0", "1"], ["0", "2"], ["0"], ["1"]):
        cache.tiles(some, read)
    assert asked == ["0", "1", "2", "1"]


def test_measures_are_those_of_the_newest_runs(shop: OrganizationStore) -> None:
    database = shop.store.database
    assert run_measures(database) == RunMeasures(0, 0, 0, 0, 0.0, 0.0)
    other = shop.store.of(shop.store.organizations.create("other").id)
    shop.audiences.create("much", "DYNAMIC", expression="totalOrders > 7")
    shop.audiences.create("all", "DYNAMIC", expression="email exists")
    for one in (shop, shop, other):
        one.runs.run()
    with database.writing() as connection:
        connection.execute(update(generations).values(duration_ms=1_500))
    found = run_measures(database)
    assert (found.published, found.audiences, found.failed, found.seconds) == (3, 2, 0, 1.5)
    assert found.failing == 0 < found.age < 600
    shop.store.organizations.set(shop.organization.id, schema={"fields": {"email": "text"}})
    shop.runs.run()
    for one in (shop, other):
        with database.writing() as connection:
            want(connection, one.organization.id, after_s=0)
        job = shop.store.jobs.claim("host", 1)
        assert job is not None
        shop.store.jobs.fail(job, "the disk is full", again=one is shop)
    other.runs.run()
    found = run_measures(database)
    assert (found.published, found.failed, found.failing) == (5, 1, 1)


def test_a_rule_may_refer_to_an_audience_without_one(shop: OrganizationStore) -> None:
    nobody = shop.audiences.create("nobody", "DYNAMIC").id
    press = shop.audiences.create("press", "STATIC").id
    rule = f'not (in audience "{nobody}") and in audience "{press}"'
    both = shop.audiences.create("both", "DYNAMIC", expression=rule).id
    (person,) = shop.consumers.upsert([{"email": "a@x.org"}])
    shop.members.add(press, [person.id])
    found, _ = fresh_audiences(shop, shop.consumers.get(person.id))
    assert found == {press: "press", both: "both"}
