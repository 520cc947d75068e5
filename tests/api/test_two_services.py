"""Two services over one store, each with its worker: jobs are done once, keys have their limit."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from segment_engine.store.tables import generations, jobs
from tests.api.serving import AUDIENCES, CONSUMERS, Served, Shop, answered
from tests.profile import COMMIT

LIMIT = 30


@pytest.fixture(scope="module")
def second(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The other one; a key may ask it once in two seconds, and 30 times at once."""
    if COMMIT and served.url.startswith("sqlite"):
        pytest.skip("the commit profile has two services on PostgreSQL alone, where they are meant")
    folder = tmp_path_factory.mktemp("second")
    made = Served(folder, served.url, SEGMENT_ENGINE_RATE_LIMIT=str(LIMIT))
    yield made
    made.stop()


def test_a_key_that_asks_too_often_has_to_wait(second: Served, shop: Shop) -> None:
    other, _ = shop.store.store.keys.create(shop.id, "other")
    with second.client(shop.secret) as eager, second.client(other) as calm:
        told = [eager.get("/api/v1/nothing") for _ in range(LIMIT)]
        assert [one.status_code for one in told] == [404] * LIMIT
        left = [int(one.headers["x-ratelimit-remaining"]) for one in told]
        assert left[0] == LIMIT - 1 > left[-1]
        while (refused := eager.get("/api/v1/nothing")).status_code == 404:
            assert len(told) < 10 * LIMIT, "nobody is refused"
            told.append(refused)
        wait = int(refused.headers["retry-after"])
        assert refused.status_code == 429 and wait in (1, 2)
        assert refused.headers["x-ratelimit-limit"] == f"{LIMIT}"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert int(refused.headers["x-ratelimit-reset"]) in (59, 60)
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "too-many-requests"
        answered(calm.get(AUDIENCES))
        answered(eager.get("/healthz"))
        answered(shop.ask("GET", AUDIENCES))  # the limit is of each process
        time.sleep(wait)
        answered(eager.get(AUDIENCES))


def test_each_job_is_done_once(served: Served, second: Served) -> None:
    shops = [Shop(served) for _ in range(4)]
    clients = [(shop.client, second.client(shop.secret)) for shop in shops]
    audiences = [shop.audience(expression="totalOrders >= 5")["id"] for shop in shops]
    rounds = 0
    while rounds < 5 or len(set().union(*map(workers, shops))) < 2:
        assert rounds < 60, "one of the workers does nothing"
        for number, audience in enumerate(audiences):
            writes, refreshes = clients[number][:: (-1) ** (rounds + number)]
            rows = [{"externalId": f"{n}", "totalOrders": n + rounds} for n in range(rounds + 1)]
            answered(asked(writes, "POST", CONSUMERS, json={"consumers": rows}))
            answered(asked(refreshes, "POST", f"{AUDIENCES}/{audience}/refresh"), 202)
        rounds += 1
    for shop, both, audience in zip(shops, clients, audiences, strict=True):
        shop.publish()
        settle(shop)
        check_jobs(shop)
        for client in both:
            told = answered(asked(client, "GET", f"{AUDIENCES}/{audience}/count"))
            assert told["count"] == sum(n + rounds - 1 >= 5 for n in range(rounds))
            client.close()


def asked(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    """The answer, asked for again as long as it is told to wait."""
    while (answer := client.request(method, path, **options)).status_code == 429:
        time.sleep(float(answer.headers["retry-after"]))
    return answer


def settle(shop: Shop) -> None:
    """Until no job is left."""
    end = time.monotonic() + 60
    while shop.store.store.jobs.state(shop.id):
        assert time.monotonic() < end
        time.sleep(0.05)


def rows_of(shop: Shop, table: Any, order: Any) -> list[Any]:
    with shop.store.store.database.reading() as connection:
        query = select(table).where(table.c.organization == shop.id).order_by(order)
        return list(connection.execute(query).all())


def workers(shop: Shop) -> set[int]:
    """The processes that have done jobs."""
    return {row.process for row in rows_of(shop, jobs, jobs.c.id) if row.state == "DONE"}


def check_jobs(shop: Shop) -> None:
    """One attempt and one generation a job, each of them behind the one before."""
    ended = rows_of(shop, jobs, jobs.c.finished_at)
    made = rows_of(shop, generations, generations.c.number)
    assert [(row.state, row.attempts, row.token) for row in ended] == [("DONE", 1, 1)] * len(ended)
    assert [row.number for row in made] == list(range(1, len(ended) + 1))
    for before, after in pairwise(made):
        assert before.as_of < after.as_of and before.created_at < after.created_at
        assert before.change_seq <= after.change_seq
