"""Slips of spelling: tokens that are none of ours, the tokens that were meant, and the fix."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from segment_engine.operators.row import Shape
from segment_engine.operators.table import spelled
from segment_engine.values.literals import read_moment
from segment_engine.values.moments import Duration
from segment_engine.values.paths import quote

Tokens = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a slip means: `tokens` (type, text) stand in its place, `fixes` are alternatives.

    `takes_next` says that the token after it was read and is replaced too.
    """

    code: str
    message: str
    tokens: Tokens
    fixes: tuple[str, ...]
    takes_next: bool = False


TERMINALS = {
    Shape.COMPARE: "COMPARE",
    Shape.INFIX: "INFIX",
    Shape.POSTFIX: "POSTFIX",
    Shape.LISTED: "LISTED",
    Shape.BETWEEN: "BETWEEN",
    Shape.LASTING: "LASTING",
    Shape.PREFIX: "PREFIX",
    Shape.AUDIENCE: "AUDIENCE",
}

BEFORE_VALUES = frozenset({"PREFIX", "AUDIENCE"})
"""Terminals of operators that stand where a value or a condition begins."""

WORDS = {
    "equals": "=",
    "equal to": "=",
    "is equal to": "=",
    "not equal to": "!=",
    "is not equal to": "!=",
    "does not equal": "!=",
    "greater than": ">",
    "is greater than": ">",
    "greater than or equal to": ">=",
    "is greater than or equal to": ">=",
    "more than": ">",
    "is more than": ">",
    "less than": "<",
    "is less than": "<",
    "less than or equal to": "<=",
    "is less than or equal to": "<=",
    "at least": ">=",
    "is at least": ">=",
    "at most": "<=",
    "is at most": "<=",
    "is in": "in",
    "is one of": "in",
    "one of": "in",
    "is not in": "not in",
    "is not one of": "not in",
    "is between": "between",
    "is not between": "not between",
    "is before": "before",
    "is after": "after",
    "is on": "on",
    "is older than": "older than",
    "is within last": "within last",
    "newer than": "within last",
    "is newer than": "within last",
    "since": ">=",
    "until": "<=",
    "begins with": "starts with",
    "startswith": "starts with",
    "endswith": "ends with",
    "includes": "contains",
    "regexp": "matches",
    "regex": "matches",
    "does not contain": "not contains",
    "doesn't contain": "not contains",
    "does not include": "not contains",
    "does not start with": "not starts with",
    "does not begin with": "not starts with",
    "does not end with": "not ends with",
    "does not match": "not matches",
    "contains any of": "contains any",
    "contains all of": "contains all",
    "does not exist": "is missing",
    "doesn't exist": "is missing",
    "not null": "exists",
    "is not missing": "exists",
    "is not present": "is missing",
    "is present": "exists",
    "is set": "exists",
    "is not set": "is missing",
    "is unset": "is missing",
    "is blank": "is empty",
    "is not blank": "is not empty",
    "within the last": "within last",
    "within past": "within last",
    "within the past": "within last",
    "in last": "within last",
    "in the last": "within last",
    "in the past": "within last",
    "within the next": "within next",
    "in next": "within next",
    "in the next": "within next",
}

_SPELLED = spelled(*TERMINALS)
_COMPARES = {"==": "=", "=>": ">=", "=<": "<=", "<>": "!="}
_UNITS = {"min": "minute", "mo": "month", "h": "hour", "d": "day", "w": "week"}
_UNITS |= {"q": "quarter", "y": "year"}
_QUOTES = "“”„«»‘’‚‹›"
_SIGN_CODES = "$€£¥"


def tokens_of(words: str) -> Tokens:
    """The tokens that a spelling of the operator table consists of."""
    row, negated = _SPELLED[words]
    if negated and words.startswith("not "):
        return [("NOT", "not"), (TERMINALS[row.shape], row.words[0])]
    return [(TERMINALS[row.shape], words)]


def normal_words(text: str) -> str:
    """Words in lower case with one blank between them."""
    return " ".join(text.lower().split())


def _words(text: str, following: str | None) -> Reading:
    meant = WORDS[normal_words(text)]
    message = f"`{' '.join(text.split())}` is spelt `{meant}`"
    return Reading("operator-spelling", message, tokens_of(meant), (meant,))


def _compare(text: str, following: str | None) -> Reading:
    meant = _COMPARES[text]
    return Reading("operator-spelling", f"`{text}` is spelt `{meant}`", tokens_of(meant), (meant,))


def _logic(kind: str, word: str) -> Callable[[str, str | None], Reading]:
    def read(text: str, following: str | None) -> Reading:
        fix = f"{word} " if word == "not" else word
        return Reading("operator-spelling", f"`{text}` is spelt `{word}`", [(kind, word)], (fix,))

    return read


def _like(text: str, following: str | None) -> Reading:
    """`LIKE "a%"`: which operator says it depends on where the wildcards stand."""
    no = "not " if text.lower().startswith("not") else ""
    message = "there is no `like`: `%` and `_` are plain characters"
    if following is None or following[0] not in "\"'":
        fixes = tuple(f"{no}{word}" for word in ("contains", "starts with", "ends with", "matches"))
        return Reading("operator-spelling", message, tokens_of(fixes[0]), fixes)
    words, literal = _wildcards(following[1:-1], no)
    kind = "PATTERN" if words.endswith("matches") else "STRING"
    tokens, fix = [*tokens_of(words), (kind, literal)], f"{words} {literal}"
    if text.lower().endswith("ilike") and kind == "STRING":
        tokens, fix = [*tokens, ("FOLD", "ignoring case")], f"{fix} ignoring case"
    return Reading("operator-spelling", message, tokens, (fix,), takes_next=True)


def _wildcards(body: str, no: str) -> tuple[str, str]:
    """The operator and the literal that mean the same as a text with SQL's wildcards."""
    bare = body.strip("%")
    if not bare or "_" in bare or "%" in bare:
        return f"{no}matches", f'"^{"".join(map(_wildcard, body))}$"'
    sides = body.startswith("%"), body.endswith("%")
    words = {(True, True): "contains", (False, True): "starts with", (True, False): "ends with"}
    return no + words[sides] if any(sides) else "!=" if no else "=", quote(bare)


def _wildcard(char: str) -> str:
    return {"%": ".*", "_": "."}.get(char, re.escape(char) if char in ".^$*+?{}[]|()\\" else char)


def _period(text: str, following: str | None) -> Reading:
    words = normal_words(text).split()
    which, unit = ("last" if words[-2] == "past" else words[-2]), words[-1]
    fixes = (f"during {which} {unit}", f"within {which} 1 {unit}")
    message = f"`{normal_words(text)}` is either the whole {which} {unit} or a length of time"
    tokens = [("INFIX", "during"), ("MOMENT", f"{which} {unit}")]
    return Reading("ambiguous-period", message, tokens, fixes)


def _string(text: str, following: str | None) -> Reading:
    fixed = quote(text[1:-1])
    return Reading("smart-quotes", "these are not plain quotes", [("STRING", fixed)], (fixed,))


def _count(text: str) -> tuple[int, list[str]]:
    digits, unit = re.match(r"-?([0-9]+)_?([a-zA-Z]+)", text).groups()  # type: ignore[union-attr]
    unit = unit.lower().removesuffix("s") if len(unit) > 3 else unit.lower()
    choices = ["minute", "month"] if unit == "m" else [_UNITS.get(unit, unit)]
    return min(int(digits[:18]), 10**9), choices


def _ago(text: str, following: str | None) -> Reading:
    count, units = _count(text)
    fixes = tuple(f"{Duration(count, unit).text} ago" for unit in units)
    return Reading("short-duration", "a time ago is spelt out", [("MOMENT", fixes[0])], fixes)


def _duration(text: str, following: str | None) -> Reading:
    count, units = _count(text)
    fixes = tuple(Duration(count, unit).text for unit in units)
    message = "a length of time is a number, a blank and a unit"
    return Reading("short-duration", message, [("DURATION", fixes[0])], fixes)


def _thousands(text: str, following: str | None) -> Reading:
    plain = text.replace(",", "")
    message = "a number has no separators"
    return Reading("number-format", message, [("NUMBER", plain)], (plain,))


def _money(text: str, following: str | None) -> Reading:
    """Reported where the field and so its currency are known; the token keeps the unit."""
    return Reading("", "", [("MONEY", text)], ())


def read_money(text: str) -> tuple[str, str]:
    """The plain number and the currency (a sign or a code) of a MONEY token."""
    number = re.sub(r"[^0-9.]", "", text)
    unit = re.sub(r"[0-9,.\s]", "", text).upper()
    return number, unit


def _percent(text: str, following: str | None) -> Reading:
    number = text.rstrip("% \t")
    share = f"{float(number) / 100:.12f}".rstrip("0").rstrip(".")
    message = "there are no percentages: numbers compare as they are stored"
    return Reading("number-format", message, [("NUMBER", number)], (number, share))


def _date(text: str, following: str | None) -> Reading:
    fixes = tuple(dict.fromkeys(date for date in _dates(text) if read_moment(date)))
    message = "a date is spelt 2026-01-31, a datetime 2026-01-31T10:00:00"
    tokens = [("MOMENT", fixes[0] if fixes else "2000-01-01")]
    return Reading("date-format", message, tokens, fixes)


def _dates(text: str) -> list[str]:
    if ":" in text:
        day, time = re.split(r"[ tT]+", text, maxsplit=1)
        time = re.sub(r"^([0-9]):", r"0\1:", time.upper().replace(" ", ""))
        return [f"{day}T" + re.sub(r"([+-][0-9]{2})([0-9]{2})$", r"\1:\2", time)]
    first, second, third = (int(part) for part in re.split(r"[/.-]", text))
    if first > 999:
        return [f"{first:04}-{second:02}-{third:02}"]
    day_first = f"{third:04}-{second:02}-{first:02}"
    return [day_first] if "." in text else [f"{third:04}-{first:02}-{second:02}", day_first]


READERS: dict[str, Callable[[str, str | None], Reading]] = {
    "SLIP_WORDS": _words,
    "SLIP_COMPARE": _compare,
    "SLIP_AND": _logic("_AND", "and"),
    "SLIP_OR": _logic("_OR", "or"),
    "SLIP_NOT": _logic("NOT", "not"),
    "SLIP_LIKE": _like,
    "SLIP_PERIOD": _period,
    "SLIP_STRING": _string,
    "SLIP_AGO": _ago,
    "SLIP_DURATION": _duration,
    "SLIP_THOUSANDS": _thousands,
    "SLIP_MONEY": _money,
    "SLIP_PERCENT": _percent,
    "SLIP_DATE": _date,
}
