"""What may come at a place of a rule, whatever has been typed of it yet."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Literal

from segment_engine.expression.nodes import Constant, Expr, Field
from segment_engine.expression.schema import FieldSpec, Schema
from segment_engine.expression.slips import SCALAR_FAMILIES
from segment_engine.expression.spelling import spell_field, spell_value
from segment_engine.language.misspellings import TERMINALS, normal_words
from segment_engine.language.parse import Word
from segment_engine.language.standing import OPERATORS, Standing
from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.operators.table import of_shape, operator, spelled
from segment_engine.values.moments import UNITS, Duration
from segment_engine.values.paths import parse_name, quote
from segment_engine.values.types import ANY, FAULTY, TEXT, TRUTH

Kind = Literal["field", "operator", "value", "keyword", "function", "unit", "period"]
Seen = Mapping[str, Sequence[Any]]

AUDIENCES = "in audience"
"""The name under which the values seen have the keys of audiences."""

_SIGNS = {"+": "PLUS", "-": "MINUS", "*": "STAR", "/": "SLASH"}
_TRUTHS = ("true", "false")
_SPELLED = spelled(*TERMINALS)
_FUNCTIONS = {row.words[0]: row for row in of_shape(Shape.FUNCTION)}
_MOMENTS = (
    *("now", "today", "yesterday", "tomorrow"),
    *(f"{which} {unit}" for unit in UNITS[3:] for which in ("this", "last", "next")),
)
_USUAL = {"minute": 30, "hour": 24, "day": 30, "week": 2, "month": 3, "quarter": 2, "year": 1}
"""How many of a unit are offered before somebody has typed how many."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A word of the language or of the data; `also` are other beginnings that mean it."""

    kind: Kind
    text: str
    detail: str = ""
    doc: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What stands to the left of a value: of which families it may be, and fixed or not.

    `families` is None where a condition begins. `row` and `left` are the operator around it and
    the operator's left value.
    """

    families: frozenset[str] | None = None
    fixed: bool = False
    row: Operator | None = None
    left: Expr | None = None


_ANYTHING = frozenset({*SCALAR_FAMILIES, "list"})
_ARITHMETIC = _Wanted(frozenset({"number"}))


def offers(at: Standing, schema: Schema, seen: Seen, typed: str) -> Iterator[Offer]:
    """Everything that may come there; numbers of units as they begin in `typed`."""
    wanted = _wanted(at.stack)
    if at.accepts == {"STRING"}:
        yield from (_seen(key, AUDIENCES) for key in seen.get(AUDIENCES, ()) if _family(key))
    if "NAME" in at.accepts:
        yield from _literals(wanted, seen, typed)
        yield from _fields(wanted, schema, seen)
        yield from _functions(wanted, at.accepts)
    if at.value is not None:
        yield from _operators(at, at.value, wanted)
    yield from _keywords(at, wanted)


# ---- what is wanted


def _wanted(stack: Sequence[Any]) -> _Wanted:
    """Read off what the parser holds, from the last to the first; closed brackets are values."""
    closed, following = 0, len(stack)
    for at in range(len(stack) - 1, -1, -1):
        kind = stack[at].type if isinstance(stack[at], Word) else ""
        closed += (kind == "RPAR") - (kind == "LPAR")
        if kind == "LPAR" and closed < 0:
            closed, following = 0, at
        elif not closed and (found := _from(stack, at, kind, following == at + 1)):
            return found
    return _Wanted()


def _from(stack: Sequence[Any], at: int, kind: str, last: bool) -> _Wanted | None:
    """What the token wants; `last` says that only an open bracket may stand behind it."""
    if kind == "_AND" and at > 1 and _is(stack[at - 2], "BETWEEN"):
        return _right_of(stack, at - 2)
    if kind in ("_AND", "_OR", "NOT"):
        return _Wanted()
    if kind in OPERATORS:
        return _right_of(stack, at)
    if not last:
        return None
    if kind == "PREFIX":
        return _argument(_SPELLED[normal_words(stack[at])][0])
    if kind == "NAME" and at + 1 < len(stack):
        return _argument(_FUNCTIONS.get(stack[at].lower()))
    return _ARITHMETIC if kind in _SIGNS.values() else None


def _argument(row: Operator | None) -> _Wanted:
    return _Wanted(_ANYTHING if row is None else frozenset(row.takes))


def _is(item: object, kind: str) -> bool:
    return isinstance(item, Word) and item.type == kind


def _right_of(stack: Sequence[Any], at: int) -> _Wanted:
    """What the operator wants on its right, which its left value decides."""
    row = _SPELLED[normal_words(stack[at])][0]
    left = next((item for item in stack[at - 1 :: -1] if not isinstance(item, Word)), None)
    if not isinstance(left, Expr):
        return _Wanted(_ANYTHING, row=row)
    kind = row.takes.get(left.type.family) or next(iter(row.takes.values()))
    families = _FAMILIES.get(kind) or _families(row, left)
    fixed = kind is not Right.SAME or row.shape is Shape.LISTED
    return _Wanted(families, fixed, row, left)


_FAMILIES = {Right.DURATION: frozenset({"duration"}), Right.PATTERN: frozenset({"pattern"})}


def _families(row: Operator, left: Expr) -> frozenset[str]:
    kind = left.type
    if kind.element is not None:
        return frozenset({kind.element.family})
    if kind.family == "anniversary":
        return frozenset({"time"})
    if kind in (ANY, FAULTY):
        return _ANYTHING if "list" in row.takes else frozenset(row.takes) & SCALAR_FAMILIES
    return frozenset({kind.family})


# ---- values


def _literals(wanted: _Wanted, seen: Seen, typed: str) -> Iterator[Offer]:
    families = wanted.families
    if families is None or wanted.left is None or isinstance(wanted.left, Constant):
        return
    name = wanted.left.name if isinstance(wanted.left, Field) else ""
    yield from (_seen(value, name) for value in seen.get(name, ()) if _family(value) in families)
    if "boolean" in families:
        yield from (Offer("value", word) for word in _TRUTHS)
    if "time" in families:
        yield from (Offer("period", word) for word in _MOMENTS)
        for length in _durations(typed):
            yield from (Offer("period", f"{length} {way}") for way in ("ago", "from now"))
    if "duration" in families:
        yield from (Offer("unit", length) for length in _durations(typed))


def _durations(typed: str) -> Iterator[str]:
    count = re.match(r"[1-9][0-9]{0,8}(?![0-9])", typed)
    for unit in UNITS:
        yield Duration(int(count[0]) if count else _USUAL[unit], unit).text


def _family(value: Any) -> str:
    """The family of a value that a rule can spell; "" for others."""
    if isinstance(value, str):
        return "" if _UNSPEAKABLE.search(value) else "text"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float | Decimal) and isfinite(value) else ""


_UNSPEAKABLE = re.compile("[\x00\ud800-\udfff]")


def _seen(value: Any, name: str) -> Offer:
    if not isinstance(value, str):
        number = value if isinstance(value, bool) else Decimal(str(value))
        return Offer("value", spell_value(number), f"seen in {name}")
    text = quote(value)
    return Offer("value", text, f"seen in {name}", also=(text[1:], f"'{text[1:-1]}'", f"'{value}"))


def _fields(wanted: _Wanted, schema: Schema, seen: Seen) -> Iterator[Offer]:
    if wanted.fixed:
        return
    for spec in schema.specs.values():
        if wanted.families is None or spec.type is ANY or spec.type.family in wanted.families:
            root = spec.name.split(".")[0].split("[")[0] if spec.path else spec.name
            yield _field(spec, spell_field(spec.name, root))
    for name in seen:
        path = parse_name(name) if name not in schema.specs else None
        below = schema.find(*path) if path and path[1] else None
        if path and below:
            yield Offer("field", spell_field(name, path[0]), below.type.name)


def _field(spec: FieldSpec, text: str) -> Offer:
    doc = f"{spec.label} = {spec.derived}".strip(" =") if spec.derived else spec.label
    return Offer("field", text, spec.type.name, doc, also=(spec.name, f"`{spec.name}"))


def _functions(wanted: _Wanted, accepts: frozenset[str]) -> Iterator[Offer]:
    families = wanted.families
    if wanted.fixed:
        return
    for word, row in _FUNCTIONS.items():
        if families is None or row.gives.family in families:
            yield Offer("function", f"{word}(", row.gives.name, row.doc)
    if families is None and "PREFIX" in accepts:
        for row in of_shape(Shape.PREFIX):
            yield Offer("function", row.words[0], row.gives.name, row.doc)


# ---- operators and keywords


def _operators(at: Standing, value: Expr, wanted: _Wanted) -> Iterator[Offer]:
    negation = _is((at.stack or [None])[-1], "NOT")
    for row in of_shape(*TERMINALS) if wanted.families is None else ():
        if TERMINALS[row.shape] in at.accepts & OPERATORS and _defined(row, value):
            yield from _words(row, negation)
    for row in of_shape(Shape.ARITHMETIC) if value.type.family in _COUNTED else ():
        if row.takes["number"] is Right.SAME and _SIGNS[row.words[0]] in at.accepts:
            yield Offer("operator", row.words[0], doc=row.doc)


_COUNTED = frozenset({"number", "any", "faulty"})


def _defined(row: Operator, value: Expr) -> bool:
    if value.type is TRUTH or (isinstance(value, Constant) and value.type is not FAULTY):
        return bool(row.mirror) and value.type.family in row.takes
    return value.type in (ANY, FAULTY) or bool({"*", value.type.family} & set(row.takes))


def _words(row: Operator, negation: bool) -> Iterator[Offer]:
    """The spellings of a row; those that go on with a `not` that stands there already."""
    doc = f"{row.doc} If missing: {row.missing}."
    if negation:
        after = (word.removeprefix("not ") for word in row.negated if word.startswith("not "))
        yield from (Offer("operator", word, f"not {row.words[0]}", doc) for word in after)
        return
    yield from (Offer("operator", word, doc=doc) for word in row.words)
    yield from (Offer("operator", word, f"not {row.words[0]}", doc) for word in row.negated)


def _keywords(at: Standing, wanted: _Wanted) -> Iterator[Offer]:
    accepts = at.accepts
    if "NOT" in accepts and "NAME" in accepts and wanted.families is None:
        yield _logic("not")
        yield from (Offer("value", word) for word in _TRUTHS)
    if "FOLD" in accepts and wanted.row and wanted.row.folds and _textual(wanted.left):
        yield Offer("keyword", "ignoring case", doc="Upper and lower case are the same.")
    if "_AND" in accepts and "_OR" not in accepts:
        yield Offer("keyword", "and", doc="Between the two bounds.")
    elif "_OR" in accepts and (not accepts & OPERATORS or _ends_a_condition(at.value, wanted)):
        yield from map(_logic, ("and", "or"))
    if wanted.families is None and "AUDIENCE" in accepts:
        yield from (offer for row in of_shape(Shape.AUDIENCE) for offer in _words(row, False))
    if accepts == {"LPAR"}:
        yield Offer("keyword", "(", doc="Begins the list.")


def _logic(name: str) -> Offer:
    return Offer("keyword", name, doc=operator(name).doc)


def _textual(left: Expr | None) -> bool:
    return left is not None and (left.type is ANY or TEXT in (left.type, left.type.element))


def _ends_a_condition(value: Expr | None, wanted: _Wanted) -> bool:
    truths = ("boolean", "any", "truth", "faulty")
    return wanted.families is None and value is not None and value.type.family in truths
