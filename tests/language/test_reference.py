"""The reference in grammar/README.md says what the code does: every example in it is run."""

import ast
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import segment_engine
from segment_engine import Engine, RuleError, Schema
from segment_engine.expression import build
from segment_engine.expression.nodes import Call, walk
from segment_engine.language import json_text, limits
from segment_engine.language.mend import apply
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import TABLE
from segment_engine.values import literals, pattern_syntax

README = Path(__file__).parents[2] / "grammar" / "README.md"
TEXT = README.read_text("utf-8")
ENGINE = Engine()
RUN = "2026-07-01T12:00:00Z UTC"
MARKS = "<!-- operators -->\n", "<!-- /operators -->"
ROW_MARKS = "<!-- row operators -->\n", "<!-- /row operators -->"

Row = tuple[str, ...]


def tables(*heads: str) -> list[Row]:
    """The rows of all tables with this head, their cells without backticks."""
    head = f"| {' | '.join(heads)} |\n"
    return [row for part in TEXT.split(head)[1:] for row in _rows(part)]


def _rows(part: str) -> Iterator[Row]:
    for line in part.split("\n")[1:]:
        if not line.startswith("|"):
            return
        yield tuple(_plain(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1])


def _plain(cell: str) -> str:
    cell = cell.strip().replace("\\|", "|")
    quoted = re.fullmatch(r"(`+)(?: (?=`))?([^`]+|.*?)(?:(?<=`) )?\1", cell)
    only = quoted and (quoted[1] == "``" or cell.count("`") == 2)
    return quoted[2] if quoted and only else cell


def blocks(kind: str) -> list[str]:
    """The contents of all fenced blocks of a kind."""
    return re.findall(rf"```{kind}\n(.*?)\n```", TEXT, re.S)


RULES = [*blocks("rule"), *"\n".join(blocks("rules")).splitlines(), *blocks("json")]
OUTCOMES = [
    *((*row[:2], RUN, row[2]) for row in tables("rule", "consumer", "member")),
    *tables("rule", "consumer", "run", "member"),
]


@pytest.mark.parametrize("rule", RULES)
def test_examples_are_rules(rule: str) -> None:
    again = ENGINE.rule(ENGINE.rule(rule).text)
    assert again == ENGINE.rule(rule)


@pytest.mark.parametrize(("rule", "consumer", "run", "member"), OUTCOMES)
def test_examples_keep_whom_they_say(rule: str, consumer: str, run: str, member: str) -> None:
    as_of, zone = run.split()
    found = Engine(timezone=zone).rule(rule).matches(json.loads(consumer), as_of=as_of)
    assert found is {"yes": True, "no": False}[member]


@pytest.mark.parametrize(("rule", "audiences", "member"), tables("rule", "in audiences", "member"))
def test_references_keep_whom_they_say(rule: str, audiences: str, member: str) -> None:
    found = ENGINE.rule(rule).matches({}, audiences=json.loads(audiences))
    assert found is {"yes": True, "no": False}[member]


@pytest.mark.parametrize(("written", "canonical"), tables("written", "canonical"))
def test_canonical_texts(written: str, canonical: str) -> None:
    codes = [item.code for item in ENGINE.diagnose(written) if item.severity == "error"]
    if codes:
        assert canonical == f"error `{codes[0]}`"
    else:
        assert ENGINE.rule(written).text == canonical


@pytest.mark.parametrize(("query", "text"), tables("JSON", "rule"))
def test_json_says_the_same(query: str, text: str) -> None:
    rule = ENGINE.rule(query)
    assert rule.text == ENGINE.rule(text).text
    assert ENGINE.rule(rule.to_json()) == rule


@pytest.mark.parametrize(("rows", "text"), tables("rows", "rule"))
def test_rows_say_the_same(rows: str, text: str) -> None:
    rule = ENGINE.rule(rows)
    assert rule.text == text
    assert ENGINE.rule(rule.to_rows()) == rule


@pytest.mark.parametrize(("text", "lacking"), tables("rule", "rule rows have no"))
def test_rows_cannot_say(text: str, lacking: str) -> None:
    with pytest.raises(RuleError) as raised:
        ENGINE.rule(text).to_rows()
    (item,) = raised.value.diagnostics
    said = item.message.partition(": ")[0].removeprefix("rule rows have no ")
    assert said.replace("`", "") == lacking.replace("`", "")


@pytest.mark.parametrize(("written", "fix"), tables("written", "fix"))
def test_slips_have_these_fixes(written: str, fix: str) -> None:
    (item,) = [item for item in ENGINE.diagnose(written) if item.severity == "error"]
    fixed = [apply(written, [(one.span, one.replacement)]) for one in item.fixes]
    assert " or ".join(fixed) == re.sub(r"` or `", " or ", fix).strip("`")
    for text in fixed:
        assert ENGINE.rule(text)


@pytest.mark.parametrize(
    ("code", "example"), [(c, e) for c, _, e in tables("code", "meaning", "example") if e]
)
def test_codes_have_these_examples(code: str, example: str) -> None:
    assert [item.code for item in ENGINE.diagnose(example)] == [code]


def test_codes_are_those_of_the_code() -> None:
    documented = [code for code, *_ in tables("code", "meaning", "example")]
    assert len(documented) == len(set(documented))
    assert set(documented) == codes_in_use()


LATER = ("store", "api")
"""Rooms that say other things than what is wrong with a rule."""


def codes_in_use() -> set[str]:
    """The first argument of everything that makes a diagnostic, wherever it is a literal."""
    folder = Path(segment_engine.__file__).parent
    paths = [
        path for path in folder.rglob("*.py") if path.relative_to(folder).parts[0] not in LATER
    ]
    trees = [ast.parse(path.read_text("utf-8")) for path in paths]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    first = [call.args[0] for call in calls if call.args and _name(call) in MAKERS]
    return {str(arg.value) for arg in first if isinstance(arg, ast.Constant) and arg.value}


MAKERS = {"error", "fault", "slip", "hint", "Diagnostic", "Reading"}


def _name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


FORMS = {
    Shape.LOGIC: "? {} ?",
    Shape.COMPARE: "? {} ?",
    Shape.INFIX: "? {} ?",
    Shape.POSTFIX: "? {}",
    Shape.LISTED: "? {} (?, ...)",
    Shape.BETWEEN: "? {} ? and ?",
    Shape.LASTING: "? {} 30 days",
    Shape.PREFIX: "{} ?",
    Shape.AUDIENCE: "{} ?",
    Shape.FUNCTION: "{}(?)",
    Shape.ARITHMETIC: "? {} ?",
}
TAKES = {
    "*": "every type",
    "time": "date, datetime",
    "number": "number, currency",
}
TAKEN = {Shape.AUDIENCE: "the consumer"}
PREFIXED = ("not", "negate")


def operator_table() -> str:
    """The table of section 3, from the operator table itself."""
    head = "| spelling | negated | takes | meaning | missing | example | in JSON |\n"
    rows = [_operator_row(row) for row in TABLE.values() if row.shape is not Shape.HIDDEN]
    return head + "| --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _operator_row(row: Operator) -> str:
    form = "{} ?" if row.name in PREFIXED else FORMS[row.shape]
    spelt = [
        ", ".join(f"`{form.format(word)}`" for word in words) for words in (row.words, row.negated)
    ]
    takes = ", ".join(TAKES.get(family, family) for family in row.takes) or TAKEN.get(
        row.shape, "conditions"
    )
    example = "<br>".join(f"`{text}`" for text in row.examples)
    names = ", ".join(f"`{name}`" for name in (*row.json, *row.json_negated))
    cells = [*spelt, takes, row.doc, row.missing, example, names]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


VALUES = {Shape.POSTFIX: "none", Shape.BETWEEN: "two", Shape.LISTED: "one or more"}
NAMED = [row for row in TABLE.values() if row.api]


def row_operator_table() -> str:
    """The table of section 13: a name that two rows share is told for several values."""
    rows = {row.api: _row_operator(row) for row in NAMED}
    head = "| operator | negated | values | says | negated |\n| --- | --- | --- | --- | --- |\n"
    return head + "\n".join(rows.values()) + "\n"


def _row_operator(row: Operator) -> str:
    names = [f"`{name}`" if name else "" for name in (row.api, row.api_negated)]
    words = row.words[0], row.negated[0] if row.api_negated else None
    spelt = [f"`{FORMS[row.shape].format(word)}`" if word else "" for word in words]
    return f"| {' | '.join([*names, VALUES.get(row.shape, 'one'), *spelt])} |"


@pytest.mark.parametrize(
    ("marks", "table"), [(MARKS, operator_table), (ROW_MARKS, row_operator_table)]
)
def test_operator_tables_are_those_of_the_code(
    marks: tuple[str, str], table: Callable[[], str]
) -> None:
    text = README.read_text("utf-8")
    before, _, rest = text.partition(marks[0])
    shown, _, after = rest.partition(marks[1])
    if os.environ.get("SEGMENT_ENGINE_REGENERATE") and shown != table():
        shown = table()
        README.write_text(before + marks[0] + shown + marks[1] + after, "utf-8")
    assert shown == table()


@pytest.mark.parametrize(
    ("row", "text"), [(row, text) for row in TABLE.values() for text in row.examples], ids=str
)
def test_examples_of_operators_use_them(row: Operator, text: str) -> None:
    assert row in [node.op for node in walk(ENGINE.rule(text).expression) if isinstance(node, Call)]


def test_the_schema_can_be_loaded() -> None:
    (text,) = blocks("yaml")
    assert Schema.from_yaml(text).currency == "EUR"


def test_limits_are_those_of_the_code() -> None:
    stated = [re.match(r"[0-9,]+(?: [KM]iB)?", most) for _, most in tables("what", "at most")]
    assert [found[0] for found in stated if found] == [
        f"{limits.MAX_TEXT // 1024} KiB",
        f"{limits.MAX_WITH_LISTS // 1024**2} MiB",
        *(
            f"{most:,}"
            for most in (
                limits.MAX_DEPTH,
                build.MAX_PREDICATES,
                build.MAX_VALUES,
                build.MAX_ARITHMETIC,
                limits.MAX_FINDINGS,
                build.MOST_DIGITS,
                json_text.MAX_BRACKETS,
                pattern_syntax.MAX_REPEATS,
                pattern_syntax.MAX_DEPTH,
                literals.MOST_UNITS,
            )
        ),
    ]


def test_contents_lists_every_section() -> None:
    listed = re.findall(r"^[0-9]+\. \[(.+?)\]\(#(.+?)\)", TEXT, re.M)
    sections = re.findall(r"^## ([0-9]+)\. (.+)$", TEXT, re.M)
    assert [title for title, _ in listed] == [title for _, title in sections]
    assert [link for _, link in listed] == [_anchor(f"{n}. {title}") for n, title in sections]


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
