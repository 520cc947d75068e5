"""After any history of lists, consumers and syncs the members are those of the list, once each; and
consumers know what the profiles that mean them tell, by rules that are written here once more."""

from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segment_engine.store import syncing
from segment_engine.store.records import Consumer
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.syncing.source import Profile
from segment_engine.syncing.vendors import VENDORS
from segment_engine.values.folding import fold
from tests.store.lists import Lists, person

NUMBERS = count()
IDENTIFIERS = ("external_id", "email")
IDS = [f"p{n}" for n in range(6)]
EXTERNAL, EMAILS = [None, "1", "2", "3"], [None, "a@x.org", "A@x.org", "b@x.org", "c@x.org"]
KNOWN = ("external_id", "email", "full_name", "klaviyo")

people = st.builds(
    person,
    st.sampled_from(IDS),
    external_id=st.sampled_from(EXTERNAL),
    email=st.sampled_from(EMAILS),
    full_name=st.sampled_from([None, "Ada", "Eve"]),
    data=st.sampled_from([{"title": "x"}, {"title": "y"}]),
)
lists_of = st.sampled_from(["L", "M"])
steps = st.one_of(
    st.tuples(st.just("put"), lists_of, people),
    st.tuples(st.just("take"), lists_of, st.sampled_from(IDS)),
    st.tuples(st.just("erase"), st.integers(0, 9), st.none()),
    st.tuples(st.just("sync"), lists_of, st.integers(1, 3)),
)


class Model:
    """Consumers as the rules say; an index in `people` is the ordinal."""

    def __init__(self) -> None:
        self.people: list[dict[str, Any] | None] = []
        self.whom: dict[str, int] = {}

    def sync(self, profiles: list[Profile]) -> set[int]:
        told = set[int]()
        for one in sorted(profiles, key=lambda profile: profile.id):
            place = self._meant(one)
            person = self.people[place]
            assert person is not None
            for name in (*IDENTIFIERS, "full_name"):
                value = getattr(one, name)
                free = name not in IDENTIFIERS or self._has(name, value) in (None, place)
                if person[name] is None and value and free:
                    person[name] = value
            if place not in told:
                person["klaviyo"] = dict(one.data)
            told.add(place)
            self.whom[one.id] = place
        return told

    def _meant(self, profile: Profile) -> int:
        if profile.id in self.whom:
            return self.whom[profile.id]
        by_id, by_email = (self._has(name, getattr(profile, name)) for name in IDENTIFIERS)
        if by_id is not None:
            return by_id
        if by_email is not None:
            held = self.people[by_email]
            assert held is not None
            if not (profile.external_id and held["external_id"]):
                return by_email
        self.people.append(dict.fromkeys(KNOWN))
        return len(self.people) - 1

    def _has(self, name: str, value: str | None) -> int | None:
        if value is None:
            return None
        same = [
            place
            for place, one in enumerate(self.people)
            if one is not None and one[name] and fold(one[name]) == fold(value)
        ]
        return same[0] if same else None

    def erase(self, place: int) -> None:
        self.people[place] = None
        self.whom = {id: one for id, one in self.whom.items() if one != place}


def told(one: Consumer) -> dict[str, Any]:
    metadata = one.metadata or {}
    return {**{name: getattr(one, name) for name in KNOWN[:3]}, "klaviyo": metadata.get("klaviyo")}


@given(st.lists(steps, max_size=12), st.lists(st.sampled_from([1, 2, 3]), unique=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_history(
    store: Store,
    history: list[tuple[str, Any, Any]],
    known: list[int],
) -> None:
    shop = store.of(store.organizations.create(f"laws {next(NUMBERS)}").id)
    lists, model = Lists(), Model()
    lists.put("L")
    lists.put("M")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VENDORS, "klaviyo", lists)
        shop.vendor_keys.set("klaviyo", "pk")
        made, _ = shop.syncs.create("klaviyo", [("L", None), ("M", None)])
        audiences = {"L": made[0].id, "M": made[1].id}
        rows = [{"externalId": str(n), "email": f"{'_abc'[n]}@x.org"} for n in known]
        if rows:
            shop.consumers.upsert(rows)
        for row in rows:
            blank = dict.fromkeys(KNOWN)
            model.people.append({**blank, "external_id": row["externalId"], "email": row["email"]})
        for what, where, which in [*history, ("sync", "L", 2), ("sync", "M", 2)]:
            match what:
                case "put":
                    lists.put(where, which)
                case "take":
                    lists.lists[where].pop(which, None)
                case "erase":
                    _erase(shop, model, where)
                case "sync":
                    patch.setattr(syncing, "PART", which)
                    _sync(shop, model, lists, where, audiences[where])


def _erase(shop: OrganizationStore, model: Model, place: int) -> None:
    for one in shop.consumers.at([place]):
        shop.consumers.erase(one.id)
        model.erase(place)


def _sync(shop: OrganizationStore, model: Model, lists: Lists, list_id: str, audience: str) -> None:
    profiles = [*lists.lists[list_id].values()]
    wanted = model.sync(profiles)
    _synced(shop, audience)
    assert {*shop.members.bitmap(audience).ordinals().tolist()} == wanted
    living = [place for place, one in enumerate(model.people) if one is not None]
    found = shop.consumers.at(range(len(model.people) + 1))
    assert [one.ordinal for one in found] == living
    assert [told(one) for one in found] == [model.people[place] for place in living]
    before = shop.store.organizations.get(shop.organization.id)
    _synced(shop, audience)
    assert shop.store.organizations.get(shop.organization.id) == before


def _synced(shop: OrganizationStore, audience: str) -> None:
    sync = shop.syncs.get(audience)
    assert sync is not None
    job = shop.syncs.job(sync.id) or shop.syncs.want(audience)
    syncing.run(shop, shop.store.jobs.take(job, "here", 1) or pytest.fail("it does not wait"))
