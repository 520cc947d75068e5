"""Eight clients write over HTTP while runs are published: nothing they were told is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import httpx
from sqlalchemy import select

from segment_engine.store.tables import consumers
from tests.api.serving import AUDIENCES, CONSUMERS, Shop, answered
from tests.api.test_routes import walk

WRITERS, ROUNDS, OWN, SHARED = 8, 10, 12, 20


class Writer:
    """What one client wrote and was told."""

    def __init__(self, shop: Shop, number: int, static: str) -> None:
        self.client, self.number, self.static = shop.served.client(shop.secret), number, static
        self.random = Random(number)
        self.last: dict[str, int] = {}
        """The last round in which a consumer was written, by external id."""
        self.ids: dict[str, str] = {}
        self.listed: set[str] = set()

    def row(self, key: str, round_: int) -> dict[str, Any]:
        """Values that belong together: of whom and when they are can be told from each."""
        stamp = self.number * 1_000 + round_
        told = {"by": stamp, f"w{self.number}": round_}
        return {"externalId": key, "totalOrders": stamp, "metadata": told}

    def write(self) -> None:
        for round_ in range(ROUNDS):
            own = [f"own {self.number} {n}" for n in range(OWN)]
            shared = self.random.sample([f"shared {n}" for n in range(SHARED)], 5)
            keys = self.random.sample(own, 8) + shared
            rows = [self.row(key, round_) for key in keys]
            told = answered(self.client.post(CONSUMERS, json={"consumers": rows}))
            for key, one in zip(keys, told["data"], strict=True):
                assert self.ids.setdefault(key, one["id"]) == one["id"]
                self.last[key] = round_
            self.move([self.ids[key] for key in own if key in self.ids])

    def move(self, own: list[str]) -> None:
        """Puts some of its own consumers in the list of all, or takes them out."""
        some = set(self.random.sample(own, min(4, len(own))))
        method = "POST" if self.random.random() < 0.7 else "DELETE"
        path = f"{AUDIENCES}/{self.static}/members"
        told = answered(self.client.request(method, path, json={"consumerIds": sorted(some)}))
        after = self.listed | some if method == "POST" else self.listed - some
        assert told["changed"] == abs(len(after) - len(self.listed))
        self.listed = after


def test_no_change_is_lost(shop: Shop) -> None:
    rule = f"totalOrders >= {WRITERS // 2 * 1_000}"
    dynamic = shop.audience(name="late ones", expression=rule)["id"]
    static = shop.audience(name="list", type="STATIC")["id"]
    writers = [Writer(shop, number, static) for number in range(WRITERS)]
    over = threading.Event()

    def refresh(client: httpx.Client) -> None:
        while not over.wait(0.1):
            answered(client.post(f"{AUDIENCES}/{dynamic}/refresh"), 202)

    before = shop.store.organization
    with ThreadPoolExecutor(WRITERS + 1) as threads:
        refreshing = threads.submit(refresh, shop.client)
        written = [threads.submit(writer.write) for writer in writers]
        try:
            for one in written:
                one.result()
        finally:
            over.set()
        refreshing.result()
    after = shop.store.organization
    assert after.change_seq - before.change_seq == WRITERS * ROUNDS, "each batch has a number"
    assert shop.publish() > 2, "runs were published meanwhile"

    people = {one["externalId"]: one for one in walk(shop, f"{AUDIENCES}/{dynamic}/members")}
    every = [writer.ids for writer in writers]
    known = {key: id for ids in every for key, id in ids.items()}
    assert all(ids[key] == known[key] for ids in every for key in ids)
    read = {key: answered(shop.ask("GET", f"{CONSUMERS}/{id}")) for key, id in known.items()}
    for key, one in read.items():
        last = {w.number: w.last[key] for w in writers if key in w.last}
        told = one["metadata"]
        assert {int(name[1:]): told[name] for name in told if name != "by"} == last, key
        writer, round_ = divmod(told["by"], 1_000)
        assert one["totalOrders"] == told["by"] and last[writer] == round_, key
    kept = {key for key, one in read.items() if one["totalOrders"] >= WRITERS // 2 * 1_000}
    assert {*people} == kept and all(read[key] == one for key, one in people.items())
    listed = [one["id"] for one in walk(shop, f"{AUDIENCES}/{static}/members")]
    assert sorted(listed) == sorted(set().union(*(writer.listed for writer in writers)))
    assert answered(shop.ask("GET", f"{AUDIENCES}/{static}/count"))["count"] == len(listed)
    with shop.store.store.database.reading() as connection:
        mine = select(consumers).where(consumers.c.organization == shop.id)
        rows = connection.execute(mine.order_by(consumers.c.ordinal)).all()
    assert [row.ordinal for row in rows] == list(range(len(known)))
    assert max(row.change_seq for row in rows) == after.change_seq
    for writer in writers:
        writer.client.close()
