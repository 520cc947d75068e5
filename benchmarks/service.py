"""The service under load: latencies of its routes while consumers change and runs follow.

    python -m benchmarks.service [--consumers 1000000] [--audiences 200] [--seconds 30]
        [--clients 4] [--store URL]

A served process over a store of its own (SQLite, unless a URL is given) that holds the consumers
and audiences of `benchmarks.many`. First the counts of all audiences are compared with those that
DuckDB finds rule by rule in the file that was loaded, at the same instant. Then so many clients ask
one route after the other, without a pause, while another one changes 1,000 consumers every two
seconds and asks for a run; p50 and p99 are those of the answers, as a client sees them. Meanwhile
a loyalty tier is walked page by page, again and again: no member may come twice, and as many are
to come as its generation has. In each generation that is looked at, nobody may be in two tiers.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import duckdb
import httpx

from benchmarks import consumers, pools
from segment_engine import Engine

READY = re.compile(r"http://[0-9.]+:[0-9]+")
CHANGED = 1_000
RESTED = 2.0
COLUMNS = (
    "email, case when phone is not null then '+49' || (1500000000 + id) end as phone, "
    '"fullName", "externalId", "totalOrders", "totalOrderValue", "lastOrderAt", '
    '"createdAt", metadata'
)
CATALOG = "/api/v1/audiences"
TIERS = {
    "groupName": "Value",
    "tiers": [
        {"name": "Bronze", "order": 1, "startValue": 0, "endValue": 500},
        {"name": "Silver", "order": 2, "startValue": 500, "endValue": 1500.5},
        {"name": "Gold", "order": 3, "startValue": 1500.5, "endValue": None},
    ],
}


def main() -> None:
    """Sets the service up, compares the counts, and prints a table of latencies."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--consumers", type=int, default=1_000_000)
    options.add_argument("--audiences", type=int, default=200)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--clients", type=int, default=4)
    options.add_argument("--store")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        place = Path(folder)
        store = chosen.store or f"sqlite:///{place / 'load.db'}"
        # What the store takes: decimals are exact there, and there is no column `score`.
        connection.execute("set TimeZone = 'UTC'")
        consumers.table(connection, chosen.consumers)
        connection.execute(f"copy (select {COLUMNS} from consumers) to '{place}/consumers.parquet'")
        settings = {**os.environ, "SEGMENT_ENGINE_STORE": store, "SEGMENT_ENGINE_RATE_LIMIT": "0"}
        key = _set_up(place, settings)
        with _served(place, settings) as address, _client(address, key) as client:
            load = _Load(client, address, key, chosen.clients)
            load.make_audiences(chosen.audiences)
            load.compare(place / "consumers.parquet")
            load.measure(chosen.seconds)


def _set_up(place: Path, settings: dict[str, str]) -> str:
    _run(place, settings, "org", "create", "shop")
    key = _run(place, settings, "key", "create", "shop")
    start = time.perf_counter()
    _run(place, settings, "consumers", "load", f"{place}/consumers.parquet", "--org", "shop")
    print(f"consumers loaded in {time.perf_counter() - start:.1f} s")
    found = re.search(r"sk_live_[\w-]+", key)
    assert found
    return found[0]


def _run(place: Path, settings: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-c", "from segment_engine.cli import app; app()", *arguments]
    root = {**settings, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, cwd=place, env=root, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


@contextmanager
def _served(place: Path, settings: dict[str, str]) -> Iterator[str]:
    command = [sys.executable, "-c", "from segment_engine.cli import app; app()"]
    root = {**settings, "PYTHONPATH": os.getcwd()}
    log = place / "log"
    with open(log, "w") as file:
        child = subprocess.Popen(
            [*command, "serve", "--port", "0"], cwd=place, env=root, stdout=file, stderr=file
        )
    try:
        for _ in range(300):
            if found := READY.search(log.read_text()):
                yield found[0]
                return
            time.sleep(0.1)
        raise SystemExit(f"the service did not start\n{log.read_text()[-2000:]}")
    finally:
        child.terminate()
        child.wait(30)


def _client(address: str, key: str) -> httpx.Client:
    return httpx.Client(
        base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=120, trust_env=False
    )


def _answer(answer: httpx.Response) -> Any:
    if answer.status_code >= 400:
        raise SystemExit(f"{answer.request.method} {answer.request.url.path}: {answer.text[:500]}")
    return answer.json()


class _Load:
    """What is asked of one service, and how long it took."""

    def __init__(self, client: httpx.Client, address: str, key: str, clients: int) -> None:
        self._client, self._address, self._key, self._clients = client, address, key, clients
        self._rules: dict[str, str] = {}
        self._tiers: list[str] = []
        self._valued = ""
        self._over = threading.Event()

    def make_audiences(self, number: int) -> None:
        """Makes the audiences and loyalty tiers, and waits for the first run."""
        plain = [one for one in pools.pool("shared") if one.field != "score"]
        for audience in pools.audiences(plain, number):
            rule = audience.condition.rule
            body = {"name": audience.key, "type": "DYNAMIC", "expression": rule}
            self._rules[_answer(self._client.post(CATALOG, json=body))["id"]] = rule
        tiers = _answer(self._client.post(f"{CATALOG}/loyalty-tiers", json=TIERS))
        self._tiers = [one["id"] for one in tiers["audiences"]]
        body = {"name": "valued", "type": "DYNAMIC", "expression": "totalOrderValue >= 0"}
        self._valued = _answer(self._client.post(CATALOG, json=body))["id"]
        start = time.perf_counter()
        self._refresh(self._client)
        self._await_fresh()
        print(f"first run, of {number} audiences, fresh after {time.perf_counter() - start:.1f} s")

    def compare(self, file: Path) -> None:
        """Every count against DuckDB's. Ends the program if one differs."""
        counts = {one: self._get(f"{CATALOG}/{one}/count") for one in self._rules}
        (as_of,) = {count["asOf"] for count in counts.values()}
        found = Engine().materialize(
            self._rules, file, as_of=as_of, engine="duckdb", id_column="externalId"
        )
        for key, number in found.counts().items():
            if counts[key]["count"] != number:
                raise SystemExit(f"{self._rules[key]}: {counts[key]['count']}, not {number}")
        total = sum(found.counts().values())
        print(f"{total:,} memberships; every count compared, none differs")
        self._check_tiers()

    def measure(self, seconds: float) -> None:
        """Asks each route for so long, and prints what it took."""
        with ThreadPoolExecutor(self._clients + 2) as pool:
            changes, walk = pool.submit(self._change), pool.submit(self._walk)
            try:
                print(f"{self._clients} clients at once, {'':13} p50 ms   p99 ms  answers")
                for name, ask in self._routes().items():
                    end = time.perf_counter() + seconds
                    asked = [
                        pool.submit(self._ask, ask, seed, end) for seed in range(self._clients)
                    ]
                    taken = [one for found in asked for one in found.result()]
                    p99 = quantiles(taken, n=100)[98] if len(taken) > 1 else taken[0]
                    print(f"{name:36} {median(taken):8.1f} {p99:8.1f} {len(taken):8,}", flush=True)
            finally:
                self._over.set()
            runs, (walks, members) = changes.result(), walk.result()
        print(f"meanwhile {runs} times {CHANGED:,} consumers changed, each with a run asked for")
        print(f"{walks} walks over {members:,} members: each of its generation came exactly once")
        self._await_fresh()
        self._check_tiers()

    def _routes(self) -> dict[str, Callable[[httpx.Client, random.Random], object]]:
        ids, first = list(self._rules), {"first": "100"}
        seen, _ = self._page(self._client, f"{CATALOG}/{ids[0]}", {})
        words = ("ada", "user12", "example.com", "cleo 77", "4915")

        def of(place: str, **more: str) -> Callable[[httpx.Client, random.Random], object]:
            def ask(client: httpx.Client, chance: random.Random) -> object:
                where = place.format(audience=chance.choice(ids), consumer=chance.choice(seen))
                return _answer(client.get(where, params=more))

            return ask

        def search(client: httpx.Client, chance: random.Random) -> object:
            place = f"{CATALOG}/{chance.choice(ids)}/members"
            return _answer(client.get(place, params={**first, "search": chance.choice(words)}))

        def preview(client: httpx.Client, chance: random.Random) -> object:
            body = {"expression": self._rules[chance.choice(ids)]}
            return _answer(client.post(f"{CATALOG}/preview", json=body))

        return {
            "members, a page of 100": of(f"{CATALOG}/{{audience}}/members", **first),
            "members, a search": search,
            "count": of(f"{CATALOG}/{{audience}}/count"),
            "preview": preview,
            "consumer's audiences": of("/api/v1/consumers/{consumer}/audiences"),
        }

    def _ask(
        self, ask: Callable[[httpx.Client, random.Random], object], seed: int, end: float
    ) -> list[float]:
        chance, taken = random.Random(seed), []
        with _client(self._address, self._key) as client:
            while time.perf_counter() < end:
                start = time.perf_counter()
                ask(client, chance)
                taken.append(1e3 * (time.perf_counter() - start))
        return taken

    def _change(self) -> int:
        chance, times = random.Random(0), 0
        with _client(self._address, self._key) as client:
            while not self._over.wait(RESTED):
                rows = [
                    {"externalId": f"{n:08}", "totalOrderValue": f"{chance.randrange(200_000)}.25"}
                    for n in chance.sample(range(100_000), CHANGED)
                ]
                _answer(client.post("/api/v1/consumers", json={"consumers": rows}))
                self._refresh(client)
                times += 1
        return times

    def _walk(self) -> tuple[int, int]:
        """Walks over a tier, page by page, again and again; its members move meanwhile."""
        walks = members = 0
        place = f"{CATALOG}/{self._tiers[2]}"
        with _client(self._address, self._key) as client:
            while not self._over.is_set():
                count = _answer(client.get(f"{place}/count"))
                ids, page = self._page(client, place, {})
                same = _answer(client.get(f"{place}/count")) == count
                while page["hasNextPage"] and not self._over.is_set():
                    more, page = self._page(client, place, {"after": page["endCursor"]})
                    ids += more
                whole = count["count"] if same and not page["hasNextPage"] else len(ids)
                if not len(set(ids)) == len(ids) == whole:
                    raise SystemExit(f"walked: {len(set(ids)):,} in {len(ids):,}, not {whole:,}")
                walks, members = walks + 1, members + len(ids)
        return walks, members

    @staticmethod
    def _page(client: httpx.Client, place: str, more: dict[str, str]) -> tuple[list[str], Any]:
        page = _answer(client.get(f"{place}/members", params={"first": "100", **more}))
        return [one["id"] for one in page["data"]], page["pageInfo"]

    def _check_tiers(self) -> None:
        """Nobody is in two tiers: they have as many members as there are consumers for them."""
        for _ in range(100):
            counts = [self._get(f"{CATALOG}/{one}/count") for one in (*self._tiers, self._valued)]
            if len({one["asOf"] for one in counts}) == 1:
                break
        *tiers, valued = (one["count"] for one in counts)
        if sum(tiers) != valued:
            raise SystemExit(f"{sum(tiers):,} members of tiers, {valued:,} have a value")
        print(f"{valued:,} consumers are in one tier each: {tiers}")

    def _await_fresh(self) -> None:
        while (status := self._get(f"{CATALOG}/{self._tiers[0]}/status"))["status"] != "READY":
            if status["status"] == "FAILED":
                raise SystemExit(f"the run failed: {status['error']}")
            time.sleep(0.1)

    def _refresh(self, client: httpx.Client) -> None:
        _answer(client.post(f"{CATALOG}/{self._tiers[0]}/refresh"))

    def _get(self, place: str) -> Any:
        return _answer(self._client.get(place))


if __name__ == "__main__":
    main()
