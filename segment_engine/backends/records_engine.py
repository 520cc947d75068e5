"""Rules run consumer by consumer in plain Python."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from segment_engine.backends.ids import refuse_ids
from segment_engine.backends.reading import Members, locate
from segment_engine.backends.records import to_predicate
from segment_engine.expression.nodes import Expr, Field, walk
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    from segment_engine.backends.sources import Source
    from segment_engine.rule import Rule


def compiled(
    rule: "Rule", clock: Clock, members: Members | None = None
) -> Callable[[Mapping[str, Any]], bool]:
    """The rule as a function of one consumer."""
    return to_predicate(rule.resolved(clock), members=members)


def check_ids(source: "Source", id_column: str) -> int:
    """How many consumers there are. Raises RunError where an id is null or stands twice."""
    ids = [row[id_column] for row in source.rows([id_column])]
    present = [value for value in ids if value is not None]
    refuse_ids(id_column, len(ids) - len(present), len(present) - len(set(present)))
    return len(ids)


def members(rule: "Rule", clock: Clock, source: "Source", id_column: str) -> list[Any]:
    """The ids that the rule keeps, sorted."""
    resolved = rule.resolved(clock)
    return sorted(row[id_column] for row in _kept(resolved, source, id_column))


def count(rule: "Rule", clock: Clock, source: "Source", id_column: str) -> int:
    """How many rows the rule keeps."""
    return sum(1 for _ in _kept(rule.resolved(clock), source, id_column))


def _kept(resolved: Expr, source: "Source", *more: str) -> Iterator[Mapping[str, Any]]:
    fields = [node for node in walk(resolved) if isinstance(node, Field)]
    for field in fields:
        locate(field, source.columns)
    columns = list(dict.fromkeys([*more, *(field.spec.column for field in fields)]))
    keeps = to_predicate(resolved, source.columns)
    return (row for row in source.rows(columns) if keeps(row))
