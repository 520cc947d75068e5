"""A lazy automaton: runs a pattern over a text in time linear in the text, without backtracking."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from segment_engine.values.pattern_tree import (
    WORD,
    Chars,
    Choice,
    Node,
    Place,
    Repeat,
    Sequence,
    contains,
    take,
)

MAX_HELD: Final = 200_000
"""How many positions and transitions an automaton remembers before it starts afresh."""


@dataclass(frozen=True, slots=True)
class Jump:
    """Goes on at any of these places, relative to its own."""

    offsets: tuple[int, ...]


# Code is relocatable, so that repeating a part is repeating a list. It matches at its end.
Code = list[Chars | Place | Jump]


def compile_code(nodes: Iterable[Node]) -> Code:
    """Returns the code of a postfix tree."""
    stack: list[Code] = []
    for node in nodes:
        match node:
            case Sequence(count):
                stack.append([step for part in take(stack, count) for step in part])
            case Choice(count):
                stack.append(_choice(take(stack, count)))
            case Repeat(low, high):
                stack.append(_repeat(stack.pop(), low, high))
            case _:
                stack.append([node])
    return stack[0]


def _choice(branches: list[Code]) -> Code:
    total = sum(len(branch) + 1 for branch in branches)
    starts: list[int] = []
    code: Code = []
    for branch in branches:
        starts.append(len(code) + 1)
        code += branch
        code.append(Jump((total - len(code),)))
    return [Jump(tuple(starts)), *code]


def _repeat(part: Code, low: int, high: int | None) -> Code:
    length = len(part)
    if high is None and low == 0:
        return [Jump((1, length + 2)), *part, Jump((-length - 1,))]
    if high is None:
        return [*(part * low), Jump((-length, 1))]
    code = part * low
    for left in range(high - low, 0, -1):
        code += [Jump((1, left * (length + 1))), *part]
    return code


# What stands before a position.
_START, _WORD_BEFORE, _OTHER_BEFORE = range(3)


class State(dict["str | int", "State"]):
    """Where the code may stand; maps a character, or its kind, to the next state."""

    __slots__ = ("automaton", "before", "places")

    def __init__(self, automaton: "Automaton", places: frozenset[int], before: int) -> None:
        super().__init__()
        self.automaton, self.places, self.before = automaton, places, before

    def __missing__(self, character: str | int) -> "State":
        assert isinstance(character, str)
        code = ord(character)
        kind = bisect_right(self.automaton.edges, code)
        state = self.get(kind)
        if state is None:
            state = self.automaton.step(self, code)
        self[kind] = self[character] = state
        self.automaton.held += 2
        return state


class Automaton:
    """Runs one pattern. Threads may share it: a lost race only computes a state twice."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.code = compile_code(nodes)
        used = {step.ranges for step in self.code if isinstance(step, Chars)} | {WORD}
        # Between two edges all characters behave alike.
        self.edges = sorted({edge for ranges in used for a, b in ranges for edge in (a, b + 1)})
        self.found = State(self, frozenset(), _START)
        self.states: dict[tuple[frozenset[int], int], State] = {}
        self.held = 0

    def search(self, text: str) -> bool:
        """Returns whether the pattern matches anywhere in `text`."""
        found = self.found
        state = self.state(frozenset((0,)), _START)
        for character in text:
            state = state[character]
            if state is found:
                return True
        return self.reach(state, None) is None

    def state(self, places: frozenset[int], before: int) -> State:
        if self.held > MAX_HELD:
            self.states, self.held = {}, 0
        key = places, before
        if (state := self.states.get(key)) is None:
            self.held += len(places) + 1
            state = self.states.setdefault(key, State(self, places, before))
        return state

    def step(self, state: State, code: int) -> State:
        reached = self.reach(state, code)
        if reached is None:
            return self.found
        after = {at + 1 for at, chars in reached if contains(chars.ranges, code)}
        before = _WORD_BEFORE if contains(WORD, code) else _OTHER_BEFORE
        return self.state(frozenset(after | {0}), before)

    def reach(self, state: State, code: int | None) -> list[tuple[int, Chars]] | None:
        """Returns the steps that wait for `code`, None (the end) included; None is a match."""
        holds = {
            Place.START: state.before == _START,
            Place.END: code is None,
            Place.BOUNDARY: (state.before == _WORD_BEFORE)
            != (code is not None and contains(WORD, code)),
        }
        waiting: list[tuple[int, Chars]] = []
        stack, seen = list(state.places), set(state.places)
        while stack:
            at = stack.pop()
            if at == len(self.code):
                return None
            step = self.code[at]
            if isinstance(step, Chars):
                waiting.append((at, step))
                continue
            offsets = step.offsets if isinstance(step, Jump) else (1,) if holds[step] else ()
            ahead = {at + offset for offset in offsets} - seen
            seen |= ahead
            stack += ahead
        return waiting
