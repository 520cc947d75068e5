"""What a run would do, for people: columns, paths into metadata, and conditions that are shared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segment_engine.backends.reading import Reading
from segment_engine.backends.sources import open_for
from segment_engine.batch.plan import Plan
from segment_engine.display.shown import Shown
from segment_engine.display.words import Block, Table, said
from segment_engine.errors import SegmentError
from segment_engine.expression.nodes import walk
from segment_engine.values.paths import spell_name

if TYPE_CHECKING:
    from segment_engine.batch.asked import Asked
    from segment_engine.engine import Engine
    from segment_engine.values.moments import Clock

SHOWN = 50
"""How many conditions a display lists."""


@dataclass(frozen=True, slots=True)
class PlannedCondition:
    """A condition that is asked once, as it is first written, and the audiences that have it.

    Two that mean the same are one, and so is one with its complement.
    """

    text: str
    audiences: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class RunPlan(Shown):
    """What one pass reads and asks.

    `columns` are those of the source, `paths` those into metadata, each read once. `conditions`
    come with those first that most audiences have. `steps` are the operations on bitmaps that
    combine them, for each tile of consumers. `failed` are the audiences that cannot be computed.
    """

    audiences: int
    columns: tuple[str, ...]
    paths: tuple[str, ...]
    conditions: tuple[PlannedCondition, ...]
    steps: int
    failed: Mapping[str, SegmentError]

    def to_json(self) -> dict[str, Any]:
        """As plain values, ready for `json.dumps`."""
        return {
            "audiences": self.audiences,
            "columns": list(self.columns),
            "paths": list(self.paths),
            "conditions": [
                {"text": one.text, "audiences": list(one.audiences)} for one in self.conditions
            ],
            "steps": self.steps,
            "failed": {key: str(fault) for key, fault in self.failed.items()},
        }

    def __repr__(self) -> str:
        return f"<RunPlan of {self.audiences} audiences, {len(self.conditions)} conditions>"

    @property
    def summary(self) -> list[str]:
        """Some lines of text."""
        uses = sum(len(one.audiences) for one in self.conditions)
        return [
            f"{self.audiences:,} audiences of {uses:,} conditions, {len(self.conditions):,} of "
            f"them distinct, combined in {self.steps:,} steps",
            f"columns read: {', '.join(self.columns) or 'none'}",
            f"paths into metadata: {', '.join(self.paths) or 'none'}",
        ]

    def _blocks(self) -> list[Block]:
        rows = tuple(
            (said(one.text), said(f"{len(one.audiences):,}", "number"))
            for one in self.conditions[:SHOWN]
        )
        blocks: list[Block] = [*map(said, self.summary)]
        blocks.append(Table(("condition", "audiences"), rows, frozenset((1,))))
        if more := len(self.conditions) - len(rows):
            blocks.append(said(f"... and {more:,} more"))
        return blocks + [said(f"{key} fails", "error") for key in self.failed]


def planned(engine: "Engine", asked: "Asked", clock: "Clock", source: Any) -> RunPlan:
    """As `Engine.plan`."""
    columns = None
    if source is not None:
        columns = open_for(engine, list(asked.rules.values()), source, None).columns
    plan = Plan(asked.rules, asked.lists, asked.failed, asked.aliases, clock, columns)
    readings = {one for node in plan.predicates for one in walk(node) if isinstance(one, Reading)}
    paths = {
        spell_name(one.column, (*(step.at for step in one.steps), *one.json)) for one in readings
    } - {one.column for one in readings}
    conditions = [
        PlannedCondition(text, tuple(one.audiences)) for text, one in plan.shared().items()
    ]
    conditions.sort(key=lambda one: (-len(one.audiences), one.text))
    return RunPlan(
        audiences=len(plan.roots),
        columns=tuple(sorted({one.column for one in readings})),
        paths=tuple(sorted(paths)),
        conditions=tuple(conditions),
        steps=len(plan.program().steps),
        failed=plan.failed,
    )
