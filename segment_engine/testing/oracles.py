"""What must hold for any rule and any consumers, checked on every engine."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from segment_engine.parts import ENGINES, part
from segment_engine.rule import AsOf, Rule
from segment_engine.values.isotime import format_instant

ID = "id"

Rules = Rule | Iterable[Rule]


@dataclass(frozen=True, slots=True)
class Difference:
    """One consumer whom an engine keeps or drops unlike `expected`."""

    rule: str
    engine: str
    consumer_id: Any
    kept: bool
    consumer: Any

    def __str__(self) -> str:
        return (
            f"{self.engine} {'keeps' if self.kept else 'drops'} consumer {self.consumer_id!r}\n"
            f"  rule      {self.rule}\n"
            f"  consumer  {self.consumer}"
        )


def one_instant(rule: Rule) -> str:
    """Now, read once, so that all engines run at the same instant."""
    return format_instant(rule.engine.clock().as_of)


def differences(
    rules: Rules,
    consumers: Any,
    *,
    as_of: AsOf = None,
    engines: Sequence[str] = ENGINES,
    id_column: str = ID,
) -> list[Difference]:
    """Where engines differ from the last of `engines`, which is the reference, `records`.

    `rules` are one rule, or several of one engine. `consumers` is any source; dicts without an id
    are numbered from 0. Raises what running does.
    """
    run = _Run(rules, consumers, as_of, id_column)
    *others, reference = engines
    expected = run.members(reference)
    return [difference for engine in others for difference in run.apart(engine, expected)]


def assert_agreement(
    rules: Rules,
    consumers: Any,
    *,
    as_of: AsOf = None,
    engines: Sequence[str] = ENGINES,
    id_column: str = ID,
) -> None:
    """Every engine finds the same members; the failure names rule, consumer and engine.

    `rules` are one rule, or several of one engine, for which the consumers are read once.

    >>> from segment_engine import Engine
    >>> rule = Engine().rule("totalOrders >= 2 and email is missing")
    >>> assert_agreement(rule, [{"totalOrders": 2}, {"totalOrders": None}])
    """
    found = differences(rules, consumers, as_of=as_of, engines=engines, id_column=id_column)
    if found:
        raise AssertionError("\n".join([f"unlike {engines[-1]}:", *map(str, found[:5])]))


def assert_partition(
    rules: Rules,
    consumers: Any,
    *,
    as_of: AsOf = None,
    engines: Sequence[str] = ENGINES,
    id_column: str = ID,
) -> None:
    """On every engine a rule and its `not` share nobody and together keep everybody.

    `rules` are one rule, or several of one engine.

    >>> from segment_engine import Engine
    >>> assert_partition(Engine().rule("totalOrders > 2"), [{"totalOrders": None}])
    """
    run = _Run(rules, consumers, as_of, id_column)
    complements = [rule.engine.rule(f"not ({rule.text})") for rule in run.rules]
    opposite = _Run(complements, run.source, run.as_of, id_column)
    everyone = _Run(
        [rule.engine.rule("true") for rule in run.rules[:1]], run.source, run.as_of, id_column
    )
    for name in engines:
        rest = [whole - kept for whole in everyone.members(name) for kept in run.members(name)]
        found = list(opposite.apart(name, rest))
        if found:
            told = "a rule and its `not` overlap or leave somebody out:"
            raise AssertionError("\n".join([told, *map(str, found[:5])]))


class _Run:
    """Some rules over one source at one instant."""

    def __init__(self, rules: Rules, consumers: Any, as_of: AsOf, id_column: str) -> None:
        self.rules = [rules] if isinstance(rules, Rule) else list(rules)
        self.id_column = id_column
        self.source = with_ids(consumers, id_column)
        self.as_of = as_of or (one_instant(self.rules[0]) if self.rules else None)

    @cached_property
    def opened(self) -> Any:
        """The source, read once for all engines."""
        engine = self.rules[0].engine
        return part("sources").open_for(engine, self.rules, self.source, self.id_column)

    def members(self, engine: str) -> list[set[Any]]:
        """Whom each rule keeps."""
        if not self.rules:
            return []
        keyed = {str(number): rule for number, rule in enumerate(self.rules)}
        run = self.rules[0].engine.materialize(
            keyed, self.opened, as_of=self.as_of, engine=engine, id_column=self.id_column
        )
        return [set(run.members(key)) for key in keyed]

    def apart(self, engine: str, expected: list[set[Any]]) -> Iterator[Difference]:
        """Where the engine keeps others than expected."""
        for rule, found, wanted in zip(self.rules, self.members(engine), expected, strict=True):
            for wrong in sorted(found ^ wanted):
                shown = _shown(self.source, self.id_column, wrong)
                yield Difference(rule.text, engine, wrong, wrong in found, shown)


def with_ids(consumers: Any, id_column: str) -> Any:
    """Dicts numbered from 0 where they have no id; other sources as they are."""
    if not isinstance(consumers, Sequence) or not all(isinstance(c, Mapping) for c in consumers):
        return consumers
    return [{id_column: number, **consumer} for number, consumer in enumerate(consumers)]


def _shown(source: Any, id_column: str, wanted: Any) -> Any:
    if isinstance(source, Sequence):
        return next(consumer for consumer in source if consumer[id_column] == wanted)
    as_dicts = getattr(source, "to_pylist", None) or getattr(source, "to_dicts", None)
    try:
        rows = as_dicts() if callable(as_dicts) else ()
    except (ValueError, OverflowError):  # Python's own dates do not hold them all.
        rows = ()
    return next((row for row in rows if row[id_column] == wanted), f"{id_column} {wanted!r}")
