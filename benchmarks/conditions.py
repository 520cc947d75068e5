"""Conditions as a pair: the rule, and the SQL that an expert writes by hand for the same.

The expert knows the table `consumers`: which columns have NULL, that there is no NaN and no
infinity, that `like` needs no escapes for these texts. But one document that is no JSON would end
the query, so it is asked for. `not` is brought down to the comparisons, and there it asks for NULL.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

NEVER_NULL = {"fullName", "externalId", "createdAt"}
OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
AVERAGE = '"totalOrderValue"::double / nullif("totalOrders", 0)::double'


class Condition(NamedTuple):
    """A rule, its SQL, and the SQL of its complement."""

    rule: str
    where: str
    otherwise: str


def negated(condition: Condition) -> Condition:
    """Everybody else."""
    whole = bracketed(condition)
    return Condition(f"not {whole.rule}", whole.otherwise, whole.where)


def bracketed(condition: Condition) -> Condition:
    """The same in brackets, to stand among others."""
    return Condition(*(f"({text})" for text in condition))


def joined(word: str, parts: Sequence[Condition]) -> Condition:
    """All of them, or any of them. The complement of `and` is the `or` of the complements."""
    other = {"and": " or ", "or": " and "}[word]
    rules, wheres, otherwises = zip(*parts, strict=True)
    return Condition(f" {word} ".join(rules), f" {word} ".join(wheres), other.join(otherwises))


def bounded(field: str, rule: str, *bounds: tuple[str, str]) -> Condition:
    """A column within one bound or two, each an operator and a SQL literal."""
    column = f'"{field}"'
    where = " and ".join(f"{column} {sign} {literal}" for sign, literal in bounds)
    outside = [f"{column} {OPPOSITE[sign]} {literal}" for sign, literal in bounds]
    return Condition(f"{field} {rule}", where, _or_null(field, *outside))


def equal(field: str, values: Sequence[str | int]) -> Condition:
    """A column that is the one value, or one of several."""
    asked = _asked(values)
    literals = _in_sql(asked)
    other = f"<> {literals[2:]}" if len(values) == 1 else f"not {literals}"
    column = f'"{field}"'
    return Condition(
        f"{field} {asked}", f"{column} {literals}", _or_null(field, f"{column} {other}")
    )


def searched(field: str, words: str, text: str, ignoring_case: bool = False) -> Condition:
    """A column that contains, starts with or ends with a text without `%` and `_`."""
    pattern = {
        "contains": f"'%{text}%'",
        "starts with": f"'{text}%'",
        "ends with": f"'%{text}'",
    }[words]
    like = "ilike" if ignoring_case else "like"
    return Condition(
        f'{field} {words} "{text}"' + (" ignoring case" if ignoring_case else ""),
        f'"{field}" {like} {pattern}',
        _or_null(field, f'"{field}" not {like} {pattern}'),
    )


def presence(field: str, exists: bool) -> Condition:
    """A column that is there, or is missing."""
    there, missing = f'"{field}" is not null', f'"{field}" is null'
    if exists:
        return Condition(f"{field} exists", there, missing)
    return Condition(f"{field} is missing", missing, there)


def domain(names: Sequence[str]) -> Condition:
    """The derived field `emailDomain`, which ignores case, is one of these."""
    found = " or ".join(f"email ilike '%@{name}'" for name in names)
    otherwise = " and ".join(f"email not ilike '%@{name}'" for name in names)
    rule = f"emailDomain {_asked(names)}"
    return Condition(rule, f"({found})", f"({otherwise} or email is null)")


def average(sign: str, value: str) -> Condition:
    """The derived field `averageOrderValue` against a number."""
    return Condition(
        f"averageOrderValue {sign} {value}",
        f"{AVERAGE} {sign} {value}",
        f"coalesce({AVERAGE} {OPPOSITE[sign]} {value}, true)",
    )


def json_text(path: str, values: Sequence[str]) -> Condition:
    """A path below `metadata` that is one of these texts."""
    asked = _asked(values)
    read = _json(f"json_extract_string(metadata, '$.{path}')")
    return _once(f"metadata.{path} {asked}", f"{read} {_in_sql(asked)}")


def json_number(path: str, sign: str, value: str) -> Condition:
    """A path below `metadata` against a number."""
    read = _json(f"try_cast(json_extract(metadata, '$.{path}')::varchar as double)")
    return _once(f"metadata.{path} {sign} {value}", f"{read} {sign} {value}")


def json_element(path: str, value: str) -> Condition:
    """A list below `metadata` that has this text as an element."""
    element = f"json_contains(json_extract(metadata, '$.{path}'), '\"{value}\"')"
    return _once(f'metadata.{path} contains "{value}"', _json(element))


def json_exists(path: str) -> Condition:
    """There is something at a path below `metadata`."""
    return _once(f"metadata.{path} exists", _json(f"json_exists(metadata, '$.{path}')"))


def instant(moment: datetime) -> str:
    """The SQL literal of an instant."""
    return f"timestamptz '{moment:%Y-%m-%d %H:%M:%S}+00'"


def months_before(day: datetime, months: int) -> datetime:
    """The same day of an earlier month, for days that every month has."""
    month = day.year * 12 + day.month - 1 - months
    return day.replace(year=month // 12, month=month % 12 + 1)


def before(moment: datetime, number: int, unit: str) -> datetime:
    """That many hours, days, weeks, months, quarters or years earlier."""
    steps = {"month": 1, "quarter": 3, "year": 12}
    if unit in steps:
        return months_before(moment, number * steps[unit])
    return moment - number * timedelta(**{f"{unit}s": 1})


def _asked(values: Sequence[str | int]) -> str:
    written = [f'"{value}"' if isinstance(value, str) else str(value) for value in values]
    return f"= {written[0]}" if len(written) == 1 else f"in ({', '.join(written)})"


def _in_sql(asked: str) -> str:
    return asked.replace('"', "'")


def _or_null(field: str, *conditions: str) -> str:
    nullable = () if field in NEVER_NULL else (f'"{field}" is null',)
    parts = (*conditions, *nullable)
    return f"({' or '.join(parts)})" if len(parts) > 1 else parts[0]


def _json(expression: str) -> str:
    return f"case when json_valid(metadata) then {expression} end"


def _once(rule: str, where: str) -> Condition:
    """Documents are dear, so that the complement reads each once, too."""
    return Condition(rule, where, f"({where}) is not true")
