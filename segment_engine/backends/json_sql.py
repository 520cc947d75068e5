"""JSON text read inside DuckDB: SQL fragments that agree with `values.jsontext` value by value.

DuckDB shares repeated fragments in a select but not in a where, so each function here writes its
argument once: a list of one element and a lambda name a value that is needed twice.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

Path = Sequence[str | int]

_NAME = "json_value"
_ELEMENT = "json_element"
_LARGEST_INDEX = 2**63 - 1
_STARTS, _WORDS = frozenset('[{"+-.0123456789'), {"true", "false", "null", "nan", "inf", "infinity"}
_SPELT_OTHERWISE = re.compile("[\x00-\x07\x0b\x0e-\x1f]")


def literal(value: str) -> str:
    """Return `value` as an SQL string literal. It must not hold a NUL character."""
    return "'" + value.replace("'", "''") + "'"


def json_literal(value: str) -> str:
    """Return SQL of the JSON string that spells `value` as DuckDB prints it.

    A JSON value is that string exactly where it equals this, whatever escapes it was written in.
    """
    if _SPELT_OTHERWISE.search(value):
        printed = "".join(map(_printed, value))
    else:
        printed = json.dumps(value, ensure_ascii=False)[1:-1]
    return f"""{literal(f'"{printed}"')}::json"""


def _printed(char: str) -> str:
    if _SPELT_OTHERWISE.match(char):
        return f"\\u{ord(char):04X}"
    return json.dumps(char, ensure_ascii=False)[1:-1]


def document(column: str) -> str:
    """Return SQL for the JSON text in `column`, NULL where `jsontext.decode` calls it missing."""
    return f"case when json_valid({column}) then {column} end"


def step(doc: str, path: Path) -> str:
    """Return SQL for the JSON value under `path` of `doc`, NULL where there is none."""
    return _follow(doc, _pointers(path))


def step_text(doc: str, path: Path) -> str:
    """Return VARCHAR SQL for what is under `path`: a string unescaped, all else as JSON text."""
    *steps, last = _pointers(path)
    return f"json_extract_string({_follow(doc, steps)}, {literal(last)})"


def only_a_string(value: str) -> bool:
    """Whether no JSON value but a string reads as `value` in `step_text`."""
    return bool(value) and value[0] not in _STARTS and value.lower() not in _WORDS


def is_present(value: str) -> str:
    """Return SQL that is true for any JSON value but null and non-finite numbers, else false."""
    number = f"{_NAME} <> 'null' and isfinite(coalesce(try_cast({_NAME} as double), 0))"
    # A cast that fails is slow: what begins like no number and no null is not cast.
    plain = f"""contains('"[{{tf', {_NAME}[1])"""
    body = f"case when {plain} then true else {number} end"
    return f"coalesce({_once(f'({value})::varchar', body)}, false)"


def is_array(value: str) -> str:
    """Return SQL that is true for a JSON list, else false."""
    return f"coalesce(starts_with(({value})::varchar, '['), false)"


def text(value: str) -> str:
    """Return VARCHAR SQL: a JSON string, unescaped; NULL for anything else."""
    return _once(value, _text(_NAME))


def number_double(value: str) -> str:
    """Return DOUBLE SQL: the nearest double of a finite JSON number; NULL for anything else."""
    return _double(f"({value})")


def number(value: str) -> str:
    """Return DOUBLE SQL as `number_double`, but maybe infinite or NaN: to be kept in a range."""
    return f"try_cast(({value})::varchar as double)"


def integer(value: str) -> str:
    """Return BIGINT SQL: a JSON number written in digits alone that fits; else NULL."""
    return _once(value, _integer(_NAME))


def boolean(value: str) -> str:
    """Return BOOLEAN SQL: a JSON true or false; NULL for anything else."""
    return _once(value, _boolean(_NAME))


def array_length(value: str) -> str:
    """Return BIGINT SQL: the number of elements of a JSON list; NULL for anything else."""
    return _of_array(value, f"json_array_length({_NAME})::bigint")


def array_texts(value: str) -> str:
    """Return VARCHAR[] SQL: the strings in a JSON list, in order; NULL for anything else."""
    return _elements(value, _text)


def array_doubles(value: str) -> str:
    """Return DOUBLE[] SQL: the finite numbers in a JSON list; NULL for anything else."""
    return _elements(value, _double)


def array_integers(value: str) -> str:
    """Return BIGINT[] SQL: what `integer` reads of a JSON list; NULL for anything else."""
    return _elements(value, _integer)


def array_fractions(value: str) -> str:
    """Return DOUBLE[] SQL: the finite numbers in a JSON list that `integer` does not read."""
    return _elements(
        value, lambda name: f"case when {_integer(name)} is null then {_double(name)} end"
    )


def array_booleans(value: str) -> str:
    """Return BOOLEAN[] SQL: the truth values in a JSON list; NULL for anything else."""
    return _elements(value, _boolean)


READERS: Mapping[str, Callable[[str], str]] = {
    "present": is_present,
    "text": text,
    "double": number_double,
    "number": number,
    "integer": integer,
    "boolean": boolean,
    "array_length": array_length,
    "is_array": is_array,
    "texts": array_texts,
    "doubles": array_doubles,
    "integers": array_integers,
    "fractions": array_fractions,
    "booleans": array_booleans,
}
"""What may be wanted of a path, and the fragment that reads it from a JSON value."""


def extraction(source: str, column: str, wanted: Sequence[tuple[Path, str]], keep: str = "") -> str:
    """Return a query over `source` with one column f0, f1, ... for each (path, reader name).

    Each document is parsed once however many paths there are. `keep` names a column of `source`
    to carry along first; the order of rows is not promised.
    """
    routes = [_pointers(path) for path, _ in wanted]
    starts = list(dict.fromkeys(route[0] for route in routes))
    kept = f"{keep}, " if keep else ""
    found = f"json_extract(json_text, [{', '.join(map(literal, starts))}])"
    fields = ", ".join(
        f"{READERS[reader](_follow(f'json_found[{starts.index(first) + 1}]', rest))} as f{number}"
        for number, ((_, reader), (first, *rest)) in enumerate(zip(wanted, routes, strict=True))
    )
    return (
        f"select {kept}{fields} from (select {kept}{found} as json_found"
        f" from (select {kept}{document(column)} as json_text from {source}))"
    )


def _pointers(path: Path) -> list[str]:
    """The fewest DuckDB paths that lead along `path`, one after the other."""
    return [join(list(steps)) for join, steps in groupby(path, _spelling)] or ["$"]


def _spelling(key: str | int) -> Callable[[Sequence[str | int]], str]:
    # Only a pointer can say an empty key, a quote or `*`; only a path tells key "0" from place 0.
    awkward = isinstance(key, str) and (not key or any(mark in key for mark in '"*\\'))
    return _json_pointer if awkward else _json_path


def _json_pointer(keys: Sequence[str | int]) -> str:
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def _json_path(steps: Sequence[str | int]) -> str:
    places = (f'."{s}"' if isinstance(s, str) else f"[{min(s, _LARGEST_INDEX)}]" for s in steps)
    return "$" + "".join(places)


def _follow(value: str, pointers: Sequence[str]) -> str:
    for pointer in pointers:
        value = f"json_extract({value}, {literal(pointer)})"
    return value


def _once(value: str, body: str) -> str:
    return f"list_transform([{value}], lambda {_NAME}: {body})[1]"


def _of_array(value: str, body: str) -> str:
    return _once(value, f"case when starts_with({_NAME}::varchar, '[') then {body} end")


def _elements(value: str, read: Callable[[str], str]) -> str:
    every = f"json_extract({_NAME}, '$[*]')"
    values = f"list_transform({every}, lambda {_ELEMENT}: {read(_ELEMENT)})"
    return _of_array(value, f"list_filter({values}, lambda {_ELEMENT}: {_ELEMENT} is not null)")


def _text(name: str) -> str:
    return f"""case when starts_with({name}::varchar, '"') then {name}->>'$' end"""


def _double(value: str) -> str:
    finite = "case when isfinite(json_number) then json_number end"
    return (
        f"list_transform([try_cast({value}::varchar as double)], lambda json_number: {finite})[1]"
    )


def _integer(name: str) -> str:
    # The cast alone takes 1.5 and 1e3 too; an integer is what prints as it was written.
    number = f"try_cast({name}::varchar as bigint)"
    return f"case when {number}::varchar = {name}::varchar then {number} end"


def _boolean(name: str) -> str:
    return f"case {name}::varchar when 'true' then true when 'false' then false end"
