"""The fixtures of a served API, on both databases."""

from tests.api.serving import another, served, shop
from tests.store.fixtures import cluster, database_url

__all__ = ["another", "cluster", "database_url", "served", "shop"]
