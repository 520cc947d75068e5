"""Any text and any JSON gives a rule, or findings that point into it: never anything else."""

import json
import time
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from segment_engine import RuleError
from segment_engine.diagnostics.spans import Span
from segment_engine.language.limits import MAX_FINDINGS
from segment_engine.operators.table import TABLE
from segment_engine.testing import rules
from tests.properties.drawn import ENGINES, SCHEMA

ENGINE = ENGINES["UTC"]
TIMES = settings.default.max_examples

WORDS = (
    *(word for row in TABLE.values() for word in (*row.words, *row.negated)),
    *SCHEMA.names,
    *("(", ")", "[", "]", ",", ".", "`", "'", '"', "\\", "#", "\n", "$", "%", "{", "}", "-", "!"),
    *("true", "false", "null", "now", "today", "5", "19.90", "1e5", "007", "1,000", "$500", "10%"),
    *("ignoring case", "30 days", "30days", "-7d", "2026-01-31", "2026-1-5", "05/01/2024", "2026"),
    *("==", "=>", "<>", "&&", "||", "!(", "LIKE", "within the last", "within last month", "“US”"),
    *(
        "metadata",
        '["a b"]',
        "[0]",
        '"US"',
        '"\\u0041"',
        '"\\x"',
        "ago",
        "from now",
        "\x00",
        "\ud800",
    ),
)
LARGE = 64 * 1024
MOST_SECONDS = 10


def assert_total(source: Any) -> None:
    """A rule, or a RuleError whose errors lie inside the text; within a second of computing."""
    began = time.process_time()
    try:
        found = ENGINE.rule(source).diagnostics
    except RuleError as error:
        found = error.diagnostics
        assert any(finding.severity == "error" for finding in found)
    assert time.process_time() - began < MOST_SECONDS
    assert ENGINE.diagnose(source) == found
    for finding in found:
        if isinstance(source, str):
            json.dumps(finding.to_json(source))
        spans = [finding.span, *(fix.span for fix in finding.fixes)]
        for span in spans:
            if isinstance(span, Span) and isinstance(source, str):
                assert 0 <= span.start <= span.end <= max(len(source), 1), finding


@settings(max_examples=20 * TIMES)
@given(st.lists(st.sampled_from(WORDS), max_size=25), st.sampled_from(["", " "]))
def test_words_of_the_language_in_any_order(words: list[str], between: str) -> None:
    assert_total(between.join(words))


@settings(max_examples=20 * TIMES)
@given(rules(SCHEMA), st.randoms(use_true_random=False))
def test_rules_with_mistakes(text: str, random: Random) -> None:
    for _ in range(random.randint(1, 3)):
        at, size = random.randrange(len(text) + 1), random.choice([0, 0, 1, 5])
        text = text[:at] + random.choice([*WORDS, ""]) + text[at + size :]
    assert_total(text)


@settings(max_examples=5 * TIMES)
@given(st.text(st.characters(), max_size=200))
@example("\ufeff")
@example("\u2028")
def test_noise(text: str) -> None:
    assert_total(text)


@example("!0|", "")
@example("5|", "")
@given(
    st.sampled_from([*WORDS, "totalOrders > 5 and ", "not (", "vip or vip and "]),
    st.text(max_size=9),
)
def test_long_texts(piece: str, end: str) -> None:
    size = max(len((piece + end).encode("utf-8", "surrogatepass")), 1)
    assert_total((piece + end) * (LARGE // size))
    assert_total(f"{piece} " * (LARGE // (size + 1)))


def test_a_check_ends_where_nobody_would_read_on() -> None:
    found = ENGINE.diagnose("!0|" * 20_000)
    assert len(found) == MAX_FINDINGS + 1
    assert [finding.code for finding in found if "5,000" in finding.message] == ["limit"]


KEYS = st.sampled_from(
    ["combinator", "not", "rules", "field", "operator", "value", "valueSource", "datetime", "muted"]
)
VALUES = st.sampled_from(
    ["and", "or", "=", "in", "between", "null", "contains", "1, 2", "", *SCHEMA.names]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), VALUES, st.text(max_size=9)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=25,
)


@settings(max_examples=20 * TIMES)
@given(st.dictionaries(KEYS, DOCUMENTS, max_size=5))
def test_query_builder_json_of_any_shape(document: dict[str, Any]) -> None:
    assert_total(document)


ROW_KEYS = st.sampled_from(["field", "operator", "values", "groupId", "position", "id", "value"])
ROW_WORDS = st.sampled_from([*(row.api for row in TABLE.values()), *SCHEMA.names, "30 days", "g"])
ROWS = st.dictionaries(ROW_KEYS, st.one_of(ROW_WORDS, st.lists(SCALARS, max_size=3), DOCUMENTS))


@settings(max_examples=20 * TIMES)
@given(st.lists(st.one_of(ROWS, DOCUMENTS), max_size=4))
def test_rule_rows_of_any_shape(rows: list[Any]) -> None:
    assert_total(rows)
