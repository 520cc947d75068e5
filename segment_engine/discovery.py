"""From consumers that nobody described yet to a schema for them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from segment_engine.parts import part

if TYPE_CHECKING:
    from segment_engine.expression.inferred import Inferred

SAMPLE = 10_000


def infer_schema(
    source: Any,
    sample: int | None = SAMPLE,
    *,
    currency: str = "USD",
    progress: Callable[[int, int], None] | None = None,
) -> "Inferred":
    """A schema proposed for any source that rules can run on; nothing of it is changed.

    Of so many consumers (`sample`, None for all), spread evenly over the source, the values are
    looked at. The result has `.schema`, `.fields` (a row a column: type, why, share filled,
    distinct values, examples), `.paths` (into metadata: fill rates, types seen), `.left_out`
    (columns that cannot be used, and why) and `.to_yaml()`. `progress(done, total)` is called
    now and then, in consumers. Raises SourceError for what cannot be read.
    """
    found: Inferred = part("inference").infer(source, sample, currency, progress)
    return found
