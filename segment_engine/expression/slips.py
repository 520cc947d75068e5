"""Slips of meaning: what was surely meant is read so, and refused with the text that mends it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from segment_engine.diagnostics.diagnostic import Diagnostic, Fix
from segment_engine.diagnostics.spans import Place, Span
from segment_engine.expression.nodes import Call, Constant, Expr, Field
from segment_engine.expression.spelling import spell
from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.operators.table import operator
from segment_engine.values.isotime import DAY, day_number
from segment_engine.values.literals import read_moment, year_moment
from segment_engine.values.moments import Clock, Duration, Moment, Shifted, WallTime
from segment_engine.values.numbers import plain
from segment_engine.values.types import (
    ANY,
    BOOLEAN,
    DATETIME,
    FAULTY,
    NUMBER,
    TEXT,
    TRUTH,
    Type,
)
from segment_engine.values.zones import OutOfRange, zone

if TYPE_CHECKING:
    from segment_engine.expression.build import Builder

FAMILY_TYPE = {"text": TEXT, "number": NUMBER, "boolean": BOOLEAN, "time": DATETIME}
SCALAR_FAMILIES = frozenset(FAMILY_TYPE)

_MANY = {operator("eq"): operator("in"), operator("contains"): operator("contains_any")}
_LISTS = {operator("in"), operator("contains_any")}
_SIGNS = {"$": ("USD", "CAD", "AUD", "NZD", "HKD", "SGD", "MXN"), "€": ("EUR",), "£": ("GBP",)}
_SIGNS["¥"] = ("JPY", "CNY")


def _faulty(span: Place) -> Constant:
    return Constant(None, FAULTY, span)


def null_comparison(
    build: "Builder", op: Operator, left: Expr, null: Expr, span: Place, negated: bool
) -> Expr:
    """`= null` is `is missing`, `!= null` is `exists`."""
    if op is not operator("eq") or left.type.family in ("faulty", "truth", "null"):
        build.log.error(
            "null-comparison",
            f"`{op.words[0]}` cannot be asked of null",
            null.span,
            help="ask `is missing` or `exists`",
        )
        return _faulty(span)
    word = "exists" if negated else "is missing"
    build.log.slip("null-comparison", f"null is asked for with `{word}`", span, _spelt(left, word))
    exists = build.predicate(operator("exists"), [left], span, negated=not negated)
    return exists


def _spelt(left: Expr, rest: str) -> str:
    return f"{spell(left)} {rest}"


def repeated_values(build: "Builder", op: Operator, parts: list[Expr]) -> list[Expr]:
    """`country = "US" or "CA"` is `country in ("US", "CA")`."""
    merged: list[Expr] = []
    run: list[Constant] = []
    for part in [*parts, None]:
        if isinstance(part, Constant) and _continues(merged, part):
            run.append(part)
            continue
        if run:
            merged[-1] = _as_list(build, op, merged[-1], run)
            run = []
        if isinstance(part, Constant) and merged and _lone_value(build, op, merged[-1], part):
            continue
        if part is not None:
            merged.append(part)
    return merged


def _continues(merged: list[Expr], part: Constant) -> bool:
    before = _positive(merged[-1]) if merged else None
    if before is None or part.type.family not in ("text", "number", "time"):
        return False
    return before.args[-1].type.family == part.type.family


def _positive(part: Expr) -> Call | None:
    if isinstance(part, Call) and part.op is operator("not"):
        part = part.args[0]
    lists = isinstance(part, Call) and (part.op in _MANY or part.op in _LISTS)
    right = part.args[-1] if lists and isinstance(part, Call) else None
    return part if isinstance(part, Call) and isinstance(right, Constant) else None


def _lone_value(build: "Builder", op: Operator, before: Expr, part: Constant) -> bool:
    """A value after a condition that was wrong already: it has no list to join."""
    if before.type is not FAULTY or part.type.family not in ("text", "number", "time"):
        return False
    build.log.error(
        "repeated-value",
        "a value alone is no comparison",
        part.span,
        help=f'write `in ("US", "CA")` for several values, or a field after `{op.words[0]}`',
    )
    return True


def _as_list(build: "Builder", op: Operator, part: Expr, run: list[Constant]) -> Expr:
    call = _positive(part)
    assert call is not None
    all_of = op is operator("and") and part is call and call.op is operator("contains")
    several = operator("contains_all") if all_of else _MANY.get(call.op, call.op)
    right = call.args[-1]
    assert isinstance(right, Constant)
    first = right.value if isinstance(right.value, tuple) else (right,)
    values = Constant((*first, *run), right.type, right.span)
    made: Expr = replace(call, op=several, args=(call.args[0], values), span=part.span)
    if part is not call:
        made = Call(operator("not"), (made,), TRUTH, part.span)
    span = part.span.to(run[-1].span)  # type: ignore[arg-type]
    build.log.slip("repeated-value", "a value alone is no comparison", span, spell(made))
    return made


def money(build: "Builder", left: Expr, right: Constant) -> Constant:
    """`$500` and `500 USD`: the field's own currency needs no sign; another has no fix."""
    field = left if isinstance(left, Field) else None
    currency = field.spec.currency if field else None
    same = currency is not None and currency in _SIGNS.get(right.unit or "", (right.unit,))
    message = "an amount is a plain number"
    help = "write the number alone; nothing is converted"
    if field is not None and currency is not None:
        message += f": `{field.name}` is in {currency}"
        help = f"nothing is converted: write the amount in {currency}"
    fixes = (Fix(right.span, plain(right.value)),) if same else ()
    advice = None if same else help
    build.log.error("currency-sign", message, right.span, fixes=fixes, help=advice)
    return replace(right, unit=None)


def year(right: Constant) -> Constant:
    """The year that a number of four digits spells after `on during before after`."""
    moment = year_moment(right.value) if right.type is NUMBER else None
    return Constant(moment, DATETIME, right.span) if moment else right


def cast_needed(build: "Builder", left: Expr, right: Field) -> Constant:
    """Two paths of no declared type: say what they are to be read as."""
    name = spell(left)
    build.log.error(
        "cast-needed",
        f"neither `{name}` nor `{spell(right)}` has a declared type",
        right.span,
        help=f"say how they are read, as in `number({name})`, or declare them in the schema",
    )
    return _faulty(right.span)


def wrong_type(build: "Builder", op: Operator, left: Expr, right: Expr, wanted: str) -> Constant:
    """A right side of another type; where it clearly spells the wanted one, with a fix."""
    if right.type.family in ("faulty", "truth"):
        return _faulty(right.span)
    if wanted == "duration":
        return _no_duration(build, op, right)
    fixes = _respelt(right, wanted)
    is_a = f"`{spell(left)}` is {a(left.type)}" if left.type is not ANY else f"`{op.words[0]}`"
    message = f"{is_a}: it wants {_WANTED.get(wanted, wanted)}, not {the(right)}"
    if right.type.family == "duration":
        message, fixes = f"`{spell(right)}` is a length of time, not a time", _durations(right)
    build.log.error(
        "type-mismatch",
        message,
        right.span,
        fixes=tuple(Fix(right.span, text) for text in fixes),
        help=_time_help(right) if wanted == "time" and not fixes else None,
    )
    return _faulty(right.span)


def a(kind: Type) -> str:
    """The type with its article."""
    return f"{'an' if kind.name[0] in 'aeiou' else 'a'} {kind}"


def the(part: Expr) -> str:
    """A value as a message names it: "the text `"US"`", "`phone` (a text)"."""
    if not isinstance(part, Constant):
        return f"`{spell(part)}` ({a(part.type)})"
    return f"the {part.type} `{spell(part)}`" if part.value is not None else "null"


def _time_help(right: Expr) -> str:
    moment = year_moment(right.value) if isinstance(right, Constant) else None
    if moment is not None:
        return f"ask for the whole year with `during {moment.text}`, `before` or `after`"
    return "a time is spelt as in 2026-01-31, 2026-01-31T10:00, 30 days ago, last month"


def _durations(right: Expr) -> tuple[str, ...]:
    return f"{spell(right)} ago", f"{spell(right)} from now"


def _respelt(right: Expr, wanted: str) -> tuple[str, ...]:
    value = right.value if isinstance(right, Constant) else None
    if isinstance(value, str) and wanted == "time":
        moment = read_moment(value)
        return (moment.text,) if moment else ()
    if isinstance(value, str) and wanted == "number":
        stripped = value.strip().replace(",", "")
        return (stripped,) if _is_number(stripped) else ()
    if isinstance(value, str) and wanted == "boolean":
        return (value.lower(),) if value.lower() in ("true", "false") else ()
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and wanted == "text":
        return (f'"{plain(value)}"',)
    return ()


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit() and text[-1] != "." and len(text) < 40


def _no_duration(build: "Builder", op: Operator, right: Expr) -> Constant:
    count = right.value if isinstance(right, Constant) and right.type is NUMBER else None
    fixes = (Duration(count, "day").text,) if isinstance(count, int) and count >= 1 else ()
    if isinstance(right, Constant) and isinstance(right.value, Shifted):
        length = Duration(abs(right.value.count), right.value.unit).text
        fixes = (length,) if right.value.text.startswith(length) else ()
    build.log.slip(
        "bad-duration",
        f"`{op.words[0]}` wants a length of time, such as 30 days, not `{spell(right)}`",
        right.span,
        *fixes,
    )
    return _faulty(right.span)


def instead(op: Operator, left: Expr) -> str | None:
    """What to write for an operator that its left value does not have."""
    if left.type.family == "list" and op in (operator("eq"), operator("in")):
        return "ask a list with `contains` or `contains any (...)`"
    if left.type.family == "time" and Right.NEEDLE in op.takes.values():
        return "ask a time with `during 2026-01`, `year(...)` or `month(...)`"
    if left.type.family in ("time", "duration") and op.shape is Shape.ARITHMETIC:
        return "times have no arithmetic: write `7 days ago` or `within last 7 days`"
    if left.type.family == "text" and op.shape is Shape.ARITHMETIC:
        return "`number(...)` reads a text as a number"
    if left.type.family == "anniversary":
        return "ask with `=`, `on`, `in`, `between`, `within last` or `within next`"
    if left.type.family == "number":
        return "compare a number with `=`, `<`, `>`, `in` or `between`"
    return None


def constant_alone(build: "Builder", left: Constant) -> None:
    """A comparison of constants; a field's name in quotes was meant as the field."""
    named = left.type is TEXT and left.value in build.schema.specs
    build.log.error(
        "constant-comparison",
        f"{the(left)} is a constant: every comparison names a field",
        left.span,
        fixes=(Fix(left.span, str(left.value)),) if named else (),
        help=None if named else "put a field on the left, as in `totalOrders > 2`",
    )


_WANTED = {
    "text": "a text",
    "number": "a number",
    "time": "a date or time",
    "boolean": "`true` or `false`",
    "pattern": "a pattern",
}


# Both ends of the months of a leap year and the one after tell apart what moves with the clock; of
# those of a year far off, what moves and what is fixed.
_PROBES = tuple(
    Clock(day_number(date(year, month, 1)) * DAY - before, zone("UTC"))
    for year in (2024, 2025, 3001)
    for month in range(1, 13)
    for before in (0, 1)
)


def in_order(build: "Builder", bounds: list[Expr], span: Place) -> bool:
    """Whether `between` can match at all; bounds reversed on every clock are an error."""
    low, high = bounds
    if not isinstance(low, Constant) or not isinstance(high, Constant):
        return True
    reversals = _reversals(low.value, high.value)
    if all(reversals):
        place = low.span.to(high.span)  # type: ignore[arg-type]
        fixes = (Fix(place, f"{spell(high)} and {spell(low)}"),) if isinstance(place, Span) else ()
        help = None if fixes else f"they are {spell(high)} and {spell(low)}"
        message = "the bounds are reversed"
        build.log.error("reversed-between", message, place, fixes=fixes, help=help)
        return False
    if any(reversals):
        build.log.found.append(
            Diagnostic(
                "reversed-between",
                "at some times of running these bounds are reversed and match nobody",
                span,
                "warning",
            )
        )
    return True


def _reversals(low: object, high: object) -> list[bool]:
    if isinstance(low, Moment) and isinstance(high, Moment):
        exact = WallTime in (type(low), type(high)) and type(low) is not type(high)
        return [False] if exact else [_reversed_on(clock, low, high) for clock in _PROBES]
    return [low > high]  # type: ignore[operator]


def _reversed_on(clock: Clock, low: Moment, high: Moment) -> bool:
    try:
        return low.window(clock).start >= high.window(clock).end
    except OutOfRange:
        return False


def folded_constant(op: Operator, args: list[Expr], span: Place) -> Constant | None:
    """A number literal with its sign; other arithmetic of literals has the result as its fix."""
    if op is operator("negate") and isinstance(args[0], Constant) and args[0].type is NUMBER:
        value = args[0].value
        turned = -value if isinstance(value, int) else value.copy_negate()
        return Constant(turned, NUMBER, span, args[0].unit)
    return None
