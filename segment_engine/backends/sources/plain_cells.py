"""Cells of consumers that are plainly sound, found by column: nobody need look at them singly.

What is plain here is sound for whoever checks each row by itself, and the same value. A cell that
is not plain may be sound or not: it is for them to say.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple

import polars as pl

from segment_engine.backends.folding_series import fold_series
from segment_engine.backends.time_series import day_of_date, iso_parts, stamp_instant
from segment_engine.values.isotime import MAX_DAY, MIN_DAY, date_of

FirstInstant = Callable[[date], int]
"""The first instant of a day, in microseconds since 1970."""

EMAIL_FOLDED = "emailFolded"
_SHORT = 200
_NAME = r"^[!-~]+$"
_EMAIL = r"^[!-~]+@[!-?A-~]+$"
_PHONE = r"^\+[1-9][0-9]{6,14}$"
_WHOLE = r"^-?[0-9]{1,18}$"
_DECIMAL = r"^-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,6})?$"
_DOUBLE = r"^-?[0-9]{1,9}\.[0-9]{1,6}$"
_ZERO = r"^-?0(?:\.0+)?$"
_MOST_EXACT = 2.0**53
_FRACTION, _MOST_WHOLE, _WIDEST = 6, 32, 38


class _Cells(NamedTuple):
    """What the cells say, null where nothing; and the values of those that are plain, else null."""

    said: pl.Expr
    plain: pl.Expr


def plain(
    frame: pl.DataFrame, keys: Mapping[str, str], first_instant: FirstInstant
) -> tuple[pl.DataFrame, pl.Series]:
    """The values of columns, by the API's keys for them, and which rows are plain in all of them.

    Texts are externalId, email, which is there folded, too, phone, fullName and totalOrderValue,
    without an exponent; Int64 are totalOrders, lastOrderAt and createdAt, in microseconds. A cell
    that is empty or out of the calendar says nothing, nor does a double that is no finite number:
    it is null, and plain.
    """
    given = pl.DataFrame([frame[column].alias(key) for column, key in keys.items()])
    read = {key: _READ[key](pl.col(key), kind, first_instant) for key, kind in given.schema.items()}
    values = given.select(cells.plain.alias(key) for key, cells in read.items())
    if "email" in keys.values():
        folded = fold_series(values["email"].cast(pl.String))
        values = values.with_columns(folded.alias(EMAIL_FOLDED))
    odd = [cells.said.is_not_null() & cells.plain.is_null() for cells in read.values()]
    return values, given.select(~pl.any_horizontal(odd)).to_series()


def plain_texts(
    columns: Mapping[str, Sequence[str]],
) -> tuple[dict[str, list[Any]], list[bool]]:
    """As `plain`, of texts by the API's keys, among which are no instants."""
    frame = pl.DataFrame(columns, dict.fromkeys(columns, pl.String))
    values, sound = plain(frame, {key: key for key in columns}, _no_instant)
    return values.to_dict(as_series=False), sound.to_list()


def _no_instant(day: date) -> int:
    raise AssertionError(day)


def _odd(cells: pl.Expr) -> _Cells:
    return _Cells(cells, _where(pl.lit(False), cells))


def _filled(cells: pl.Expr) -> pl.Expr:
    return pl.when(cells != "").then(cells)


def _where(found: pl.Expr, values: pl.Expr) -> pl.Expr:
    return pl.when(found).then(values)


def _text(cells: pl.Expr, kind: pl.DataType, _: FirstInstant) -> _Cells:
    if not isinstance(kind, pl.String):
        return _odd(cells)
    short = (cells.str.len_chars() <= _SHORT) & ~cells.str.contains("\0", literal=True)
    return _Cells(_filled(cells), _where(short, _filled(cells)))


def _identifier(
    pattern: str, numbered: bool, cells: pl.Expr, kind: pl.DataType, _: FirstInstant
) -> _Cells:
    if numbered and kind.is_integer():
        cells = cells.cast(pl.String)
    elif not isinstance(kind, pl.String):
        return _odd(cells)
    fits = (cells.str.len_bytes() <= _SHORT) & cells.str.contains(pattern)
    return _Cells(_filled(cells), _where(fits, cells))


def _whole(cells: pl.Expr, kind: pl.DataType, _: FirstInstant) -> _Cells:
    number = cells.cast(pl.Int64, strict=False)
    if kind.is_integer():
        return _Cells(cells, number)
    if kind.is_float():
        double = _finite(cells)
        exact = (double.abs() <= _MOST_EXACT) & (double.floor() == double)
        return _Cells(double, _where(exact, double.cast(pl.Int64, strict=False)))
    if kind.is_decimal():
        return _Cells(cells, _where(number.cast(kind, strict=False) == cells, number))
    if isinstance(kind, pl.String):
        return _Cells(_filled(cells), _where(cells.str.contains(_WHOLE), number))
    return _odd(cells)


def _money(cells: pl.Expr, kind: pl.DataType, _: FirstInstant) -> _Cells:
    if kind.is_integer():
        return _Cells(cells, cells.cast(pl.String))
    if kind.is_float():
        double = _finite(cells)
        return _Cells(double, _spelt(double.cast(pl.String), _DOUBLE))
    if isinstance(kind, pl.Decimal):
        return _Cells(cells, _decimal(cells, kind))
    if isinstance(kind, pl.String):
        return _Cells(_filled(cells), _spelt(cells, _DECIMAL))
    return _odd(cells)


def _decimal(cells: pl.Expr, kind: pl.Decimal) -> pl.Expr:
    fitting = cells
    if kind.scale > _FRACTION:
        short = cells.cast(pl.Decimal(_WIDEST, _FRACTION), strict=False)
        fitting = _where(short.cast(kind, strict=False) == cells, short)
    elif kind.precision - kind.scale > _MOST_WHOLE:
        fitting = _where(cells.abs() < 10**18, cells)
    return _without_zero(fitting.cast(pl.String))


def _spelt(texts: pl.Expr, pattern: str) -> pl.Expr:
    return _where(texts.str.contains(pattern), _without_zero(texts))


def _without_zero(texts: pl.Expr) -> pl.Expr:
    return pl.when(texts.str.contains(_ZERO)).then(pl.lit("0")).otherwise(texts)


def _finite(cells: pl.Expr) -> pl.Expr:
    double = cells.cast(pl.Float64)
    return _where(double.is_finite(), double)


def _instant(cells: pl.Expr, kind: pl.DataType, first_instant: FirstInstant) -> _Cells:
    days = partial(_first_instants, first_instant)
    if isinstance(kind, pl.Datetime):
        instants = stamp_instant(cells, "ns" if kind.time_unit == "ns" else "us")
        return _Cells(instants, instants)
    if isinstance(kind, pl.Date):
        day = day_of_date(cells)
        return _Cells(day, day.map_batches(days, return_dtype=pl.Int64))
    if isinstance(kind, pl.String):
        parts = cells.map_batches(
            iso_parts, return_dtype=pl.Struct({"day": pl.Int32, "instant": pl.Int64})
        )
        day = parts.struct.field("day").map_batches(days, return_dtype=pl.Int64)
        return _Cells(_filled(cells), pl.coalesce(parts.struct.field("instant"), day))
    return _odd(cells)


def _first_instants(first_instant: FirstInstant, days: pl.Series) -> pl.Series:
    """Those of Int32 days; null at the ends of the calendar, where zones leave it."""
    known = [day for day in days.unique() if day is not None and MIN_DAY < day < MAX_DAY]
    instants = [first_instant(date_of(day)) for day in known]
    return days.replace_strict(known, instants, default=None, return_dtype=pl.Int64)


_READ: Mapping[str, Callable[[pl.Expr, pl.DataType, FirstInstant], _Cells]] = {
    "externalId": partial(_identifier, _NAME, True),
    "email": partial(_identifier, _EMAIL, False),
    "phone": partial(_identifier, _PHONE, True),
    "fullName": _text,
    "totalOrders": _whole,
    "totalOrderValue": _money,
    "lastOrderAt": _instant,
    "createdAt": _instant,
}
