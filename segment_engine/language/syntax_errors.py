"""What a syntax error says: what was found, what could stand there, what was perhaps meant."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from segment_engine.diagnostics.diagnostic import Diagnostic, Fix
from segment_engine.diagnostics.nearest import nearest
from segment_engine.diagnostics.spans import Span
from segment_engine.language.misspellings import BEFORE_VALUES, TERMINALS, WORDS
from segment_engine.operators.row import Shape
from segment_engine.operators.table import spelled
from segment_engine.values.moments import UNITS
from segment_engine.values.paths import quote

_SPELLED = spelled(*TERMINALS)
_PLAIN = [word for word in _SPELLED if not word.startswith("not ")]
_OPERATORS = frozenset(TERMINALS.values()) - BEFORE_VALUES
_NEGATED = {
    row.words[0]: row.negated[0]
    for row, _ in spelled(Shape.COMPARE, Shape.POSTFIX).values()
    if row.negated
}
_OPERATOR_NEXT = re.compile(
    r"\s*(?:[=!<>]|(?ai:" + "|".join(word for word in _PLAIN if word[0].isalpha()) + r")(?!\w))"
)
_LOOK_ALIKES = {
    **{"≥": ">=", "≤": "<=", "≠": "!=", "＝": "=", "＞": ">", "＜": "<"},
    **{"−": "-", "–": "-", "×": "*", "÷": "/", "，": ",", "（": "(", "）": ")"},
}
_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"[0-9]+(?:_[0-9]+)+"), lambda word: word.replace("_", "")),
    (re.compile(r"[0-9]+\."), lambda word: word[:-1]),
    (re.compile(r"[0-9]{1,9}[kK]"), lambda word: word[:-1] + "000"),
    (re.compile(r"[0-9]{1,3}(?:\.[0-9]{3}){2,}"), lambda word: word.replace(".", "")),
    (re.compile(r"[1-9][0-9]{0,8}[eE][0-9]"), lambda word: word[:-2] + "0" * int(word[-1])),
)


def empty_rule(text: str) -> Diagnostic:
    """A rule of nothing: nobody is meant, never everybody."""
    return Diagnostic(
        "empty-rule",
        "the rule is empty",
        Span(0, len(text)),
        help="write a comparison such as `totalOrders > 2`; `true` keeps everybody",
    )


# ---- characters


def bad_character(text: str, at: int) -> Diagnostic:
    """A character with which nothing begins, or a text that does not end."""
    char = text[at]
    if char in "\"'`":
        return _unterminated(text, at)
    if char.isdigit():
        return _no_number(text, at)
    fix = _LOOK_ALIKES.get(char)
    fixes = (Fix(Span(at, at + 1), fix),) if fix else ()
    help = None if fix else _instead_of(text, at)
    message = f"{_named(char)} means nothing here"
    return Diagnostic("bad-character", message, Span(at, at + 1), fixes=fixes, help=help)


def _unterminated(text: str, at: int) -> Diagnostic:
    char, end = text[at], text.find("\n", at)
    what = "name" if char == "`" else "text"
    help = f"close it with {char}" + ("" if char == "`" else "; a line break inside is \\n")
    if text[at - 1 : at].isdigit() and text[at + 1 : at + 2].isdigit():
        help = "a number has no separators, as in `1000`"
    span = Span(at, len(text) if end < 0 else end)
    return Diagnostic("unterminated-text", f"the {what} does not end on its line", span, help=help)


def _no_number(text: str, at: int) -> Diagnostic:
    found = re.compile(r"[\w.]+").match(text, at)
    span = Span(at, found.end() if found else at + 1)
    word = text[span.start : span.end]
    fix = next((read(word) for form, read in _NUMBERS if form.fullmatch(word)), None)
    return Diagnostic(
        "syntax",
        f"`{word}` is no number",
        span,
        fixes=(Fix(span, fix),) if fix else (),
        help=None if fix else "a number is digits with at most one point, without an exponent",
    )


def _instead_of(text: str, at: int) -> str:
    char = text[at]
    if not char.isprintable():
        return "it cannot be seen and often comes along when a rule is pasted: delete it"
    if char == ":" and text[at - 1 : at].isdigit():
        return "a time of day stands behind its date, as in `2026-01-31T10:00`"
    if char == ".":
        return "a key follows its point at once, as in `metadata.tier`"
    if char == "~":
        return "a pattern is looked for with `matches`"
    if char == ";":
        return "leave it out: a rule ends where its text ends"
    if char in "{}":
        return "a list stands in round brackets, as in `in (1, 2)`"
    return "a text stands in quotes"


def _named(char: str) -> str:
    return f"`{char}`" if char.isprintable() else f"the character U+{ord(char):04X}"


# ---- tokens


@dataclass(frozen=True, slots=True)
class _Found:
    """A token that cannot stand where it stands."""

    text: str
    kind: str
    start: int
    end: int
    expected: set[str]

    @property
    def word(self) -> str:
        return self.text[self.start : self.end]

    @property
    def before(self) -> str:
        """The little that stands before it."""
        return self.text[max(0, self.start - 100) : self.start]

    @property
    def wants_operator(self) -> bool:
        return bool(self.expected & _OPERATORS)

    @property
    def wants_value(self) -> bool:
        return "NAME" in self.expected


def unexpected(text: str, kind: str, start: int, end: int, expected: set[str]) -> Diagnostic:
    """A token that cannot stand where it stands."""
    if kind == "$END":
        end = len(text.rstrip())
        ending = f"the rule ends where {_wanted(expected)}"
        span = Span(end, min(end + 1, len(text)))
        return Diagnostic("syntax", ending, span, help=_unclosed(text, expected))
    found = _Found(text, kind, start, end, expected)
    fixes, near = _fixes(found), _near(found)
    return Diagnostic(
        "syntax",
        f"`{found.word}` stands where {_wanted(expected)}",
        Span(start, end),
        fixes=fixes,
        near=near,
        help=None if fixes or near else _help(found),
    )


def _wanted(expected: set[str]) -> str:
    if expected == {"STRING"}:
        return "the key of an audience in quotes was expected"
    if expected & _OPERATORS:
        last = "`or` or `)`" if "RPAR" in expected else "or `or`"
        return f"an operator, `and`{',' if 'RPAR' in expected else ''} {last} was expected"
    if "NAME" in expected:
        return "a field or a value was expected"
    if expected == {"LPAR"}:
        return "a list in brackets, as in `(1, 2)`, was expected"
    if "_COMMA" in expected and "RPAR" in expected:
        return "`,` or `)` was expected"
    if "_AND" in expected and "_OR" not in expected and "$END" not in expected:
        return "the `and` of `between ... and ...` was expected"
    if "RPAR" in expected:
        return "`and`, `or` or `)` was expected"
    if "$END" in expected:
        return "`and`, `or` or the end was expected"
    if expected & {"STRING", "NUMBER"}:
        return 'an index as in `[0]` or a key as in `["key"]` was expected'
    return "something else was expected"


def _unclosed(text: str, expected: set[str]) -> str | None:
    return "close the bracket with `)`" if "RPAR" in expected and "(" in text else None


def _fixes(found: _Found) -> tuple[Fix, ...]:
    """`phone not exists`, `email not = "x"` and `.5`: what was meant is certain."""
    if found.kind == "DOTKEY" and found.wants_value and found.word[1:].isdigit():
        return (Fix(Span(found.start, found.end), f"0{found.word}"),)
    if found.kind == "NAME" and found.expected == {"STRING"}:
        return (Fix(Span(found.start, found.end), quote(found.word)),)
    word = " ".join(found.word.lower().split())
    negation = re.search(r"(?i)(?<!\w)not\s*\Z", found.before)
    if negation is None or found.wants_value or word not in _NEGATED:
        return ()
    start = found.start - len(found.before) + negation.start()
    return (Fix(Span(start, found.end), _NEGATED[word]),)


def _near(found: _Found) -> tuple[str, ...]:
    if found.kind != "NAME":
        return ()
    word = found.word.lower()
    if _AFTER_A_NUMBER.search(found.before):
        return nearest(word, (f"{unit}s" for unit in UNITS), 1)
    if not found.wants_operator:
        return ()
    holding = tuple(known for known in _PLAIN if word in known.split())
    if holding:
        return holding[:3]
    phrase = re.compile(r"\w+(?:\s+\w+)?").match(found.text, found.start)
    known = [*_PLAIN, *WORDS]
    close = nearest(phrase[0] if phrase else word, known, 2) or nearest(word, known, 2)
    return tuple(dict.fromkeys(WORDS.get(name, name) for name in close))


_AFTER_A_NUMBER = re.compile(r"(?<![\w.])[0-9]+\s+\Z")


def _help(found: _Found) -> str | None:
    advisers = (_on_audiences, _on_words, _on_signs, _on_numbers, _on_what_is_missing)
    return next((help for adviser in advisers if (help := adviser(found))), None)


def _on_audiences(found: _Found) -> str | None:
    if found.kind == "AUDIENCE":
        return "it asks for the consumer itself, so no value stands before it"
    if found.kind == "LPAR" and found.expected == {"STRING"}:
        return 'write one audience at a time: `in audience "a" or in audience "b"`'
    return None


def _on_words(found: _Found) -> str | None:
    if not found.wants_value:
        return None
    if found.kind in _RESERVED and _OPERATOR_NEXT.match(found.text, found.end):
        return f"a field of that name is written `{found.word}` in backticks"
    if found.kind == "COMPARE" and re.search(r"(?i)(?<!\w)not\s*\Z", found.before):
        return "a field of the name `not` is written in backticks"
    if found.kind in ("_AND", "_OR"):
        return f"a condition is missing before `{found.word}`, or it is one too many"
    return None


def _on_signs(found: _Found) -> str | None:
    match found.kind:
        case "PLUS":
            return "leave it out: numbers are positive without a sign"
        case "COMPARE" if found.wants_value:
            return "one operator stands between two values, as in `totalOrders > 2`"
        case "COMPARE" if not found.wants_operator:
            return "a condition is true or false by itself and not compared again"
        case "RPAR" if "RPAR" not in found.expected:
            return "something is missing before it" if found.wants_value else "no bracket is open"
        case "LSQB":
            return "a list stands in round brackets, as in `in (1, 2)`"
        case "SLASH" if found.wants_value:
            return "a pattern stands in quotes"
    return None


def _on_numbers(found: _Found) -> str | None:
    digits = found.kind in ("NUMBER", "MONEY")
    if digits and re.search(r"(?<!\w)[A-Z]{2,3}\s*\Z", found.before):
        return "an amount is a plain number, without a currency"
    if digits and re.search(r"[0-9]\s+\Z", found.before):
        return "a number has no blanks inside, as in `1000`"
    if digits and _MONTH_NAME.search(found.before):
        return "a date is spelt as in 2026-01-31"
    if found.word.lower().removesuffix("s") in UNITS and found.before.rstrip()[-1:].isdigit():
        return "a length of time is a whole number, a blank and a unit, as in `30 days`"
    around = found.before[-1:], found.text[found.end : found.end + 1]
    if found.kind == "_COMMA" and all(map(str.isdigit, around)):
        return "decimals follow a point, and thousands have no separator, as in `1000.50`"
    return None


def _on_what_is_missing(found: _Found) -> str | None:
    if found.expected == {"_AND"} or ("_AND" in found.expected and "_OR" not in found.expected):
        return "write the bounds as in `between 5 and 10`"
    if found.kind == "_COMMA" and found.wants_operator:
        return "a list follows `in`, `contains any` or `contains all`"
    if found.kind == "NAME" and found.before[-1:] in ('"', "'"):
        return "a quote inside a text has a backslash before it, or quotes of the other kind around"
    key = re.search(r"\.(\w+)\s+\Z", found.before)
    if found.kind == "NAME" and found.wants_operator and key:
        return f'a key with a blank in it is written `["{key[1]} {found.word}"]`'
    if found.wants_operator:
        return "an operator stands between a field and its value, as in `totalOrders > 2`"
    if "_OR" in found.expected and found.kind in _STARTS:
        return "conditions are joined by `and` or `or`; a text stands in quotes"
    return None


_MONTH_NAME = re.compile(
    r"(?<!\w)(?ai:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[.]?\s+\Z"
)
_RESERVED = frozenset({"_AND", "_OR", "NOT", "BETWEEN", "LISTED", "TRUE", "FALSE", "NULL"})
_STARTS = frozenset({"NAME", "QUOTED_NAME", "STRING", "NUMBER", "DURATION", "MOMENT", "_COMMA"})
