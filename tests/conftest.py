"""Hypothesis profiles, and the order of files.

Profiles are chosen by SEGMENT_ENGINE_PROFILE: commit (the default), nightly, release.

`commit` draws the same examples on every run, so that a change fails for what it changed and not
for its luck; the other two draw new ones.
"""

import pytest
from hypothesis import HealthCheck, settings

from tests.profile import PROFILE

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile(
    "commit",
    max_examples=10,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "nightly", max_examples=500, deadline=None, suppress_health_check=SLOW, print_blob=True
)
settings.register_profile("release", settings.get_profile("nightly"), max_examples=2_000)
settings.load_profile(PROFILE)

LONG = (
    *("test_readme", "test_agreement", "test_conformance", "test_columns", "test_cdnow"),
    *("test_loading_laws", "test_story", "test_synced_lists", "test_killed_runs", "test_since"),
    *("test_snapshot", "test_documents", "test_planted_faults", "test_jsontext", "test_writers"),
    *("test_tiers_meanwhile", "test_processes", "test_schemathesis", "test_three_hundred"),
    *("test_testing_kit", "test_worker", "test_killed_syncs", "test_syncing_laws", "test_catalogs"),
)
"""The files that take longest, by name. Whoever is given one last is waited for by the others."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the others stay in their order."""
    ranks = {name: rank for rank, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(LONG)))
