"""JSON metadata means the same to Python, to DuckDB and to Polars, whatever the text."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine.backends import json_sql
from segment_engine.backends.json_series import extract, extract_many
from segment_engine.values.jsontext import RECURSED, at, decode

Path = tuple[str | int, ...]


def number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


def of_type(kind: type) -> Callable[[object], object]:
    return lambda value: value if type(value) is kind else None


def elements(read: Callable[[object], object]) -> Callable[[object], object]:
    def of_list(value: object) -> object:
        found = map(read, value) if isinstance(value, list) else None
        return None if found is None else [each for each in found if each is not None]

    return of_list


REFERENCE: dict[str, Callable[[object], object]] = {
    "present": lambda value: value is not None,
    "text": of_type(str),
    "double": number,
    "integer": of_type(int),
    "boolean": of_type(bool),
    "array_length": lambda value: len(value) if isinstance(value, list) else None,
    "is_array": lambda value: isinstance(value, list),
    "texts": elements(of_type(str)),
    "doubles": elements(number),
    "integers": elements(of_type(int)),
    "booleans": elements(of_type(bool)),
}

KEYS = [
    *("a", "b", "A", "0", "00", "1", "-1", "-", "", "*", "**", "a*", "~", "~1", "/", "a/b", "a.b"),
    *('"', 'a"b', "\\", 'a\\"', "'", "é", "e\u0301", "😀", "\uff11", "#", "$", "$.a", "[0]", " "),
    *("\t", "\x01", "null", "nan", "\u2028", "?", "]", "k" * 10_000),
]
NUMBERS = [
    *("0", "-0", "1", "12", "1.0", "-0.0", "1E+2", "1e400", "-1e400", "1e-400", "0.1", "5e-324"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "9" * 5000),
    *("-9223372036854775809", "18446744073709551616", "12345678901234567890123", "1e22"),
    *("9007199254740993", "1.7976931348623157e308", "1.7976931348623159e308", "1e15"),
]
NON_FINITE = ["NaN", "nan", "-NaN", "Infinity", "-Infinity", "inf", "-INF", "iNfInItY"]
WORDS = [*NUMBERS, *NON_FINITE, "true", "false", "null"]
NOT_JSON = [
    *("", "  ", "+1", "+NaN", "01", "-01", ".5", "1.", "1e", "0x1", "- 1", "nanx", "infi", "-"),
    *("True", "nul", "'a'", "1_0", "\uff11", "--inf", "NaNNaN", "1NaN", "\u0131nf", "[,]", "{,}"),
    *("[1,,]", "[,1]", '{"a":,}', '{"a",}', "{a:1}", "{1:1}", "[1 2]", '["a" "b"]', "1 2", "1,"),
    *(
        '"\\x41"',
        '"\\u12"',
        '"a',
        '"\x01"',
        '"\n"',
        '"a\x00"',
        "1\x00",
        "\ufeff1",
        "\x0b1",
        "\xa01",
    ),
    *("/**/1", "1//", '"\\ud800"', '"\\udc00"', '"\\ud83d\\u0041"', '{"\\uD800":1}', "[1", "]"),
    *('{"a":1,"a":"\\ud800"}', '{"a":1}{"a":1}', "[1}", "nan nan", "[-]", '"\\ud83d\\\\ude00"'),
]
ESCAPES = ["\\u0000", "\\ud83d\\ude00", "\\ud800", "\\\\ud800", "\\/", "\\a", "\\u00e9", "\x7f"]


def nested(depth: int, inner: str = '"[[[{\\""') -> str:
    opened = ['{"a":', "["] * depth
    return "".join(opened[:depth]) + inner + "".join("}]"[i % 2] for i in reversed(range(depth)))


def listed(parts: st.SearchStrategy[str], brackets: str) -> st.SearchStrategy[str]:
    commas = st.sampled_from([",", " ,\n"])
    last = st.sampled_from(["", "", ",", ", "])
    every = st.lists(parts, max_size=4)
    return st.builds(
        lambda every, comma, last: brackets[0] + comma.join(every) + last + brackets[1],
        *(every, commas, last),
    )


def containers(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.builds("{}:{}".format, st.sampled_from(KEYS).map(json.dumps), values)
    return st.one_of(listed(values, "[]"), listed(members, "{}"))


def spoiled(text: str, place: int, cut: int, inserted: str) -> str:
    place %= len(text) + 1
    return text[:place] + inserted + text[place + cut :]


texts = st.one_of(
    st.sampled_from(["", "a", "12", "true", "NaN", "[", "é😀"]).map(json.dumps),
    st.lists(st.sampled_from([*ESCAPES, "a", "{", "\\\\"]), max_size=3).map(
        lambda parts: '"' + "".join(parts) + '"'
    ),
)
scalars = st.one_of(st.sampled_from(WORDS), texts, st.floats(allow_nan=False).map(repr))
documents = st.recursive(scalars, containers, max_leaves=12)
deep = st.builds(
    nested, st.integers(RECURSED - 2, RECURSED + 2) | st.just(300), scalars | documents
)
noise = st.text("[]{},:\"\\ \n019eE+-.nNaiftul\x00\x01'/*é", max_size=8)
hostile = st.one_of(
    documents,
    st.builds(spoiled, documents | deep, st.integers(0, 1000), st.integers(0, 2), noise),
    st.one_of(deep, noise, st.sampled_from(NOT_JSON), st.none()),
)
steps = st.one_of(st.sampled_from(KEYS), st.sampled_from(["a", "b", 0, 1, 2, 2**70]))
paths = st.lists(steps, max_size=3).map(tuple)


def expected(texts: list[str | None], path: Path, wanted: str) -> list[object]:
    return [REFERENCE[wanted](at(decode(text), path)) for text in texts]


def in_duckdb(texts: list[str | None], path: Path, wanted: str) -> list[object]:
    value = json_sql.step(json_sql.document("m"), path)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("create table t (i int, m varchar)")
        connection.executemany("insert into t values (?, ?)", [*enumerate(texts)])
        query = f"select {json_sql.READERS[wanted](value)} from t order by i"
        return [found for (found,) in connection.execute(query).fetchall()]


def same(left: object, right: object) -> bool:
    # repr tells 1 from 1.0 and -0.0 from 0.0.
    return repr(left) == repr(right)


@settings(deadline=None, max_examples=80)
@given(st.lists(hostile, max_size=12), st.lists(paths, min_size=1, max_size=4))
def test_python_and_polars_read_hostile_documents_alike(
    texts: list[str | None], routes: list[Path]
) -> None:
    pairs = [(path, wanted) for path in routes for wanted in REFERENCE]
    found = extract_many(pl.Series("m", texts, pl.String), pairs).struct.unnest()
    for (path, wanted), column in zip(pairs, found.iter_columns(), strict=True):
        assert same(column.to_list(), expected(texts, path, wanted)), (path, wanted)


@settings(deadline=None, max_examples=60)
@given(st.lists(hostile, min_size=1, max_size=8), paths, st.sampled_from([*REFERENCE]))
def test_a_fragment_in_duckdb_reads_what_python_reads(
    texts: list[str | None], path: Path, wanted: str
) -> None:
    assert same(in_duckdb(texts, path, wanted), expected(texts, path, wanted))


CASES: list[tuple[str, Path, object]] = [
    ('{"a": 12}', ("a",), 12),
    ('{"a": "12"}', ("a",), "12"),
    ('{"a": 1.0}', ("a",), 1.0),
    ('{"a": -0}', ("a",), 0),
    ('{"a": -0.0}', ("a",), -0.0),
    ('{"a": null}', ("a",), None),
    ("{}", ("a",), None),
    ('{"a": 12345678901234567890123}', ("a",), 1.2345678901234568e22),
    ('{"a": 9223372036854775807}', ("a",), 2**63 - 1),
    ('{"a": 9223372036854775808}', ("a",), 2.0**63),
    ('{"a": 1e400}', ("a",), None),
    ('{"a": 1, "a": 2}', ("a",), 1),
    ('{"a": null, "a": 2}', ("a",), None),
    ('{"a": {"b": 1}, "a": {"c": 2}}', ("a", "c"), None),
    ('{"A": 1}', ("a",), None),
    ('{"a.b": 1, "a": {"b": 2}}', ("a.b",), 1),
    ('{"a\\"b": 1}', ('a"b',), 1),
    ('{"a": 1, "*": 2}', ("*",), 2),
    ('{"a": 1}', ("*",), None),
    ('{"": {"": 3}}', ("", ""), 3),
    ('{"é": 1}', ("e\u0301",), None),
    (f'{{"{"k" * 10_000}": 1}}', ("k" * 10_000,), 1),
    ('{"0": 1}', ("0",), 1),
    ("[1]", ("0",), None),
    ('{"0": 1}', (0,), None),
    ("[1, 2]", (1,), 2),
    ("[1]", (2**70,), None),
    ("[NaN]", (), [None]),
    ("[-iNf, 1, ]", (), [None, 1]),
    ('[1, "x", true, [2], {}, null]', (), [1, "x", True, [2], {}, None]),
    ("[[1, 2], [3]]", (0,), [1, 2]),
    (' "text" ', (), "text"),
    ('"NaN, ]"', (), "NaN, ]"),
    ('{"a": [1,], "b": "nan,]"}', ("b",), "nan,]"),
    ('"\\u0000\\ud83d\\ude00"', (), "\x00😀"),
    ('"\\\\ud800"', (), "\\ud800"),
    (nested(RECURSED), ("a", 0, "a", 0) * (RECURSED // 4), '[[[{"'),
    (nested(RECURSED + 1), ("a", 0) * (RECURSED // 2) + ("a",), '[[[{"'),
    (nested(3000), ("a", 0) * 1500, '[[[{"'),
    (nested(3000, '{"k": [1, {}, []], "k": 2,}'), (("a", 0) * 1500 + ("k", 0)), 1),
    (f"[{'[],' * RECURSED}7]", (RECURSED,), 7),
    (f'["{"[" * 500}"]', (0,), "[" * 500),
    (f'["\\\\", "\\"[é", {"[]," * 60}NaN, {"{}," * 60}{nested(RECURSED)}]', (1,), '"[é'),
    (f"[[1,], {nested(3000)}", (), None),
    (f"[{nested(3000)}}}", (), None),
    (f"{nested(3000)} 1", (), None),
]


@pytest.mark.parametrize(("text", "path", "value"), CASES, ids=range(len(CASES)))
def test_what_a_path_of_a_document_is(text: str, path: Path, value: object) -> None:
    assert same(at(decode(text), path), value)
    for wanted, read in REFERENCE.items():
        assert same(extract(pl.Series([text]), path, wanted).to_list(), [read(value)]), wanted


def test_text_that_is_not_json_is_missing_everywhere() -> None:
    assert [text for text in NOT_JSON if decode(text) is not None] == []
    with duckdb.connect(config={"threads": 1}) as connection:
        query = f"select m from (select unnest(?) as m) where {json_sql.document('m')} is not null"
        assert connection.execute(query, [NOT_JSON]).fetchall() == []


def test_a_surrogate_no_engine_can_hold_makes_the_document_missing() -> None:
    assert decode('["\ud800"]') is None


@pytest.mark.parametrize(
    "unit", ["[", "[]", '{"a":', '"', '\\"', "nan", "[1,],", '"\\ud800', "[ ,"]
)
def test_a_megabyte_of_noise_is_missing_soon(unit: str) -> None:
    assert decode('["' + unit * (1_000_000 // len(unit))) is None
    assert decode(unit * (1_000_000 // len(unit))) is None


def test_rows_keep_their_place_and_threads_their_results() -> None:
    texts = [None if i % 7 == 0 else f'{{"n": {i}}}' for i in range(30_000)]
    series = pl.Series("m", texts)
    numbers = [None if i % 7 == 0 else i for i in range(30_000)]
    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(extract, series, ("n",), "integer") for _ in range(8)]
    assert all(read.result().name == "m" for read in reads)
    assert all(read.result().to_list() == numbers for read in reads)


def test_no_rows_give_typed_empty_columns() -> None:
    found = extract_many(pl.Series("m", [], pl.Null), [(("a",), "texts"), ((), "integer")])
    assert found.dtype == pl.Struct({"f0": pl.List(pl.String), "f1": pl.Int64})
    assert found.len() == 0


@pytest.mark.parametrize("key", KEYS)
def test_any_key_leads_to_its_own_value(key: str) -> None:
    others = [other for other in KEYS if other != key]
    texts = [json.dumps(dict.fromkeys(others) | {key: 1}), json.dumps(dict.fromkeys(others, 0))]
    assert extract(pl.Series(texts), (key,), "integer").to_list() == [1, None]
    inside = pl.Series([f"[{text}]" for text in texts])
    assert extract(inside, (0, key), "present").to_list() == [True, False]
