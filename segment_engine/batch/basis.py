"""What a run was computed from: another run that knows it asks only who has changed since."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import polars as pl

from segment_engine.batch.asked import Asked
from segment_engine.batch.plan import Plan
from segment_engine.batch.snapshot.keys import digest
from segment_engine.batch.snapshot.store import MADE_BY, new_token
from segment_engine.values.moments import Clock


@dataclass(frozen=True, slots=True)
class Basis:
    """The consumers as a snapshot's token tells, all that rules depend on, an instant, and rules.

    `as_of` is in microseconds since 1970. `audiences` has, of each that was computed, a hash of
    its rule or list and of those that it refers to.
    """

    snapshot: str
    run: str
    as_of: int
    audiences: Mapping[str, str]


def basis_of(token: str, asked: Asked, plan: Plan, lists: Mapping[str, Any], clock: Clock) -> Basis:
    """That of a run over a snapshot; `lists` are arrays of ids."""
    found: dict[str, str] = {}
    for key in plan.roots:
        if key in lists:
            # Sets have another order in each process.
            found[key] = digest(pl.Series(lists[key]).sort())
            continue
        rule = asked.rules[key]
        parts = [one for one in rule.logic if isinstance(one, str)]
        behind = [found.get(asked.aliases.get(one, one), new_token()) for one in parts]
        found[key] = _hash([rule.hash, *behind])
    engines = {id(rule.engine): rule.engine for rule in asked.rules.values()}
    schemas = [one.schema.to_dict() for one in engines.values()]
    run = _hash([json.dumps([MADE_BY, clock.zone.name, schemas], sort_keys=True)])
    return Basis(token, run, clock.as_of, found)


def _hash(parts: list[str]) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
