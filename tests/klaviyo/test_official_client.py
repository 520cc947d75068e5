"""The peer is driven by Klaviyo's own client, whose models read every answer."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import ApiException, BadRequestException

from tests.klaviyo.peer import KEY, Limits, Peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(burst=10_000, steady=10_000) as peer:
        yield peer


def official(peer: Peer, key: str = KEY) -> KlaviyoAPI:
    return KlaviyoAPI(key, max_retries=4, test_host=peer.url)


def profile(**attributes: Any) -> Any:
    return {"data": {"type": "profile", "attributes": attributes}}


def named(ids: list[str]) -> Any:
    return {"data": [{"type": "profile", "id": one} for one in ids]}


def cursor_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["page[cursor]"][0]


def walk(lists: Any, list_id: str, **how: Any) -> list[Any]:
    """All of a list, page by page."""
    found, cursor = [], None
    while True:
        page = lists.get_profiles_for_list(list_id, page_cursor=cursor, **how)
        found += page.data
        if page.links.next is None:
            return found
        cursor = cursor_of(page.links.next)


def test_the_official_client_fills_pages_filters_and_empties_a_list(peer: Peer) -> None:
    client = official(peer)
    lists, profiles = client.Lists, client.Profiles
    made = lists.create_list({"data": {"type": "list", "attributes": {"name": "Friends"}}})
    list_id = made.data.id
    assert lists.get_list(list_id).data.attributes.name == "Friends"
    ids = [
        profiles.create_profile(
            profile(
                email=f"p{number}@example.com",
                external_id=str(number),
                first_name="Ada",
                location={"city": "Boston", "latitude": 42.36},
                properties={"points": number},
            )
        ).data.id
        for number in range(25)
    ]
    for one in ids:
        lists.add_profiles_to_list(list_id, named([one]))
    lists.add_profiles_to_list(list_id, named(ids[:3]))  # who is there stays as he is

    first = lists.get_profiles_for_list(list_id)
    assert len(first.data) == 20 and first.links.next
    everybody = walk(lists, list_id, page_size=7, sort="joined_group_at")
    assert [one.id for one in everybody] == ids
    assert everybody[3].attributes.email == "p3@example.com"
    assert everybody[3].attributes.location.city == "Boston"
    assert everybody[3].attributes.properties == {"points": 3}
    backwards = walk(lists, list_id, page_size=10, sort="-joined_group_at")
    assert [one.id for one in backwards] == ids[::-1]
    related = lists.get_profile_ids_for_list(list_id, page_size=100, sort="joined_group_at")
    assert [one.id for one in related.data] == ids

    joined = everybody[20].attributes.joined_group_at
    since = f"greater-or-equal(joined_group_at,{joined.isoformat()})"
    assert [one.id for one in walk(lists, list_id, page_size=2, filter=since)] == ids[20:]
    later = f"greater-than(joined_group_at,{(joined + timedelta(days=1)).isoformat()})"
    assert walk(lists, list_id, filter=later) == []
    by_email = walk(lists, list_id, filter='any(email,["p1@example.com","p9@example.com"])')
    assert [one.id for one in by_email] == [ids[1], ids[9]]
    sparse = lists.get_profiles_for_list(list_id, fields_profile=["email", "location.city"])
    assert sparse["data"][0]["attributes"] == {
        "email": "p0@example.com",
        "location": {"city": "Boston"},
    }
    assert profiles.get_profile(ids[5]).data.attributes.external_id == "5"
    found = profiles.get_profiles(filter='equals(external_id,"7")')
    assert [one.id for one in found.data] == [ids[7]]

    lists.remove_profiles_from_list(list_id, named(ids[:24]))
    assert [one.id for one in walk(lists, list_id)] == ids[24:]
    assert [one.id for one in lists.get_lists(filter='equals(name,"Friends")').data] == [list_id]
    lists.delete_list(list_id)
    with pytest.raises(ApiException) as gone:
        lists.get_list(list_id)
    assert gone.value.status == 404


def test_the_official_client_pages_the_lists_of_an_account(peer: Peer) -> None:
    for number in range(12):
        peer.account.create_list(f"List {number}")
    lists = official(peer).Lists
    first = lists.get_lists()
    second = lists.get_lists(page_cursor=cursor_of(first.links.next))
    assert [one.attributes.name for one in first.data + second.data] == [
        f"List {number}" for number in range(12)
    ]
    assert second.links.next is None


def limited(burst: int) -> Limits:
    """So many requests at once; the clock goes on when one is refused, however slow all is."""
    limits = Limits(burst, 1_000)
    limits.clock = lambda: float(limits.refused)
    return limits


def test_the_official_client_waits_where_it_is_throttled(peer: Peer) -> None:
    list_id = peer.account.create_list("Friends")
    client, peer.limits = official(peer), limited(2)
    for _ in range(5):
        assert client.Lists.get_list(list_id).data.id == list_id
    assert peer.limits.refused == 2 and peer.asked == 7


def test_what_the_official_client_is_refused(peer: Peer) -> None:
    list_id = peer.account.create_list("Friends")
    lists, profiles = official(peer).Lists, official(peer).Profiles
    profiles.create_profile(profile(email="ada@example.com"))

    def status(ask: Any) -> int:
        with pytest.raises(ApiException) as refused:
            ask()
        return int(refused.value.status)

    assert status(lambda: official(peer, "pk_wrong").Lists.get_list(list_id)) == 401
    assert status(lambda: profiles.create_profile(profile(email="ada@example.com"))) == 409
    assert status(lambda: profiles.create_profile(profile(first_name="Ada"))) == 400
    assert status(lambda: lists.add_profiles_to_list(list_id, named(["nobody"]))) == 404
    assert status(lambda: lists.get_profiles_for_list(list_id, filter="equals(title,'x')")) == 400
    assert status(lambda: lists.get_profiles_for_list(list_id, sort="email")) == 400
    assert status(lambda: lists.get_profiles_for_list(list_id, fields_profile=["x"])) == 400
    with pytest.raises(BadRequestException, match="Invalid cursor provided"):
        lists.get_profiles_for_list(list_id, page_cursor="bm90aGluZw==")
