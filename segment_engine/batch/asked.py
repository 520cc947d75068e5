"""What a run is asked for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segment_engine.errors import SegmentError

if TYPE_CHECKING:
    from segment_engine.rule import Rule


@dataclass(frozen=True, slots=True)
class Asked:
    """Audiences by key: checked rules, lists as they were given, and those known to have failed.

    `aliases` are other names of audiences, with their keys, by which rules may refer to them.
    """

    rules: "Mapping[str, Rule]"
    lists: Mapping[str, Collection[Any]]
    failed: Mapping[str, SegmentError]
    aliases: Mapping[str, str]
