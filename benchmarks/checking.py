"""Checking a rule against a bare Lark LALR parse of the same text with the same grammar.

    python -m benchmarks.checking

Reach: at most 1.5 times. The bare parse builds Lark's tree and knows no types.
"""

from functools import partial

from lark import Lark

from benchmarks.timing import in_turn
from segment_engine import Engine
from segment_engine.language.parse import bare_parser

RULES = (
    "totalOrders > 2",
    'totalOrders >= 3 and email ends with "@example.com" and metadata.tier = "gold"',
    'totalOrderValue >= 500 and lastOrderAt older than 60 days and metadata.country in ("US", "CA")'
    ' and not (email ends with "@example.com" ignoring case)',
    "createdAt during last month or (anniversary of createdAt within next 7 days and "
    "averageOrderValue between 20 and 80 and metadata.points > 100)",
    " or ".join(f'metadata.k{n} = "v{n}"' for n in range(60)),
)
EACH = 100


def main() -> None:
    """Compares that both accept every rule, then the times."""
    engine, bare = Engine(), bare_parser()
    ratios = []
    print(f"{'characters':>10} {'bare parse':>12} {'check':>12} {'ratio':>6}   (microseconds)")
    for rule in RULES:
        if engine.rule(engine.rule(rule).text) != engine.rule(rule) or bare.parse(rule) is None:
            raise SystemExit(f"not read the same: {rule}")
        theirs, mine = in_turn(31, partial(_bare, bare, rule), partial(_check, engine, rule))
        ratios.append(mine / theirs)
        each = 1e6 / EACH
        print(f"{len(rule):10} {theirs * each:12.1f} {mine * each:12.1f} {mine / theirs:6.2f}")
    print(f"largest ratio {max(ratios):.2f}, reach 1.50")


def _bare(parser: Lark, rule: str) -> None:
    for _ in range(EACH):
        parser.parse(rule)


def _check(engine: Engine, rule: str) -> None:
    for _ in range(EACH):
        engine.rule(rule)


if __name__ == "__main__":
    main()
