"""The fixtures of a store, on both databases."""

from tests.store.fixtures import cluster, database_url, empty_url, organization, shop, store

__all__ = ["cluster", "database_url", "empty_url", "organization", "shop", "store"]
