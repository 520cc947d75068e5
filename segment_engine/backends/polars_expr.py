"""A bound rule as one Polars expression, true or false for every row and never null."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import and_, or_
from typing import Any

import polars as pl

from segment_engine.backends import json_series, time_series
from segment_engine.backends.folding_series import fold_series
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
from segment_engine.backends.sql import json_reader
from segment_engine.errors import RunError
from segment_engine.expression.nodes import Call, Constant, Expr, fold
from segment_engine.expression.resolve import AND, NOT, OR
from segment_engine.operators.row import Shape
from segment_engine.values.isotime import DayPart
from segment_engine.values.patterns import Pattern
from segment_engine.values.zones import Zone

CHUNK = 8


def to_polars(bound: Expr) -> pl.Expr:
    """The expression; a rule without a field is a literal, which a filter broadcasts."""
    found = value(bound)
    return found if isinstance(bound, Constant) else found.fill_null(False)


def value(bound: Expr) -> pl.Expr:
    """The expression of any bound part; null where that is missing."""
    found: pl.Expr = fold(bound, _emit)
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
            return pl.lit(node.value)
        case Call():
            return _call(node, args)
        case _:
            raise TypeError(f"unbound {node!r}")


def _condition(node: Member) -> pl.Expr:
    if not isinstance(node.condition, pl.Expr):
        raise RunError(
            f"the condition of an audience is a Polars expression, not {node.condition!r:.80}"
        )
    return node.condition.fill_null(False)


def _call(node: Call, args: tuple[Any, ...]) -> pl.Expr:
    op = node.op
    if op is AND:
        return _balanced(args, and_)
    if op is OR:
        return _balanced(args, or_)
    if op is NOT:
        return args[0].fill_null(False).not_()  # type: ignore[no-any-return]
    if op.native is not None:
        return op.native(DIALECT, *args)  # type: ignore[no-any-return]
    assert op.polars is not None, op
    made: pl.Expr = op.polars(*args)
    return finite(made) if op.shape is Shape.ARITHMETIC else made


def _balanced(parts: Sequence[pl.Expr], join: Callable[[Any, Any], Any]) -> pl.Expr:
    """A tree, because Polars walks a chain of thousands recursively."""
    level = list(parts)
    while len(level) > 1:
        level = [reduce(join, level[at : at + CHUNK]) for at in range(0, len(level), CHUNK)]
    return level[0]


def finite(number: pl.Expr) -> pl.Expr:
    """Null where a double is NaN or infinite; written once, because Polars copies its trees."""
    infinities = [float("inf"), float("-inf"), float("nan")]
    return number.replace(infinities, [None, None, None])


# ---- values


def literal(value: Any, physical: Physical | None) -> Any:
    """A literal of the column's own type, because Polars does not compare across types exactly."""
    if isinstance(value, tuple):
        return pl.lit(constants(value, physical)).implode()
    match physical:
        case None:
            return pl.lit(value.rust) if isinstance(value, Pattern) else value
        case Day() | Stamp():
            integer = pl.Int32 if isinstance(physical, Day) else pl.Int64
            return pl.lit(value, dtype=integer).cast(_dtype(physical))
        case _:
            return pl.lit(value, dtype=_dtype(physical))


def constants(values: Sequence[Any], physical: Physical | None) -> pl.Series:
    """Literals of one physical type; of times those are whole numbers."""
    if isinstance(physical, Day | Stamp):
        integer = pl.Int32 if isinstance(physical, Day) else pl.Int64
        return pl.Series(values, dtype=integer).cast(_dtype(physical))
    return pl.Series(values, dtype=_dtype(physical))


def _dtype(physical: Physical | None) -> Any:
    match physical:
        case Text():
            return pl.String
        case Bool():
            return pl.Boolean
        case Int(bits, signed):
            return getattr(pl, f"{'' if signed else 'U'}Int{bits}")
        case Float(bits):
            return pl.Float64 if bits == 64 else pl.Float32
        case Dec(precision, scale):
            return pl.Decimal(precision, scale)
        case Day():
            return pl.Date
        case Stamp(unit, zoned):
            return pl.Datetime(unit, "UTC" if zoned else None)
        case _:
            raise TypeError(f"no literals are stored as {physical}")


# ---- readings


def reading(item: Reading) -> pl.Expr:
    """The expression that reads a value in the form that is wanted."""
    place = place_of(item)
    if isinstance(item.stored, Json):
        return _from_json(place, item)
    match item.form:
        case "double":
            return place.cast(pl.Float64)
        case "instant":
            assert isinstance(item.stored, Stamp)
            return time_series.stamp_instant(place, item.stored.unit)
        case "day":
            return time_series.day_of_date(place).cast(pl.Int64)
        case _:
            return recast(place, item)


def place_of(item: Reading) -> pl.Expr:
    """The column or what its steps lead to, as it is stored."""
    place = pl.col(item.column)
    for step in item.steps:
        place = _stepped(place, step)
    return place


def recast(found: pl.Expr, item: Reading) -> pl.Expr:
    """The value in the type in which it is compared."""
    return found if item.cast is None else found.cast(_dtype(item.cast))


_JSON_DTYPES: dict[str, Any] = {
    "present": pl.Boolean,
    "is_array": pl.Boolean,
    "boolean": pl.Boolean,
    "text": pl.String,
    "double": pl.Float64,
    "number": pl.Float64,
    "integer": pl.Int64,
    "array_length": pl.Int64,
    "texts": pl.List(pl.String),
    "doubles": pl.List(pl.Float64),
    "fractions": pl.List(pl.Float64),
    "integers": pl.List(pl.Int64),
    "booleans": pl.List(pl.Boolean),
}


def _from_json(place: pl.Expr, item: Reading) -> pl.Expr:
    wanted = json_reader(item)
    read = partial(json_series.extract, path=item.json, wanted=wanted)
    found = place.map_batches(read, return_dtype=_JSON_DTYPES[wanted], is_elementwise=True)
    return recast(found, item)


def _stepped(place: pl.Expr, step: Step) -> pl.Expr:
    match step.kind:
        case "field":
            return place.struct.field(str(step.at))
        case "entry":
            entry = pl.element().struct
            values = entry.field("value").filter(entry.field("key") == str(step.at))
            return place.list.eval(values).list.first()
        case "item":
            return place.list.get(int(step.at), null_on_oob=True)


# ---- functions of the dialect


def _mapped(read: Callable[[pl.Series], pl.Series], x: pl.Expr, dtype: Any) -> pl.Expr:
    return x.map_batches(read, return_dtype=dtype, is_elementwise=True)


class _Polars:
    """What rows call `native`; arguments are expressions."""

    def fold(self, text: pl.Expr) -> pl.Expr:
        """Case folded away, by the frozen table."""
        return _mapped(fold_series, text, pl.String)

    def fold_all(self, texts: pl.Expr) -> pl.Expr:
        """A list of texts with case folded away."""
        return texts.list.eval(self.fold(pl.element()))

    def domain(self, text: pl.Expr) -> pl.Expr:
        """What follows the last `@`, folded."""
        return self.fold(text.str.extract(r"@([^@]*)\z"))

    def parse_number(self, text: pl.Expr) -> pl.Expr:
        """The double that a text of digits spells."""
        spelt = text.str.contains(r"\A-?[0-9]+(?:\.[0-9]+)?\z")
        return finite(pl.when(spelt).then(text).cast(pl.Float64))

    def double(self, number: pl.Expr) -> pl.Expr:
        """A whole number as a double."""
        return number.cast(pl.Float64)

    def first_present(self, *values: pl.Expr) -> pl.Expr:
        """The first that is not null."""
        return pl.coalesce(*values)

    def list_is_empty(self, elements: pl.Expr) -> pl.Expr:
        """A list without elements."""
        return elements.list.len() == 0

    def has(self, elements: pl.Expr, wanted: pl.Expr) -> pl.Expr:
        """A list with the element."""
        return elements.list.contains(wanted, nulls_equal=False)

    def has_in_range(self, elements: pl.Expr, low: pl.Expr, high: pl.Expr) -> pl.Expr:
        """A list with an element from low to before high."""
        return elements.list.eval(pl.element().is_between(low, high)).list.any()

    def iso_instant(self, text: pl.Expr) -> pl.Expr:
        """Microseconds since 1970 of an ISO datetime."""
        return _mapped(_iso_instant, text, pl.Int64)

    def iso_day(self, text: pl.Expr) -> pl.Expr:
        """Days since 1970 of an ISO date."""
        return _mapped(_iso_day, text, pl.Int64)

    def iso_instants(self, texts: pl.Expr) -> pl.Expr:
        """The instants in a list of texts."""
        return texts.list.eval(self.iso_instant(pl.element()))

    def iso_days(self, texts: pl.Expr) -> pl.Expr:
        """The days in a list of texts."""
        return texts.list.eval(self.iso_day(pl.element()))

    def local_day(self, instant: pl.Expr, zone: Zone) -> pl.Expr:
        """Days since 1970 on the zone's calendar."""
        return _mapped(partial(_local_day, zone_name=zone.name), instant, pl.Int64)

    def local_hour(self, instant: pl.Expr, zone: Zone) -> pl.Expr:
        """The hour on the zone's clock."""
        return _mapped(partial(_local_hour, zone_name=zone.name), instant, pl.Int64)

    def part(self, name: DayPart, day: pl.Expr) -> pl.Expr:
        """A calendar part of a day number."""
        found: pl.Expr = getattr(time_series, name)(day.cast(pl.Int32))
        return found.cast(pl.Int64)

    def monthday(self, day: pl.Expr) -> pl.Expr:
        """Month * 100 + day of a day number."""
        return self.part("month", day) * 100 + self.part("day", day)


DIALECT = _Polars()


def _iso_instant(texts: pl.Series) -> pl.Series:
    return time_series.iso_parts(texts).struct.field("instant").cast(pl.Int64)


def _iso_day(texts: pl.Series) -> pl.Series:
    return time_series.iso_parts(texts).struct.field("day").cast(pl.Int64)


def _local_day(instants: pl.Series, zone_name: str) -> pl.Series:
    return time_series.local_day(instants, zone_name).cast(pl.Int64)


def _local_hour(instants: pl.Series, zone_name: str) -> pl.Series:
    return time_series.local_hour(instants, zone_name).cast(pl.Int64)
