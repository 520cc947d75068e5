"""How rules, errors and memberships show themselves in notebooks and with rich."""

import io
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from rich.console import Console

from segment_engine import Engine, RuleError, Schema
from segment_engine.batch.memberships import SHOWN
from segment_engine.display.notebook import COLOURS
from segment_engine.display.terminal import STYLES
from segment_engine.display.words import Kind, Word, plain
from segment_engine.expression.spelling import spelt
from segment_engine.language.layout import layout
from segment_engine.testing import rules
from tests.properties.drawn import ENGINES, SCHEMA

ENGINE = Engine()
ROOT = Path(__file__).parents[2]
HOSTILE = "</pre><script>alert(1)</script>&amp;\" '[red]:smile:"
QUOTED = '"' + HOSTILE.replace('"', '\\"') + '"'
LONG = (
    "# lapsed\ntotalOrderValue >= 500 and lastOrderAt older than 60 days "
    'and metadata.country in ("US", "CA") and not (email ends with "@example.com" ignoring case)'
)


def printed(shown: Any, width: int = 200) -> str:
    """What rich prints of it where no colours are wanted."""
    said = io.StringIO()
    Console(file=said, width=width).print(shown)
    return "\n".join(line.rstrip() for line in said.getvalue().splitlines())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> _Text:
    """The tags of some HTML and its text."""
    parser = _Text()
    parser.feed(html)
    return parser


def wrong(text: str, engine: Engine = ENGINE) -> RuleError:
    with pytest.raises(RuleError) as caught:
        engine.rule(text)
    return caught.value


def test_a_rule_in_a_notebook() -> None:
    assert ENGINE.rule('totalOrders>3 and metadata.tier is "<b>"')._repr_html_() == (
        '<div class="segment-engine">'
        '<pre style="white-space: pre-wrap; text-align: left; margin: 0">'
        '<span class="segment-engine-field" style="color: #337acc">totalOrders</span> '
        '<span class="segment-engine-operator" style="color: #8a65ca">&gt;</span> '
        '<span class="segment-engine-number" style="color: #b96012">3</span> '
        '<span class="segment-engine-keyword" style="color: #ad54bb">and</span> '
        '<span class="segment-engine-field" style="color: #337acc">metadata.tier</span> '
        '<span class="segment-engine-operator" style="color: #8a65ca">=</span> '
        '<span class="segment-engine-text" style="color: #158b3c">&quot;&lt;b&gt;&quot;</span>'
        "</pre></div>"
    )


def test_a_long_rule_is_laid_out_as_format_does() -> None:
    rule = ENGINE.rule(LONG)
    lines = layout(LONG, rule.expression)
    assert lines.count("\n") == 4
    assert printed(rule) == lines == read(rule._repr_html_()).text


def test_colours_reach_a_terminal() -> None:
    said = io.StringIO()
    console = Console(file=said, force_terminal=True, color_system="standard", width=200)
    console.print(ENGINE.rule("totalOrders > 3"))
    assert said.getvalue() == "\x1b[36mtotalOrders\x1b[0m \x1b[1m>\x1b[0m \x1b[33m3\x1b[0m\n"


def test_each_piece_of_a_rule_has_its_kind() -> None:
    text = (
        'not phone exists and (year(createdAt) + 1 = 2020 or email contains any ("a") ignoring '
        "case) and anniversary of createdAt within last 7 days and metadata.vip = true"
    )
    words = [word for word in spelt(ENGINE.rule(text).expression) if word.text != " "]
    by_kind = {kind: [w.text for w in words if w.kind == kind] for kind in get_args(Kind)}
    assert by_kind["field"] == [
        *("phone", "createdAt", "email", "createdAt", "metadata.vip")
    ]  # fmt: skip
    assert by_kind["operator"] == [
        *("is missing", "+", "=", "contains any", "within last", "=")
    ]  # fmt: skip
    assert by_kind["keyword"] == ["and", "or", "ignoring case", "and", "and"]
    assert by_kind["function"] == ["year", "anniversary of"]
    assert by_kind["number"] == ["1", "2020"]
    assert (by_kind["text"], by_kind["time"], by_kind["truth"]) == (['"a"'], ["7 days"], ["true"])
    assert set(by_kind["mark"]) == {"(", ")"} and by_kind["plain"] == []


@pytest.mark.parametrize(
    ("text", "kind", "literal"),
    [
        ('email = "a"', "text", '"a"'),
        ('email matches "^a"', "text", '"^a"'),
        ('in audience "vip"', "text", '"vip"'),
        ("totalOrders = -5", "number", "-5"),
        ("createdAt > 2026-01-31", "time", "2026-01-31"),
        ("createdAt within last 7 days", "time", "7 days"),
        ("metadata.vip = false", "truth", "false"),
        ("true", "truth", "true"),
    ],
)
def test_a_literal_has_the_kind_of_what_it_is(text: str, kind: Kind, literal: str) -> None:
    assert spelt(ENGINE.rule(text).expression)[-1] == Word(kind, literal)


@given(rules(SCHEMA))
def test_words_are_the_canonical_text(text: str) -> None:
    rule = ENGINES["UTC"].rule(text)
    words = spelt(rule.expression)
    assert plain(words) == rule.text
    assert all(word.text == word.text.strip() for word in words if word.kind == "keyword")
    assert read(rule._repr_html_()).text == layout(text, rule.expression)


def test_an_error_is_its_picture() -> None:
    error = wrong("totlOrders => 3\n and email = <b>")
    for shown in (str(error), printed(error), read(error._repr_html_()).text):
        assert "did you mean totalOrders" in shown
        assert "1 | totlOrders => 3\n  |            ^^\n  = fix: `>=`" in shown
    assert '<span class="segment-engine-error" style="color: #dd3d37">^^</span>' in (
        error._repr_html_()
    )
    many = wrong(" and ".join(["nope = 1"] * 30))
    assert printed(many).endswith("... and 10 more")
    of_json = wrong('{"field": "emial", "operator": "notNull"}')
    assert "--> /field" in printed(of_json)


def test_memberships_are_a_table() -> None:
    people = [{"id": n, "totalOrders": n} for n in range(8)]
    run = ENGINE.materialize({"some": "totalOrders > 4", "none": "false", "typo": "x = 1"}, people)
    assert run.consumers == 8
    expected = """\
audience  members  share
some            3  37.5%
none            0   0.0%
typo       failed
typo failed: no field is called `x`"""
    assert printed(run) == expected
    html = read(run._repr_html_())
    assert html.text == (
        "audiencemembersshare" "some337.5%" "none00.0%" "typofailed"
        "typo failed: no field is called `x`"
    )  # fmt: skip
    assert {"table", "thead", "th", "tr", "td"} <= html.tags


def test_many_memberships_and_those_of_nobody() -> None:
    many = Engine().materialize({f"a{n}": "true" for n in range(SHOWN + 2)}, [{"id": 1}])
    lines = printed(many).splitlines()
    assert lines[1].split() == ["a0", "1", "100.0%"] and lines[-1] == "... and 2 more"
    assert "%" not in printed(Engine().materialize({"a": "true"}, []))


def test_nothing_that_is_shown_is_markup() -> None:
    schema = Schema({HOSTILE: "text", "metadata": "any"})
    engine = Engine(schema)
    run = engine.materialize({HOSTILE: f"metadata.x = {QUOTED}", "b": QUOTED}, [{"id": 1}])
    rule = engine.rule(f"`{HOSTILE}` = {QUOTED} or metadata[{QUOTED}] = 1")
    comment = engine.rule(f"# {HOSTILE}\nmetadata exists")
    for shown in (rule, comment, wrong(f"x = {QUOTED}", engine), run, rule.explain_sql()):
        html = read(shown._repr_html_())
        assert html.tags <= {"div", "pre", "span", "table", "thead", "tbody", "tr", "th", "td"}
        assert "<script>alert(1)</script>&amp;" in html.text
        assert "</script>&amp;" in printed(shown, 1000) and "[red]:smile:" in printed(shown, 1000)


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", sorted(set(COLOURS.values())))
def test_colours_read_on_light_and_on_dark(colour: str) -> None:
    assert (luminance("#ffffff") + 0.05) / (luminance(colour) + 0.05) >= 4
    assert (luminance(colour) + 0.05) / (luminance("#111111") + 0.05) >= 4


def test_both_displays_colour_the_same_kinds() -> None:
    assert COLOURS.keys() == STYLES.keys() == set(get_args(Kind)) - {"plain", "sql"}


def test_a_notebook_needs_no_rich() -> None:
    code = (
        "import sys; from segment_engine import Engine; "
        "Engine().rule('phone exists')._repr_html_(); print('rich' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.stdout.strip() == "False", found.stderr
