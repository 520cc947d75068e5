"""A run: every audience's members at one instant, one broken rule never stopping the rest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from segment_engine.backends.sources import Source, open_for
from segment_engine.batch.memberships import Memberships
from segment_engine.errors import RunError, SegmentError
from segment_engine.parts import ENGINES, part

if TYPE_CHECKING:
    from segment_engine.engine import AsOf, Engine, Rule


def materialize(
    engine: "Engine",
    rules: Mapping[str, Any],
    source: Any,
    *,
    as_of: "AsOf",
    engine_name: str,
    id_column: str,
) -> Memberships:
    """As `Engine.materialize`."""
    if engine_name not in ENGINES:
        raise RunError(f"there is no engine {engine_name!r}; there are {', '.join(ENGINES)}")
    if not isinstance(rules, Mapping):
        raise RunError(f"audiences are a mapping of key to rule, not {type(rules).__name__}")
    clock = engine.clock(as_of)
    checked, failed = _checked(engine, rules)
    opened = open_for(engine, list(checked.values()), source, id_column)
    run = part(engine_name)
    consumers = run.check_ids(opened, id_column)
    members: dict[str, list[Any]] = {}
    for key, rule in checked.items():
        try:
            members[key] = run.members(rule, clock, opened, id_column)
        except SegmentError as fault:
            failed[key] = fault
    in_order = {key: failed[key] for key in rules if key in failed}
    return Memberships(members, in_order, _id_type(opened, id_column), consumers)


def _checked(
    engine: "Engine", rules: Mapping[str, Any]
) -> tuple[dict[str, "Rule"], dict[str, SegmentError]]:
    checked: dict[str, Rule] = {}
    failed: dict[str, SegmentError] = {}
    for key, given in rules.items():
        try:
            checked[key] = engine.rule(given)
        except SegmentError as fault:
            failed[key] = fault
    return checked, failed


def _id_type(source: Source, id_column: str) -> pa.DataType:
    """The Arrow type of the ids, so that an empty audience has it too."""
    with source.duckdb() as (connection, relation):
        empty = connection.sql(f"select * from {relation} limit 0").to_arrow_table()
    return empty.schema.field(id_column).type
