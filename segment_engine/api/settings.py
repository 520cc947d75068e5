"""What the service is told by its surroundings, beside what the store is (store/settings.py).

- SEGMENT_ENGINE_RATE_LIMIT: requests a minute of one key in one process (1,200); 0 is any
- SEGMENT_ENGINE_BODY_BYTES: of one request, at most (10,000,000)
"""

from typing import Annotated

from pydantic import Field

from segment_engine.store.settings import Settings


class ServiceSettings(Settings):
    """The settings of the store and the service."""

    rate_limit: Annotated[int, Field(ge=0, le=10_000_000)] = 1_200
    body_bytes: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 10_000_000
