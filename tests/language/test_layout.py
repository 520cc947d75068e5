"""What `format` prints: stable, the same rule, full-line comments above their clauses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine import Engine
from segment_engine.language.layout import WIDTH, layout

ENGINE = Engine()

LAID_OUT = [
    ("totalOrders   IS 3 # trailing", "totalOrders = 3"),
    ("# why\ntotalOrders is 3", "# why\ntotalOrders = 3"),
    ("totalOrders is 3\n# end", "totalOrders = 3\n# end"),
    (
        "# lapsed VIPs\n\n totalOrderValue >= 500\n   and not # here\n  # seldom\n"
        " (totalOrders > 9)",
        "# lapsed VIPs\ntotalOrderValue >= 500\n  # seldom\n  and not totalOrders > 9",
    ),
    (
        "phone exists or (email exists and\r\n# deep\r\n(fullName exists or\n  # deeper\n"
        " totalOrders > 1))\n # last",
        "phone exists\n  # deep\n  # deeper\n"
        "  or (email exists and (fullName exists or totalOrders > 1))\n# last",
    ),
    ('# a\nemail = "#x" and phone = \'# "\' # no', '# a\nemail = "#x"\n  and phone = "# \\""'),
    (
        " or ".join(f"totalOrders = {n}{n} and phone exists" for n in range(1, 4)),
        "(totalOrders = 11 and phone exists)\n  or (totalOrders = 22 and phone exists)\n"
        "  or (totalOrders = 33 and phone exists)",
    ),
    ('{"field": "phone", "operator": "notNull"}', "phone exists"),
]


@pytest.mark.parametrize(("text", "expected"), LAID_OUT)
def test_layout(text: str, expected: str) -> None:
    assert layout(text, ENGINE.rule(text).expression) == expected


def test_a_rule_breaks_only_where_it_is_long() -> None:
    fitting = f'email = "{"x" * (WIDTH - 26)}" and phone exists'
    fitting = fitting.replace("x", "", max(0, len(fitting) - WIDTH))
    assert len(fitting) == WIDTH and "\n" not in layout(fitting, ENGINE.rule(fitting).expression)
    longer = fitting.replace("x", "xx", 1)
    assert layout(longer, ENGINE.rule(longer).expression).count("\n") == 1


PIECES = st.sampled_from(
    ["phone exists", "totalOrders > 2", 'email = "# \\" x"', "not (phone exists)", "`phone` exists"]
)
GAPS = st.sampled_from([" ", "\n", "\n# one\n", " # two\n", "\n\t# three\r\n  # four\n\n"])


@st.composite
def rules(draw: st.DrawFn, depth: int = 3) -> str:
    """Rules with comments wherever a blank may stand."""
    parts = draw(
        st.lists(PIECES if not depth else PIECES | rules(depth - 1), min_size=1, max_size=4)
    )
    word = draw(st.sampled_from(["and", "or"]))
    joined = parts[0]
    for part in parts[1:]:
        joined += f"{draw(GAPS)}{word}{draw(GAPS)}{part}"
    return f"{draw(st.sampled_from(['', 'not']))}{draw(GAPS)}({draw(GAPS)}{joined}{draw(GAPS)})"


@given(rules(), GAPS, GAPS)
def test_layout_is_stable_means_the_same_and_keeps_every_full_line_comment(
    inner: str, before: str, after: str
) -> None:
    text = f"{before}{inner}{after}"
    rule = ENGINE.rule(text)
    printed = layout(text, rule.expression)
    again = ENGINE.rule(printed)
    assert again.text == rule.text
    assert layout(printed, again.expression) == printed
    kept = [line.strip() for line in text.split("\n") if line.lstrip().startswith("#")]
    assert [line.strip() for line in printed.split("\n") if "  #" in line or line[0] == "#"] == kept
