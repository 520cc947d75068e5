"""Where findings stand, and what `.suggestion` gives: whatever the text, these hold."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from segment_engine import Diagnostic, Engine, Fix
from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.picture import draw
from segment_engine.diagnostics.spans import Pointer, Span

ENGINE = Engine()
PIECES = st.sampled_from(
    [
        *("email", "totalOrders", "createdAt", "metadata.a", "metadata", "emial", "`in`", "x"),
        *("=", "==", "<>", ">", "=>", "!", "&&", "||", "LIKE", "contians", "less than", "is set"),
        *("in", "between", "contains", "matches", "within last", "older than", "exists", "in last"),
        *("and", "or", "not", "(", ")", "[", "]", ",", ".", "-", "+", "*", "null", "true", "is"),
        *('"a"', "'b'", "“c”", '"(a"', '"\\q"', '"open', "'", "5", "5.", ".5", "1,000", "10%"),
        *("$5", "5 EUR", "30 days", "30 days ago", "-7d", "2026-02-30", "05/01/2024", "last month"),
        *("ignoring case", "year(", "lower(", "\n", "\t", "é", "e\u0301", "日本", "🎉", "\u200b"),
        *("# c\n", "\r\n", "\x00", "≥", ";", ":", "\u00a0"),
    ]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=12).map(" ".join),
    st.lists(PIECES, max_size=12).map("".join),
    st.text(max_size=20),
)


@given(TEXTS)
@example("totalOrders >")
@example("phone exists and  \n ")
@example("")
def test_findings_lie_inside_the_text(text: str) -> None:
    for item in ENGINE.diagnose(text):
        if isinstance(item.span, Pointer):
            assert text.lstrip().startswith("{")
            continue
        for span in [item.span, *(fix.span for fix in item.fixes)]:
            assert isinstance(span, Span)
            assert 0 <= span.start <= span.end <= len(text)
            assert span.start < span.end or span.end == len(text.rstrip())


@given(TEXTS)
def test_carets_stand_under_a_line_of_the_text(text: str) -> None:
    for item in ENGINE.diagnose(text):
        if isinstance(item.span, Span):
            head, shown, carets, *advice = draw(item, text).split("\n")
            number, _, _ = shown.partition(" | ")
            assert head == f"{item.severity}[{item.code}]: {item.message}"
            assert 1 <= int(number) <= text.count("\n") + 1
            assert re.fullmatch(rf" {{{len(number)}}} \| *\^+", carets)
            assert all(row.lstrip().startswith("= ") for row in advice)


@given(TEXTS)
def test_errors_come_first_and_in_the_order_of_the_text(text: str) -> None:
    found = ENGINE.diagnose(text)
    severities = [item.severity for item in found]
    assert severities == sorted(severities, key=lambda severity: severity != "error")
    starts = [item.span.start for item in found if item.severity == "error" and text[:1] != "{"
              and isinstance(item.span, Span)]  # fmt: skip
    assert starts == sorted(starts)


def finding(fixes: tuple[str, ...] = (), near: tuple[str, ...] = ()) -> Diagnostic:
    span = Span(0, 1)
    return Diagnostic("c", "m", span, fixes=tuple(Fix(span, text) for text in fixes), near=near)


@pytest.mark.parametrize(
    ("item", "suggestion"),
    [
        (finding(), None),
        (finding(fixes=("a",)), "a"),
        (finding(fixes=("",)), ""),
        (finding(fixes=("a", "b")), None),
        (finding(near=("a",)), "a"),
        (finding(near=("a", "b")), None),
        (finding(fixes=("a",), near=("b", "c")), "a"),
        (finding(fixes=("a", "b"), near=("c",)), None),
    ],
)
def test_there_is_a_suggestion_where_exactly_one_thing_is_suggested(
    item: Diagnostic, suggestion: str | None
) -> None:
    assert item.suggestion == suggestion


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("totalOrders == 3", "="),
        ("emial exists", "email"),
        ("totalOrdrs > 3", None),
        ("createdAt within last month", None),
        ("metadata.tier = gold", '"gold"'),
        ("totalOrders > > 3", None),
    ],
)
def test_suggestions_of_rules(text: str, suggestion: str | None) -> None:
    (item,) = ENGINE.diagnose(text)
    assert item.suggestion == suggestion


def test_places_in_json_are_pointers() -> None:
    rule = {"field": "email", "operator": "=", "value": 5}
    (item,) = ENGINE.diagnose(
        {"combinator": "and", "rules": [{"combinator": "or", "rules": [rule]}]}
    )
    assert item.span == Pointer("/rules/0/rules/0/value")
    assert Pointer("").at("a/b~c").at(0).path == "/a~1b~0c/0"


def test_a_log_fails_by_errors_only() -> None:
    log = Log()
    log.hint("h", "a hint", Span(0, 1))
    assert not log.failed
    log.slip("s", "a slip", Span(3, 4), "x")
    assert log.failed
    assert [item.code for item in log.sorted()] == ["s", "h"]
