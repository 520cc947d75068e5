"""Which tests run which line: one run of all of them with coverage, which must pass."""

import json
import os
import sys
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import coverage
import pytest

from tests.mutation.children import QUIET, SOON, Tests, forked, unit
from tests.mutation.mutants import PACKAGE

FILES = (
    "tests/test_conformance.py",
    *(f"tests/{folder}" for folder in ("diagnostics", "language", "values", "expression")),
    *("tests/properties", "tests/backends", "tests/test_engine.py", "tests/test_walls.py"),
    *("tests/display", "tests/catalog_examples/test_examples.py", "tests/cli/test_cli.py"),
)
SECONDS = 3_600
SHARE, FEW = 0.25, 3
"""A mutant meets tests for that part of the time of all; and the few that ran its line, if so."""


@dataclass(frozen=True)
class Selection:
    """Units by module and line, and the seconds that each unit takes."""

    units: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]

    @classmethod
    def measured(cls) -> "Selection":
        """By running all tests once, in a process of its own."""
        with TemporaryDirectory() as folder:
            data, times = Path(folder) / "coverage", Path(folder) / "seconds.json"
            pid = forked(lambda: _run(data, times), SECONDS)
            if os.waitpid(pid, 0)[1]:
                sys.exit("the tests fail without any mutant")
            return cls(_by_line(data), json.loads(times.read_text("utf-8")))

    def of(self, module: str, line: int) -> Tests:
        """The units that ran the line, the fastest first, as long as they are cheap together.

        What runs once, at import or behind a cache, shows in one unit or none, and works in
        others: then those follow, and all that say what rules mean, whatever they cost.
        """
        seen = self.units.get(module, {}).get(line, set())
        others = self.seconds.keys() - seen if len(seen) < 2 else ()
        ordered = [*sorted(seen, key=self._cost), *sorted(others, key=self._cost)]
        sums = accumulate(self.seconds[name] for name in ordered)
        most = SHARE * sum(self.seconds.values())
        return {
            name: self.seconds[name]
            for number, (name, total) in enumerate(zip(ordered, sums, strict=True))
            if total <= most
            or number < len(seen) <= FEW
            or (name in others and name.startswith(SOON))
        }

    def _cost(self, name: str) -> tuple[float, str]:
        return self.seconds[name], name


class _Watch:
    """A plugin of pytest: tells coverage which unit is running, and adds up its seconds."""

    def __init__(self, watched: coverage.Coverage) -> None:
        self._watched = watched
        self.seconds: dict[str, float] = {}

    def pytest_runtest_setup(self, item: Any) -> None:
        """Called by pytest before each test."""
        self._watched.switch_context(unit(item.nodeid))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest after each of three steps of a test."""
        name = unit(report.nodeid)
        self.seconds[name] = self.seconds.get(name, 0) + report.duration


def _run(data: Path, times: Path) -> bool:
    watched = coverage.Coverage(str(data), config_file=False, source=[str(PACKAGE)])
    watched.start()
    watch = _Watch(watched)
    code = pytest.main([*QUIET, *FILES], [watch])
    watched.stop()
    watched.save()
    times.write_text(json.dumps(watch.seconds), "utf-8")
    return code != pytest.ExitCode.OK


def _by_line(data: Path) -> dict[str, dict[int, set[str]]]:
    read = coverage.CoverageData(str(data))
    read.read()
    return {
        str(Path(file).relative_to(PACKAGE)): {
            line: {name for name in names if name}
            for line, names in read.contexts_by_lineno(file).items()
        }
        for file in read.measured_files()
    }
