"""Which profile of tests runs; what each draws is said in conftest.py."""

import os

PROFILE = os.environ.get("SEGMENT_ENGINE_PROFILE", "commit")
COMMIT = PROFILE == "commit"
