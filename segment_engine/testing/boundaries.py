"""The values at which a rule changes its mind, taken from its literals."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from segment_engine.expression.nodes import Call, Constant, Field, walk
from segment_engine.expression.resolve import expand_derived
from segment_engine.operators.row import Shape
from segment_engine.rule import AsOf, Rule
from segment_engine.values import moments
from segment_engine.values.isotime import MAX_DAY, MAX_INSTANT, MIN_DAY, MIN_INSTANT
from segment_engine.values.moments import Clock, Duration, Moment, Window
from segment_engine.values.paths import Steps
from segment_engine.values.pattern_syntax import Parser
from segment_engine.values.pattern_tree import Chars, Choice, Place, Repeat, Sequence, take
from segment_engine.values.patterns import Pattern
from segment_engine.values.types import TRUTH
from segment_engine.values.zones import OutOfRange, Zone, zone

UTC = zone("UTC")
_LASTING = (moments.within_last, moments.within_next, moments.older_than)


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Literals of rules: numbers, texts, patterns, edges of windows as instants (µs) and as days,
    and the paths read below each open column. `fields`: the same for one column and path each.
    `columns`: what the rules read. `zone`: theirs, in which days begin and clocks change."""

    numbers: list[int | Decimal] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    patterns: list[Pattern] = field(default_factory=list)
    instants: list[int] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    paths: dict[str, list[Steps]] = field(default_factory=dict)
    fields: "dict[tuple[str, Steps], Boundaries]" = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    zone: Zone = UTC

    def note(self, value: Any, clock: Clock) -> None:
        """Adds what a literal says; windows are those of the clock."""
        match value:
            case bool():
                pass
            case int() | Decimal():
                self.numbers.append(value)
            case str():
                self.texts.append(value)
            case Pattern():
                self.patterns.append(value)
            case tuple():
                for item in value:
                    self.note(item.value, clock)
            case Moment() | Duration():
                for window in _windows(value, clock):
                    self._edges(window)

    def _edges(self, window: Window) -> None:
        for at in (window.start, window.end):
            if MIN_INSTANT < at <= MAX_INSTANT:
                self.instants.append(at)
        for day in (window.first, window.last):
            if MIN_DAY < day <= MAX_DAY:
                self.days.append(day)


def boundaries(rules: Iterable[Rule], as_of: AsOf) -> Boundaries:
    """What the rules mention, with relative times as they are at `as_of`."""
    given = list(rules)
    found = Boundaries(zone=zone(given[0].engine.timezone) if given else UTC)
    for rule in given:
        clock = rule.engine.clock(as_of)
        for node in walk(expand_derived(rule.expression, rule.engine.derived)):
            if isinstance(node, Constant):
                found.note(node.value, clock)
            elif isinstance(node, Field):
                found.columns.add(node.spec.column)
                if node.spec.open or node.spec.path:
                    found.paths.setdefault(node.spec.column, []).append(node.path)
            elif isinstance(node, Call) and node.type is TRUTH and node.op.shape is not Shape.LOGIC:
                _note_predicate(found, node, clock)
    return found


def _note_predicate(found: Boundaries, predicate: Call, clock: Clock) -> None:
    """Notes its literals for the fields that it reads."""
    parts = list(walk(predicate))
    for part in parts:
        if isinstance(part, Field):
            own = found.fields.setdefault(
                (part.spec.column, part.path), Boundaries(zone=clock.zone)
            )
            for other in parts:
                if isinstance(other, Constant):
                    own.note(other.value, clock)


def _windows(value: Moment | Duration, clock: Clock) -> Iterator[Window]:
    makers: list[Callable[[], Window]] = (
        [lambda: value.window(clock)]
        if isinstance(value, Moment)
        else [lambda make=make: make(value, clock) for make in _LASTING]  # type: ignore[misc]
    )
    for make in makers:
        try:
            yield make()
        except OutOfRange:
            continue


def example_of(pattern: Pattern, random: Random) -> str:
    """A text in which the pattern is mostly found: its places are taken as met."""
    stack: list[str] = []
    for node in Parser(pattern.text).parse():
        match node:
            case Chars(ranges):
                low, high = random.choice(ranges)
                stack.append(_character(random.choice([low, high])))
            case Place():
                stack.append("")
            case Sequence(count):
                stack.append("".join(take(stack, count)))
            case Choice(count):
                stack.append(random.choice(take(stack, count)))
            case Repeat(low, high):
                times = random.choice([low, low + 1 if high is None else min(high, 8)])
                stack.append(stack.pop() * times)
    return stack[0]


def _character(code: int) -> str:
    return "?" if code == 0 or 0xD800 <= code <= 0xDFFF else chr(code)
