"""Schemathesis asks the served API what its OpenAPI document says, with all its checks.

What it leaves out is in schemathesis.toml. `SEGMENT_ENGINE_PROFILE=release` asks more, of both
databases and in sequences of requests.
"""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.serving import ROW, Shop
from tests.klaviyo.peer import KEY
from tests.profile import COMMIT, PROFILE

PHASES = "examples,fuzzing" if COMMIT else "examples,coverage,fuzzing,stateful"
EXAMPLES, SECONDS = {"commit": (4, 60), "nightly": (30, 900)}.get(PROFILE, (150, 3_600))
LEFT_OUT = "--exclude-checks=use_after_free"
"""DELETE archives an audience: it is answered on purpose, and can be restored."""
CONFIG = Path(__file__).with_name("schemathesis.toml")
COUNTED = re.compile(r"Test cases:\n +([0-9,]+) generated, .*")


def test_the_api_is_as_documented(
    shop: Shop, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if COMMIT and shop.served.url.startswith("postgresql"):
        pytest.skip("one database will do: what differs there is tested by routes")
    shop.consumers({"email": "a@b.c", "totalOrders": 5})
    shop.audience(rules=[ROW])
    shop.store.vendor_keys.set("klaviyo", KEY)
    seed = 1 if COMMIT else random.randrange(1 << 32)
    command = [
        *(Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run"),
        *(f"{shop.served.address}/openapi.json", "--checks", "all", LEFT_OUT, "--no-color"),
        *("--phases", PHASES, "--max-examples", EXAMPLES, "--seed", seed, "--workers", 2),
        *("--header", f"Authorization: Bearer {shop.secret}"),
    ]
    done = subprocess.run(
        list(map(str, command)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    counted = COUNTED.search(done.stdout)
    print(f"seed {seed}: {counted[0] if counted else 'nothing was counted'}")
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert counted and int(counted[1].replace(",", "")) > 100
    assert '"event": "fault"' not in shop.served.log.read_text("utf-8")
