"""A run in which an engine is asked for one audience after the other."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from segment_engine.backends.sources import Source
from segment_engine.batch.asked import Asked
from segment_engine.batch.bitmaps import bitmap_of
from segment_engine.batch.combine import Combiner
from segment_engine.batch.consumers import ids_of
from segment_engine.batch.memberships import Memberships
from segment_engine.errors import RuleError, SegmentError
from segment_engine.expression.references import Failures, dependency_order, references
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    from segment_engine.diagnostics.diagnostic import Diagnostic
    from segment_engine.engine import Engine


def rule_by_rule(
    engine: "Engine",
    asked: Asked,
    run: Any,
    clock: Clock,
    source: Source,
    id_column: str,
    progress: Callable[[int, int], None] | None,
) -> Memberships:
    """The members of all audiences by the engine `run`, one after the other."""
    run.check_ids(source, id_column)
    ids = ids_of(source, id_column)
    made = _Run(asked)
    made.compute(Combiner(run, clock, source, id_column), engine, asked.lists, progress)
    found = {key: bitmap_of(_places(members, ids)) for key, members in made.members.items()}
    return Memberships(ids, found, made.failed)


def _places(members: list[Any], ids: pa.ChunkedArray) -> Any:
    return pc.index_in(pa.array(members, ids.type), ids).to_numpy(zero_copy_only=False)


class _Run:
    """What is known so far of each audience: its members, or why it has none."""

    def __init__(self, asked: Asked) -> None:
        self._rules, self._aliases = asked.rules, asked.aliases
        self.failed = dict(asked.failed)
        self._graph = {
            key: references(rule.expression, self._aliases) for key, rule in self._rules.items()
        }
        self.members: dict[str, list[Any]] = {}

    def compute(
        self,
        combiner: Combiner,
        engine: "Engine",
        lists: Mapping[str, Collection[Any]],
        progress: Callable[[int, int], None] | None,
    ) -> None:
        """All of them, those referred to first."""
        for key, ids in lists.items():
            with _noted(self.failed, key):
                self.members[key] = sorted(combiner.held(key, ids, engine.rule("true")))
        order = dependency_order(self._graph, dict.fromkeys([*lists, *self.failed]))
        for key, fault in order.faults.items():
            self._refuse(key, fault)
        known = {key: frozenset(ids) for key, ids in self.members.items()}
        known |= {name: known[key] for name, key in self._aliases.items() if key in known}
        names = {key: name for name, key in self._aliases.items()}
        failures = Failures(self._graph, self.failed)
        for done, key in enumerate(order.keys, 1):
            if key not in self.failed and (behind := failures.behind(key)) is not None:
                self._refuse(key, behind)
            if key not in self.failed:
                with _noted(self.failed, key):
                    self.members[key] = combiner.members(self._rules[key], known)
                    known[key] = known[names.get(key, key)] = frozenset(self.members[key])
            if progress:
                progress(done, len(order.keys))

    def _refuse(self, key: str, fault: "Diagnostic") -> None:
        self.failed[key] = RuleError((fault,), self._rules[key].source)


@contextmanager
def _noted(failed: dict[str, SegmentError], key: str) -> Iterator[None]:
    """Takes an audience's error for the audience alone."""
    try:
        yield
    except SegmentError as fault:
        failed[key] = fault
