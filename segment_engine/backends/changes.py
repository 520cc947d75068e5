"""When time alone changes what a rule says of one consumer.

What a rule says depends on as-of only by which side of its windows' bounds the consumer's times lie
on. The instants at which a bound passes a time are found first, for each predicate, and the rule is
asked at those alone. An anniversary is such a time every year.
"""

from bisect import bisect_right
from calendar import isleap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from segment_engine.backends.reading import Members
from segment_engine.backends.records import to_predicate, to_value
from segment_engine.errors import RuleError
from segment_engine.expression.logic import Condition, Logic
from segment_engine.expression.nodes import Call, Constant, walk
from segment_engine.expression.references import condition_of
from segment_engine.expression.resolve import AND, LASTING, NOT, resolve, uses_clock
from segment_engine.operators.table import operator
from segment_engine.values.crossings import Moving, crossings, moving
from segment_engine.values.isotime import DAY, MAX_DAY, MAX_INSTANT, MIN_DAY, date_of, naive_of
from segment_engine.values.moments import Clock, Window
from segment_engine.values.types import ANNIVERSARY
from segment_engine.values.zones import CYCLE

if TYPE_CHECKING:
    from segment_engine.rule import Rule

Truths = dict[Condition | str, bool | None]

YEAR = 366 * DAY

REGULAR = 131 * YEAR
"""After the year 2100. The tables of tzdata list single changes of offsets up to 2087 (Morocco's,
about Ramadan); from then on every zone repeats with the calendar, after 400 years."""

NEAR = 12
"""Days around a bound in which an anniversary may be passed by it."""

_IN_WINDOW = (operator("in_window"), operator("has_in_window"))
_BETWEEN = operator("between")


def next_change(
    rule: "Rule", clock: Clock, consumer: Mapping[str, Any], audiences: Mapping[str, bool]
) -> datetime | None:
    """The first instant after the clock's at which the rule says something else, in UTC.

    None where there is none in the years 1 to 9999, or none before a time literal of the rule
    leaves them. Raises RuleError where one does so at the clock's instant.
    """
    rule.resolved(clock)
    at = _Course(rule.logic, clock, consumer, audiences).first_turn()
    try:
        if at is not None:
            rule.resolved(Clock(at, clock.zone))
    except RuleError:
        return None
    return None if at is None else naive_of(at).replace(tzinfo=UTC)


@dataclass(frozen=True)
class _Course:
    """What a rule says of one consumer from the clock's instant on."""

    logic: Logic
    clock: Clock
    consumer: Mapping[str, Any]
    audiences: Mapping[str, bool]

    def first_turn(self) -> int | None:
        """Where the truth first changes; None where it does not while the rule has a meaning."""
        if self._truth(dict.fromkeys(self._moved)) is not None:
            return None
        before = self._truth(self._truths(self.clock.as_of))
        for at in self._instants():
            try:
                truths = self._truths(at)
            except RuleError:
                return None
            if self._truth(truths) != before:
                return at
            if at >= self._last and self._truth(truths | dict.fromkeys(self._yearly)) is not None:
                return None
        return None

    def _truth(self, moved: Truths) -> bool | None:
        """The rule's, from those of its conditions; None where they do not decide it."""
        return _joined(self.logic, self._fixed | moved)

    def _truths(self, at: int) -> Truths:
        """Those of the conditions that use the clock."""
        return {condition: self._asked(condition, at) for condition in self._moved}

    def _asked(self, condition: Condition, at: int) -> bool:
        resolved = resolve(condition.expression, Clock(at, self.clock.zone), {})
        return to_predicate(resolved, members=self._members)(self.consumer)

    @cached_property
    def _members(self) -> Members:
        """Each audience as what says of any consumer whether it is in it: this one, always."""
        return {key: partial(_always, held) for key, held in self.audiences.items()}

    @cached_property
    def _moved(self) -> list[Condition]:
        """The conditions that use the clock, each once."""
        parts = (part for part in self.logic if isinstance(part, Condition))
        return [part for part in dict.fromkeys(parts) if uses_clock(part.expression, {})]

    @cached_property
    def _fixed(self) -> Truths:
        """The truths of audiences and of the other conditions."""
        others = {part for part in self.logic if not isinstance(part, tuple)} - {*self._moved}
        return {
            part: condition_of(part, self.audiences)
            if isinstance(part, str)
            else self._asked(part, self.clock.as_of)
            for part in others
        }

    # ---- the instants to ask at

    def _instants(self) -> Iterator[int]:
        """Ascending: where a bound passes a time of the consumer, or an anniversary."""
        if not self._yearly:
            yield from self._passed
            return
        low, horizon = self.clock.as_of, self._horizon()
        while low < horizon:
            high = min(low + YEAR, horizon)
            first, last = (bisect_right(self._passed, at) for at in (low, high))
            yield from sorted({*self._passed[first:last], *self._anniversaries(low, high)})
            low = high

    @cached_property
    def _passed(self) -> list[int]:
        """Ascending: after the clock's instant, where bounds pass the consumer's times."""
        zone, after = self.clock.zone, self.clock.as_of
        found: set[int] = set()
        for condition in self._moved:
            for call, bounds in _moving_calls(condition):
                for value in self._times(call):
                    for each in bounds:
                        found.update(crossings(each, value, zone, after, MAX_INSTANT + 1))
        return sorted(found)

    @cached_property
    def _last(self) -> int:
        """From here on only anniversaries are passed."""
        return self._passed[-1] if self._passed else self.clock.as_of

    def _times(self, call: Call) -> list[date | int]:
        """The days and instants that are compared with the bounds."""
        parts = walk(resolve(call, self.clock, {}))
        windows = (node for node in parts if isinstance(node, Call) and node.op in _IN_WINDOW)
        values = [to_value(node.args[0])(self.consumer) for node in windows]
        listed = (value if isinstance(value, list) else [value] for value in values)
        return list(dict.fromkeys(one for each in listed for one in each if one is not None))

    # ---- anniversaries

    @cached_property
    def _yearly(self) -> dict[Condition, list[tuple[Call, list[Moving]]]]:
        """The conditions about anniversaries, with the calls that use the clock."""
        found: dict[Condition, list[tuple[Call, list[Moving]]]] = {}
        for condition in self._moved:
            for call, bounds in _moving_calls(condition):
                if call.args[0].type is ANNIVERSARY:
                    found.setdefault(condition, []).append((call, bounds))
        return found

    @cached_property
    def _returning(self) -> list[tuple[Moving, int]]:
        """Bounds that anniversaries are compared with, and the month * 100 + day of those."""
        calls = (each for known in self._yearly.values() for each in known)
        asked = (
            (bounds, to_value(resolve(call.args[0], self.clock, {}))(self.consumer))
            for call, bounds in calls
        )
        return [(each, key) for bounds, key in asked if key is not None for each in bounds]

    def _anniversaries(self, low: int, high: int) -> Iterator[int]:
        """After `low` and up to `high`: where bounds pass an anniversary."""
        for bounds, key in self._returning:
            for year in _years(bounds, self.clock, low, high):
                day = _anniversary(year, key)
                yield from crossings(bounds, day, self.clock.zone, low, high + 1)

    def _horizon(self) -> int:
        """No change comes later: bounds that stand still are far behind, and 400 years went by."""
        if not self._returning:
            return self._last
        calls = (call for known in self._yearly.values() for call, _ in known)
        windows = (window for call in calls for window in _reaching(call, self.clock))
        after = self.clock.as_of
        reach = sum(abs(one.start - after) + abs(one.end - after) for one in windows)
        return min(max(self._last, REGULAR) + reach + 3 * YEAR + CYCLE, MAX_INSTANT)


def _always(held: bool, consumer: Any) -> bool:
    return held


def _joined(logic: Logic, known: Truths) -> bool | None:
    """The truth of the logic; None where what is known does not decide it."""
    stack: list[bool | None] = []
    for part in logic:
        if not isinstance(part, tuple):
            stack.append(known[part])
            continue
        op, count = part
        inner = stack[len(stack) - count :]
        del stack[len(stack) - count :]
        stack.append(_negated(inner[0]) if op is NOT else _together(inner, op is not AND))
    return stack[0]


def _negated(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _together(truths: list[bool | None], decisive: bool) -> bool | None:
    """Of `and` one that is false decides, of `or` one that is true."""
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _moving_calls(condition: Condition) -> Iterator[tuple[Call, list[Moving]]]:
    """The calls of a condition that have literals which move with as-of, and those."""
    for node in walk(condition.expression):
        if isinstance(node, Call):
            found = [moving(literal, LASTING.get(node.op)) for literal in _literals(node)]
            if bounds := [each for each in found if each is not None]:
                yield node, bounds


def _literals(call: Call) -> list[Any]:
    constants = [each for each in call.args if isinstance(each, Constant)]
    parts = [each.value if isinstance(each.value, tuple) else (each,) for each in constants]
    return [item.value for each in parts for item in each]


def _reaching(call: Call, clock: Clock) -> Iterator[Window]:
    """Those of the literals that move, and those of the bounds that they move towards."""
    for literal in _literals(call):
        bounds = moving(literal, LASTING.get(call.op))
        if bounds is not None:
            yield bounds.window(clock)
        elif call.op is _BETWEEN:
            yield literal.window(clock)


def _years(bounds: Moving, clock: Clock, low: int, high: int) -> list[int]:
    """The years of which a bound may pass a day from `low` to `high`."""
    first, last = (bounds.window_or_none(Clock(at, clock.zone)) for at in (low, high))
    if first is None:
        return []
    ends = (MAX_DAY, MAX_DAY) if last is None else (last.first, last.last)
    years: set[int] = set()
    for since, until in zip((first.first, first.last), ends, strict=True):
        start, end = max(since - NEAR, MIN_DAY), min(until + NEAR, MAX_DAY)
        years.update(range(date_of(start).year, date_of(end).year + 1))
    return sorted(years)


def _anniversary(year: int, key: int) -> date:
    """That year's day of month * 100 + day."""
    month, day = divmod(key, 100)
    return date(year, month, 28 if key == 229 and not isleap(year) else day)
