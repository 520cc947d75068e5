"""The processes in which mutants meet tests. Nothing here may import the package itself."""

import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from typing import Any

import duckdb  # noqa: F401 - loaded once, for all children
import hypothesis.strategies  # noqa: F401
import lark  # noqa: F401
import polars  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytest

from tests.mutation.mutants import PACKAGE, Mutant

SECONDS, MEMORY = 60, 6 * 2**30
QUIET = ("-q", "-x", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist")
SOON = ("tests/test_conformance.py", "tests/diagnostics/test_pictures.py")

Tests = Mapping[str, float]
"""Units of tests in the order in which they are to run, with the seconds that they take."""


class Outcome(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"


def start(mutant: Mutant, tests: Tests) -> int:
    """The id of a process in which the mutant meets the tests."""
    seconds = round(SECONDS + 5 * sum(tests.values()))
    return forked(lambda: _is_caught(mutant, tests), seconds)


def outcome(status: int) -> Outcome:
    """What the end of such a process says; one that crashed is killed too."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return Outcome.TIMED_OUT
    return Outcome.SURVIVED if status == 0 else Outcome.KILLED


def forked(work: Callable[[], bool], seconds: int) -> int:
    """The id of a process that does the work silently; it ends with 1 where that is true."""
    assert "segment_engine" not in sys.modules
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(seconds)
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            code = int(work())
        finally:
            os._exit(code)
    return pid


def unit(nodeid: str) -> str:
    """What runs as a whole: a test, or a group of conformance cases, which share one run."""
    file, _, rest = nodeid.partition("::")
    parameter = rest.partition("[")[2]
    if file.endswith("test_conformance.py") and ":" in parameter:
        return f"{file}::{':'.join(parameter.split(':')[:2])}"
    return nodeid


class Chosen:
    """A plugin of pytest: these units only, in this order."""

    def __init__(self, tests: Tests) -> None:
        self._rank = {name: rank for rank, name in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Called by pytest with what it has collected."""
        known = [item for item in items if unit(item.nodeid) in self._rank]
        items[:] = sorted(known, key=lambda item: self._rank[unit(item.nodeid)])


def _is_caught(mutant: Mutant, tests: Tests) -> bool:
    sys.meta_path.insert(0, _Finder(mutant))
    early = {name: time for name, time in tests.items() if name.startswith(SOON)}
    late = {name: time for name, time in tests.items() if name not in early}
    return any(_fails(part) for part in (early, late) if part)


def _fails(tests: Tests) -> bool:
    files = {name.partition("::")[0]: None for name in tests}
    return pytest.main([*QUIET, *files], [Chosen(tests)]) != pytest.ExitCode.OK


class _Loader(SourceFileLoader):
    tree: Any

    def get_code(self, fullname: str) -> Any:
        return compile(self.tree, self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._name = f"segment_engine.{mutant.module[:-3].replace('/', '.')}"
        self._loader = _Loader(self._name, str(PACKAGE / mutant.module))
        self._loader.tree = mutant.applied()

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The mutated module; of all others nothing."""
        if name != self._name:
            return None
        return spec_from_file_location(name, self._loader.path, loader=self._loader)
