"""A bound rule as one boolean DuckDB SQL expression.

NULL counts as false, as in WHERE: bare comparisons prune best. Every value is written by
`literal`, every name by `identifier`.
"""

from collections.abc import Sequence
from typing import Any

from segment_engine.backends import json_sql, time_sql
from segment_engine.backends.json_sql import literal as text_literal
from segment_engine.backends.physical import (
    Bool,
    Day,
    Dec,
    Float,
    Int,
    Json,
    Physical,
    Stamp,
    Text,
)
from segment_engine.backends.reading import Member, Reading, Step, Value
from segment_engine.errors import RunError
from segment_engine.expression.nodes import Call, Constant, Expr, fold
from segment_engine.expression.resolve import AND, EQ, IN, NOT, OR
from segment_engine.operators.row import Shape
from segment_engine.values.isotime import DayPart, date_of
from segment_engine.values.patterns import Pattern
from segment_engine.values.types import TEXT
from segment_engine.values.zones import Zone

_EQUALS = (EQ, IN)
FEW = 50
"""An `and` of more parts is slow to plan; beyond, only so many are left open to pruning."""
CHUNK = 8
NARROW_DIGITS = 18
"""Decimals of no more digits are stored in 64 bits."""
SHORT = 200
"""A longer fragment is bound to a name instead of written twice."""


def to_sql(bound: Expr) -> str:
    """The expression; it keeps a row when it is true."""
    found: str = fold(bound, _emit)
    return found


def _emit(node: Expr, args: tuple[Any, ...]) -> Any:
    match node:
        case Reading():
            return reading(node)
        case Value():
            return literal(node.value, node.physical)
        case Member():
            return _condition(node)
        case Constant():
            return "true" if node.value else "false"
        case Call():
            return _call(node, args)
        case _:
            raise TypeError(f"unbound {node!r}")


def _condition(node: Member) -> str:
    if not isinstance(node.condition, str):
        raise RunError(f"the condition of an audience is SQL text, not {node.condition!r:.80}")
    return f"({node.condition})"


def _call(node: Call, args: tuple[Any, ...]) -> str:
    op = node.op
    if op is AND:
        return _and(node.args, args)
    if op is OR:
        return _balanced(args, "or")
    if op is NOT:
        return _complement(node.args[0])
    if op.native is not None:
        return str(op.native(DIALECT, *args))
    assert op.sql is not None, op
    if op.shape is Shape.ARITHMETIC:
        return _arithmetic(node, args)
    if op in _EQUALS and _is_json_text(node.args[0]) and isinstance(node.args[1], Value):
        return op.sql(*_json_equality(node.args[0], node.args[1], args[1]))
    return op.sql(*args)


def _arithmetic(node: Call, args: tuple[str, ...]) -> str:
    op = node.op
    assert op.sql is not None
    if op.sql_bounded is not None and all(_is_bounded(argument) for argument in node.args):
        return op.sql_bounded(*args)
    return _finite(op.sql(*args))


def _is_bounded(node: Expr) -> bool:
    """Integers, decimals and literals: no sum or product of two leaves the doubles."""
    if isinstance(node, Reading):
        return isinstance(node.stored, Int | Dec)
    return isinstance(node, Value)


def _is_json_text(node: Expr) -> bool:
    if not isinstance(node, Reading) or not isinstance(node.stored, Json):
        return False
    return node.form == "value" and node.wanted is TEXT


def _json_equality(node: Expr, wanted: Value, spelt: str) -> tuple[str, str]:
    """Both sides: as text where only a JSON string reads so, else as DuckDB prints the JSON."""
    assert isinstance(node, Reading)
    texts = wanted.value if isinstance(wanted.value, tuple) else (wanted.value,)
    document = json_sql.document(_place(node))
    if all(map(json_sql.only_a_string, texts)):
        return json_sql.step_text(document, node.json), spelt
    return json_sql.step(document, node.json), _json_literal(wanted.value)


def _json_literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(json_sql.json_literal, value))})"
    return json_sql.json_literal(value)


def _and(nodes: Sequence[Expr], parts: Sequence[str]) -> str:
    if len(parts) <= FEW:
        return f"({' and '.join(parts)})"
    cheap = [part for node, part in zip(nodes, parts, strict=True) if _prunes(node)][:FEW]
    rest = [part for part in parts if part not in set(cheap)]
    wrapped = [f"{_balanced(rest, 'and')} is true"] if rest else []
    return f"({' and '.join([*cheap, *wrapped])})"


def _prunes(node: Expr) -> bool:
    return isinstance(node, Call) and node.op.sql_not is not None and _is_stored(node.args[0])


def _is_stored(node: Expr) -> bool:
    return isinstance(node, Reading) and node.form == "value" and not isinstance(node.stored, Json)


def _balanced(parts: Sequence[str], word: str) -> str:
    level = list(parts)
    while len(level) > 1:
        chunks = [level[at : at + CHUNK] for at in range(0, len(level), CHUNK)]
        level = [f"({f' {word} '.join(c)})" if len(c) > 1 else c[0] for c in chunks]
    return level[0]


def _complement(node: Expr) -> str:
    """Exactly the rows that the leaf does not keep, those with something missing included."""
    assert isinstance(node, Call)
    if node.op.sql_not is None or not all(_is_stored(a) or isinstance(a, Value) for a in node.args):
        return f"({fold(node, _emit)}) is not true"
    args = [fold(argument, _emit) for argument in node.args]
    missing = (f"{sql} is null" for sql, a in zip(args, node.args, strict=True) if _is_stored(a))
    either = dict.fromkeys([node.op.sql_not(*args), *missing])
    return f"({' or '.join(either)})" if len(either) > 1 else next(iter(either))


# ---- names, values, readings


def identifier(name: str) -> str:
    """A quoted name."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any, physical: Physical | None) -> Any:
    """A value as a literal of the physical type; the only place where values become SQL."""
    if isinstance(value, tuple):
        return f"({', '.join(literal(item, physical) for item in value)})"
    match physical:
        case None:
            return text_literal(value.re2) if isinstance(value, Pattern) else value
        case Text():
            return text_literal(value)
        case Bool():
            return "true" if value else "false"
        case Int():
            return str(value) if abs(value) < 2**63 - 1 else _cast(value, _type(physical))
        case Float():
            return _cast(repr(value), _type(physical))
        case Dec():
            return _cast(f"{value:f}", _type(physical))
        case Day():
            return _cast(date_of(value).isoformat(), "date")
        case Stamp():
            return _cast(_stamp(value, physical), _type(physical))
        case _:
            raise TypeError(f"no literals are stored as {physical}")


def _cast(value: object, kind: str) -> str:
    return f"cast({text_literal(str(value))} as {kind})"


def _type(physical: Physical) -> str:
    match physical:
        case Int(bits, signed):
            name = {64: "bigint", 128: "hugeint"}[bits]
            return name if signed else f"u{name}"
        case Float(bits):
            return "double" if bits == 64 else "float"
        case Dec(precision, scale):
            return f"decimal({precision}, {scale})"
        case Stamp(unit, zoned):
            return ("timestamptz" if zoned else "timestamp") + ("_ns" if unit == "ns" else "")
        case _:
            raise TypeError(f"no type name for {physical}")


def _stamp(at: int, physical: Stamp) -> str:
    digits = 9 if physical.unit == "ns" else 6
    day, rest = divmod(at, 86_400 * 10**digits)
    seconds, fraction = divmod(rest, 10**digits)
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    tail = f".{fraction:0{digits}}" if fraction else ""
    return f"{date_of(day).isoformat()} {time}{tail}{'+00' if physical.zoned else ''}"


def reading(item: Reading) -> str:
    """The fragment that reads a value in the form that is wanted."""
    place = _place(item)
    if isinstance(item.stored, Json):
        return json_sql.READERS[json_reader(item)](
            json_sql.step(json_sql.document(place), item.json)
        )
    match item.form:
        case "double":
            return _double(place, item.stored)
        case "instant":
            assert isinstance(item.stored, Stamp)
            return time_sql.stamp_instant(place, item.stored.unit)
        case "day":
            return time_sql.day_of_date(place)
        case _:
            return place if item.cast is None else f"cast({place} as {_type(item.cast)})"


def _place(item: Reading) -> str:
    place = identifier(item.column)
    for step in item.steps:
        place = _stepped(place, step)
    return place


def json_reader(item: Reading) -> str:
    """Which of the JSON readers gives the form (for both engines)."""
    if item.form == "length":
        return "array_length"
    wanted = item.wanted.element if item.form == "elements" else item.wanted
    assert wanted is not None
    if item.form in ("value", "elements"):
        plural = "s" if item.form == "elements" else ""
        return ("boolean" if wanted.family == "boolean" else "text") + plural
    return item.form


def _stepped(place: str, step: Step) -> str:
    match step.kind:
        case "field":
            return f"struct_extract({place}, {text_literal(str(step.at))})"
        case "entry":
            key = text_literal(str(step.at))
            found = f"list_filter({place}, lambda entry: struct_extract(entry, 'key') = {key})"
            return f"struct_extract({found}[1], 'value')"
        case "item":
            return f"list_extract({place}, {int(step.at) + 1})"


def _double(place: str, stored: Physical) -> str:
    """The nearest double; DuckDB rounds wide whole numbers twice, their text once."""
    wide = isinstance(stored, Dec) and stored.scale == 0 and stored.precision > NARROW_DIGITS
    return f"cast(cast({place} as varchar) as double)" if wide else f"cast({place} as double)"


def _finite(value: str) -> str:
    if len(value) > SHORT:
        return time_sql.let(value, "case when isfinite(v) then v end")
    return f"case when isfinite({value}) then {value} end"


# ---- functions of the dialect


class _DuckDB:
    """What rows call `native`; arguments are fragments."""

    def fold(self, text: str) -> str:
        """Case folded away, by the frozen table."""
        return f"replace(lower({text}), 'ς', 'σ')"

    def fold_all(self, texts: str) -> str:
        """A list of texts with case folded away."""
        return f"list_transform({texts}, lambda e: {self.fold('e')})"

    def domain(self, text: str) -> str:
        """What follows the last `@`, folded."""
        name = self.fold("split_part(v, '@', -1)")
        return time_sql.let(text, f"case when contains(v, '@') then {name} end")

    def parse_number(self, text: str) -> str:
        """The double that a text of digits spells."""
        spelt = "regexp_full_match(v, '-?[0-9]+([.][0-9]+)?')"
        number = f"case when {spelt} then try_cast(v as double) end"
        return time_sql.let(time_sql.let(text, number), "case when isfinite(v) then v end")

    def double(self, number: str) -> str:
        """A whole number as a double."""
        return f"cast({number} as double)"

    def first_present(self, *values: str) -> str:
        """The first that is not null."""
        return f"coalesce({', '.join(values)})"

    def list_is_empty(self, elements: str) -> str:
        """A list without elements."""
        return f"len({elements}) = 0"

    def has(self, elements: str, wanted: str) -> str:
        """A list with the element."""
        return f"list_contains({elements}, {wanted})"

    def has_in_range(self, elements: str, low: str, high: str) -> str:
        """A list with an element from low to before high."""
        inside = f"lambda e: e between {low} and {high}"
        return f"len(list_filter({elements}, {inside})) > 0"

    def iso_instant(self, text: str) -> str:
        """Microseconds since 1970 of an ISO datetime."""
        return time_sql.iso_instant(text)

    def iso_day(self, text: str) -> str:
        """Days since 1970 of an ISO date."""
        return time_sql.iso_day(text)

    def iso_instants(self, texts: str) -> str:
        """The instants in a list of texts."""
        return f"list_transform({texts}, lambda e: {time_sql.iso_instant('e')})"

    def iso_days(self, texts: str) -> str:
        """The days in a list of texts."""
        return f"list_transform({texts}, lambda e: {time_sql.iso_day('e')})"

    def local_day(self, instant: str, zone: Zone) -> str:
        """Days since 1970 on the zone's calendar."""
        return time_sql.local_day(instant, zone.name)

    def local_hour(self, instant: str, zone: Zone) -> str:
        """The hour on the zone's clock."""
        return time_sql.hour(instant, zone.name)

    def part(self, name: DayPart, day: str) -> str:
        """A calendar part of a day number."""
        return time_sql.part(name, day)

    def monthday(self, day: str) -> str:
        """Month * 100 + day of a day number."""
        month, date = time_sql.part("month", "v"), time_sql.part("day", "v")
        return time_sql.let(day, f"{month} * 100 + {date}")


DIALECT = _DuckDB()
