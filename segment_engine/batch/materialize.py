"""A run: every audience's members at one instant, one broken rule never stopping the rest."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segment_engine.backends.sources import open_for
from segment_engine.batch.asked import asked_of
from segment_engine.batch.combine import Combiner
from segment_engine.batch.generations import Generation
from segment_engine.batch.memberships import Memberships
from segment_engine.batch.one_pass import one_pass
from segment_engine.batch.planned import RunPlan, planned
from segment_engine.batch.rule_by_rule import rule_by_rule
from segment_engine.batch.snapshot_run import Keeping
from segment_engine.errors import RunError, SegmentError
from segment_engine.expression.references import condition_of
from segment_engine.garbage import looking_seldom
from segment_engine.parts import ENGINES, part

if TYPE_CHECKING:
    from segment_engine.engine import Engine
    from segment_engine.rule import AsOf, Rule


def members(
    rule: "Rule",
    source: Any,
    *,
    as_of: "AsOf",
    engine_name: str,
    id_column: str,
    audiences: Mapping[str, Collection[Any]],
) -> list[Any]:
    """As `Rule.members`, for a rule that refers to audiences."""
    opened = open_for(rule.engine, [rule], source, id_column)
    run = part(engine_name)
    run.check_ids(opened, id_column)
    combiner = Combiner(run, rule.engine.clock(as_of), opened, id_column)
    known = {key: combiner.held(key, condition_of(key, audiences), rule) for key in rule.audiences}
    return combiner.members(rule, known)


def materialize(
    engine: "Engine",
    rules: Mapping[str, Any],
    source: Any,
    *,
    as_of: "AsOf",
    engine_name: str,
    id_column: str,
    lists: Mapping[str, Collection[Any]],
    failed: Mapping[str, SegmentError] | None = None,
    aliases: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    snapshot: str | Path | None = None,
    since: Memberships | Generation | None = None,
    changed: Collection[Any] | str | None = None,
    count_predicates: bool = False,
    memory: int | None = None,
) -> Memberships:
    """As `Engine.materialize`.

    `failed` are audiences that are known to have failed before, `aliases` are other names of
    audiences by which rules may refer to them.
    """
    if engine_name not in ENGINES:
        raise RunError(f"there is no engine {engine_name!r}; there are {', '.join(ENGINES)}")
    if engine_name != "snapshot" and (snapshot is not None or count_predicates):
        lacking = "counts no predicates" if snapshot is None else "asks no snapshot"
        raise RunError(f"engine {engine_name!r} {lacking}; leave one of the two away")
    keeping = _keeping(snapshot, since, changed)
    asked = asked_of(engine, rules, lists, failed, aliases)
    clock = engine.clock(as_of)
    more = [changed] if isinstance(changed, str) else []
    opened = open_for(engine, list(asked.rules.values()), source, id_column, more)
    if more and changed not in opened.read:
        known = ", ".join(list(opened.columns)[:20])
        raise RunError(f"there is no column {changed!r} to tell who changed; there are {known}")
    if engine_name == "snapshot":
        with looking_seldom():
            made = one_pass(
                asked, clock, opened, id_column, progress, keeping, count_predicates, memory
            )
    else:
        made = rule_by_rule(engine, asked, part(engine_name), clock, opened, id_column, progress)
    return made.in_order([*rules, *lists, *(failed or {})])


def _keeping(
    snapshot: str | Path | None, since: Memberships | Generation | None, changed: Any
) -> Keeping | None:
    if snapshot is None:
        if since is not None or changed is not None:
            raise RunError("only a snapshot can be asked for what has changed; name its folder")
        return None
    if not isinstance(snapshot, str | Path) or snapshot == "":
        raise RunError(f"a snapshot is the path of a folder, not {snapshot!r:.80}")
    before = since.memberships if isinstance(since, Generation) else since
    if not isinstance(before, Memberships | None):
        raise RunError(f"a run before is a Memberships or a Generation, not {since!r:.80}")
    return Keeping(snapshot, before, changed)


def plan(
    engine: "Engine",
    rules: Mapping[str, Any],
    source: Any,
    *,
    as_of: "AsOf",
    lists: Mapping[str, Collection[Any]],
    failed: Mapping[str, SegmentError] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> RunPlan:
    """As `Engine.plan`; `failed` and `aliases` as in `materialize`."""
    asked = asked_of(engine, rules, lists, failed, aliases)
    return planned(engine, asked, engine.clock(as_of), source)
