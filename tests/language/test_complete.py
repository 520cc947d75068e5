"""What may be typed at a place: by the parser's own word, whatever is wrong elsewhere."""

import json
import time
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment_engine import Engine, Schema
from segment_engine.expression.spelling import spelt
from segment_engine.operators.row import Shape
from segment_engine.operators.table import of_shape
from segment_engine.testing import EVERY_TYPE, rules
from tests.properties.test_totality import WORDS

FIELDS = {
    "email": "text",
    "country": {"type": "text", "label": "Country of residence"},
    "totalOrders": "number",
    "vip": "boolean",
    "tags": "list of text",
    "lastOrderAt": "datetime",
    "metadata": "any",
    "metadata.tier": "text",
    "first name": {"type": "text", "column": "name"},
    "emailDomain": {"type": "text", "derived": "domain(email)"},
}
ENGINE = Engine(Schema(FIELDS))
SEEN = {
    "country": ["US", "New York", "C\"\\d'"],
    "metadata.tier": ["gold", "silver"],
    "totalOrders": [1, 2.5, Decimal("7.00"), float("nan")],
    "tags": ["press"],
    "metadata.city": ["Rome", "\x00", None, 3],
}
TIMES = settings.default.max_examples


def at(marked: str) -> list[str]:
    """The whole text after each completion at the mark."""
    cursor = marked.index("|")
    text = marked.replace("|", "", 1)
    found = ENGINE.complete(text, cursor, SEEN)
    return [text[: f.span.start] + f.text + text[f.span.end :] for f in found]


def words(marked: str) -> list[str]:
    """What is offered at the mark."""
    return [
        found.label
        for found in ENGINE.complete(marked.replace("|", "", 1), marked.index("|"), SEEN)
    ]


PARTS = ["year(", "quarter(", "month(", "day(", "weekday(", "hour("]
UNITS = ("minute", "hour", "day", "week", "month", "quarter", "year")

EXACT = [
    ("tot|", ["totalOrders"]),
    ("TOT|", ["totalOrders"]),
    ("anni|", ["anniversary of"]),
    ("metadata.|", ["metadata.tier", "metadata.city"]),
    ("metadata.ti|", ["metadata.tier"]),
    ("`fir|", ["`first name`"]),
    ("fir|", ["`first name`"]),
    ("email is n|", ["is not", "is not empty"]),
    ("email  IS  NOT m|", ["metadata", "metadata.tier", "metadata.city"]),
    ("metadata.x  IS  NOT emp|", ["is not empty"]),
    ("email not con|", ["contains", "contains any", "contains all"]),
    ("email starts |", ["starts with"]),
    ("lastOrderAt within |", ["within last", "within next"]),
    ("totalOrders > 5 |", ["+", "-", "*", "/", "and", "or"]),
    ("totalOrders exists |", ["and", "or"]),
    ("totalOrders > 5 a|", ["and"]),
    ("totalOrders between 1 |", ["+", "-", "*", "/", "and"]),
    ("phone > 3 and em|", ["email", "emailDomain"]),
    ("metadata.tier in |", ["("]),
    ('metadata.tier in ("gold", |', ['"gold"', '"silver"']),
    ('country = "n|', ['"New York"']),
    ("country = 'n|", ['"New York"']),
    ("country = new|", ['"New York"']),
    ("country = 'C\"|", ['"C\\"\\\\d\'"']),
    ("tags contains p|", ['"press"']),
    ("vip = t|", ["true", "tags"][:1]),
    ("lastOrderAt during last m|", ["last month"]),
    ("lastOrderAt > 90 d|", ["90 days ago", "90 days from now"]),
    ("lastOrderAt within last 1 h|", ["1 hour"]),
    ("lastOrderAt within last 45|", [f"45 {unit}s" for unit in UNITS]),
    ("email matches |", []),
    ('email contains "x" |', ["ignoring case", "and", "or"]),
    ('email < "x" |', ["and", "or"]),
    ('country in ("x") i|', ["ignoring case"]),
    ("year(last|", ["lastOrderAt"]),
    ("anniversary of la|", ["lastOrderAt"]),
    ("email # is |", []),
    ('{"field": "em|', []),
    ('metadata["ti|', []),
]


@pytest.mark.parametrize(("marked", "expected"), EXACT)
def test_completions(marked: str, expected: list[str]) -> None:
    assert words(marked) == expected


def test_a_condition_begins_with_a_field_a_function_or_a_keyword() -> None:
    fields = [*FIELDS, "metadata.city"]
    fields[fields.index("first name")] = "`first name`"
    functions = ["domain(", "number(", "datetime(", *PARTS, "anniversary of"]
    start = [*fields, *functions, "not", "true", "false", "in audience", "not in audience"]
    for before in ("", "not ", "(", "vip and ", "vip and # why\n", "(vip or not ("):
        assert words(f"{before}|") == start, before


@pytest.mark.parametrize("name", ["email", "totalOrders", "vip", "tags", "lastOrderAt", "metadata"])
def test_after_a_value_come_the_operators_of_its_type(name: str) -> None:
    family = ENGINE.schema.specs[name].type.family
    shapes = set(Shape) - {
        Shape.LOGIC,
        Shape.PREFIX,
        Shape.AUDIENCE,
        Shape.FUNCTION,
        Shape.ARITHMETIC,
        Shape.HIDDEN,
    }
    rows = [row for row in of_shape(*shapes) if family == "any" or {"*", family} & set(row.takes)]
    expected = {word for row in rows for word in (*row.words, *row.negated)}
    expected |= {"+", "-", "*", "/"} if family in ("number", "any") else set()
    expected |= {"and", "or"} if family in ("boolean", "any") else set()
    assert set(words(f"{name} |")) == expected


def test_values_fit_the_operator() -> None:
    assert words("totalOrders > |")[:4] == ["1", "2.5", "7", "totalOrders"]
    assert words("metadata.tier = |")[:2] == ['"gold"', '"silver"']
    assert words("vip = |")[:2] == ["true", "false"]
    assert words("lastOrderAt > |")[:5] == ["now", "today", "yesterday", "tomorrow", "this week"]
    assert words("lastOrderAt within last |")[2] == "30 days"
    assert words("metadata.city = |")[:4] == ['"Rome"', "3", "true", "false"]
    assert "totalOrders" not in words("country = |") and "email" in words("country = |")
    assert set(words("email starts with |")) == set()
    assert words("5 < |")[0] == "totalOrders" and "email" not in words("5 < |")
    assert "email" not in words("totalOrders + |") and "totalOrders" in words("totalOrders * (|")
    assert words("totalOrders between 1 and |") == words("totalOrders > |")


@pytest.mark.parametrize(
    ("marked", "whole"),
    [
        ("(tot|alOr > 3", "(totalOrders > 3"),
        ("metadata.t|ier exists", None),
        ("metada|ta.tie exists", "metadata.tier exists"),
        ("email star|ts wi", "email starts with"),
        ('email star|ts with "x"', None),
        ("email is | missing", None),
        ("email is |empty", "email is missing"),
        ("vip |email", "vip and email"),
        ("totalOrders <|5", "totalOrders <=5"),
        ('country = "|u" and vip', 'country = "US" and vip'),
        ('country = "n|w york" and vip', 'country = "New York" and vip'),
        ('country = "u| and email = "x"', 'country = "US" and email = "x"'),
        ("`fir|st` exists", "`first name` exists"),
        ("country=|", 'country= "US"'),
        ("(vip)|", "(vip) and"),
        ("(|", "(email"),
    ],
)
def test_the_rest_of_a_word_is_replaced(marked: str, whole: str | None) -> None:
    assert whole is None or whole in at(marked)
    assert marked.replace("|", "") not in at(marked)


@pytest.mark.parametrize(
    "before",
    ["totalOrders >> 3 and ", "vip ~ 3 or ", "(email in and ", "email = and ", "1e5 and ",
     "email between 1 or ", "metadata[ and ", "vip vip and ", ") and ", "and or ", "x = 1 (",
     'email = "x\n and ', "country = «x» and ", "email starts and "],
)  # fmt: skip
@pytest.mark.parametrize("after", ["", ' > > ) "', " ' and"])
def test_what_is_wrong_elsewhere_does_not_matter(before: str, after: str) -> None:
    text = f"{before}tot"
    found = ENGINE.complete(text + after, len(text), SEEN)
    assert [item.label for item in found] == ["totalOrders"]


def test_a_completion_tells_what_it_is() -> None:
    (found,) = ENGINE.complete("vip and coun")
    assert json.loads(json.dumps(found.to_json())) == {
        "text": "country",
        "start": 8,
        "end": 12,
        "kind": "field",
        "label": "country",
        "detail": "text",
        "doc": "Country of residence",
    }
    kinds = {
        "metadata.tier = |": "value",
        "lastOrderAt > tod|": "period",
        "lastOrderAt within last |": "unit",
        "email star|": "operator",
        "dom|": "function",
        "no|": "keyword",
    }
    for marked, kind in kinds.items():
        text = marked.replace("|", "")
        assert ENGINE.complete(text, values=SEEN)[0].kind == kind
    (negated,) = ENGINE.complete("email not ma")
    assert (negated.text, negated.detail) == ("matches", "not matches")
    (derived,) = ENGINE.complete("emailD")
    assert derived.doc == "domain(email)"


def test_a_cursor_outside_is_at_the_nearest_end() -> None:
    assert ENGINE.complete("tot", 99) == ENGINE.complete("tot")
    assert ENGINE.complete("tot", -5) == ENGINE.complete("tot", 0)


# ---- properties

WIDE = Engine(Schema(EVERY_TYPE))
WIDE_SEEN = {"email": ["ada@example.com"], "metadata.points": [5], "tags": ["a b"], "vip": [True]}
SYNTAX = {"syntax", "bad-character", "unterminated-text", "empty-rule"}


def broken_at(text: str) -> int:
    """The first place at which a text is no beginning of a rule; its length for none."""
    found = [item for item in WIDE.diagnose(text) if item.code in SYNTAX]
    return min([item.span.start for item in found] + [len(text)])


@settings(max_examples=10 * TIMES)
@given(rules(WIDE.schema), st.randoms(use_true_random=False))
def test_what_is_completed_parses_as_far_as_it_goes(rule: str, random: Random) -> None:
    cursor = random.randrange(len(rule) + 1)
    if broken_at(rule[:cursor]) < len(rule[:cursor].rstrip()) - 1:
        return
    for found in WIDE.complete(rule, cursor, WIDE_SEEN):
        begun = rule[: found.span.start] + found.text
        assert broken_at(begun) >= len(begun.rstrip()) - 1, (rule[:cursor], found)
        assert found.span.start <= cursor <= found.span.end <= len(rule)


def words_of(rule: str, random: Random) -> list[tuple[str, str]]:
    """Some fields, operators and keywords of the canonical rule, each after what is before it."""
    before, found = "", []
    for word in spelt(WIDE.rule(rule).expression):
        if word.kind in ("field", "operator", "keyword", "function", "truth") and _listed(
            word.text
        ):
            found.append((before, word.text))
        before += word.text
    return random.sample(found, min(5, len(found)))


def _listed(text: str) -> bool:
    """No path that nobody declared, and no sign of a number."""
    root = text.strip("`").partition(".")[0].partition("[")[0].strip("`")
    return text != "-" and (root != "metadata" or text in WIDE.schema.names)


@settings(max_examples=10 * TIMES)
@given(rules(WIDE.schema), st.randoms(use_true_random=False))
def test_the_next_word_is_among_the_completions(rule: str, random: Random) -> None:
    for before, text in words_of(rule, random):
        labels = [found.label.rstrip("(") for found in WIDE.complete(before)]
        assert text in labels, (before, text)


@settings(max_examples=10 * TIMES)
@given(rules(WIDE.schema), st.randoms(use_true_random=False))
def test_half_a_word_is_completed(rule: str, random: Random) -> None:
    for before, text in words_of(rule, random):
        if text[0].isalpha() and len(text) > 1:
            half = text[: random.randrange(1, len(text))].upper()
            labels = [found.label.rstrip("(") for found in WIDE.complete(before + half)]
            assert text in labels, before + half


@settings(max_examples=20 * TIMES)
@given(st.lists(st.sampled_from(WORDS), max_size=25), st.sampled_from(["", " "]), st.integers(0))
def test_any_text_at_any_place(pieces: list[str], between: str, place: int) -> None:
    text = between.join(pieces)
    cursor = place % (len(text) + 1)
    for found in WIDE.complete(text, cursor, WIDE_SEEN):
        assert 0 <= found.span.start <= cursor <= found.span.end <= len(text)


@settings(max_examples=5 * TIMES)
@given(st.text(st.characters(), max_size=200))
def test_noise(text: str) -> None:
    WIDE.complete(text, len(text) // 2)
    WIDE.complete(text)


@pytest.mark.parametrize(
    "piece", ["(", "not ", "vip and ", "> ", "1,", '"', "[", "x = ", "# ", "~", "-", "`"]
)
def test_long_texts_take_little_time(piece: str) -> None:
    text = piece * (64 * 1024 // len(piece))
    began = time.process_time()
    WIDE.complete(text)
    assert time.process_time() - began < 10
