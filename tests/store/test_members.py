"""Who is put into static lists and taken out, on both databases."""

import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from segment_engine.errors import Invalid, NotFound
from segment_engine.store.records import Audience
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.tables import static_members
from tests.store.problems import problems_of

STRANGER = "cons_01JDVZ0000000000000000000A"


@pytest.fixture
def people(shop: OrganizationStore) -> list[str]:
    rows = [{"externalId": str(number)} for number in range(20)]
    return [one.id for one in shop.consumers.upsert(rows)]


@pytest.fixture
def press(shop: OrganizationStore) -> Audience:
    return shop.audiences.create("Press", "STATIC")


def members(shop: OrganizationStore, audience: Audience) -> set[str]:
    ordinals = shop.members.bitmap(audience.id).ordinals().tolist()
    return {one.id for one in shop.consumers.at(ordinals)}


def definition_seq(shop: OrganizationStore) -> int:
    return shop.store.organizations.get(shop.organization.id).definition_seq


def test_who_is_put_in_is_in_until_taken_out(
    shop: OrganizationStore, press: Audience, people: list[str]
) -> None:
    assert members(shop, press) == set()
    assert shop.members.add(press.id, people[:5]) == 5
    assert shop.members.add(press.id, [*people[3:7], people[4]]) == 2
    assert members(shop, press) == set(people[:7])
    assert shop.members.remove(press.id, people[5:12]) == 2
    assert members(shop, press) == set(people[:5])
    assert shop.members.remove(press.id, people) == 5
    assert members(shop, press) == set()
    assert shop.audiences.get(press.id) == press


def test_what_changes_nothing_wants_no_run(
    shop: OrganizationStore, press: Audience, people: list[str]
) -> None:
    shop.members.add(press.id, people)
    before = definition_seq(shop)
    assert shop.members.add(press.id, people[:3]) == 0
    other = shop.audiences.create("Other", "STATIC")
    assert shop.members.remove(other.id, people) == 0
    assert definition_seq(shop) == before + 1  # that of the other one
    shop.members.remove(press.id, people[:1])
    assert definition_seq(shop) == before + 2
    assert [job.kind for job in shop.store.jobs.state(shop.organization.id)] == ["materialize"]


@pytest.mark.parametrize("wrong", [STRANGER, "cons_\0", "cons_\ud800", "", 7, None, "x" * 9_999])
def test_an_unknown_consumer_changes_nothing(
    shop: OrganizationStore, press: Audience, people: list[str], wrong: object
) -> None:
    given = [*people[:3], wrong, people[4], wrong]
    for change in (shop.members.add, shop.members.remove):
        found = problems_of(change, press.id, given)
        assert [one.field for one in found] == ["consumerIds.3", "consumerIds.5"]
        assert not any(str(wrong) in one.message for one in found if wrong)
    assert members(shop, press) == set()


def test_so_many_and_no_more(shop: OrganizationStore, press: Audience, people: list[str]) -> None:
    assert shop.members.add(press.id, people[:1] * 10_000) == 1
    for said in (people[:1] * 10_001, [], people[0], None):
        assert [one.field for one in problems_of(shop.members.add, press.id, said)] == [
            "consumerIds"
        ]


def test_others_take_no_members(
    store: Store, shop: OrganizationStore, press: Audience, people: list[str]
) -> None:
    for kind in ("DYNAMIC", "SYNCED_LIST"):
        audience = shop.audiences.create(kind, kind)
        for change in (shop.members.add, shop.members.remove):
            with pytest.raises(Invalid, match="Audience is not a static list"):
                change(audience.id, people)
    assert len(shop.members.bitmap(audience.id)) == 0
    other = store.of(store.organizations.create("other").id)
    with pytest.raises(NotFound):
        other.members.bitmap(press.id)
    own = other.audiences.create("Own", "STATIC")
    assert [one.field for one in problems_of(other.members.add, own.id, people[:1])] == [
        "consumerIds.0"
    ]
    [theirs] = other.consumers.upsert([{"externalId": "1"}])
    for change in (other.members.add, other.members.remove):
        with pytest.raises(NotFound):
            change(press.id, [theirs.id])


def test_who_is_erased_is_no_consumer(
    shop: OrganizationStore, press: Audience, people: list[str]
) -> None:
    shop.members.add(press.id, people[:3])
    shop.consumers.erase(people[0])
    assert members(shop, press) == set(people[1:3])
    assert [one.field for one in problems_of(shop.members.add, press.id, people[:2])] == [
        "consumerIds.0"
    ]


def test_of_many_at_once_nobody_is_lost(
    shop: OrganizationStore, press: Audience, people: list[str]
) -> None:
    shop.members.add(press.id, people[:4])
    ready = threading.Barrier(8)
    changed = []

    def run(place: int) -> None:
        ready.wait()
        for id in people[4 + 2 * place : 6 + 2 * place]:
            changed.append(shop.members.add(press.id, [id]))

    def leave() -> None:
        ready.wait()
        for id in people[:4]:
            changed.append(shop.members.remove(press.id, [id]))

    threads = [threading.Thread(target=run, args=(place,)) for place in range(7)]
    threads.append(threading.Thread(target=leave))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert changed == [1] * 18
    assert members(shop, press) == set(people[4:18])


STEPS = st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 19), min_size=1)), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_list_is_a_set(shop: OrganizationStore, people: list[str], steps: object) -> None:
    press = shop.audiences.create("Press", "STATIC")
    held: set[str] = set()
    for adds, places in steps:  # type: ignore[attr-defined]
        given = {people[place] for place in places}
        after = held | given if adds else held - given
        change = shop.members.add if adds else shop.members.remove
        assert change(press.id, sorted(given)) == len(held ^ after)
        held = after
        assert members(shop, press) == held
    rows = select(func.coalesce(func.sum(static_members.c.count), 0))
    with shop.store.database.reading() as connection:
        kept = connection.execute(rows.where(static_members.c.audience == press.id)).scalar_one()
    assert kept == len(held)
