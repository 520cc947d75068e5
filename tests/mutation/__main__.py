"""Mutation testing: `python -m tests.mutation [--sample N] [--seed S] [modules...]`.

Each mutant lives in a process of its own, forked from one in which the heavy libraries are loaded
and the package is not, and meets the tests that were seen to run its line, the fastest first.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import yaml

from tests.mutation.children import Outcome, outcome, start
from tests.mutation.mutants import PACKAGE, Mutant, mutants
from tests.mutation.selection import Selection

MODULES = {
    "checker": (
        *(f"expression/{name}.py" for name in ("build", "slips", "amend", "hints", "nodes")),
        *(f"expression/{name}.py" for name in ("spelling", "normal")),
        *(f"language/{name}.py" for name in ("callbacks", "limits", "derived")),
    ),
    "operators": tuple(
        f"operators/{path.name}"
        for path in sorted((PACKAGE / "operators").glob("*.py"))
        if path.stem != "__init__"
    ),
    "compilers": (
        "expression/resolve.py",
        *(f"backends/{name}.py" for name in ("bind", "bind_logic", "bind_numbers", "bind_times")),
        *(f"backends/{name}.py" for name in ("reading", "literals", "physical", "records")),
        *(f"backends/{name}.py" for name in ("sql", "json_sql", "time_sql", "polars_expr")),
        *(f"backends/{name}_series.py" for name in ("json", "time", "folding")),
    ),
}
EQUIVALENT = Path(__file__).parent / "equivalent.yaml"
WANTED = 90


def main() -> int:
    """Prints every survivor and the score; 1 where that is below what is wanted."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("modules", nargs="*", help="paths under segment_engine; default: all")
    options.add_argument("--sample", type=int, help="how many mutants; default: all")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    began = time.monotonic()
    everything = {module: mutants(module) for module in chosen.modules or _modules()}
    equivalent = _equivalent(everything)
    sample = _sampled(everything, equivalent, chosen.sample, Random(chosen.seed))
    told = f"{sum(map(len, everything.values()))} mutants, {len(equivalent)} of them equivalent"
    print(f"{told}; {len(sample)} are tried, seed {chosen.seed}", flush=True)
    found = dict(_tried(sample, Selection.measured(), chosen.workers))
    return _summary(found, time.monotonic() - began)


def _modules() -> list[str]:
    return [module for group in MODULES.values() for module in group]


def _equivalent(everything: dict[str, list[Mutant]]) -> set[Mutant]:
    """The mutants of the reviewed list; an entry that fits none is out of date."""
    listed = yaml.safe_load(EQUIVALENT.read_text("utf-8"))
    found = set()
    for module in everything.keys() & listed.keys():
        reviewed = {(item["gone"], item["come"]) for item in listed[module]}
        same = {one: one.difference() for one in everything[module]}
        found |= {one for one, difference in same.items() if difference in reviewed}
        stale = reviewed - set(same.values())
        if stale:
            sys.exit(f"{EQUIVALENT.name}: {module} has no such mutant any more: {stale}")
    return found


def _sampled(
    everything: dict[str, list[Mutant]], without: set[Mutant], size: int | None, random: Random
) -> list[Mutant]:
    """From every module the same part of its mutants."""
    left = {module: [m for m in found if m not in without] for module, found in everything.items()}
    total = sum(map(len, left.values()))
    part = 1 if size is None else min(1, size / total)
    return [m for found in left.values() for m in random.sample(found, round(len(found) * part))]


def _tried(
    sample: Iterable[Mutant], selection: Selection, workers: int
) -> Iterator[tuple[Mutant, Outcome]]:
    running: dict[int, Mutant] = {}
    waiting = list(sample)
    while waiting or running:
        while waiting and len(running) < workers:
            mutant = waiting.pop(0)
            running[start(mutant, selection.of(mutant.module, mutant.line))] = mutant
        pid, status = os.wait()
        mutant, result = running.pop(pid), outcome(status)
        if result is Outcome.SURVIVED:
            print(mutant, flush=True)
        yield mutant, result


def _summary(found: dict[Mutant, Outcome], seconds: float) -> int:
    for name, modules in {**MODULES, "all": _modules()}.items():
        results = [result for mutant, result in found.items() if mutant.module in modules]
        if results:
            told = ", ".join(f"{kind.value} {results.count(kind)}" for kind in Outcome)
            print(f"{name:10} {told}, score {_score(results):.1f} %")
    print(f"seconds {seconds:.0f}")
    return 0 if _score(list(found.values())) >= WANTED else 1


def _score(results: list[Outcome]) -> float:
    """The part that did not survive, in percent."""
    return 100 * (1 - results.count(Outcome.SURVIVED) / len(results))


if __name__ == "__main__":
    sys.exit(main())
