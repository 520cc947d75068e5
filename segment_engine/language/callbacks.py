"""What each rule of the grammar builds, at the moment the parser has recognised it."""

from decimal import Decimal
from typing import Any, Protocol

from segment_engine.diagnostics.nearest import nearest
from segment_engine.diagnostics.spans import Span
from segment_engine.expression.build import AND, OR, Builder
from segment_engine.expression.nodes import Constant, Expr, placed
from segment_engine.language.misspellings import TERMINALS, normal_words, read_money
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import operator, spelled
from segment_engine.values.literals import read_duration, read_moment
from segment_engine.values.paths import BadEscape, Steps, unquote
from segment_engine.values.types import ANY, BOOLEAN, DATETIME, DURATION, FAULTY, NULL, TEXT

_SPELLED = spelled(*TERMINALS)
_FUNCTIONS = {word: row for word, (row, _) in spelled(Shape.FUNCTION).items()}
_ARITHMETIC = {
    "+": operator("add"),
    "-": operator("subtract"),
    "*": operator("multiply"),
    "/": operator("divide"),
}
_NEGATE = operator("negate")
_BETWEEN = operator("between")

Children = list[Any]


class Current(Protocol):
    """Whose parse is running in this thread."""

    builder: Builder


def span_of(token: Any) -> Span:
    """The characters of a token."""
    return Span(token.start_pos, token.end_pos)


def _spelling(token: str) -> tuple[Operator, bool]:
    found = _SPELLED.get(token)
    return found if found is not None else _SPELLED[normal_words(token)]


class Callbacks:
    """One method for each rule or alternative of the grammar; children are tokens and nodes."""

    def __init__(self, now: Current) -> None:
        self._now = now

    # ---- logic

    def either(self, parts: Children) -> Expr:
        """a or b or ..."""
        return self._logic(OR, parts)

    def both(self, parts: Children) -> Expr:
        """a and b and ..."""
        return self._logic(AND, parts)

    def _logic(self, op: Operator, parts: Children) -> Expr:
        return self._now.builder.logic(op, parts, parts[0].span.to(parts[-1].span))

    def negation(self, children: Children) -> Expr:
        """not a"""
        word, part = children
        return self._now.builder.negation(part, Span(word.start_pos, part.span.end))

    def bracketed(self, children: Children) -> Expr:
        """( a )"""
        opening, inner, closing = children
        return placed(inner, Span(opening.start_pos, closing.end_pos))

    # ---- predicates

    def comparison(self, children: Children, negated: bool = False) -> Expr:
        """x = y, x contains y, x in (...), x within last y; maybe ignoring case"""
        left, word, right = children[:3]
        op, negates = _spelling(word)
        folds = len(children) > 3
        end = children[3].end_pos if folds else right.span.end
        return self._now.builder.predicate(
            op,
            [left, right],
            Span(left.span.start, end),
            negated=negated is not negates,
            ignoring_case=folds,
        )

    def negated_comparison(self, children: Children) -> Expr:
        """x not contains y ..."""
        return self.comparison([children[0], *children[2:]], negated=True)

    def between(self, children: Children, negated: bool = False) -> Expr:
        """x between low and high"""
        left, _, low, high = children
        span = left.span.to(high.span)
        return self._now.builder.predicate(_BETWEEN, [left, low, high], span, negated=negated)

    def negated_between(self, children: Children) -> Expr:
        """x not between low and high"""
        return self.between([children[0], *children[2:]], negated=True)

    def postfix(self, children: Children) -> Expr:
        """x exists, x is missing ..."""
        left, word = children
        op, negated = _spelling(word)
        span = Span(left.span.start, word.end_pos)
        return self._now.builder.predicate(op, [left], span, negated=negated)

    def audience(self, children: Children) -> Expr:
        """in audience 'x'"""
        word, name = children
        key = self._unquoted(name)
        span = Span(word.start_pos, name.end_pos)
        if key is None:
            return Constant(None, FAULTY, span)
        return self._now.builder.audience(key, span, span_of(name))

    def listing(self, children: Children) -> Expr:
        """( a, b, c )"""
        items = tuple(children[1:-1])
        return Constant(items, ANY, Span(children[0].start_pos, children[-1].end_pos))

    # ---- values

    def arithmetic(self, children: Children) -> Expr:
        """x + y ..."""
        left, sign, right = children
        span = left.span.to(right.span)
        return self._now.builder.function(_ARITHMETIC[sign], [left, right], span)

    def negative(self, children: Children) -> Expr:
        """-x"""
        sign, value = children
        span = Span(sign.start_pos, value.span.end)
        return self._now.builder.function(_NEGATE, [value], span)

    def function(self, children: Children) -> Expr:
        """year(x) ..."""
        name, _, argument, closing = children
        span = Span(name.start_pos, closing.end_pos)
        op = _FUNCTIONS.get(name.lower())
        if op is not None:
            return self._now.builder.function(op, [argument], span)
        self._now.builder.log.error(
            "unknown-function",
            f"no function is called `{name}`",
            span_of(name),
            near=nearest(name, _FUNCTIONS),
            help=f"there are {', '.join(_FUNCTIONS)}",
        )
        return Constant(None, FAULTY, span)

    def prefix(self, children: Children) -> Expr:
        """anniversary of x"""
        word, value = children
        span = Span(word.start_pos, value.span.end)
        return self._now.builder.function(_spelling(word)[0], [value], span)

    # ---- fields

    def field(self, children: Children) -> Expr:
        """name.key[0]["key"]"""
        name = children[0]
        root = name[1:-1] if name.type == "QUOTED_NAME" else str(name)
        steps: Steps = tuple(step for step, _ in children[1:])
        end = children[-1][1] if steps else name.end_pos
        return self._now.builder.field(root, steps, Span(name.start_pos, end))

    def key(self, children: Children) -> tuple[str, int]:
        """.key"""
        return children[0][1:], children[0].end_pos

    def quoted_key(self, children: Children) -> tuple[str, int]:
        """["key"]"""
        return self._unquoted(children[1]) or "", children[2].end_pos

    def index(self, children: Children) -> tuple[int, int]:
        """[0]"""
        digits = children[1]
        if not digits.isdigit() or len(digits) > 9:
            self._now.builder.log.error(
                "syntax", "an index is a whole number", span_of(digits), help="write `[0]`"
            )
            return 0, children[2].end_pos
        return int(digits), children[2].end_pos

    # ---- literals

    def number(self, children: Children) -> Expr:
        """5, 19.90"""
        return self._number(children[0], children[0], None)

    def money(self, children: Children) -> Expr:
        """$500, 500 USD: the unit is reported where the field is known"""
        return self._number(children[0], *read_money(children[0]))

    def _number(self, token: Any, digits: str, unit: str | None) -> Expr:
        span, builder = span_of(token), self._now.builder
        if digits[0] == "0" and digits[1:2].isdigit():
            plain = digits.lstrip("0")
            plain = f"0{plain}" if not plain[:1].isdigit() else plain
            builder.log.slip("number-format", "a number has no leading zeros", span, plain)
            digits = plain
        if len(digits) > 100:
            digits = "9" * 100
        if "." not in digits:
            return builder.number(int(digits), span, unit)
        whole, _, fraction = digits.partition(".")
        fraction = fraction.rstrip("0")
        value = Decimal(f"{whole}.{fraction}") if fraction else int(whole)
        return builder.number(value, span, unit)

    def text(self, children: Children) -> Expr:
        """'text'"""
        token = children[0]
        text = self._unquoted(token)
        return Constant(text, TEXT if text is not None else FAULTY, span_of(token))

    def _unquoted(self, token: Any) -> str | None:
        log, start = self._now.builder.log, token.start_pos
        try:
            text = unquote(token)
        except BadEscape as fault:
            span = Span(start + fault.start, min(start + fault.end, token.end_pos))
            known = r"escapes are \" \' \\ \n \t \uXXXX; write \\ for a backslash"
            log.error("bad-escape", "there is no such escape", span, help=known)
            return None
        if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
            log.error("bad-character", "a text holds no NUL and no lone surrogate", span_of(token))
            return None
        return text

    def pattern(self, children: Children) -> Expr:
        """the text after `matches`, taken as it stands"""
        token = children[0]
        inside = token.start_pos + 1
        return self._now.builder.pattern(
            token[1:-1],
            span_of(token),
            lambda start, end: Span(inside + start, max(inside + end, inside + start + 1)),
        )

    def true(self, children: Children) -> Expr:
        """true"""
        return Constant(True, BOOLEAN, span_of(children[0]))

    def false(self, children: Children) -> Expr:
        """false"""
        return Constant(False, BOOLEAN, span_of(children[0]))

    def null(self, children: Children) -> Expr:
        """null"""
        return Constant(None, NULL, span_of(children[0]))

    def moment(self, children: Children) -> Expr:
        """now, 2026-01-31, 30 days ago ..."""
        token = children[0]
        moment = read_moment(token)
        if moment is None:
            self._now.builder.log.error(
                "bad-date", f"there is no such time as `{token}`", span_of(token)
            )
            return Constant(None, FAULTY, span_of(token))
        return Constant(moment, DATETIME, span_of(token))

    def duration(self, children: Children) -> Expr:
        """30 days"""
        token = children[0]
        length = read_duration(token)
        if length is None:
            self._now.builder.log.error(
                "bad-duration", "a length of time is a whole number, 1 or more", span_of(token)
            )
            return Constant(None, FAULTY, span_of(token))
        return Constant(length, DURATION, span_of(token))
