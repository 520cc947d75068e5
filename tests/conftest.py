"""Hypothesis profiles, chosen by SEGMENT_ENGINE_PROFILE: commit (the default), nightly, release.

`commit` draws the same examples on every run, so that a change fails for what it changed and not
for its luck; the other two draw new ones.
"""

import os

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile(
    "commit",
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "nightly", max_examples=500, deadline=None, suppress_health_check=SLOW, print_blob=True
)
settings.register_profile("release", settings.get_profile("nightly"), max_examples=2_000)
settings.load_profile(os.environ.get("SEGMENT_ENGINE_PROFILE", "commit"))
