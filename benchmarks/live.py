"""One consumer against 1,000 audiences, live: ours against rule-engine (PyPI), same rules.

    python -m benchmarks.live [--consumers 2000] [--audiences 1000] [--pool shared|wide|both]
        [--runs 5]

Reach: 1,000 times. Both have their rules prepared; what is timed is the keys of the audiences of
one consumer, of a few for rule-engine, which is slow, and of all for ours. A consumer is a mapping
with its metadata as a mapping. Audiences that rule-engine cannot say are left out, and counted.
"""

import json
from functools import partial
from typing import Any

import duckdb
import rule_engine

from benchmarks import consumers, pools
from benchmarks.many import POOLS, argument_parser
from benchmarks.timing import in_turn
from benchmarks.translated import CannotSay, translated
from segment_engine import Engine, Rule

REACH = 1_000
SLOWLY = 20
"""So many consumers are asked of rule-engine, and of the rules one by one, in a round."""

Consumer = dict[str, Any]


def main() -> None:
    """Compares the audiences of every consumer, then the times of one."""
    options = argument_parser(__doc__, runs=5)
    options.set_defaults(consumers=2_000)
    options.add_argument("--audiences", type=int, default=1_000)
    chosen = options.parse_args()
    people = _people(chosen.consumers)
    for pool in POOLS[chosen.pool]:
        predicates = pools.pool(pool, not chosen.without_metadata)
        _contest(pool, _sayable(predicates, chosen.audiences), people, chosen.runs)


def _people(count: int) -> list[Consumer]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        consumers.table(connection, count)
        found: list[Consumer] = connection.table("consumers").to_arrow_table().to_pylist()
    for person in found:
        person["metadata"] = json.loads(person["metadata"] or "null")
    return found


def _sayable(predicates: list[pools.Predicate], number: int) -> dict[str, tuple[Rule, str]]:
    """The first so many audiences that rule-engine can say: each rule and its translation."""
    engine, found, left_out = Engine(pools.SCHEMA), {}, 0
    for audience in pools.audiences(predicates, 2 * number):
        rule = engine.rule(audience.condition.rule)
        try:
            found[audience.key] = rule, translated(rule, engine.clock(pools.AS_OF))
        except CannotSay:
            left_out += 1
        if len(found) == number:
            break
    print(f"{len(found):,} audiences; {left_out:,} left out that rule-engine cannot say")
    return found


def _contest(
    pool: str, audiences: dict[str, tuple[Rule, str]], people: list[Consumer], runs: int
) -> None:
    context = rule_engine.Context(default_value=None, default_timezone="utc")
    theirs = {key: rule_engine.Rule(text, context=context) for key, (_, text) in audiences.items()}
    rules = {key: rule for key, (rule, _) in audiences.items()}
    matcher = next(iter(rules.values())).engine.matcher(rules, as_of=pools.AS_OF)
    one_by_one = {key: rule.predicate(pools.AS_OF) for key, rule in rules.items()}
    for person in people:
        found = [key for key, rule in theirs.items() if rule.matches(person)]
        if matcher(person) != found:
            differing = {*found} ^ {*matcher(person)}
            raise SystemExit(f"not the same audiences {sorted(differing)[:3]} of {person}")
    print(f"pool {pool}: the audiences of {len(people):,} consumers compared, none differs")
    few = people[:SLOWLY]
    rivals = {
        "rule-engine": (len(few), partial(_asked_of_them, theirs, few)),
        "ours, a rule after the other": (len(few), partial(_asked_of_each, one_by_one, few)),
        "ours, all at once": (len(people), partial(_asked, matcher, people)),
    }
    seconds = in_turn(runs, *(ask for _, ask in rivals.values()))
    each = [taken / of for taken, (of, _) in zip(seconds, rivals.values(), strict=True)]
    print(f"{f'a consumer, median of {runs} runs':40} {'microseconds':>13} {'ratio':>8}  reach")
    for name, taken in zip(rivals, each, strict=True):
        ratio = each[0] / taken
        reached = f"{REACH:,}x {'yes' if ratio >= REACH else 'NO'}" if taken == each[-1] else ""
        print(f"{name:40} {taken * 1e6:13,.1f} {ratio:7,.1f}x  {reached}".rstrip(), flush=True)


def _asked_of_them(rules: dict[str, rule_engine.Rule], people: list[Consumer]) -> None:
    for person in people:
        [key for key, rule in rules.items() if rule.matches(person)]


def _asked_of_each(rules: dict[str, Any], people: list[Consumer]) -> None:
    for person in people:
        [key for key, keeps in rules.items() if keeps(person)]


def _asked(matcher: Any, people: list[Consumer]) -> None:
    for person in people:
        matcher(person)


if __name__ == "__main__":
    main()
