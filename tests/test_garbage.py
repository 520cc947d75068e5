"""How often Python looks for cycles is what it was when the last run has ended."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from segment_engine.garbage import looking_seldom


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_runs_that_overlap_put_back_what_was() -> None:
    gc.set_threshold(600, 9, 8)
    first, second = ExitStack(), ExitStack()
    first.enter_context(looking_seldom())
    assert gc.get_threshold()[0] > 10_000
    second.enter_context(looking_seldom())
    first.close()
    assert gc.get_threshold()[0] > 10_000
    second.close()
    assert gc.get_threshold() == (600, 9, 8)


def test_a_run_that_fails_puts_it_back() -> None:
    gc.set_threshold(600)
    with pytest.raises(KeyError), looking_seldom():
        raise KeyError
    assert gc.get_threshold()[0] == 600


@pytest.mark.parametrize("often", [0, 1_000_000])
def test_who_looks_never_or_more_seldom_goes_on_so(often: int) -> None:
    gc.set_threshold(often)
    with looking_seldom():
        assert gc.get_threshold()[0] == often
    assert gc.get_threshold()[0] == often
