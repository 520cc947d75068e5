"""Names and values of rules in JSON, the same for both of its shapes, and how they err."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from segment_engine.diagnostics.diagnostic import Diagnostic, Fix, Log
from segment_engine.diagnostics.nearest import nearest
from segment_engine.diagnostics.spans import Pointer, Span
from segment_engine.expression.build import MOST_DIGITS, OR, Builder, TooMany
from segment_engine.expression.nodes import Call, Constant, Expr, fold, placed
from segment_engine.expression.schema import Schema
from segment_engine.language.json_text import LARGEST, load
from segment_engine.language.limits import MAX_WITH_LISTS
from segment_engine.language.parse import parse
from segment_engine.operators.row import Operator, Right
from segment_engine.values.literals import read_duration, read_moment, year_moment
from segment_engine.values.moments import Moment
from segment_engine.values.numbers import normal
from segment_engine.values.paths import quote
from segment_engine.values.types import BOOLEAN, DATETIME, DURATION, FAULTY, NULL, TEXT

Found = TypeVar("Found")

PLACEHOLDERS = ("", "~")
NUMERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.A)
_WORDS = re.compile(r"\w+(?:[\s.-]+\w+)+")
_YEAR = re.compile(r"[0-9]{4}", re.A)
_UNSPEAKABLE = re.compile("[\x00\ud800-\udfff]")
_MOST_DIGITS = 100
_TOO_WIDE = 10**MOST_DIGITS


def read_whole(source: Any, log: Log, read: Callable[[Any], Expr]) -> Expr | None:
    """The rule that `read` finds in JSON, or None with errors in the log.

    `source` is JSON text, or what JSON text gives in Python.
    """
    before = len(log.found)
    content = load(source, log) if isinstance(source, str) else source
    made: Expr | None = None
    if len(log.found) == before:
        with suppress(TooMany):
            made = read(content)
    failed = any(item.severity == "error" for item in log.found[before:])
    return None if failed else made


@dataclass(slots=True)
class ValueReader:
    """Reads values and names of one rule; what is wrong goes to the log and reads as FAULTY."""

    schema: Schema
    log: Log
    build: Builder
    size: int = 0

    def constant(self, op: Operator, wanted: str | None, value: Any, at: Pointer) -> Constant:
        """The literal that a JSON value gives, a text read as the family `wanted`."""
        self.weigh(at, len(value) if isinstance(value, str) else 8)
        match value:
            case None:
                return Constant(None, NULL, at)
            case bool():
                return Constant(value, BOOLEAN, at)
            case int() if op.years and (year := year_moment(value)):
                return Constant(year, DATETIME, at)
            case int() | float() | Decimal():
                return self._number(value, at)
            case str():
                return self._text(op, wanted, value, at)
        return self.misshapen(value, "one value", at)

    def _text(self, op: Operator, wanted: str | None, text: str, at: Pointer) -> Constant:
        if _UNSPEAKABLE.search(text):
            return self._unspeakable(at)
        if wanted == "time":
            return self._moment(op, text, at)
        if wanted == "pattern":
            made = self.build.pattern(text, at, lambda start, end: at)
            return made if isinstance(made, Constant) else faulty(at)
        if wanted == "duration" and (length := read_duration(text)):
            return Constant(length, DURATION, at)
        if wanted == "number" and NUMERAL.fullmatch(text.strip()):
            return self._number(Decimal(text.strip()), at)
        return Constant(text, TEXT, at)

    def _moment(self, op: Operator, text: str, at: Pointer) -> Constant:
        moment: Moment | None = read_moment(text)
        if moment is None and op.years and _YEAR.fullmatch(text):
            moment = year_moment(int(text))
        if moment is not None:
            return Constant(moment, DATETIME, at)
        self.log.error(
            "bad-date",
            f"there is no such time as {quote(text[:60])}",
            at,
            help="write a time as in 2026-01-31, 30 days ago, last month",
        )
        return faulty(at)

    def _number(self, value: int | float | Decimal, at: Pointer) -> Constant:
        exact = Decimal(repr(value)) if isinstance(value, float) else value
        if isinstance(exact, Decimal) and exact.is_nan():
            self.shape("NaN is no number", at)
            return faulty(at)
        if isinstance(exact, Decimal):
            exact = normal(exact) if _is_plain(exact) else _TOO_WIDE
        made = self.build.number(exact, at)
        return made if isinstance(made, Constant) else faulty(at)

    def named(self, name: Any, at: Pointer, what: str) -> Expr:
        """The schema's field of exactly that name, else the value that the text spells."""
        if not isinstance(name, str):
            return self.misshapen(name, "the name of a field", at)
        self.weigh(at, len(name))
        if name in self.schema.specs:
            return self.build.field(name, (), at)
        if name.strip() in PLACEHOLDERS:
            return self.placeholder(what, at)
        if _UNSPEAKABLE.search(name):
            return self._unspeakable(at)
        aside = Log()
        made = parse(name, self.schema, aside, value=True)
        self.log.found.extend(_placed(item, name, self.schema, at) for item in aside.found)
        return faulty(at) if made is None or aside.failed else _moved(made, at)

    def operator(self, name: Any, named: Mapping[str, Found], at: Pointer) -> Found | None:
        """What is `named` so; None where nothing is."""
        if not isinstance(name, str):
            self.misshapen(name, "the name of an operator", at)
        elif name.strip() in PLACEHOLDERS:
            self.placeholder("operator", at)
        elif name not in named:
            near = nearest(name, named)
            message = f"no operator is called {quote(name[:60])}"
            help = None if near else f"there are {', '.join(named)}"
            self.log.error("unknown-operator", message, at, near=near, help=help)
        else:
            return named[name]
        return None

    def audiences(
        self,
        name: Any,
        operators: Mapping[str, bool],
        keys: Sequence[Any],
        at: Pointer,
        values: str,
    ) -> Expr:
        """Membership in one of the audiences `keys`, or in none where the operator negates."""
        if self.ambiguous("audience", at.at("field")):
            return faulty(at)
        negated = self.operator(name, operators, at.at("operator"))
        if not keys:
            self.shape("the key of an audience is missing", at.at(values))
        texts = [key for key in keys if isinstance(key, str) and not _UNSPEAKABLE.search(key)]
        if negated is None or not keys or len(texts) < len(keys):
            if texts != list(keys):
                self.shape("an audience is named by the text of its key", at.at(values))
            return faulty(at)
        parts = [self.build.audience(key, at, at.at(values)) for key in texts]
        made = self.build.logic(OR, parts, at)
        return self.build.negation(made, at) if negated else made

    # ---- what is wrong

    def ambiguous(self, name: str, at: Pointer) -> bool:
        """Whether a field of the schema has the name of a rule, which is reported."""
        if name not in self.schema.specs:
            return False
        message = f"`{name}` is a rule of its own, and a field is called so"
        help = f'the field is written "`{name}`", in backticks'
        self.log.error("ambiguous-field", message, at, help=help)
        return True

    def null(self, at: Pointer, *instead: str) -> None:
        """Reports a comparison with null; `instead` are the operators that ask for it."""
        self.log.error(
            "null-comparison",
            "nothing can be compared with null",
            at,
            help=f"ask for what is missing with the operator {' or '.join(instead)}",
        )

    def _unspeakable(self, at: Pointer) -> Constant:
        self.log.error("bad-character", "a text holds no NUL and no lone surrogate", at)
        return faulty(at)

    def weigh(self, at: Pointer, characters: int) -> None:
        """Adds to the rule's size; TooMany, with the log written, when it is too large."""
        self.size += characters
        if self.size > MAX_WITH_LISTS:
            self.log.error("limit", LARGEST, at)
            raise TooMany

    def placeholder(self, what: str, at: Pointer) -> Constant:
        """Reports that nothing is chosen yet."""
        message = f"no {what} is chosen"
        self.log.error("placeholder", message, at, help="choose one, or take the rule out")
        return faulty(at)

    def misshapen(self, found: Any, wanted: str, at: Pointer) -> Constant:
        """Reports what was found in place of what was wanted."""
        self.shape(f"{_what(found)} stands where {wanted} was expected", at)
        return faulty(at)

    def shape(self, message: str, at: Pointer) -> None:
        """Reports JSON of another shape than a rule's."""
        self.log.error("json-shape", message, at)


def faulty(at: Pointer) -> Constant:
    """What stands for something that was reported."""
    return Constant(None, FAULTY, at)


def _what(found: Any) -> str:
    match found:
        case None:
            return "nothing"
        case bool():
            return "true" if found else "false"
        case int() | float() | Decimal():
            return "a number"
        case str():
            return f"the text {quote(found[:60])}"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return f"a Python {type(found).__name__}"


def _is_plain(value: Decimal) -> bool:
    """Whether its plain spelling is short: `1e999999999` is written in no memory."""
    if not value.is_finite():
        return False
    return len(value.as_tuple().digits) <= _MOST_DIGITS and abs(value.adjusted()) <= _MOST_DIGITS


def wanted_family(op: Operator, left: Expr) -> str | None:
    """What a text at the right of `left` is read as; None: as the text that it is."""
    families = op.takes or {}
    family = left.type.family
    if family in ("any", "faulty"):
        # What takes no text but times takes texts as times; else JSON's own types count.
        family = "text" if "text" in families else next(iter(families))
    kind = families.get(family)
    if kind is Right.PATTERN:
        return "pattern"
    if kind is Right.DURATION:
        return "duration"
    if family == "anniversary":
        return "time"
    element = left.type.element
    return element.family if element else family if kind else None


def _moved(expr: Expr, at: Pointer) -> Expr:
    return fold(expr, lambda node, parts: _node_at(node, parts, at))


def _node_at(node: Expr, parts: tuple[Expr, ...], at: Pointer) -> Expr:
    return replace(node, args=parts, span=at) if isinstance(node, Call) else placed(node, at)


def _placed(item: Diagnostic, text: str, schema: Schema, at: Pointer) -> Diagnostic:
    """A finding inside the text of a field, at the place of the whole text."""
    fixes = tuple(
        Fix(at, text[: fix.span.start] + fix.replacement + text[fix.span.end :])
        for fix in item.fixes
        if isinstance(fix.span, Span)
    )
    wordy = item.code == "syntax" and _WORDS.fullmatch(text)
    near = nearest(text, schema.names) if wordy else ()
    if near:
        message = f"no field is called {quote(text[:60])}"
        return Diagnostic("unknown-field", message, at, near=near)
    return replace(item, span=at, fixes=fixes)
