"""Agreement over a million (rule, consumer) pairs: `python -m tests.properties.release`."""

import argparse
import sys
import time
from collections.abc import Iterator
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from segment_engine import Engine, Rule
from segment_engine.backends.sources.opening import open_source
from segment_engine.expression.nodes import Call, walk
from segment_engine.operators.table import operator
from segment_engine.testing import Difference, differences
from tests.properties.drawn import Case, as_parquet, random_case

RULES, CONSUMERS = 50, 100
_LOGIC = [operator(name) for name in ("and", "or", "not")]


def main() -> int:
    """Prints the pairs compared and every distinct difference; 1 where there is one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    pairs = rules = deciding = differing = 0
    began, seed, told = time.monotonic(), chosen.seed, set[str]()
    while pairs < chosen.pairs:
        case = random_case(Random(seed), RULES, CONSUMERS)
        for rule, found, kept in compared(case, on_disk=seed % 10 == 0):
            pairs, rules = pairs + CONSUMERS, rules + 1
            deciding += 0 < kept < CONSUMERS
            differing += bool(found)
            if found and (smallest := shrunk(rule, case)) and smallest.rule not in told:
                told.add(smallest.rule)
                print(f"seed {seed}, {case.engine.timezone} at {case.as_of}\n{smallest}")
                print(stored(smallest, case), flush=True)
        seed += 1
    seconds = time.monotonic() - began
    print(f"rules that keep some and drop some: {deciding}")
    print(f"pairs {pairs}, rules {rules}, differences {differing}, seconds {seconds:.0f}")
    return 1 if differing else 0


def compared(case: Case, on_disk: bool) -> Iterator[tuple[Rule, list[Difference], int]]:
    """Each rule with the differences found, and how many consumers it keeps."""
    with TemporaryDirectory() as folder:
        source = as_parquet(case.consumers, folder) if on_disk else case.consumers
        opened = open_source(source, case.engine.schema)
        for rule in case.rules:
            found = apart(rule, opened, case.as_of)
            yield rule, found, 0 if found else rule.count(opened, case.as_of, "polars")


def apart(rule: Rule, consumers: Any, as_of: str) -> list[Difference]:
    """The differences; an engine that raises is one."""
    try:
        return differences(rule, consumers, as_of=as_of)
    except Exception as fault:
        return [Difference(rule.text, f"raising {fault!r:.300}, an engine", "any", False, None)]


def shrunk(rule: Rule, case: Case) -> Difference | None:
    """The difference of the shortest part of the rule that still has one."""
    parts = sorted(set(predicates(rule)), key=len)
    for text in [*parts, rule.text]:
        part = rule_or_none(case.engine, text)
        found = part and apart(part, case.consumers, case.as_of)
        if found:
            return found[0]
    return None


def predicates(rule: Rule) -> Iterator[str]:
    """The texts of the truths that the rule is made of."""
    for node in walk(rule.expression):
        if isinstance(node, Call) and node.op in _LOGIC:
            for part in node.args:
                yield Rule(rule.engine, part, "").text
                yield f"not ({Rule(rule.engine, part, '').text})"


def rule_or_none(engine: Engine, text: str) -> Rule | None:
    """The rule, None where it does not stand alone."""
    failed = any(found.severity == "error" for found in engine.diagnose(text))
    return None if failed else engine.rule(text)


def stored(difference: Difference, case: Case) -> str:
    """How the columns that the rule reads are stored."""
    rule = case.engine.rule(difference.rule)
    roots = {name.replace("[", ".").split(".")[0] for name in rule.fields}
    columns = [field for field in case.consumers.schema if field.name in roots]
    return "\n".join(f"  stored    {field.name}: {field.type}" for field in columns)


if __name__ == "__main__":
    sys.exit(main())
