"""What a store says is wrong with what it is given."""

from collections.abc import Callable
from typing import Any

import pytest

from segment_engine.errors import Invalid, Problem


def problems_of(call: Callable[..., object], *args: Any, **named: Any) -> tuple[Problem, ...]:
    """The problems that the call is refused for."""
    with pytest.raises(Invalid) as caught:
        call(*args, **named)
    return caught.value.problems
