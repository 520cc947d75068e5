"""What a run is asked for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from segment_engine.errors import RunError, SegmentError

if TYPE_CHECKING:
    from segment_engine.engine import Engine
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


def asked_of(
    engine: "Engine",
    rules: Mapping[str, Any],
    lists: Mapping[str, Collection[Any]],
    failed: Mapping[str, SegmentError] | None,
    aliases: Mapping[str, str] | None,
) -> Asked:
    """What a run is asked for, rules checked. Raises RunError where that is no mapping."""
    for given, wanted in ((rules, "rule"), (lists, "ids")):
        if not isinstance(given, Mapping):
            raise RunError(
                f"audiences are a mapping of key to {wanted}, not {type(given).__name__}"
            )
    if twice := rules.keys() & lists.keys():
        raise RunError(f"audience {min(twice)!r} is given as a rule and as a list")
    checked, broken = _checked(engine, rules)
    return Asked(checked, lists, broken | dict(failed or {}), aliases or {})


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
