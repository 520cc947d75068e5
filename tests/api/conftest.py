"""The fixtures of a served API, on both databases."""

from collections.abc import Iterator

import pytest

from tests.api.serving import another, served, shop
from tests.klaviyo.peer import Peer
from tests.store.fixtures import cluster, database_url

__all__ = ["another", "cluster", "database_url", "served", "shop"]


@pytest.fixture(scope="session", autouse=True)
def peer() -> Iterator[Peer]:
    """A Klaviyo for the whole session: the one that every service asks, unless it is told."""
    with Peer(burst=10_000, steady=100_000) as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENT_ENGINE_KLAVIYO_URL", made.url)
        yield made
