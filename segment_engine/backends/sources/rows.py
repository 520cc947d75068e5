"""Plain Python values: out of Arrow columns for the records engine, and into them from dicts."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa

from segment_engine.backends.physical import (
    Bool,
    Day,
    Dec,
    Float,
    Int,
    IsoText,
    Json,
    ListOf,
    MapOf,
    Other,
    Physical,
    Record,
    Stamp,
    Text,
)
from segment_engine.values.isotime import (
    EPOCH,
    EPOCH_ORDINAL,
    MAX_DAY,
    MAX_INSTANT,
    MIN_DAY,
    MIN_INSTANT,
    format_instant,
    instant_of,
)
from segment_engine.values.types import ANY, BOOLEAN, CURRENCY, TEXT, Type

Reader = Callable[[Any], Any]

_INT64 = 2**63
_MONEY = Decimal(10) ** 29
_CENTS = Decimal(1).scaleb(-9)
_MICROSECOND = timedelta(microseconds=1)
_WIDE = Context(prec=38)


def records(
    batch: Any, columns: Sequence[str], kinds: Mapping[str, Physical]
) -> Iterator[dict[str, object]]:
    """The rows of an Arrow record batch as plain values; None for a column that it lacks."""
    held = [name for name in columns if name in batch.schema.names]
    blank = dict.fromkeys(columns)
    values = [_plain(batch.column(name), kinds[name]) for name in held]
    if not values:
        return (dict(blank) for _ in range(batch.num_rows))
    return (blank | dict(zip(held, row, strict=True)) for row in zip(*values, strict=True))


def _plain(array: Any, physical: Physical) -> list[Any]:
    numbered = _numbered(array.type)
    values: list[Any] = (array if numbered == array.type else array.cast(numbered)).to_pylist()
    read = _reader(physical)
    return values if read is None else list(map(_or_none(read), values))


def _numbered(kind: Any) -> Any:
    """The type with days and stamps as the integers they are: Python's own do not hold them all."""
    if pa.types.is_timestamp(kind):
        return pa.int64()
    if pa.types.is_date32(kind):
        return pa.int32()
    if pa.types.is_list(kind):
        return pa.list_(_numbered(kind.value_type))
    if pa.types.is_large_list(kind):
        return pa.large_list(_numbered(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _numbered(field.type)) for field in kind])
    return kind


def _reader(physical: Physical) -> Reader | None:
    match physical:
        case Day():
            return _date
        case Stamp():
            return _datetime_reader(physical)
        case ListOf(element):
            return _list_reader(_reader(element))
        case Record(fields):
            readers = {name: read for name, kind in fields if (read := _reader(kind))}
            return _struct_reader(readers) if readers else None
        case MapOf(value):
            return _map_reader(_reader(value))
    return None


def _or_none(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _date(day: int) -> date | None:
    return date.fromordinal(day + EPOCH_ORDINAL) if MIN_DAY <= day <= MAX_DAY else None


def _datetime_reader(stamp: Stamp) -> Reader:
    epoch = EPOCH.replace(tzinfo=UTC) if stamp.zoned else EPOCH
    per, infinite = (1000, _INT64 - 1) if stamp.unit == "ns" else (1, _INT64)

    def read(value: int) -> datetime | None:
        instant = value // per
        finite = abs(value) < infinite and MIN_INSTANT <= instant <= MAX_INSTANT
        return epoch + instant * _MICROSECOND if finite else None

    return read


def _list_reader(read: Reader | None) -> Reader | None:
    each = read and _or_none(read)
    return each and (lambda values: list(map(each, values)))


def _struct_reader(readers: Mapping[str, Reader]) -> Reader:
    def read(values: dict[str, Any]) -> dict[str, Any]:
        return values | {
            name: each(values[name]) for name, each in readers.items() if values[name] is not None
        }

    return read


def _map_reader(read: Reader | None) -> Reader:
    each = _or_none(read) if read else lambda value: value

    def first_wins(entries: list[dict[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for entry in entries:
            found.setdefault(entry["key"], each(entry["value"]))
        return found

    return first_wins


def column_of(values: Sequence[Any], wanted: Type | None) -> tuple[Any, Physical]:
    """Python values as an Arrow array of the type that the schema wants, and its physical type.

    A value that is not of the type is null, as it is missing to a rule. Numbers: 64-bit integers
    where all are, else exact decimals where no float is among them, else floats. Currency:
    Decimal(38, 9), rounded to even. Times: days where all are days, else ISO text. Lists and
    `any`: JSON text. A column that the schema does not know is Text, Int, Bool, or unusable.
    """
    if wanted is None:
        return _unknown(values)
    if wanted.element is not None or wanted == ANY:
        return _array(map(_json_text, values), pa.string()), Json()
    if wanted == TEXT:
        return _array(map(_text, values), pa.string()), Text()
    if wanted == BOOLEAN:
        return _array((v if isinstance(v, bool) else None for v in values), pa.bool_()), Bool()
    if wanted == CURRENCY:
        return _array(map(_money, values), pa.decimal128(38, 9)), Dec(38, 9)
    if wanted.family == "number":
        return _numbers([v if _is_number(v) else None for v in values])
    return _times(values)


def _array(values: Any, kind: Any) -> Any:
    return pa.array(list(values), kind)


def _unknown(values: Sequence[Any]) -> tuple[Any, Physical]:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {str}:
        return _array(map(_text, values), pa.string()), Text()
    if kinds == {bool}:
        return _array(values, pa.bool_()), Bool()
    if kinds == {int} and all(v is None or -_INT64 <= v < _INT64 for v in values):
        return _array(values, pa.int64()), Int()
    names = " and ".join(sorted(kind.__name__ for kind in kinds))
    return pa.nulls(len(values), pa.string()), Other(f"Python values of type {names}")


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _money(value: Any) -> Decimal | None:
    exact = Decimal(str(value)) if isinstance(value, float) else value
    if not _is_number(exact) or not Decimal(exact).is_finite() or abs(exact) >= _MONEY:
        return None
    return Decimal(exact).quantize(_CENTS, context=_WIDE)


def _numbers(values: list[Any]) -> tuple[Any, Physical]:
    some = [value for value in values if value is not None]
    if all(isinstance(value, int) and -_INT64 <= value < _INT64 for value in some):
        return _array(values, pa.int64()), Int()
    if not any(isinstance(value, float) for value in some):
        exact = [None if value is None else _money(value) for value in values]
        if all(a == b for a, b in zip(exact, values, strict=True)):
            return _array(exact, pa.decimal128(38, 9)), Dec(38, 9)
    return _array((None if v is None else _float(v) for v in values), pa.float64()), Float()


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except (OverflowError, ValueError):
        return None


def _times(values: Sequence[Any]) -> tuple[Any, Physical]:
    some = [value for value in values if value is not None]
    if some and all(isinstance(v, date) and not isinstance(v, datetime) for v in some):
        return _array(values, pa.date32()), Day()
    return _array(map(_iso, values), pa.string()), IsoText()


def _iso(value: Any) -> str | None:
    if isinstance(value, datetime):
        instant = instant_of(value)
        return None if instant is None else format_instant(instant)
    return value.isoformat() if isinstance(value, date) else _text(value)


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return _text(value)
    try:
        return json.dumps(value, default=_json_scalar)
    except (TypeError, ValueError, RecursionError):
        return None


def _json_scalar(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return _iso(value)
