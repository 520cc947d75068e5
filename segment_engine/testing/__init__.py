"""Hypothesis strategies and oracles, for property tests of rules: needs the extra `testing`."""

from segment_engine.testing.boundaries import Boundaries, boundaries
from segment_engine.testing.consumers import random_consumers
from segment_engine.testing.equivalence import Counterexample, assert_equivalent, counterexample
from segment_engine.testing.oracles import (
    Difference,
    assert_agreement,
    assert_partition,
    differences,
)
from segment_engine.testing.rules import random_rule
from segment_engine.testing.strategies import EVERY_TYPE, consumers, rules, schemas

__all__ = [
    "EVERY_TYPE",
    "Boundaries",
    "Counterexample",
    "Difference",
    "assert_agreement",
    "assert_equivalent",
    "assert_partition",
    "boundaries",
    "consumers",
    "counterexample",
    "differences",
    "random_consumers",
    "random_rule",
    "rules",
    "schemas",
]
