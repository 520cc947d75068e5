"""Webhooks: receivers are told of each change at least once, in order, and signed."""

import json
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
from sqlalchemy import select, update

from segment_engine.errors import Conflict, Invalid, NotFound
from segment_engine.store import delivering, generations, sending
from segment_engine.store.generations import Gone
from segment_engine.store.jobs import Job
from segment_engine.store.measures import counted_deliveries
from segment_engine.store.schedule import Schedule
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.tables import jobs, webhook_deliveries
from segment_engine.store.worker import LANES, Lane
from segment_engine.webhooks import WrongSignature, sign, verify
from tests.store.receiver import Handler, Receiver, receiving, status

MESSAGE = {
    *("id", "type", "webhookId", "organizationId", "audienceId", "audienceName", "generation"),
    *("asOf", "part", "parts", "entered", "left"),
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def audience(shop: OrganizationStore) -> str:
    """Consumers e0 to e9, and an audience of those with 5 orders and more."""
    shop.consumers.upsert([{"externalId": f"e{n}", "totalOrders": n} for n in range(10)])
    return shop.audiences.create("many", "DYNAMIC", expression="totalOrders >= 5").id


@pytest.fixture
def secret(shop: OrganizationStore, receiver: Receiver) -> str:
    """That of a webhook which is told all."""
    return shop.store.webhooks.create(shop.organization.id, receiver.url)[0]


def orders(shop: OrganizationStore, **numbers: int) -> None:
    """Changes consumers, and publishes."""
    shop.consumers.upsert([{"externalId": e, "totalOrders": n} for e, n in numbers.items()])
    shop.runs.run()


def claimed(shop: OrganizationStore) -> Job | None:
    return shop.store.jobs.claim("here", 1, ["deliver"])


def deliver(shop: OrganizationStore) -> None:
    """Turns, as long as one is due."""
    while (job := claimed(shop)) is not None:
        delivering.run(shop, job)


def rows(shop: OrganizationStore) -> list[Any]:
    query = select(webhook_deliveries).order_by(webhook_deliveries.c.id)
    with shop.store.database.reading() as connection:
        return list(connection.execute(query).all())


def pass_time(shop: OrganizationStore) -> None:
    """All that waits for its time is due."""
    with shop.store.database.writing() as connection:
        connection.execute(update(webhook_deliveries).values(next_at=0))
        connection.execute(update(jobs).values(run_after=0))


def people(told: list[dict[str, Any]]) -> list[str]:
    return [one["externalId"] for one in told]


def moves(receiver: Receiver) -> list[tuple[int, list[str], list[str]]]:
    """Generation, who entered and who left, of each message since the last time."""
    return [
        (one["generation"], people(one["entered"]), people(one["left"])) for one in receiver.take()
    ]


def test_what_a_receiver_is_told(
    shop: OrganizationStore, audience: str, receiver: Receiver, secret: str
) -> None:
    shop.runs.run()
    deliver(shop)
    (first,) = receiver.received
    told = first.verified(secret)
    assert (told.keys(), told["type"]) == (MESSAGE, "audience.members_changed")
    assert (told["id"], told["part"], told["parts"]) == (first.headers["webhook-id"], 1, 1)
    assert (told["audienceId"], told["audienceName"]) == (audience, "many")
    assert told["organizationId"] == shop.organization.id
    assert told["asOf"].endswith("Z") and first.path == "/hook?key=secret"
    known = shop.consumers.at(range(5, 10))
    assert told["entered"] == [{"id": one.id, "externalId": one.external_id} for one in known]
    with pytest.raises(WrongSignature):
        verify(secret, first.headers, first.body + b" ")
    receiver.take()
    orders(shop, e1=7, e9=0, e6=8)
    shop.runs.run()  # in which nobody moved
    deliver(shop)
    assert moves(receiver) == [(2, ["e1"], ["e9"])]
    assert {row.state for row in rows(shop)} == {"DELIVERED"}
    assert [(row.entered, row.left) for row in rows(shop)] == [(None, None)] * 2


def test_parts(shop: OrganizationStore, receiver: Receiver, secret: str) -> None:
    shop.consumers.upsert([{"externalId": f"p{n}", "totalOrders": n} for n in range(2_300)])
    audience = shop.audiences.create("all", "DYNAMIC", expression="totalOrders >= 0").id
    shop.runs.run()
    receiver.answers = [status(204), status(500)]
    deliver(shop)
    assert [one["part"] for one in receiver.take()] == [1, 2]
    shop.consumers.erase(shop.consumers.at([1_500])[0].id)
    pass_time(shop)
    deliver(shop)
    second, third = receiver.take()
    assert [len(one["entered"]) for one in (second, third)] == [999, 300]
    assert (second["parts"], third["parts"]) == (3, 3)
    assert second["id"].removesuffix("_2") == third["id"].removesuffix("_3")
    shop.audiences.update(audience, {"expression": "totalOrders < 1200 and totalOrders > 99"})
    shop.runs.run()
    deliver(shop)
    told = receiver.take()
    assert [len(one["left"]) for one in told] == [999, 200]
    left = [one for part in told for one in people(part["left"])]
    assert left == [f"p{n}" for n in (*range(100), *range(1_200, 2_300)) if n != 1_500]


def test_a_delivery_that_fails_is_tried_again_and_those_behind_it_wait(
    shop: OrganizationStore,
    audience: str,
    receiver: Receiver,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(handler: Handler) -> None:
        time.sleep(3)

    def trickling(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.1)

    def no_http(handler: Handler) -> None:
        handler.wfile.write(b"what?\r\n")
        handler.close_connection = True

    orders(shop, e0=9)
    orders(shop, e1=9)
    answers = [
        (status(500), "it answered 500", 5),
        (silent, "no answer within 1 s", 30),
        (trickling, "no answer within 1 s", 120),
        (status(302, Location=receiver.url), "it answered 302", 600),
        (no_http, "it could not be reached: RemoteProtocolError", 3_600),
        (status(429, Retry_After="30000"), "it answered 429", 30_000),
        (status(503, Retry_After=f"{'9' * 400}"), "it answered 503", 86_400),
    ]
    for tries, (answer, reason, pause) in enumerate(answers, 1):
        monkeypatch.setattr(sending, "DEADLINE_S", 1.0 if "within" in reason else 30.0)
        receiver.answers = [answer]
        deliver(shop)
        first, second = rows(shop)
        assert (first.state, first.attempts, first.reason) == ("WAITING", tries, reason)
        assert 0.79 * pause <= (first.next_at - first.updated_at) / 1e6 <= 1.21 * pause
        assert (second.state, second.attempts) == ("WAITING", 0)
        assert counted_deliveries(shop.store.database) == {"FAILING": 1, "WAITING": 1}
        (waits,) = [one for one in shop.store.jobs.state(shop.organization.id) if one.key]
        assert abs(waits.run_after - first.next_at) < 2_000_000
        pass_time(shop)
    assert delivering._asked(formatdate(5_000, usegmt=True), 1_000_000_000) == 4_000
    for none in ("next week", "-1", "Sun, 29 Nov 2026 10:00:21 +9999999999", "1 Jan 9999999999"):
        assert delivering._asked(none, 0) == 0
    assert len(set(receiver.ids)) == 1
    assert len({one.headers["webhook-signature"] for one in receiver.received}) > 1
    receiver.take()
    deliver(shop)
    assert moves(receiver) == [(1, ["e0", *(f"e{n}" for n in range(5, 10))], []), (2, ["e1"], [])]


def test_nobody_listens(
    shop: OrganizationStore, audience: str, receiver: Receiver, secret: str
) -> None:
    with receiving() as other:
        shop.store.webhooks.create(shop.organization.id, other.url)
    shop.store.webhooks.create(shop.organization.id, "https://xn--a/")
    orders(shop, e0=9)
    deliver(shop)
    assert len(receiver.received) == 1, "a receiver that is out of reach holds up no other"
    reasons = {row.reason for row in rows(shop)}
    told = "it could not be reached: "
    assert reasons == {None, f"{told}ConnectError", f"{told}InvalidCodepoint"}


def test_who_is_out_of_reach_is_not_asked_for_each_audience(
    shop: OrganizationStore,
    audience: str,
    receiver: Receiver,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "DEADLINE_S", 1.0)
    receiver.answers = [lambda _: time.sleep(3)] * 2
    shop.audiences.create("few", "DYNAMIC", expression="totalOrders < 5")
    shop.runs.run()
    deliver(shop)
    assert [(row.attempts, row.next_at) for row in rows(shop)] == [
        (1, rows(shop)[0].next_at),
        (0, rows(shop)[0].next_at),
    ]
    pass_time(shop)
    monkeypatch.undo()
    receiver.take()
    receiver.answers.clear()
    deliver(shop)
    assert len(receiver.take()) == 2


def test_many_audiences_are_looked_for_at_once(
    shop: OrganizationStore,
    audience: str,
    receiver: Receiver,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else what waits takes the longer for each message the more there is of it."""
    asked, due = [], delivering._Turn._due

    def counted(turn: delivering._Turn) -> Any:
        asked.append(due(turn))
        return asked[-1]

    monkeypatch.setattr(delivering._Turn, "_due", counted)
    monkeypatch.setattr(delivering, "TURN_S", 60)
    for n in range(4):
        shop.audiences.create(f"from {n}", "DYNAMIC", expression=f"totalOrders >= {n}")
    shop.runs.run()
    orders(shop, e0=9)
    deliver(shop)
    assert [len(ids) for ids in asked] == [5, 4, 0]
    assert [one["generation"] for one in receiver.take()] == [1] * 5 + [2] * 4


def test_a_long_answer_is_not_read(
    shop: OrganizationStore, audience: str, receiver: Receiver, secret: str
) -> None:
    sent = []

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        for _ in range(1 << 12):
            handler.wfile.write(b"x" * (1 << 20))
            sent.append(1)

    receiver.answers = [endless]
    shop.runs.run()
    deliver(shop)
    assert [row.state for row in rows(shop)] == ["DELIVERED"]
    assert len(sent) < 100


def test_dead_letters(
    shop: OrganizationStore,
    audience: str,
    receiver: Receiver,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivering, "BACK_OFF", (0, 0))
    webhooks = shop.store.webhooks
    orders(shop, e0=9)
    orders(shop, e1=9)
    receiver.answers = [status(400)] * 3
    deliver(shop)
    assert [one["generation"] for one in receiver.take()] == [1, 1, 1, 2]
    (dead,) = webhooks.failed(shop.organization.id)
    assert (dead.generation, dead.audience, dead.attempts) == (1, audience, 3)
    assert (dead.reason, dead.sent, dead.parts) == ("it answered 400", 0, 1)
    (hook,) = webhooks.list(shop.organization.id)
    assert (hook.id, hook.waiting, hook.dead) == (dead.webhook, 0, 1)
    with pytest.raises(NotFound, match="no dead letter dlv_other"):
        webhooks.replay([dead.id, "dlv_other"])
    assert webhooks.replay([dead.id]) == 1 and webhooks.failed() == []
    deliver(shop)
    (again,) = receiver.received
    assert again.verified(secret)["id"] == f"{dead.id}_1"
    assert webhooks.replay() == 0


def test_what_waited_for_too_long_is_dead_as_soon_as_it_fails(
    shop: OrganizationStore, audience: str, receiver: Receiver, secret: str
) -> None:
    shop.runs.run()
    with shop.store.database.writing() as connection:
        connection.execute(update(webhook_deliveries).values(wanted_at=0))
    receiver.answers = [status(500)]
    deliver(shop)
    assert [one.attempts for one in shop.store.webhooks.failed()] == [1]


def test_a_receiver_that_is_gone_ends_the_webhook(
    shop: OrganizationStore, audience: str, receiver: Receiver, secret: str
) -> None:
    orders(shop, e0=9)
    orders(shop, e1=9)
    receiver.answers = [status(410)]
    deliver(shop)
    orders(shop, e2=9)
    deliver(shop)
    assert len(receiver.received) == 1
    dead = shop.store.webhooks.failed()
    assert [(one.generation, one.reason) for one in dead] == [
        (1, "it answered 410"),
        (2, "it answered 410"),
    ]
    (hook,) = shop.store.webhooks.list()
    assert hook.ended_at is not None
    with pytest.raises(Conflict, match="is gone; make another webhook"):
        shop.store.webhooks.replay([dead[0].id])
    assert shop.store.webhooks.replay() == 0


def test_nothing_is_kept_for_a_receiver_that_goes_meanwhile(
    shop: OrganizationStore,
    audience: str,
    receiver: Receiver,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop.runs.run()
    kept, drop = threading.Event(), generations.drop
    run = threading.Thread(target=orders, args=(shop,), kwargs={"e1": 9})

    def waiting(*given: Any) -> None:
        kept.set()
        time.sleep(1)  # in which it would be said that the receiver is gone
        drop(*given)

    def gone(handler: Handler) -> None:
        run.start()
        assert kept.wait(30)
        status(410)(handler)

    monkeypatch.setattr(generations, "drop", waiting)
    receiver.answers = [gone]
    deliver(shop)
    run.join()
    deliver(shop)
    assert [row.state for row in rows(shop)] == ["DEAD", "DEAD"]
    assert len(receiver.received) == 1


def test_what_is_told_outlives_generations_and_forgets_who_was_erased(
    shop: OrganizationStore,
    audience: str,
    receiver: Receiver,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generations, "KEEP_FOR", 0)
    for n in range(4):
        orders(shop, **{f"e{n}": 9, f"e{9 - n}": 0})
    with pytest.raises(Gone):
        shop.generations.get(1)
    gone = shop.consumers.at([7])[0]
    shop.consumers.erase(gone.id)
    deliver(shop)
    assert moves(receiver) == [
        (1, ["e0", "e5", "e6", "e8"], []),
        (2, ["e1"], ["e8"]),
        (3, ["e2"], []),
        (4, ["e3"], ["e6"]),
    ]
    shop.runs.run()
    deliver(shop)
    assert receiver.take() == [], "who was erased in between is not told to have left"
    shop.consumers.erase(shop.consumers.at([0])[0].id)
    shop.runs.run()
    deliver(shop)
    assert receiver.take() == [], "nor that somebody was erased"
    assert {row.state for row in rows(shop)} == {"DELIVERED"}


def test_archived_audiences_are_left_by_all(
    shop: OrganizationStore, audience: str, receiver: Receiver, secret: str
) -> None:
    five = [f"e{n}" for n in range(5, 10)]
    shop.runs.run()
    shop.audiences.archive(audience)
    shop.runs.run()
    shop.audiences.update(audience, {"archived": False})
    shop.runs.run()
    deliver(shop)
    assert moves(receiver) == [(1, five, []), (2, [], five), (3, five, [])]


def test_who_listens_to_what(shop: OrganizationStore, audience: str, receiver: Receiver) -> None:
    webhooks, own = shop.store.webhooks, shop.organization.id
    other = shop.audiences.create("few", "DYNAMIC", expression="totalOrders < 5").id
    shop.runs.run()
    assert rows(shop) == []
    _, hook = webhooks.create(own, receiver.url, [other])
    orders(shop, e0=9)
    deliver(shop)
    assert [one["audienceName"] for one in receiver.take()] == ["few"]
    orders(shop, e1=9)
    assert webhooks.delete(hook.id).audiences == [other]
    orders(shop, e2=9)
    deliver(shop)
    assert (receiver.take(), rows(shop), webhooks.list()) == ([], [], [])
    with pytest.raises(NotFound):
        webhooks.delete(hook.id)
    with pytest.raises(NotFound):
        webhooks.create("org_other", receiver.url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.com/", "begins with https"),
        ("ftp://example.com/", "begins with https"),
        ("example.com", "is as https"),
        ("https:///hook", "is as https"),
        ("https://example.com/a b", "is as https"),
        ("https://example.com/\r\n", "is as https"),
        (f"https://example.com/{'x' * 2_000}", "is as https"),
        ("https://ada:pass@example.com/", "names no user"),
        ("https://example.com/#part", "no fragment"),
        ("https://[::1/", "no URL"),
        ("https://example.com:port/", "no URL"),
    ],
)
def test_urls_that_are_refused(shop: OrganizationStore, url: str, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        shop.store.webhooks.create(shop.organization.id, url)


def test_another_secret_of_the_store_opens_no_webhook(
    shop: OrganizationStore, audience: str, receiver: Receiver, secret: str
) -> None:
    shop.runs.run()
    shop.store.secret = b"another secret of tests"
    deliver(shop)
    assert receiver.received == []
    assert "another SEGMENT_ENGINE_SECRET" in rows(shop)[0].reason


def test_what_was_given_up_is_wanted_again_and_what_is_old_deleted(
    shop: OrganizationStore, audience: str, receiver: Receiver, secret: str
) -> None:
    orders(shop, e0=9)
    job = claimed(shop) or pytest.fail("nothing waits")
    shop.store.jobs.fail(job, "no luck", again=False)
    assert claimed(shop) is None
    schedule = Schedule(shop.store, 900)
    schedule.want_due()
    deliver(shop)
    assert len(receiver.take()) == 1
    orders(shop, e1=9)
    schedule.delete_old()
    assert [row.state for row in rows(shop)] == ["DELIVERED", "WAITING"]
    with shop.store.database.writing() as connection:
        connection.execute(update(webhook_deliveries).values(updated_at=0))
    schedule.delete_old()
    assert [row.state for row in rows(shop)] == ["WAITING"]


def test_two_workers(shop: OrganizationStore, audience: str, receiver: Receiver) -> None:
    """Each message comes once where no worker dies, and in order for each audience."""
    shop.audiences.create("few", "DYNAMIC", expression="totalOrders < 5")
    for n in range(3):
        shop.store.webhooks.create(shop.organization.id, f"{receiver.url}&n={n}")
    ended = threading.Event()

    def work() -> None:
        store = Store(str(shop.store.database.engine.url), shop.store.secret, shop.store.folder)
        lane = Lane(store, LANES[1], ended.is_set)
        while not ended.is_set():
            lane.next() or time.sleep(0.01)
        store.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for n in range(1, 9):
        orders(shop, **{f"e{n}": 9 * (n % 2)})
    end = time.monotonic() + 30
    while any(row.state == "WAITING" for row in rows(shop)) and time.monotonic() < end:
        time.sleep(0.05)
    ended.set()
    for thread in threads:
        thread.join()
    assert sorted(receiver.ids) == sorted(f"{row.id}_1" for row in rows(shop))
    told: dict[tuple[str, str], list[int]] = {}
    for one in receiver.take():
        told.setdefault((one["webhookId"], one["audienceId"]), []).append(one["generation"])
    assert len(told) == 6 and all(numbers == sorted(numbers) for numbers in told.values())


# ---- signatures

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SIGNED = {
    "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "WEBHOOK-SIGNATURE": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
AT = 1_614_265_330


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The example of its libraries."""
    assert sign(KEY, SIGNED["Webhook-Id"], AT, BODY) == SIGNED["WEBHOOK-SIGNATURE"]
    assert verify(KEY, SIGNED, BODY, now=AT + 300) == json.loads(BODY)
    rolled = {**SIGNED, "WEBHOOK-SIGNATURE": f"v1,b2xk v2,x {SIGNED['WEBHOOK-SIGNATURE']}"}
    assert verify(KEY, rolled, BODY, now=AT - 300)
    with pytest.raises(WrongSignature, match="too long ago"):
        verify(KEY, SIGNED, BODY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Webhook-Id": "msg_other"},
        {"webhook-timestamp": str(AT + 1)},
        {"webhook-timestamp": "9" * 5_000},
        {"webhook-timestamp": "now"},
        {"WEBHOOK-SIGNATURE": ""},
        {"WEBHOOK-SIGNATURE": "v1,ünïcode"},
        {"WEBHOOK-SIGNATURE": SIGNED["WEBHOOK-SIGNATURE"].removeprefix("v1,")},
    ],
)
def test_wrong_signatures(wrong: dict[str, str]) -> None:
    with pytest.raises(WrongSignature):
        verify(KEY, SIGNED | wrong, BODY, now=AT)
    for name in wrong:
        with pytest.raises(WrongSignature, match="no header"):
            verify(KEY, {key: one for key, one in SIGNED.items() if key != name}, BODY, now=AT)
    for now in (AT - 301, AT + 301):
        with pytest.raises(WrongSignature, match="clock"):
            verify(KEY, SIGNED, BODY, now=now)
    for secret in ("whsec_", "whsec_AAAA"):
        with pytest.raises(WrongSignature):
            verify(secret, SIGNED, BODY, now=AT)
    with pytest.raises(ValueError, match="whsec_ and base64"):
        verify("whsec_?", SIGNED, BODY, now=AT)
