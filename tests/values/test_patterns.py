import pickle
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segment_engine.values import pattern_automaton
from segment_engine.values.patterns import PatternError, parse_pattern

LETTERS = "ab_0 .-\n\t\v\r\x00\x7f\x85é\u2028\ud7ff\ue000\uffff😀\U0010ffff"
TEXTS = st.lists(st.text(st.sampled_from(LETTERS) | st.characters(codec="utf-8")), min_size=20)

atoms = st.sampled_from(
    [
        *"ab_0 -é😀.]}^$",
        *(rf"\{c}" for c in "dwsDWSbntr.\\*{&"),
        "[ab]",
        "[^a]",
        "[^-a]",
        "[a-]",
        r"[\w.]",
        r"[^\W_]",
        r"[\Sé]",
        "[a-é]",
        "[^a-\ud7ff]",
        "[\ue000-\U0010ffff]",
        r"[\d\s\]^]",
    ]
)
repeats = st.sampled_from(
    ["*", "+", "?", "*?", "+?", "??", "{0}", "{2}", "{1,}", "{0,2}", "{1,3}?"]
)


def compound(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Returns bracketed parts, alternatives (empty ones too), sequences and repeats."""
    branches = st.lists(st.lists(parts, max_size=3).map("".join), min_size=1, max_size=3)
    group = st.tuples(st.sampled_from(["(", "(?:"]), branches.map("|".join)).map("".join)
    closed = group.map(lambda text: f"{text})")
    return closed | st.tuples(closed, repeats).map("".join)


def is_accepted(pattern: str) -> bool:
    try:
        parse_pattern(pattern)
    except PatternError:
        return False
    return True


single = atoms | st.tuples(atoms, repeats).map("".join)
sequences = st.lists(st.recursive(single, compound, max_leaves=8), min_size=1, max_size=4)
NOISE = st.text("ab|()[]^$*+?{}-\\dwb,1", max_size=8)
# Dropping what is refused afterwards, not while drawing, keeps generation fast.
PATTERNS = st.lists(sequences.map("".join) | NOISE, min_size=5, max_size=15).map(
    lambda patterns: list(filter(is_accepted, patterns)) or ["a"]
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def in_duckdb(patterns: list[str], texts: list[str]) -> list[list[bool]]:
    columns = ", ".join(
        f"list(regexp_matches(x, {quoted(parse_pattern(p).re2)}) order by row)" for p in patterns
    )
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("texts", pa.table({"row": range(len(texts)), "x": texts}))
        [row] = connection.sql(f"select {columns} from texts").fetchall()
    return list(row)


def in_polars(patterns: list[str], texts: list[str]) -> list[list[bool]]:
    x = pl.Series(texts, dtype=pl.String)
    return [
        x.str.contains(parse_pattern(p).rust, literal=False, strict=True).to_list()
        for p in patterns
    ]


def in_python(patterns: list[str], texts: list[str]) -> list[list[bool]]:
    return [[pattern.search(text) for text in texts] for pattern in map(parse_pattern, patterns)]


@settings(deadline=None)
@given(PATTERNS, TEXTS)
def test_engines_agree(patterns: list[str], texts: list[str]) -> None:
    expected = in_python(patterns, texts)
    assert in_duckdb(patterns, texts) == expected
    assert in_polars(patterns, texts) == expected


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("b", ["abc"], ["a", ""]),
        ("^a.c$", ["abc", "aéc", "a\rc"], ["a\nc", "abc\n", "xabc"]),
        (r"^\w+@[\w.-]+\.com$", ["ada@x-y.z.com"], ["ada@com", "é@x.com"]),
        (r"\bvip\b", ["a vip.", "évipé", "vip"], ["vips", "_vip"]),
        (r"^\s$", ["\v", " ", "\t"], ["\x85", "\xa0"]),
        (r"^\d$", ["7"], ["٧"]),
        ("a{2,3}?$", ["aa", "baaaa"], ["a"]),
        ("^(a|)b$", ["b", "ab"], ["aab"]),
        ("^[]-]$".replace("]-", r"\]-"), ["]", "-"], ["\\"]),
        ("^a]}$", ["a]}"], ["a"]),
        (r"^\n\t\r\\$", ["\n\t\r\\"], ["ntr"]),
        ("()()", ["", "a"], []),
        ("(?:^|,)x(,|$)", ["x", "a,x,b"], ["ax"]),
    ],
)
def test_meaning_on_every_engine(pattern: str, inside: list[str], outside: list[str]) -> None:
    expected = [[True] * len(inside) + [False] * len(outside)]
    for run in (in_python, in_duckdb, in_polars):
        assert run([pattern], inside + outside) == expected


def test_largest_patterns_compile_in_every_engine() -> None:
    spread = "".join(f"{chr(c)}-{chr(c + 0x1801)}" for c in range(0x10181, 0x10E000, 0x2801))
    marks = "".join(rf"\{chr(c)}" for c in range(0x21, 0x7F, 2) if not chr(c).isalnum())
    parts = ["a", ".", r"\W", r"\b(|a)", f"[{spread}]", "[\x81-\U0010fffe]", f"[{marks}]"]
    patterns = [largest(f"(?:{part}){{0,16}}") for part in parts]
    patterns += [r"\W{1000}", "(?:.{10}){0,100}", "(x|ya" * 50 + ")*" * 50]
    texts = ["", "a", "é" * 1000, "\x82" * 1000]
    expected = in_python(patterns, texts)
    assert in_duckdb(patterns, texts) == expected
    assert in_polars(patterns, texts) == expected


def largest(part: str) -> str:
    """Returns the longest accepted chain of the part."""
    longest = bisect_right(range(700), False, key=lambda count: not is_accepted(part * (count + 1)))
    assert longest
    return part * longest


@pytest.mark.parametrize("pattern", ["(a|a)*b", "(a*)*b", "(a+)+$b", "(.*)*.*b", r"(\w|\d|a)*b"])
def test_catastrophic_pattern_is_linear(pattern: str) -> None:
    assert not parse_pattern(pattern).search("a" * 100_000)
    assert parse_pattern(pattern.replace("$", "")).search("a" * 100_000 + "b")


def test_automaton_stays_small_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_automaton, "MAX_HELD", 50)
    pattern = parse_pattern("a.{5}b")
    texts = [f"{n:040b}".replace("0", "a").replace("1", "b") for n in range(0, 9**9, 9**6)]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(pattern.search, texts))
    wide = [any(t[at] == "a" and t[at + 6] == "b" for at in range(len(t) - 6)) for t in texts]
    assert found == wide
    assert len(pattern._automaton.states) < 50


def test_pattern_is_a_value() -> None:
    pattern = parse_pattern("a+")
    assert pattern.search("ba")
    copy = pickle.loads(pickle.dumps(pattern))
    assert (copy, hash(copy), copy.text) == (pattern, hash(pattern), "a+")
    assert "_automaton" in vars(pattern)
    assert "_automaton" not in vars(copy)
    assert parse_pattern("b") != pattern


REFUSED = [
    ("", 0, 0, "empty"),
    ("a\0", 1, 2, "U+0000"),
    ("a\ud800", 1, 2, "U+D800"),
    ("a(b", 1, 2, "never closed"),
    ("a)b", 1, 2, "no bracket is open"),
    ("x" + "(" * 60, 51, 52, "nested more than 50"),
    ("(" * 100_000, 50, 51, "nested more than 50"),
    ("a(?=b)", 1, 4, "look-around is not"),
    ("a(?!b)", 1, 4, "look-around is not"),
    ("(?<=a)b", 0, 4, "look-around is not"),
    ("(?<!a)b", 0, 4, "look-around is not"),
    ("(?P<n>a)", 0, 3, "named group"),
    ("(?<n>a)", 0, 3, "named group"),
    ("(?>a)", 0, 3, "atomic group"),
    ("(?|a)", 0, 3, "branch reset"),
    ("(?#a)", 0, 3, "comment"),
    ("(?(1)a)", 0, 3, "condition"),
    ("(?i)a", 0, 2, "flags"),
    ("a(?i:b)", 1, 3, "flags"),
    ("(?", 0, 2, "flags"),
    ("*a", 0, 1, "nothing to repeat"),
    ("(+)", 1, 2, "nothing to repeat"),
    ("a|?", 2, 3, "nothing to repeat"),
    ("^*", 1, 2, "nothing to repeat"),
    (r"\b{2}", 2, 5, "nothing to repeat"),
    ("a**", 2, 3, "cannot be repeated"),
    ("a*??", 3, 4, "cannot be repeated"),
    ("a{2}{3}", 4, 7, "cannot be repeated"),
    ("a++", 2, 3, "possessive"),
    ("a{2}+", 4, 5, "possessive"),
    ("a{", 1, 2, "starts no repeat"),
    ("a{x}", 1, 2, "starts no repeat"),
    ("a{,5}", 1, 2, "starts no repeat"),
    ("a{}", 1, 2, "starts no repeat"),
    ("a{3,2}", 1, 6, "reversed"),
    ("a{1001}", 1, 7, "1,001 times"),
    ("a{1001,}", 1, 8, "1,001 times"),
    ("a{" + "9" * 5000 + "}", 1, 5003, "more than 1,000 times"),
    ("((a{10}b){10}c){11}", 15, 19, "1,100 times"),
    (r"\W{1000}\W{1000}", 0, 16, "too large"),
    ("a[bc", 1, 2, "never closed"),
    ("a[b-", 1, 2, "never closed"),
    ("a[", 1, 2, "never closed"),
    ("[]", 0, 2, "empty"),
    ("[^]a]", 0, 3, "empty"),
    ("[z-a]", 1, 4, "reversed"),
    (r"[a-\d]", 1, 5, "one character on each side"),
    (r"[\d-z]", 1, 5, "one character on each side"),
    ("[a-z-9]", 4, 5, "dash"),
    ("[[:alpha:]]", 1, 10, "POSIX"),
    ("[a[b]]", 2, 3, "class in a class"),
    ("[a&&b]", 2, 4, "&& in a class"),
    ("[a--b]", 2, 4, "-- in a class"),
    ("[a~~b]", 2, 4, "~~ in a class"),
    (r"[\w\W]a[^\w\W]", 7, 14, "no character"),
    (r"[\b]", 1, 3, "no place in a class"),
    ("a\\", 1, 2, "escapes nothing"),
    ("[\\", 1, 2, "escapes nothing"),
    (r"(a)\1", 3, 5, "backreference"),
    (r"\k<n>", 0, 2, "backreference"),
    (r"a\pL", 1, 3, "Unicode property"),
    (r"[\P{L}]", 1, 3, "Unicode property"),
    (r"\Aa", 0, 2, r"\A is not"),
    (r"a\Z", 1, 3, r"\Z is not"),
    (r"\B", 0, 2, r"\B is not"),
    (r"\x41", 0, 2, r"\x is not"),
    (r"\Qa\E", 0, 2, r"\Q is not"),
    (r"\h", 0, 2, r"\h is not"),
    (r"\é", 0, 2, "not supported"),
]


@pytest.mark.parametrize(("pattern", "start", "end", "message"), REFUSED)
def test_refused(pattern: str, start: int, end: int, message: str) -> None:
    with pytest.raises(PatternError) as refused:
        parse_pattern(pattern)
    assert (refused.value.start, refused.value.end) == (start, end)
    assert message in refused.value.message
    assert refused.value.hint


@settings(deadline=None)
@given(st.text(st.sampled_from("ab-,1^$.|()[]{}*+?\\:=!<PdWb&~é")))
@example("[" * 10_000)
@example("(" * 50 + "a" + ")*" * 50)
@example("a|" * 3_000)
def test_parser_never_breaks(text: str) -> None:
    try:
        pattern = parse_pattern(text)
    except PatternError as refused:
        assert 0 <= refused.start <= refused.end <= len(text)
    else:
        assert pattern.search("") in (True, False)
