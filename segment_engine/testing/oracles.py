"""What must hold for any rule and any consumers, checked on every engine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segment_engine.parts import ENGINES
from segment_engine.rule import AsOf, Rule
from segment_engine.values.isotime import format_instant

ID = "id"


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
    rule: Rule,
    consumers: Any,
    *,
    as_of: AsOf = None,
    engines: Sequence[str] = ENGINES,
    id_column: str = ID,
) -> list[Difference]:
    """Where engines differ from the last of `engines`, which is the reference, `records`.

    `consumers` is any source; dicts without an id are numbered from 0. Raises what running does.
    """
    source, at = with_ids(consumers, id_column), as_of or one_instant(rule)
    *others, reference = engines
    expected = set(rule.members(source, at, reference, id_column))
    return [
        difference
        for engine in others
        for difference in _apart(rule, source, engine, at, id_column, expected)
    ]


def assert_agreement(
    rule: Rule,
    consumers: Any,
    *,
    as_of: AsOf = None,
    engines: Sequence[str] = ENGINES,
    id_column: str = ID,
) -> None:
    """Every engine finds the same members; the failure names rule, consumer and engine.

    >>> from segment_engine import Engine
    >>> rule = Engine().rule("totalOrders >= 2 and email is missing")
    >>> assert_agreement(rule, [{"totalOrders": 2}, {"totalOrders": None}])
    """
    found = differences(rule, consumers, as_of=as_of, engines=engines, id_column=id_column)
    assert not found, f"unlike {engines[-1]}:\n" + "\n".join(map(str, found[:5]))


def assert_partition(
    rule: Rule,
    consumers: Any,
    *,
    as_of: AsOf = None,
    engines: Sequence[str] = ENGINES,
    id_column: str = ID,
) -> None:
    """On every engine a rule and its `not` share nobody and together keep everybody.

    >>> from segment_engine import Engine
    >>> assert_partition(Engine().rule("totalOrders > 2"), [{"totalOrders": None}])
    """
    source, at = with_ids(consumers, id_column), as_of or one_instant(rule)
    everybody = rule.engine.rule("true")
    for engine in engines:
        rest = set(everybody.members(source, at, engine, id_column))
        rest -= set(rule.members(source, at, engine, id_column))
        complement = rule.engine.rule(f"not ({rule.text})")
        found = list(_apart(complement, source, engine, at, id_column, rest))
        assert not found, "a rule and its `not` overlap or leave somebody out:\n" + "\n".join(
            map(str, found[:5])
        )


def with_ids(consumers: Any, id_column: str) -> Any:
    """Dicts numbered from 0 where they have no id; other sources as they are."""
    if not isinstance(consumers, Sequence) or not all(isinstance(c, Mapping) for c in consumers):
        return consumers
    return [{id_column: number, **consumer} for number, consumer in enumerate(consumers)]


def _apart(
    rule: Rule, source: Any, engine: str, at: AsOf, id_column: str, expected: set[Any]
) -> Iterator[Difference]:
    found = set(rule.members(source, at, engine, id_column))
    for wrong in sorted(found ^ expected):
        yield Difference(rule.text, engine, wrong, wrong in found, _shown(source, id_column, wrong))


def _shown(source: Any, id_column: str, wanted: Any) -> Any:
    if isinstance(source, Sequence):
        return next(consumer for consumer in source if consumer[id_column] == wanted)
    as_dicts = getattr(source, "to_pylist", None) or getattr(source, "to_dicts", None)
    try:
        rows = as_dicts() if callable(as_dicts) else ()
    except (ValueError, OverflowError):  # Python's own dates do not hold them all.
        rows = ()
    return next((row for row in rows if row[id_column] == wanted), f"{id_column} {wanted!r}")
