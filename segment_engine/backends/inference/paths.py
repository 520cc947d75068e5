"""Paths into metadata: which consumers have them, and of which types their values are."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segment_engine.backends.inference.kinds import (
    LIST,
    OBJECT,
    OBJECTS,
    is_filled,
    kind_of,
    one_type,
    shares,
    spelt,
)
from segment_engine.expression.column_names import tells_money
from segment_engine.expression.inferred import InferredPath
from segment_engine.values.paths import Steps, spell_name
from segment_engine.values.types import CURRENCY, NUMBER

MANY_KEYS = 100
"""An object with more different keys is a map from data: its keys are no paths to declare."""

DEEPEST = 8
_LONGEST = 200
_EXAMPLES = 3


@dataclass(slots=True)
class _Place:
    """The values under one path, and the steps that were seen to lead on from there."""

    values: list[Any] = field(default_factory=list)
    children: set[str | int] = field(default_factory=set)


def paths_in(root: str, documents: Sequence[Any]) -> list[InferredPath]:
    """The paths of the documents of one field, in order of their names."""
    places: dict[Steps, _Place] = {(): _Place()}
    for document in documents:
        for steps, value in _walk(document, places):
            places[steps].values.append(value)
    found = [_path(root, steps, place, len(documents)) for steps, place in _told(places)]
    return sorted(found, key=lambda path: path.name)


def _walk(document: Any, places: dict[Steps, _Place]) -> Iterator[tuple[Steps, Any]]:
    """The filled values of a document with the steps to them; of a list, the first object only."""
    waiting: list[tuple[Steps, Any]] = [((), document)]
    while waiting:
        steps, value = waiting.pop()
        for step, inner in _inside(value):
            known = places[steps].children
            if not is_filled(inner) or len(steps) == DEEPEST:
                continue
            if step in known or len(known) <= MANY_KEYS:
                known.add(step)
                path = (*steps, step)
                places.setdefault(path, _Place())
                waiting.append((path, inner))
        if steps:
            yield steps, value


def _inside(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        yield from ((key, inner) for key, inner in value.items() if isinstance(key, str))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        yield 0, value[0]


def _told(places: Mapping[Steps, _Place]) -> Iterator[tuple[Steps, _Place]]:
    """The places that are told: none inside a map from data."""
    for steps, place in places.items():
        above = (places[steps[:length]] for length in range(len(steps)))
        if steps and all(len(each.children) <= MANY_KEYS for each in above):
            yield steps, place


def _path(root: str, steps: Steps, place: _Place, consumers: int) -> InferredPath:
    name = spell_name(root, steps)
    kind = one_type(place.values) if _declarable(name) else None
    if kind is NUMBER and tells_money(str(steps[-1])):
        kind = CURRENCY
    seen = shares(Counter(_seen(value) for value in place.values))
    if len(place.children) > MANY_KEYS:
        seen = {f"object of more than {MANY_KEYS} different keys": 1.0}
    common = Counter(spelt(v) for v in place.values if kind_of(v) not in (OBJECT, LIST))
    examples = tuple(text for text, _ in common.most_common(_EXAMPLES))
    declared = kind.name if kind is not None else None
    return InferredPath(name, declared, len(place.values) / consumers, seen, examples)


def _seen(value: Any) -> str:
    """The kind of a value; of a list, that of its elements, too."""
    kind = kind_of(value)
    if kind != LIST:
        return kind
    inner = one_type([value])
    return inner.name if inner else OBJECTS if isinstance(value[0], Mapping) else LIST


def _declarable(name: str) -> bool:
    return len(name) <= _LONGEST and name.isprintable() and "`" not in name
