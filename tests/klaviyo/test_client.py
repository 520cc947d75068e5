"""Our client of Klaviyo against the peer: everybody once, and what goes wrong on the way."""

import contextlib
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.store.exact_json import dumps
from segment_engine.store.identity import written
from segment_engine.syncing.klaviyo import MOST_DATA, KlaviyoLists
from segment_engine.syncing.source import CursorGone, Profile, SourceGone, SyncFault
from segment_engine.syncing.vendors import VENDORS
from tests.klaviyo import faults
from tests.klaviyo.account import Account, filled
from tests.klaviyo.faults import Answer, Fault
from tests.klaviyo.peer import KEY, Peer
from tests.klaviyo.test_official_client import limited, official, walk

SECOND = 1_000_000


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 1_000.0, list[float]()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(burst=10_000, steady=100_000) as peer:
        yield peer


@pytest.fixture
def time() -> Time:
    return Time()


Open = Callable[..., KlaviyoLists]


@pytest.fixture
def opened(peer: Peer) -> Iterator[Open]:
    """Lists of the peer, which are closed however a test ends."""
    with ExitStack() as closing:

        def one(**how: Any) -> KlaviyoLists:
            return closing.enter_context(contextlib.closing(KlaviyoLists(KEY, peer.url, **how)))

        yield one


@pytest.fixture
def lists(opened: Open, time: Time) -> KlaviyoLists:
    return opened(sleep=time.sleep, clock=time.clock)


def everybody(lists: KlaviyoLists, list_id: str, **how: Any) -> list[Profile]:
    found: list[Profile] = []
    cursor = None
    while True:
        page = lists.read(list_id, cursor, **how)
        found += page.profiles
        if (cursor := page.cursor) is None:
            return found


def test_a_list_is_read_as_the_official_client_reads_it(peer: Peer, lists: KlaviyoLists) -> None:
    list_id = filled(peer.account, 250)
    ours = everybody(lists, list_id)
    theirs = walk(official(peer).Lists, list_id, page_size=100, sort="joined_group_at")
    assert [one.id for one in ours] == [one.id for one in theirs]
    for one, their in zip(ours, theirs, strict=True):
        told = their.attributes
        assert (one.external_id, one.email, one.phone) == (
            told.external_id,
            told.email,
            told.phone_number,
        )
        assert one.full_name == f"{told.first_name} {told.last_name}"
        assert one.joined_at == int(told.joined_group_at.timestamp()) * SECOND
        place = told.location
        assert one.data["location"] == {
            "city": place.city,
            "region": place.region,
            "country": place.country,
        }
        assert one.data["properties"] == told.properties
    found = lists.find(list_id)
    assert (found.id, found.name) == (list_id, "Newsletter")
    assert found.data.keys() == {"created", "updated", "optInProcess"}
    assert VENDORS["klaviyo"] is KlaviyoLists


def test_those_who_joined_since_the_second_of_an_instant(peer: Peer, lists: KlaviyoLists) -> None:
    list_id = filled(peer.account, 230)
    at = 1_700_000_000 * SECOND + 120 * SECOND
    assert len(everybody(lists, list_id, joined_since=at + 999_999)) == 110
    assert len(everybody(lists, list_id, joined_since=at + SECOND)) == 109


def test_a_cursor_is_good_in_another_process_until_klaviyo_drops_it(
    peer: Peer, lists: KlaviyoLists, opened: Open
) -> None:
    list_id = filled(peer.account, 250)
    first = lists.read(list_id)
    assert [one.id for one in opened().read(list_id, first.cursor).profiles] == [
        one.id for one in everybody(lists, list_id)[100:200]
    ]
    peer.expire_cursors()
    with pytest.raises(CursorGone) as gone:
        lists.read(list_id, first.cursor)
    assert gone.value.temporary
    assert len(everybody(lists, list_id)) == 250


def test_a_list_that_changes_meanwhile_repeats_and_misses_no_one_who_stays(
    peer: Peer, lists: KlaviyoLists
) -> None:
    list_id = filled(peer.account, 250)
    ids = [one for (one,) in peer.account.profile_ids]
    new = peer.account.create_profile(email="new@example.com")
    peer.after_page(1, lambda: peer.account.remove(list_id, [ids[3], ids[150]]))
    peer.after_page(2, lambda: peer.account.add(list_id, [new]))
    read = [one.id for one in everybody(lists, list_id)]
    assert read == [one for one in ids if one != ids[150]] + [new]


PASSING: list[Fault] = [
    *(faults.error(status) for status in (429, 500, 502, 503, 524)),
    *(faults.dropped, faults.truncated, faults.cut),
    faults.replaced(b"<html>Bad gateway</html>"),
    faults.replaced(b'{"data": NaN}'),
    faults.replaced(b"[" * 100_000),
    faults.changed(lambda document: document.pop("links")),
    faults.changed(lambda document: document["data"][0]["attributes"].update(email=7)),
]


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_asked_again(
    peer: Peer, lists: KlaviyoLists, time: Time, fault: Fault
) -> None:
    list_id = filled(peer.account, 150)
    peer.fault(fault, at=2, times=2)
    assert len(everybody(lists, list_id)) == 150
    assert peer.asked == 4 and len(time.slept) == 2
    peer.fault(fault, times=10_000)
    with pytest.raises(SyncFault) as told:
        lists.read(list_id)
    assert told.value.temporary
    assert sum(time.slept) <= 2 + 90


SLOW = [faults.slow(0.6), faults.trickling(0.02, "head"), faults.trickling(0.02, "body")]


@pytest.mark.parametrize("fault", SLOW)
def test_a_slow_answer_ends_at_the_deadline(peer: Peer, opened: Open, fault: Fault) -> None:
    list_id = filled(peer.account, 10)
    lists = opened(deadline_s=0.3)
    peer.fault(fault, times=10_000)
    with pytest.raises(SyncFault, match="in time") as told:
        lists.read(list_id)
    assert told.value.temporary


def test_how_long_klaviyo_says_to_wait_is_waited(
    peer: Peer, lists: KlaviyoLists, time: Time
) -> None:
    list_id = filled(peer.account, 1)
    peer.fault(faults.error(429, retry_after="17"))
    lists.read(list_id)
    assert time.slept == [17]
    date = {"date": "Sun, 29 Nov 2026 10:00:00 GMT"}
    peer.fault(faults.error(503, retry_after="Sun, 29 Nov 2026 10:00:21 GMT", **date))
    lists.read(list_id)
    assert time.slept[1:] == [21]
    peer.fault(faults.error(503, retry_after="Sun, 29 Nov 2026 10:00:21 +9999999999", **date))
    lists.read(list_id)
    assert time.slept.pop() <= 1
    peer.fault(faults.error(429, retry_after="3600"))
    with pytest.raises(SyncFault, match="too often") as told:
        lists.read(list_id)
    assert told.value.temporary and len(time.slept) == 2


def test_questions_stay_below_the_limits_of_klaviyo(
    peer: Peer, lists: KlaviyoLists, time: Time
) -> None:
    list_id = peer.account.create_list("Friends")
    at: list[float] = []
    for _ in range(800):
        lists.find(list_id)
        at.append(time.now)
    for length, most in ((1, 75), (60, 700)):
        assert max(sum(one <= other < one + length for other in at) for one in at) <= most
    assert len(time.slept) > 700


def test_the_limits_of_the_peer_are_met_and_got_over(
    peer: Peer, lists: KlaviyoLists, time: Time
) -> None:
    peer.limits = limited(3)
    list_id = filled(peer.account, 850)
    assert len({one.id for one in everybody(lists, list_id)}) == 850
    assert (peer.limits.refused, time.slept) == (2, [1, 1])


LASTING: list[tuple[Fault, str]] = [
    (faults.error(401), "refuses the key"),
    (faults.error(403), "refuses the key"),
    (faults.error(400), "status 400"),
    (faults.replaced(b"", 302, location="https://elsewhere.example.com/"), "status 302"),
    (faults.replaced(b" " * (33 * 1024**2)), "more than 32 MB"),
]


@pytest.mark.parametrize(("fault", "words"), LASTING)
def test_what_somebody_has_to_mend_is_asked_once(
    peer: Peer, lists: KlaviyoLists, fault: Fault, words: str
) -> None:
    list_id = filled(peer.account, 1)
    peer.fault(fault, times=2)
    with pytest.raises(SyncFault, match=words) as told:
        lists.read(list_id)
    assert not told.value.temporary and peer.asked == 1


def test_a_list_that_is_not_there(peer: Peer, lists: KlaviyoLists) -> None:
    list_id = filled(peer.account, 150)
    cursor = lists.read(list_id).cursor
    del peer.account.lists[list_id]
    asks: list[Callable[[], object]] = [
        lambda: lists.find(list_id),
        lambda: lists.read(list_id),
        lambda: lists.read(list_id, cursor),
        lambda: lists.find("../profiles"),
        lambda: lists.find(".."),
    ]
    for ask in asks:
        with pytest.raises(SourceGone, match="no such list") as gone:
            ask()
        assert not gone.value.temporary
    assert peer.asked == 4
    again = pickle.loads(pickle.dumps(gone.value))
    assert (type(again), again.message, again.temporary) == (SourceGone, gone.value.message, False)


HOSTS = (
    "https://elsewhere.example.com/api/lists/L/profiles",
    "https://xn--a/api/lists/L/profiles",
    "http://127.0.0.1:1/api/lists/L/profiles",
    "http://127.0.0.1.example.com/",
    "//127.0.0.1/api",
    "{secure}/api/lists/L/profiles",
    "http://user:word@{host}/api/lists/L/profiles",
    "http://{host}@127.0.0.2/",
    "http://[half/",
    "file:///etc/passwd",
    "{url}/?" + "x" * 9_000,
)


@pytest.mark.parametrize("link", HOSTS)
def test_the_key_is_sent_to_no_other_host(peer: Peer, lists: KlaviyoLists, link: str) -> None:
    list_id = filled(peer.account, 150)
    host = peer.url.removeprefix("http://")
    link = link.format(url=peer.url, secure=f"https://{host}", host=host)
    peer.fault(faults.changed(lambda document: document["links"].update(next=link)))
    cursor = lists.read(list_id).cursor
    assert cursor == link
    with pytest.raises(SyncFault, match="link") as told:
        lists.read(list_id, cursor)
    assert not told.value.temporary and peer.asked == 1


def test_a_page_that_leads_to_itself_ends(peer: Peer, lists: KlaviyoLists) -> None:
    list_id = filled(peer.account, 250)
    cursor = lists.read(list_id).cursor
    loop: Fault = faults.changed(lambda document: document["links"].update(next=cursor))
    peer.fault(loop, times=3)
    with pytest.raises(SyncFault, match="the page itself"):
        lists.read(list_id, cursor)


def test_a_packed_answer_is_read(peer: Peer, lists: KlaviyoLists) -> None:
    list_id = filled(peer.account, 3)
    peer.fault(faults.zipped)
    assert len(lists.read(list_id).profiles) == 3


@pytest.mark.parametrize("url", ["http://a.klaviyo.com", "ftp://127.0.0.1", "", "http://[x"])
def test_addresses_to_which_no_key_is_sent(url: str) -> None:
    with pytest.raises(SyncFault, match="address"):
        KlaviyoLists(KEY, url)


@pytest.mark.parametrize("key", ["", "pk_a\r\nx: y", "pk_é", "pk a"])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(SyncFault, match="refuses the key"):
        KlaviyoLists(key)


def test_nothing_tells_the_key_or_a_person(
    peer: Peer, lists: KlaviyoLists, caplog: pytest.LogCaptureFixture
) -> None:
    list_id = filled(peer.account, 150)

    def person(answer: Answer) -> Answer:
        return faults.failing(400, "person0@example.com is not valid")

    told = [repr(lists), str(lists), repr(vars(lists))]
    with caplog.at_level(logging.DEBUG):
        for fault in (*PASSING, *(one for one, _ in LASTING), person):
            peer.fault(fault, times=10_000)
            with pytest.raises(SyncFault) as raised:
                lists.read(list_id)
            told += [*traceback.format_exception(raised.value), repr(raised.value)]
            peer.mend()
        everybody(lists, list_id)
    text = "\n".join([*told, caplog.text])
    assert not [one for one in (KEY, "@example.com", "First", "Last", "Boston") if one in text]
    assert "HTTP Request" in caplog.text


TEXTS = st.text(max_size=12)
LONG = st.integers(2_000, 9_000).map("x".__mul__)
NUMBERS = st.integers() | st.integers(-(10**40), 10**40) | st.floats(-1e300, 1e300)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | LONG,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PEOPLE = st.fixed_dictionaries(
    {"external_id": st.uuids().map(str)},
    optional={
        **dict.fromkeys(("first_name", "last_name", "title", "organization", "locale"), TEXTS),
        "location": st.fixed_dictionaries({}, optional={"city": TEXTS, "zip": TEXTS}),
        "properties": st.dictionaries(TEXTS, VALUES, max_size=5),
    },
)


@given(people=st.lists(PEOPLE, max_size=8, unique_by=lambda one: str(one["external_id"])))
def test_whoever_is_in_a_list_comes_back_and_can_be_kept(people: list[dict[str, Any]]) -> None:
    account = Account()
    list_id = account.create_list("Anybody")
    ids = [account.create_profile(**one) for one in people]
    account.add(list_id, ids, at=5 * SECOND)
    with (
        Peer(account, burst=10_000, steady=10_000) as peer,
        contextlib.closing(KlaviyoLists(KEY, peer.url)) as lists,
    ):
        found = everybody(lists, list_id)
    assert [(one.id, one.external_id, one.joined_at) for one in found] == [
        (one, who["external_id"], 5 * SECOND) for one, who in zip(ids, people, strict=True)
    ]
    for one, who in zip(found, people, strict=True):
        names = [who.get(key, "") for key in ("first_name", "last_name")]
        assert (one.full_name or "").split() == " ".join(names).split()
        assert len(dumps(one.data).encode()) <= MOST_DATA
        assert written({"klaviyo": one.data})
        kept, given = one.data.get("properties", {}), who.get("properties", {})
        for key, value in kept.items():
            assert dumps(value) == dumps(given[key])
        missing = [key for key, value in given.items() if value is not None and key not in kept]
        assert bool(missing) <= ("leftOut" in one.data)


def test_numbers_are_as_they_were_written(peer: Peer, lists: KlaviyoLists) -> None:
    list_id = peer.account.create_list("Anybody")
    who = peer.account.create_profile(email="a@example.com", properties={"a": 0})
    peer.account.add(list_id, [who])

    def written_out(answer: Answer) -> Answer:
        body = answer.body.replace(b'"a": 0', b'"a": 12345678901234567.890, "b": 1' + b"0" * 5_000)
        return Answer(answer.status, body, answer.headers)

    peer.fault(written_out)
    (one,) = lists.read(list_id).profiles
    assert one.data == {"properties": {"a": Decimal("12345678901234567.890")}, "leftOut": 1}


def test_of_too_many_properties_those_that_fit_are_kept(peer: Peer, lists: KlaviyoLists) -> None:
    deep: Any = 1
    for _ in range(12):
        deep = [deep]
    given = {f"p{number:03d}": "x" * 100 for number in range(200)}
    odd = {"a": "\0", "b": deep, "c": "y" * 9_000, "d": "\ud800", "e": "\\u0000", "f": [[[1]]] * 9}
    list_id = peer.account.create_list("Anybody")
    who = peer.account.create_profile(email="a@example.com", title="Dr", properties=given | odd)
    peer.account.add(list_id, [who])
    (one,) = lists.read(list_id).profiles
    kept = one.data["properties"]
    assert list(kept)[:2] == ["e", "f"] and list(kept)[2:] == sorted(given)[: len(kept) - 2]
    assert one.data["title"] == "Dr" and one.data["leftOut"] == 206 - len(kept)
    assert MOST_DATA - 300 < len(dumps(one.data)) <= MOST_DATA
