"""Every character of a rule is found in its file, however YAML writes the rule."""

import json

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from segment_engine.catalog.entries import read_part
from segment_engine.catalog.findings import SourceText
from segment_engine.catalog.places import characters, in_file, offset_of
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.spans import Span

BLANKS = " \t\r\n\x85\u2028\u2029"
WORDS = ["totalOrders", ">=", "500", '"a\'b"', "and", "(", "#", ": ", "''", "\\", "- ", "é", "😀"]
TEXTS = st.lists(
    st.sampled_from([*WORDS, " ", "  ", "\n", "\n\n", "\t"])
    | st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=40,
).map("".join)


def scalar(text: str) -> yaml.ScalarNode:
    """The rule of the audience `a` in a file."""
    entry = read_part(SourceText("a.yaml", text)).entries[0]
    assert isinstance(entry.node, yaml.ScalarNode)
    return entry.node


def at_each(text: str) -> list[tuple[str, str]]:
    """Each character of the rule that is no blank, with what stands at its place in the file."""
    node = scalar(text)
    value = node.value.encode("utf-16", "surrogatepass").decode("utf-16")
    places = [*characters(node, text)]
    assert len(places) == len(value) + 1
    flat = [at for place in places for at in place]
    assert flat == sorted(flat)
    assert node.start_mark.index <= flat[0] and flat[-1] <= node.end_mark.index
    pairs = zip(value, places, strict=False)
    return [(char, text[start:end]) for char, (start, end) in pairs if char not in BLANKS]


def stands(char: str, there: str) -> bool:
    """Whether the file writes the character there: as it is, or as an escape."""
    if there in (char, char * 2):
        return True
    read: str = yaml.safe_load(f'"{there}"')
    return read.encode("utf-16", "surrogatepass").decode("utf-16") == char


@given(
    TEXTS,
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.integers(10, 100),
    st.integers(2, 9),
    st.booleans(),
    st.sampled_from(["\n", "\r\n", "\r", "\x85"]),
    st.booleans(),
)
def test_whatever_pyyaml_writes(
    rule: str, style: str | None, width: int, indent: int, allow: bool, line: str, flow: bool
) -> None:
    assume(rule.strip(BLANKS))
    held = {"settings": "x", "audiences": {"a": {"name": "A", "rule": rule}}}
    text = yaml.dump(
        held if indent % 2 else {"a": rule},
        default_style=style,
        width=width,
        indent=indent,
        allow_unicode=allow,
        default_flow_style=flow,
        line_break=line if line != "\x85" else None,
    )
    found = at_each(text.replace("\n", "\x85") if line == "\x85" else text)
    assert [(c, there) for c, there in found if not stands(c, there)] == []


@given(TEXTS, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_whatever_json_writes(rule: str, ascii_only: bool, indent: int | str | None) -> None:
    assume(rule.strip(BLANKS))
    text = json.dumps({"a": {"rule": rule}}, ensure_ascii=ascii_only, indent=indent)
    found = at_each(text)
    assert "".join(char for char, _ in found) == "".join(c for c in rule if c not in BLANKS)
    assert [(c, there) for c, there in found if not stands(c, there)] == []


WRITTEN = {
    "plain": "a: ab\n  «x» c\n",
    "single": "a: 'a''\n\n  «x» ''c'\n",
    "double": 'a: "\\x61\\u0020 \\\n   \\ «x»"\n',
    "continued": 'a: "a\\tb \\\n  \\x20\\ \\n\\\n  «x»"\n',
    "escaped": 'a: "\\ud83d\\ude00\\U0001F600\\/ «x»"\n',
    "an escape": 'a: "\\ud83d\\ude00 «\\x78» y"\n',
    "literal": "a: | # it's said\n\n    a\n      b\n\n    «x»\n",
    "folded": "a: >-\n  a\n  b\n\n    c\n  «x»\nb: y\n",
    "indented": "a: |2-\n    a\n  «x»\n",
    "carriage returns": "a: |\r  a\r  «x»\r",
    "windows": "a: >\r\n  a\r\n\r\n  «x»\r\n",
    "properties": "a: !!str &here '«x»'\n",
    "separators": 'a: "b\u2028  c \x85 «x»"\n',
}


@pytest.mark.parametrize("marked", WRITTEN.values(), ids=WRITTEN)
def test_what_stands_between_the_marks(marked: str) -> None:
    text = marked.replace("«", "").replace("»", "")
    node = scalar(text)
    at = node.value.encode("utf-16", "surrogatepass").decode("utf-16").index("x")
    moved = in_file(Diagnostic("syntax", "", Span(at, at + 1)), node, text)
    assert moved.span == Span(marked.index("«"), marked.index("»") - 1)


def test_the_end_of_a_rule_is_behind_its_last_character() -> None:
    for text in ("a: b >  # no more\nc: d\n", "a: 'b >'\nc: d\n", "a: |\n  b >\n\nc: d\n"):
        node = scalar(text)
        end = len(node.value.rstrip())
        moved = in_file(Diagnostic("syntax", "", Span(end, end)), node, text)
        assert moved.span == Span(text.index(">") + 1, text.index(">") + 1)


def test_lines_are_counted_as_yaml_does() -> None:
    text = "a\r\nb\rc\x85d\u2028e\u2029f\n"
    assert [text[offset_of(text, line, 1)] for line in range(1, 7)] == list("abcdef")
    assert offset_of(text, 99, 5) == len(text)
