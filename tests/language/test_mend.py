"""Fixes applied as they stand: each makes its finding disappear, and nothing is chosen."""

from collections.abc import Sequence

import pytest

from segment_engine import Diagnostic, Engine
from segment_engine.diagnostics.spans import Span
from segment_engine.language.mend import apply, mend

ENGINE = Engine()

MENDED = [
    ("totalOrders == 3", "totalOrders = 3"),
    ("totalOrders=>3&&phone is set", "totalOrders>=3 and phone exists"),
    ('email LIKE "a%" || !(phone exists)', 'email starts with "a" or not (phone exists)'),
    ('metadata.country == "US" or "CA"', 'metadata.country in ("US", "CA")'),
    ('metadata.a = “x” or “y”', 'metadata.a in ("x", "y")'),
    ("email = null or phone != null", "email is missing or phone exists"),
    ("totalOrderValue > $1,500", "totalOrderValue > 1500"),
    ("totalOrders > 1,000", "totalOrders > 1000"),
    ("totalOrderValue > 500 USD", "totalOrderValue > 500"),
    ("createdAt > -7d", "createdAt > 7 days ago"),
    ("lastOrderAt older than 30days", "lastOrderAt older than 30 days"),
    ("createdAt >= 2026-1-5", "createdAt >= 2026-01-05"),
    ("createdAt < 2026-01-31 10:00", "createdAt < 2026-01-31T10:00"),
    ('createdAt > "2026-01-05"', "createdAt > 2026-01-05"),
    ('totalOrders = "3"', "totalOrders = 3"),
    ("totalOrders between 5 and 2", "totalOrders between 2 and 5"),
    ("not(totalOrders<>007)", "not(totalOrders!=7)"),
]  # fmt: skip

LEFT = [
    ("lastOrderAt within last month", "ambiguous-period"),
    ("createdAt = 05/01/2024", "date-format"),
    ("createdAt = 05/01/2024 or 2024-06-01", "date-format"),
    ("totalOrderValue > €500", "currency-sign"),
    ("totalOrders > 10%", "number-format"),
    ("totalOrdrs > 3", "unknown-field"),
    ("totalOrders > > 3", "syntax"),
]


@pytest.mark.parametrize(("text", "mended"), MENDED, ids=[text for text, _ in MENDED])
def test_slips_are_mended(text: str, mended: str) -> None:
    found, left = mend(text, ENGINE.diagnose)
    assert found == mended
    assert [item for item in left if item.severity == "error"] == []


@pytest.mark.parametrize(("text", "code"), LEFT, ids=[text for text, _ in LEFT])
def test_nothing_is_mended_where_there_is_a_choice_or_no_fix(text: str, code: str) -> None:
    found, left = mend(text, ENGINE.diagnose)
    assert found == text
    assert code in [item.code for item in left]


def test_a_fix_inside_what_cannot_be_mended_is_applied() -> None:
    found, left = mend("totalOrdrs == 3 and email older than 30days", ENGINE.diagnose)
    assert found == "totalOrdrs = 3 and email older than 30 days"
    assert [item.code for item in left] == ["unknown-field", "operator-type"]


@pytest.mark.parametrize("text", [text for text, _ in MENDED + LEFT])
def test_each_fix_alone_makes_its_finding_disappear(text: str) -> None:
    found = ENGINE.diagnose(text)
    for item in found:
        for fix in item.fixes:
            assert isinstance(fix.span, Span)
            after = ENGINE.diagnose(apply(text, [(fix.span, fix.replacement)]))
            assert _alike(item, after) < _alike(item, found)


def _alike(item: Diagnostic, found: Sequence[Diagnostic]) -> int:
    return [(other.code, other.message) for other in found].count((item.code, item.message))


def test_mending_ends_with_thousands_of_slips() -> None:
    found, left = mend(" && ".join(["totalOrders == 1"] * 1_000), ENGINE.diagnose)
    assert found == " and ".join(["totalOrders = 1"] * 1_000)
    assert left == []
