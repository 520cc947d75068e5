"""The portable subset of regular expressions: its parser, and the tree in postfix order."""

import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from segment_engine.values.pattern_tree import (
    WORD,
    Chars,
    Choice,
    Node,
    Place,
    Ranges,
    Repeat,
    Sequence,
    complement,
    take,
    united,
)

MAX_REPEATS: Final = 1_000
MAX_DEPTH: Final = 50
MAX_SIZE: Final = 20_000


class PatternError(ValueError):
    """A pattern outside the subset; `start` and `end` are code point offsets into it."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message, start, end, hint)
        self.message, self.start, self.end, self.hint = message, start, end, hint

    def __str__(self) -> str:
        return f"{self.message} (at {self.start})"


_DIGIT: Final[Ranges] = ((48, 57),)
_SPACE: Final[Ranges] = ((9, 13), (32, 32))
_CLASSES: Final = {"d": _DIGIT, "w": WORD, "s": _SPACE} | {
    "D": complement(_DIGIT),
    "W": complement(WORD),
    "S": complement(_SPACE),
}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r"}
_ANY: Final = Chars(complement(((10, 10),)))
_SYMBOLS: Final[dict[str, Node]] = {"^": Place.START, "$": Place.END, ".": _ANY}
_REPEATS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}

# What follows "(?", longest spelling first.
_EXTENSIONS: Final = {
    "<=": ("look-around", "say it with a second condition, `and` or `and not`"),
    "<!": ("look-around", "say it with a second condition, `and` or `and not`"),
    "=": ("look-around", "say it with a second condition, `and` or `and not`"),
    "!": ("look-around", "say it with a second condition, `and` or `and not`"),
    "P": ("a named group", "write a plain group: ( )"),
    "<": ("a named group", "write a plain group: ( )"),
    "'": ("a named group", "write a plain group: ( )"),
    ">": ("an atomic group", "write a plain group: ( )"),
    "|": ("a branch reset", "write a plain group: ( )"),
    "#": ("a comment", "leave it out"),
    "(": ("a condition", "write the alternatives with |"),
}
_ESCAPES: Final = {
    "A": ("\\A", "write ^ for the start of the text"),
    "Z": ("\\Z", "write $ for the end of the text"),
    "z": ("\\z", "write $ for the end of the text"),
    "B": ("\\B", "only \\b is there, between a word character and another"),
    "p": ("a Unicode property", "list the characters in a class, such as [a-zà-ÿ]"),
    "P": ("a Unicode property", "list the characters in a class, such as [^a-zà-ÿ]"),
    "k": ("a backreference", "write the text again"),
    "g": ("a backreference", "write the text again"),
    "Q": ("\\Q", "put a backslash before each special character"),
    "E": ("\\E", "put a backslash before each special character"),
    "x": ("\\x", "write the character itself"),
    "u": ("\\u", "write the character itself"),
    "U": ("\\U", "write the character itself"),
} | dict.fromkeys("123456789", ("a backreference", "write the text again"))


_COUNTS: Final = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_PLAIN_AFTER_BACKSLASH: Final = string.punctuation + " "


def _literal(character: str) -> Chars:
    return Chars(((ord(character), ord(character)),))


def _size(nodes: Iterable[Node]) -> int:
    sizes: list[int] = []
    for node in nodes:
        match node:
            case Chars(ranges):
                # A range beyond ASCII costs the engines several UTF-8 byte ranges.
                size = 1 + sum(12 if high > max(low, 127) else 1 for low, high in ranges)
            case Sequence(count):
                size = 1 + sum(take(sizes, count))
            case Choice(count):
                size = 2 * count + sum(take(sizes, count))
            case Repeat(low, high):
                size = max(1, low if high is None else high) * (sizes.pop() + 1)
            case _:
                size = 1
        sizes.append(size)
    return sum(sizes)


@dataclass(slots=True)
class _Group:
    start: int
    parts: int = 0
    choices: int = 1
    repeats: int = 1


class Parser:
    """One pass over the pattern; `groups` holds the open brackets, `nodes` what is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.nodes: list[Node] = []
        self.groups = [_Group(0)]
        # The repeats within the part before `at`; None where nothing can be repeated.
        self.repeatable: int | None = None
        self.repeated_to = -1

    def parse(self) -> tuple[Node, ...]:
        """Returns the tree in postfix order; raises PatternError."""
        self.check_characters()
        while self.at < len(self.text):
            self.part(self.text[self.at])
        if len(self.groups) > 1:
            start = self.groups[-1].start
            raise PatternError("this bracket is never closed", start, start + 1, "add )")
        self.close_group()
        if (size := _size(self.nodes)) > MAX_SIZE:
            message = f"the pattern is too large: size {size:,}, at most {MAX_SIZE:,}"
            raise PatternError(message, 0, len(self.text), "repeat less, or use smaller classes")
        return tuple(self.nodes)

    def check_characters(self) -> None:
        if not self.text:
            hint = "to ask whether there is any value, write `exists`"
            raise PatternError("the pattern is empty", 0, 0, hint)
        for at, character in enumerate(self.text):
            if character == "\0" or "\ud800" <= character <= "\udfff":
                name = f"U+{ord(character):04X}"
                raise PatternError(f"a pattern cannot hold {name}", at, at + 1, "leave it out")

    def part(self, character: str) -> None:
        match character:
            case "(":
                self.open_group()
            case ")":
                self.end_group()
            case "|":
                self.end_branch()
                self.groups[-1].choices += 1
                self.at += 1
            case "*" | "+" | "?" | "{":
                self.repeat(character)
            case "[":
                self.push(Chars(self.character_class()))
            case "\\":
                self.push(self.escape())
            case _:
                self.at += 1
                self.push(_SYMBOLS.get(character) or _literal(character))

    def push(self, node: Node) -> None:
        self.nodes.append(node)
        self.groups[-1].parts += 1
        self.repeatable = None if isinstance(node, Place) else 1

    def open_group(self) -> None:
        if len(self.groups) > MAX_DEPTH:
            message = f"brackets are nested more than {MAX_DEPTH} deep"
            raise PatternError(message, self.at, self.at + 1, "take some brackets away")
        self.groups.append(_Group(self.at))
        self.repeatable = None
        self.at += 1
        if self.text.startswith("?:", self.at):
            self.at += 2
        elif self.text.startswith("?", self.at):
            self.refuse_extension()

    def refuse_extension(self) -> None:
        start, after = self.at - 1, self.at + 1
        for spelling, (name, hint) in _EXTENSIONS.items():
            if self.text.startswith(spelling, after):
                end = after + len(spelling)
                raise PatternError(f"{name} is not supported", start, end, hint)
        hint = "there are no flags; write both letters in a class, such as [Aa]"
        raise PatternError("flags are not supported", start, after, hint)

    def end_branch(self) -> None:
        group = self.groups[-1]
        if group.parts != 1:
            self.nodes.append(Sequence(group.parts))
        group.parts = 0
        self.repeatable = None

    def close_group(self) -> _Group:
        self.end_branch()
        group = self.groups.pop()
        if group.choices > 1:
            self.nodes.append(Choice(group.choices))
        return group

    def end_group(self) -> None:
        if len(self.groups) == 1:
            raise PatternError("no bracket is open here", self.at, self.at + 1, r"write \)")
        inner = self.close_group()
        self.at += 1
        outer = self.groups[-1]
        outer.parts += 1
        outer.repeats = max(outer.repeats, inner.repeats)
        self.repeatable = inner.repeats

    def repeat(self, character: str) -> None:
        start = self.at
        low, high = self.counts() if character == "{" else _REPEATS[character]
        self.at += character != "{"
        if self.repeatable is None:
            self.refuse_repeat(start)
        repeats = self.repeatable * max(1, low if high is None else high)
        if repeats > MAX_REPEATS:
            message = f"this repeats {repeats:,} times, at most {MAX_REPEATS:,}"
            hint = "nested repeats multiply; repeat less, or without end: {m,} or *"
            raise PatternError(message, start, self.at, hint)
        self.at += self.text.startswith("?", self.at)
        self.nodes.append(Repeat(low, high))
        self.groups[-1].repeats = max(self.groups[-1].repeats, repeats)
        self.repeatable, self.repeated_to = None, self.at

    def refuse_repeat(self, start: int) -> NoReturn:
        sign = self.text[start]
        if start != self.repeated_to:
            hint = f"write \\{sign} for the character itself"
            raise PatternError("there is nothing to repeat here", start, self.at, hint)
        if sign == "+":
            message, hint = "possessive repeats are not supported", "leave this + out"
        else:
            message, hint = "a repeat cannot be repeated", "put brackets around the first: (a*)*"
        raise PatternError(message, start, self.at, hint)

    def counts(self) -> tuple[int, int | None]:
        start = self.at
        found = _COUNTS.match(self.text, start)
        if found is None or (found[3] and not found[2]):
            hint = r"write \{ for the character itself; a repeat is {2}, {2,}, {2,5} or {0,5}"
            raise PatternError("this { starts no repeat", start, start + 1, hint)
        self.at = found.end()
        if max(len(found[1].lstrip("0")), len(found[3].lstrip("0"))) > len(str(MAX_REPEATS)):
            message = f"this repeats more than {MAX_REPEATS:,} times"
            raise PatternError(message, start, self.at, "repeat less, or without end: {m,} or *")
        low = int(found[1])
        high = int(found[3]) if found[3] else None if found[2] else low
        if high is not None and high < low:
            hint = f"write {{{high},{low}}}"
            raise PatternError("the counts of this repeat are reversed", start, self.at, hint)
        return low, high

    def escape(self) -> Chars | Place:
        start = self.at
        if start + 1 == len(self.text):
            hint = r"write \\ for a backslash"
            raise PatternError("a backslash at the end escapes nothing", start, start + 1, hint)
        letter = self.text[start + 1]
        self.at += 2
        if letter in _CLASSES:
            return Chars(_CLASSES[letter])
        if letter == "b":
            return Place.BOUNDARY
        if letter in _CONTROLS or letter in _PLAIN_AFTER_BACKSLASH:
            return _literal(_CONTROLS.get(letter, letter))
        plain = f"\\{letter}", f"write {letter} without the backslash"
        name, hint = _ESCAPES.get(letter, plain)
        raise PatternError(f"{name} is not supported", start, self.at, hint)

    def character_class(self) -> Ranges:
        start = self.at
        negated = self.text.startswith("[^", start)
        first = self.at = start + 1 + negated
        parts: list[tuple[int, int]] = []
        while not self.text.startswith("]", self.at):
            if self.at == len(self.text):
                raise PatternError("this class is never closed", start, start + 1, "add ]")
            parts += self.class_part(first)
        self.at += 1
        if not parts:
            hint = r"write \] for the bracket itself"
            raise PatternError("this class is empty", start, self.at, hint)
        ranges = complement(united(parts)) if negated else united(parts)
        if not ranges:
            raise PatternError("this class has no character", start, self.at, "leave it out")
        return ranges

    def class_part(self, first: int) -> Ranges:
        start = self.at
        self.refuse_set_operation()
        if start != first and self.dash_inside():
            hint = r"write \- for the dash itself"
            raise PatternError("this dash is neither a range nor plain", start, start + 1, hint)
        low = self.class_item()
        if not self.dash_inside():
            return low
        self.refuse_set_operation()
        self.at += 1
        high = self.class_item()
        return self.class_range(low, high, start)

    def dash_inside(self) -> bool:
        """Whether a dash is next and a further character of the class after it."""
        return self.text[self.at : self.at + 2] not in ("-", "-]") and self.text.startswith(
            "-", self.at
        )

    def class_range(self, low: Ranges, high: Ranges, start: int) -> Ranges:
        (first, after_first), (last, after_last) = low[0], high[0]
        if first != after_first or last != after_last:
            hint = r"write \- for the dash itself"
            message = "a range needs one character on each side"
            raise PatternError(message, start, self.at, hint)
        if first > last:
            hint = r"write the smaller character first, or \- for the dash itself"
            raise PatternError("this range is reversed", start, self.at, hint)
        return ((first, last),)

    def refuse_set_operation(self) -> None:
        pair = self.text[self.at : self.at + 2]
        if pair in ("&&", "~~", "--"):
            hint = f"write \\{pair[0]} for the character itself"
            raise PatternError(f"{pair} in a class is not supported", self.at, self.at + 2, hint)

    def class_item(self) -> Ranges:
        start, character = self.at, self.text[self.at]
        if character == "[":
            self.refuse_nested_class()
        if character == "\\":
            node = self.escape()
            if isinstance(node, Place):
                hint = r"write \b outside the class"
                raise PatternError(r"\b has no place in a class", start, self.at, hint)
            return node.ranges
        self.at += 1
        return _literal(character).ranges

    def refuse_nested_class(self) -> NoReturn:
        if self.text.startswith("[:", self.at) and (end := self.text.find(":]", self.at)) > 0:
            hint = r"write the characters: a-z, A-Z, \d, \w, \s"
            raise PatternError("POSIX classes are not supported", self.at, end + 2, hint)
        hint = r"write \[ for the bracket itself"
        message = "a class in a class is not supported"
        raise PatternError(message, self.at, self.at + 1, hint)
