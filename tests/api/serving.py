"""A served process a database for the whole session; each test has an organization of its own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from segment_engine.store.fresh import refresh
from segment_engine.store.store import OrganizationStore, Store
from tests.store.fixtures import TEMPLATE, Cluster

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-W", "error", "-c", "from segment_engine.cli import app; app()")
ADDRESS = re.compile(r"listening on (http://\S+)")
SECRET = "a secret of tests, long enough for them"
AUDIENCES, CONSUMERS = "/api/v1/audiences", "/api/v1/consumers"
ROW = {"field": "totalOrders", "operator": "GREATER_THAN", "values": [3]}
_NUMBERS = count()


class Served:
    """A process that serves a store, and the store beside it."""

    def __init__(self, folder: Path, url: str, *arguments: str, **settings: str) -> None:
        """`arguments` are more of `serve`; `settings` take the place of those of tests."""
        folder.mkdir(exist_ok=True)
        self.log, self.url = folder / "log", url
        self.store = Store(url, SECRET.encode(), folder / "cache")
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SEGMENT_ENGINE_STORE": url,
            "SEGMENT_ENGINE_SECRET": SECRET,
            "SEGMENT_ENGINE_FOLDER": str(folder / "cache"),
            "SEGMENT_ENGINE_RATE_LIMIT": "0",
            "SEGMENT_ENGINE_BODY_BYTES": "2000000",
            **settings,
        }
        out = folder / "out"
        with open(self.log, "wb") as log, open(out, "wb") as said:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", "--port", "0", *arguments],
                cwd=folder,
                env=self.environment,
                stdout=said,
                stderr=log,
            )
        end = time.monotonic() + 60
        while not (found := ADDRESS.search(out.read_text("utf-8"))):
            assert time.monotonic() < end and self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        self.address = found[1]

    def client(self, key: str | None = None) -> httpx.Client:
        """A client with that key."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=30, trust_env=False)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(30) == 0, self.log.read_text()
        self.store.close()


class Shop:
    """An organization that asks the API."""

    def __init__(self, served: Served) -> None:
        self.served = served
        made = served.store.organizations.create(f"shop {next(_NUMBERS)}")
        self.id, self.name = made.id, made.name
        self.secret, self.key = served.store.keys.create(made.id, "tests")
        self.client = served.client(self.secret)

    @property
    def store(self) -> OrganizationStore:
        return self.served.store.of(self.id)

    def publish(self) -> int:
        """Until the worker has published all that was changed; the number of the generation."""
        refresh(self.store)
        end = time.monotonic() + 60
        while True:
            own, latest = self.store.organization, self.store.generations.latest()
            told = latest and (latest.change_seq, latest.definition_seq)
            if latest and told == (own.change_seq, own.definition_seq):
                return latest.number
            assert time.monotonic() < end, self.served.log.read_text()
            time.sleep(0.05)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.client.request(method, path, **options)

    def audience(self, **body: Any) -> dict[str, Any]:
        """A new audience."""
        body = {"name": "big", "type": "DYNAMIC", **body}
        return answered(self.ask("POST", AUDIENCES, json=body), 201)

    def consumers(self, *rows: dict[str, Any]) -> list[str]:
        """The ids of consumers that were put in."""
        told = answered(self.ask("POST", CONSUMERS, json={"consumers": rows}))
        return [one["id"] for one in told["data"]]


def answered(answer: httpx.Response, status: int = 200) -> Any:
    """What an answer says, which has that status."""
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The service over one of the databases."""
    folder = tmp_path_factory.mktemp("served")
    if request.param == "postgresql":
        cluster: Cluster | None = request.getfixturevalue("cluster")
        if cluster is None:
            pytest.skip("PostgreSQL is not installed here")
        with cluster.database(TEMPLATE) as url:
            yield from _served(folder, url)
    else:
        yield from _served(folder, f"sqlite:///{folder / 'store.db'}")


def _served(folder: Path, url: str) -> Iterator[Served]:
    made = Served(folder, url)
    yield made
    made.stop()


@pytest.fixture
def shop(served: Served) -> Iterator[Shop]:
    """An organization of the test's own."""
    made = Shop(served)
    yield made
    made.client.close()


@pytest.fixture
def another(served: Served) -> Iterator[Shop]:
    """Somebody else's organization."""
    made = Shop(served)
    yield made
    made.client.close()
