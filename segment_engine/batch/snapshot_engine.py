"""Rules run as batches are: an audience of its own for each."""

from typing import TYPE_CHECKING, Any

from segment_engine.backends.sources import Source
from segment_engine.batch.asked import Asked
from segment_engine.batch.consumers import check_ids as checked
from segment_engine.batch.consumers import ids_of
from segment_engine.batch.memberships import Memberships
from segment_engine.batch.one_pass import one_pass
from segment_engine.values.moments import Clock

if TYPE_CHECKING:
    from segment_engine.rule import Rule


def check_ids(source: Source, id_column: str) -> int:
    """How many consumers there are. Raises RunError where an id is null or stands twice."""
    ids = ids_of(source, id_column)
    checked(ids, id_column)
    return len(ids)


def members(rule: "Rule", clock: Clock, source: Source, id_column: str) -> list[Any]:
    """The ids that the rule keeps, sorted."""
    return _run(rule, clock, source, id_column).members("")


def count(rule: "Rule", clock: Clock, source: Source, id_column: str) -> int:
    """How many rows the rule keeps."""
    return _run(rule, clock, source, id_column).counts()[""]


def _run(rule: "Rule", clock: Clock, source: Source, id_column: str) -> Memberships:
    made = one_pass(Asked({"": rule}, {}, {}, {}), clock, source, id_column, None)
    if made.failed:
        raise made.failed[""]
    return made
