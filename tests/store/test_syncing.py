"""Lists kept elsewhere synced into audiences: the members are those of the list, once it is read
whole; consumers are given what they lack, and the same sync twice changes nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, update

from segment_engine.errors import Conflict, Invalid, NotFound, StoreError
from segment_engine.store import syncing
from segment_engine.store.jobs import BACK_OFF, Job, Lost
from segment_engine.store.records import Audience, Consumer, Sync
from segment_engine.store.schedule import Schedule, every
from segment_engine.store.store import OrganizationStore
from segment_engine.store.sync_here import sync_here
from segment_engine.store.syncs import LEFT, settle_old
from segment_engine.store.tables import identities, jobs, sync_profiles, sync_sources, vendor_keys
from segment_engine.syncing.source import CursorGone, SyncFault
from segment_engine.syncing.vendors import VENDORS
from tests.klaviyo.account import filled
from tests.klaviyo.peer import KEY, Peer
from tests.store.lists import Lists, person

AUTHOR = "pk_0123"


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch, shop: OrganizationStore) -> Lists:
    """A vendor with one empty list, whose key the organization has."""
    made = Lists()
    made.put("L")
    monkeypatch.setitem(VENDORS, "klaviyo", made)
    shop.vendor_keys.set("klaviyo", AUTHOR)
    return made


@pytest.fixture
def audience(shop: OrganizationStore, lists: Lists) -> str:
    """The audience of that list, whose first sync is wanted."""
    return created(shop).id


def created(shop: OrganizationStore, list_id: str = "L", **told: Any) -> Audience:
    ((made,), _) = shop.syncs.create("klaviyo", [(list_id, None)], **told)
    return made


def sync_of(shop: OrganizationStore, audience: str) -> Sync:
    return shop.syncs.get(audience) or pytest.fail("it has none")


def taken(shop: OrganizationStore, audience: str) -> Job:
    """The job of a sync that is wanted by now."""
    if (id := shop.syncs.job(sync_of(shop, audience).id)) is None:
        id = shop.syncs.want(audience)
    return shop.store.jobs.take(id, "here", 1) or pytest.fail("it does not wait")


def synced(shop: OrganizationStore, audience: str) -> Sync:
    syncing.run(shop, taken(shop, audience))
    return sync_of(shop, audience)


def members(shop: OrganizationStore, audience: str) -> list[Consumer]:
    return shop.consumers.at(shop.members.bitmap(audience).ordinals().tolist())


def emails(shop: OrganizationStore, audience: str) -> list[str | None]:
    return sorted(one.email or "" for one in members(shop, audience))


def state(shop: OrganizationStore) -> tuple[int, int]:
    own = shop.store.organizations.get(shop.organization.id)
    return own.change_seq, own.definition_seq


def number(shop: OrganizationStore, table: Any) -> int:
    with shop.store.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_sync(shop: OrganizationStore, lists: Lists, audience: str) -> None:
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org", full_name="U") for n in range(5)))
    assert sync_of(shop, audience).status == "PENDING"
    job = taken(shop, audience)
    assert sync_of(shop, audience).status == "IN_PROGRESS"
    steps: list[tuple[int, int]] = []
    syncing.run(shop, job, lambda done, total: steps.append((done, total)))
    assert steps == [(0, 2), (0, 4), (0, 5), (0, 5), (5, 5)]
    told = sync_of(shop, audience)
    assert (told.status, told.error, told.name) == ("COMPLETED", None, "List L")
    assert (told.profiles, told.processed, told.left_out) == (5, 5, 0)
    assert told.last_synced_at is not None and told.data == {"optInProcess": "x"}
    assert lists.opened == [(AUTHOR, "https://a.klaviyo.com")]
    found = members(shop, audience)
    assert [(one.email, one.full_name, one.external_id) for one in found] == [
        (f"u{n}@x.org", "U", None) for n in range(5)
    ]
    assert found[3].metadata == {"klaviyo": {"title": "p3"}}
    assert number(shop, sync_profiles) == 0
    with shop.store.database.reading() as connection:
        waits = connection.execute(select(jobs.c.kind).where(jobs.c.state == "QUEUED")).all()
    assert waits == [("materialize",)]


def test_the_same_list_twice_changes_nothing(
    shop: OrganizationStore, lists: Lists, audience: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do two profiles of one person in parts of their own: the first one tells."""
    monkeypatch.setattr(syncing, "PART", 1)
    lists.put(
        "L",
        person("a", email="A@x.org", full_name="Ada"),
        person("b", external_id="7", email="a@x.org", full_name="Ada L."),
        person("c", external_id="7", phone="+4915112345678"),
    )
    assert synced(shop, audience).processed == 3
    (ada,) = members(shop, audience)
    assert (ada.email, ada.full_name, ada.external_id) == ("A@x.org", "Ada", "7")
    assert (ada.phone, ada.metadata) == ("+4915112345678", {"klaviyo": {"title": "a"}})
    before = state(shop)
    for part in (1, 2, 9):
        monkeypatch.setattr(syncing, "PART", part)
        assert synced(shop, audience).status == "COMPLETED"
        assert (state(shop), members(shop, audience)) == (before, [ada])


def test_who_leaves_the_list_is_no_member(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(4)))
    synced(shop, audience)
    lists.take("L", "p1", "p3")
    lists.put("L", person("p9", email="u9@x.org"))
    synced(shop, audience)
    assert emails(shop, audience) == ["u0@x.org", "u2@x.org", "u9@x.org"]
    assert number(shop, identities) == 5
    lists.take("L", "p0", "p2", "p9")
    assert (synced(shop, audience).profiles, emails(shop, audience)) == (0, [])


def test_only_what_a_consumer_lacks_is_given(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    known = {
        "email": "ada@x.org",
        "externalId": "1",
        "totalOrders": 3,
        "metadata": {"shoe": 42, "klaviyo": {"old": True}},
    }
    (ada,) = shop.consumers.upsert([known])
    told = {"email": "ADA@x.org", "phone": "+4915112345678", "full_name": "Ada"}
    lists.put("L", person("p", **told, data={"properties": {"n": 1}}))
    synced(shop, audience)
    (found,) = members(shop, audience)
    assert (found.id, found.email, found.external_id) == (ada.id, "ada@x.org", "1")
    assert (found.phone, found.full_name, found.total_orders) == ("+4915112345678", "Ada", 3)
    assert found.metadata == {"shoe": 42, "klaviyo": {"properties": {"n": 1}}}
    other = {"external_id": "2", "email": "new@x.org", "full_name": "Eve", "data": {}}
    lists.put("L", person("p", **other))
    synced(shop, audience)
    (after,) = members(shop, audience)
    assert (after.id, after.email, after.external_id) == (ada.id, "ada@x.org", "1")
    assert (after.full_name, after.metadata) == ("Ada", {"shoe": 42, "klaviyo": {}})


def test_whom_a_profile_means(shop: OrganizationStore, lists: Lists, audience: str) -> None:
    """Whom it was before, else by external id, email, phone; another one's is left out."""
    rows = [
        {"externalId": "1", "email": "one@x.org"},
        {"externalId": "2", "email": "two@x.org"},
        {"phone": "+4915112345673"},
    ]
    one, two, three = (made.id for made in shop.consumers.upsert(rows))
    lists.put(
        "L",
        person("a", external_id="1", email="two@x.org"),
        person("b", email="TWO@x.org"),
        person("c", phone="+4915112345673"),
        person("d", external_id="9", email="one@x.org"),
    )
    assert synced(shop, audience).left_out == 2
    found = {member.id: member for member in members(shop, audience)}
    assert found.keys() > {one, two, three} and len(found) == 4
    assert (found[one].email, found[two].external_id) == ("one@x.org", "2")
    (new,) = (member for id, member in found.items() if id not in (one, two, three))
    assert (new.external_id, new.email) == ("9", None)
    lists.put("L", person("b", email="one@x.org"), person("c", external_id="1"))
    synced(shop, audience)
    assert {member.id for member in members(shop, audience)} == found.keys()


def test_values_that_are_none_are_left_out_alone(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    lists.put(
        "L",
        person("a", email="a@x.org", phone="12", full_name="x" * 1_001),
        person("b", email="nobody", external_id="\ud800"),
        person("c"),
        person("d", email="d@x.org", data={"title": "x" * 70_000}),
        person("e", phone="+4915112345678", full_name=" "),
    )
    told = synced(shop, audience)
    assert (told.status, told.processed, told.left_out) == ("COMPLETED", 5, 3)
    before = state(shop)
    found = members(shop, audience)
    assert [(one.email, one.phone, one.metadata is None) for one in found] == [
        ("a@x.org", None, False),
        (None, None, False),
        (None, None, False),
        ("d@x.org", None, True),
        (None, "+4915112345678", False),
    ]
    assert synced(shop, audience).left_out == 3
    assert (state(shop), members(shop, audience)) == (before, found)


def test_an_erased_person_who_is_on_the_list_is_a_new_consumer(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    lists.put("L", person("a", email="a@x.org"))
    synced(shop, audience)
    (ada,) = members(shop, audience)
    shop.consumers.erase(ada.id)
    assert number(shop, identities) == 0
    synced(shop, audience)
    (again,) = members(shop, audience)
    assert (again.email, again.ordinal) == ("a@x.org", ada.ordinal + 1)


def test_a_list_that_changes_while_it_is_read(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    """Who joins meanwhile is a member, each once; what was missed is there with the next sync."""
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(5)))
    soon = 2**62

    def change(asked: int) -> None:
        if asked == 2:
            lists.take("L", "p0")  # cursors are places here, so somebody else is passed over
            lists.put("L", person("new", email="new@x.org", joined_at=soon))
            lists.put("L", person("p1", email="u1@x.org", joined_at=soon))
        if asked == 4:
            lists.put("L", person("late", email="late@x.org", joined_at=soon))

    lists.before = change
    assert synced(shop, audience).profiles == len(members(shop, audience))
    assert {"late@x.org", "new@x.org", "u1@x.org"} <= {*emails(shop, audience)}
    lists.before = lambda asked: None
    synced(shop, audience)
    left = [f"u{n}@x.org" for n in range(1, 5)]
    assert emails(shop, audience) == ["late@x.org", "new@x.org", *left]


def failing(at: int, fault: Exception) -> Callable[[int], None]:
    def before(asked: int) -> None:
        if asked == at:
            raise fault

    return before


@pytest.mark.parametrize("at", [1, 3, 4])
def test_a_sync_that_fails_changes_nothing_and_goes_on(
    shop: OrganizationStore, lists: Lists, audience: str, at: int
) -> None:
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(5)))
    before = state(shop)
    lists.before = failing(at, SyncFault("it does not answer", temporary=True))
    job = taken(shop, audience)
    with pytest.raises(StoreError, match="does not answer"):
        syncing.run(shop, job)
    shop.store.jobs.fail(job, "it does not answer")
    told = sync_of(shop, audience)
    assert (told.status, told.error) == ("PENDING", "it does not answer")
    assert told.profiles == number(shop, sync_profiles) == min(5, 2 * (at - 1))
    assert (state(shop), emails(shop, audience)) == (before, [])
    lists.asked = 100
    assert synced(shop, audience).status == "COMPLETED"
    assert lists.asked == 100 + 5 - at, "what was read is not read again"
    assert len(emails(shop, audience)) == 5


def test_a_pass_of_long_ago_begins_anew(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(5)))
    lists.before = failing(3, SyncFault("it does not answer", temporary=True))
    job = taken(shop, audience)
    with pytest.raises(StoreError):
        syncing.run(shop, job)
    shop.store.jobs.release(job)
    lists.take("L", "p0")
    with shop.store.database.writing() as connection:
        connection.execute(update(sync_sources).values(began_at=0))
    assert synced(shop, audience).profiles == 4
    assert emails(shop, audience) == [f"u{n}@x.org" for n in range(1, 5)]


def test_what_fails_for_the_last_time_is_told(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(3)))
    assert synced(shop, audience).status == "COMPLETED"
    before, found = state(shop), emails(shop, audience)
    lists.take("L", "p0")
    last = taken(shop, audience)
    fault = SyncFault("it does not answer", temporary=True)
    lists.before = failing(lists.asked + 2, fault)
    with pytest.raises(StoreError, match="it does not answer"):
        syncing.run(shop, last)
    assert number(shop, sync_profiles) > 0
    with shop.store.database.writing() as connection:
        tried = update(jobs).where(jobs.c.id == last.id)
        connection.execute(tried.values(attempts=len(BACK_OFF) + 1))
    lists.before = failing(lists.asked + 1, fault)
    assert syncing.run(shop, last) == "failed: it does not answer"
    told = sync_of(shop, audience)
    assert (told.status, told.error) == ("FAILED", "it does not answer")
    assert told.last_synced_at is not None and number(shop, sync_profiles) == 0
    assert (state(shop), emails(shop, audience)) == (before, found)
    with pytest.raises(Lost):
        syncing.run(shop, last)
    told = synced(shop, audience)
    assert (told.status, told.error, told.profiles) == ("COMPLETED", None, 2)


def test_faults_that_do_not_pass(shop: OrganizationStore, lists: Lists, audience: str) -> None:
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(3)))
    lists.before = failing(2, SyncFault("the key is refused"))
    told = synced(shop, audience)
    assert (told.status, told.error, emails(shop, audience)) == ("FAILED", "the key is refused", [])
    del lists.lists["L"]
    assert synced(shop, audience).error == "no such list"
    wanted = shop.syncs.want(audience)
    shop.vendor_keys.remove("klaviyo")
    syncing.run(shop, shop.store.jobs.take(wanted, "here", 1) or pytest.fail("it does not wait"))
    told = sync_of(shop, audience)
    assert told.status == "FAILED" and "segment-engine klaviyo key shop" in (told.error or "")


def test_a_cursor_that_is_refused_begins_the_pass_anew(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(5)))

    def before(asked: int) -> None:
        if asked == 3:
            lists.take("L", "p0")
            raise CursorGone("too old")

    lists.before = before
    assert synced(shop, audience).profiles == 4
    assert emails(shop, audience) == [f"u{n}@x.org" for n in range(1, 5)]

    def always(asked: int) -> None:
        if asked % 2 == 0:
            raise CursorGone("too old", temporary=True)

    lists.before, lists.asked = always, 0
    job = taken(shop, audience)
    with pytest.raises(StoreError, match="too old"):
        syncing.run(shop, job)


def test_archived_audiences_are_not_synced(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    lists.put("L", person("a", email="a@x.org"))
    job = taken(shop, audience)
    lists.before = lambda asked: asked == 2 and shop.audiences.archive(audience)
    assert syncing.run(shop, job) == "failed: the audience is archived"
    assert (emails(shop, audience), sync_of(shop, audience).status) == ([], "FAILED")
    with pytest.raises(Conflict, match="Audience is archived"):
        shop.syncs.want(audience)
    again, skipped = shop.syncs.create("klaviyo", [("L", "Again")])
    assert (again[0].name, skipped) == ("Again", [])


class Died(Exception):
    pass


@pytest.mark.parametrize("at", range(10))
def test_a_worker_that_dies(
    shop: OrganizationStore,
    lists: Lists,
    audience: str,
    at: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At whichever transaction: another one goes on, and everything counts once."""
    monkeypatch.setattr(syncing, "PART", 2)
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(5)))
    job, calls, change = taken(shop, audience), iter(range(100)), syncing._Pass._change

    def dying(*told: Any, **more: Any) -> None:
        change(*told, **more)
        if next(calls) == at:
            raise Died

    with monkeypatch.context() as dies:
        dies.setattr(syncing._Pass, "_change", dying)
        if at < 9:
            with pytest.raises(Died):
                syncing.run(shop, job)
        else:
            syncing.run(shop, job)
    assert len(emails(shop, audience)) == (5 if at == 9 else 0)
    if at < 9:
        shop.store.jobs.release(job)
        syncing.run(shop, taken(shop, audience))
    told = sync_of(shop, audience)
    assert (told.status, told.profiles, told.processed) == ("COMPLETED", 5, 5)
    assert emails(shop, audience) == [f"u{n}@x.org" for n in range(5)]
    own = shop.store.organizations.get(shop.organization.id)
    assert (own.next_ordinal, own.change_seq, number(shop, identities)) == (5, 3, 5)
    with pytest.raises(Lost):
        syncing.run(shop, job)


def test_names(shop: OrganizationStore, lists: Lists) -> None:
    for id in ("M", "N", "O"):
        lists.put(id)
    lists.names = {"L": " Our list ", "M": "theirs", "N": "\ud800", "O": "x" * 300}
    given = [("L", None), ("M", "Mine"), ("N", None), ("O", None)]
    made, _ = shop.syncs.create("klaviyo", given)
    assert [one.name for one in made] == ["L", "Mine", "N", "O"]
    for one in made:
        assert synced(shop, one.id).status == "COMPLETED"
    told = [shop.audiences.get(one.id) for one in made]
    assert [one.name for one in told] == ["Our list", "Mine", "N", "x" * 255]
    assert [one.revision for one in told] == [2, 1, 1, 2]
    shop.audiences.update(made[0].id, {"name": "L"})
    synced(shop, made[0].id)
    assert shop.audiences.get(made[0].id).name == "L"


def test_audiences_of_lists(shop: OrganizationStore, lists: Lists) -> None:
    made, skipped = shop.syncs.create("klaviyo", [("L", "Our"), ("L", None), ("M", None)], 60)
    assert [(one.name, one.type, one.refresh_interval) for one in made] == [
        ("Our", "SYNCED_LIST", 60),
        ("M", "SYNCED_LIST", 60),
    ]
    assert [(one.list_id, one.audience) for one in skipped] == [("L", made[0].id)]
    assert sync_of(shop, made[0].id).id == made[0].sync_source_id
    made, skipped = shop.syncs.create("klaviyo", [("L", None)])
    assert (made, len(skipped)) == ([], 1)
    with pytest.raises(Invalid, match="refreshIntervalSeconds"):
        shop.syncs.create("klaviyo", [("N", None)], 59)
    shop.vendor_keys.remove("klaviyo")
    with pytest.raises(Invalid, match="`segment-engine klaviyo key shop` sets one"):
        shop.syncs.create("klaviyo", [("N", None)])
    with pytest.raises(NotFound):
        shop.vendor_keys.remove("klaviyo")
    assert len(shop.audiences.list().items) == 2


def test_who_can_be_synced(shop: OrganizationStore, lists: Lists, audience: str) -> None:
    with pytest.raises(Conflict, match="Sync already in progress"):
        shop.syncs.want(audience)
    job = taken(shop, audience)
    with pytest.raises(Conflict, match="Sync already in progress"):
        shop.syncs.want(audience)
    shop.store.jobs.fail(job, "it does not answer")
    assert shop.syncs.want(audience) == job.id, "the next try is now"
    static = shop.audiences.create("by hand", "STATIC").id
    with pytest.raises(Invalid, match="Audience is not a synced list"):
        shop.syncs.want(static)
    bare = shop.audiences.create("bare", "SYNCED_LIST").id
    with pytest.raises(Invalid, match="Audience has no sync source"):
        shop.syncs.want(bare)
    assert shop.syncs.get(bare) is None
    with pytest.raises(NotFound):
        shop.syncs.want("aud_nobody")


def test_syncs_by_the_clock(shop: OrganizationStore, lists: Lists) -> None:
    audience, schedule = created(shop, refresh_interval=3_600).id, Schedule(shop.store, 900)

    def after(minutes: float) -> bool:
        """Whether a sync is wanted so long after the last one."""
        with shop.store.database.writing() as connection:
            connection.execute(jobs.delete().where(jobs.c.kind == "sync"))
            ended = shop.store.database.now(connection) - round(minutes * 60_000_000)
            connection.execute(update(sync_sources).values(ended_at=ended))
        schedule.want_due()
        return shop.syncs.job(sync_of(shop, audience).id) is not None

    assert (after(59), after(61)) == (False, True)
    synced(shop, audience)
    with shop.store.database.writing() as connection:
        connection.execute(update(sync_sources).values(ended_at=0))
    schedule.want_due()
    assert sync_of(shop, audience).status == "COMPLETED", "its job has only just ended"
    shop.audiences.archive(audience)
    assert not after(61)
    shop.audiences.update(audience, {"archived": False, "refresh_interval": None})
    assert not after(10**6)
    shop.audiences.update(audience, {"refresh_interval": 60})
    with shop.store.database.reading() as connection:
        assert every(connection, shop.organization, 900) is None, "no run for its own sake"


def test_what_nobody_ends_has_failed(shop: OrganizationStore, lists: Lists, audience: str) -> None:
    lists.put("L", *(person(f"p{n}", email=f"u{n}@x.org") for n in range(5)))
    lists.before = failing(3, Died())
    job = taken(shop, audience)
    with pytest.raises(Died):
        syncing.run(shop, job)
    with shop.store.database.writing() as connection:
        settle_old(connection)
    assert number(shop, sync_profiles) == 4
    shop.store.jobs.fail(job, "it died", again=False)
    assert (sync_of(shop, audience).status, sync_of(shop, audience).error) == ("FAILED", "it died")
    with shop.store.database.writing() as connection:
        connection.execute(jobs.delete())
        settle_old(connection)
    assert (sync_of(shop, audience).status, sync_of(shop, audience).error) == ("FAILED", LEFT)
    assert number(shop, sync_profiles) == 0
    assert synced(shop, audience).status == "COMPLETED"


def test_a_sync_here(shop: OrganizationStore, lists: Lists, audience: str) -> None:
    lists.put("L", person("a", email="a@x.org"))
    steps: list[tuple[int, int]] = []
    told = sync_here(shop, audience, lambda done, total: steps.append((done, total)))
    assert (told.status, steps[-1]) == ("COMPLETED", (1, 1))
    job = shop.syncs.want(audience)
    assert sync_here(shop, "List L", lambda done, total: None).status == "COMPLETED"
    assert shop.store.jobs.take(job, "here", 1) is None
    lists.before = failing(lists.asked + 1, SyncFault("it does not answer", temporary=True))
    with pytest.raises(StoreError, match="does not answer"):
        sync_here(shop, audience, lambda done, total: None)
    assert sync_of(shop, audience).status == "PENDING"


def test_an_archived_audience_is_not_synced_here(
    shop: OrganizationStore, lists: Lists, audience: str
) -> None:
    synced(shop, audience)
    shop.audiences.archive(audience)
    with pytest.raises(Conflict, match="Audience is archived"):
        sync_here(shop, audience, lambda done, total: None)


def test_keys_are_sealed(shop: OrganizationStore) -> None:
    shop.vendor_keys.set("klaviyo", " pk_secret\n")
    shop.vendor_keys.set("klaviyo", "pk_other")
    with shop.store.database.reading() as connection:
        (row,) = connection.execute(select(vendor_keys))
        assert shop.vendor_keys.get(connection, "klaviyo") == "pk_other"
    assert "pk_" not in repr(row)
    for wrong in ("", " ", "a b", "ä", "x" * 1_001, "a\nb"):
        with pytest.raises(Invalid, match="a key has"):
            shop.vendor_keys.set("klaviyo", wrong)


# ---- Klaviyo


@pytest.fixture
def peer(shop: OrganizationStore) -> Iterator[Peer]:
    with Peer(burst=10_000, steady=10_000) as peer:
        shop.store.addresses = {"klaviyo": peer.url}
        shop.vendor_keys.set("klaviyo", KEY)
        yield peer


def test_klaviyo(shop: OrganizationStore, peer: Peer) -> None:
    """While people join and leave; each who is on it all the time is a member, and nobody else
    than who was on it."""
    list_id = filled(peer.account, 450)
    audience = created(shop, list_id).id
    on = peer.account.lists[list_id].joined
    always = {*on}

    def change() -> None:
        gone = [*on][:40]
        always.difference_update(gone)
        peer.account.remove(list_id, gone)
        new = [peer.account.create_profile(email=f"new{n}@x.org") for n in range(30)]
        peer.account.add(list_id, new)
        always.update(new)

    peer.after_page(2, change)
    told = synced(shop, audience)
    assert (told.status, told.name, told.profiles) == ("COMPLETED", "Newsletter", 480)
    whom = profiles(shop)
    known = {one.id for one in members(shop, audience)}
    assert {whom[one] for one in always} <= known == set(whom.values())
    synced(shop, audience)
    assert {whom[one] for one in on} == {one.id for one in members(shop, audience)}
    first = next(one for one in members(shop, audience) if one.email == "person40@example.com")
    assert (first.external_id, first.full_name) == ("40", "First40 Last40")
    assert first.metadata is not None and first.metadata["klaviyo"]["properties"]["points"] == 40


def test_klaviyo_refuses(shop: OrganizationStore, peer: Peer) -> None:
    audience = created(shop, filled(peer.account, 250)).id
    peer.after_page(1, peer.expire_cursors)
    assert synced(shop, audience).profiles == 250
    peer.keys.clear()
    told = synced(shop, audience)
    assert told.status == "FAILED" and "refuses the key" in (told.error or "")
    assert KEY not in repr(told) and len(members(shop, audience)) == 250


def profiles(shop: OrganizationStore) -> dict[str, str]:
    with shop.store.database.reading() as connection:
        rows = connection.execute(select(identities.c.profile, identities.c.consumer))
        return {row.profile: row.consumer for row in rows}
