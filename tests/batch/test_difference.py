"""Differences against the arithmetic of sets, and what they say of audiences and predicates."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.batch.difference import Change, Difference, Reason
from segment_engine.batch.generations import Generations
from segment_engine.batch.memberships import Predicate
from segment_engine.errors import OutputError, RunError
from tests.batch.runs import published
from tests.display.test_display import printed, read

NONE = timedelta(0)


def between(out: Path, before: int = 1, after: int = 2) -> Difference:
    generations = Generations(out)
    return Difference(generations.open(before), generations.open(after))


@st.composite
def runs(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]]]:
    ids = draw(st.lists(st.text("abcé", min_size=1, max_size=2), unique=True, max_size=12))
    some = st.lists(st.sampled_from(ids), unique=True) if ids else st.just([])
    return ids, draw(st.dictionaries(st.sampled_from("pqr"), some))


@given(runs(), runs())
def test_differences_are_those_of_sets(one: Any, other: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        for ids, audiences in (one, other):
            published(out, ids or ["z"], audiences)
        found = between(out)
        before, after = one[1], other[1]
        assert found.changes.keys() == before.keys() | after.keys()
        rows = set()
        for key, change in found.changes.items():
            was, now = set(before.get(key, ())), set(after.get(key, ()))
            assert found.entered(key) == sorted(now - was)
            assert found.left(key) == sorted(was - now)
            assert (change.before, change.after) == (len(was), len(now))
            assert (change.entered, change.left) == (len(now - was), len(was - now))
            state = "new" if key not in before else "gone" if key not in after else "kept"
            assert change.state == state
            rows |= {(who, key, "entered") for who in now - was}
            rows |= {(who, key, "left") for who in was - now}
        told = found.to_arrow()
        assert told.schema.names == ["consumer_id", "audience", "change"]
        assert sorted(tuple(row.values()) for row in told.to_pylist()) == sorted(rows)
        assert Difference(*reversed((found._before, found._after))).to_arrow().num_rows == len(rows)


def test_tiles_that_stayed_are_not_read(tmp_path: Path) -> None:
    published(tmp_path, "xyz", {"still": "xy", "moves": "z"})
    published(tmp_path, "xyz", {"still": "xy", "moves": "x"})
    found = between(tmp_path)
    (tmp_path / "generations/000001/bitmaps.bin").write_bytes(b"")
    assert found.changes["still"] == Change("kept", 2, 2, 0, 0)
    assert found.changes["moves"].state == "unreadable"
    assert found.changes["moves"].entered is None
    assert "damaged or cut short" in str(found.changes["moves"].fault)
    with pytest.raises(OutputError, match="audience 'moves'"):
        found.entered("moves")
    assert found.to_arrow().num_rows == 0
    assert "moves cannot be compared" in printed(found)


def test_audiences_that_fail(tmp_path: Path) -> None:
    published(tmp_path, "xyz", {"a": "xy"}, "late")
    published(tmp_path, "xyz", {"late": "x"}, "a")
    changes = between(tmp_path).changes
    assert changes["a"] == Change("kept", 2, 2, 0, 0, carried=1)
    assert changes["late"] == Change("new", 0, 1, 1, 0)


def _counted(counts: dict[str, int]) -> list[Predicate]:
    """Predicates that audience a has, and the first one b."""
    return [Predicate(text, n, ("a", "b") if text == "p" else ("a",)) for text, n in counts.items()]


def test_why_an_audience_jumped(tmp_path: Path) -> None:
    before = _counted({"p": 5, "q": 9, "r": 1, "s": 3, "t": 2})
    after = _counted({"p": 6, "q": 2, "r": 1, "s": 5, "u": 4})
    published(tmp_path, "xyz", {"a": "x", "b": "y"}, predicates=before)
    published(tmp_path, "xyz", {"a": "xy", "b": "z"}, predicates=after)
    found = between(tmp_path)
    assert found.reasons("a") == [Reason("q", 9, 2), Reason("u", None, 4), Reason("s", 3, 5)]
    assert found.reasons("b") == [], "its number of members stayed"
    assert "a: `q` 9 -> 2" in printed(found) and "a: `u` not asked -> 4" in printed(found)
    published(tmp_path, "xyz", {"a": "xyz"})
    assert between(tmp_path, 2, 3).reasons("a") == []


def test_what_is_shown(tmp_path: Path) -> None:
    published(tmp_path, range(5_000), {"<b>": range(2_000), "gone": [1]})
    published(tmp_path, range(5_000), {"<b>": range(10, 4_000), "new": [2]})
    found = between(tmp_path)
    assert printed(found) == (
        "generation 1 -> 2\n"
        "audience  before  members  entered  left\n"
        "<b>        2,000    3,990    2,000    10\n"
        "new            -        1        1     0\n"
        "gone           1        -        0     1\n"
        "new is new\n"
        "gone is gone"
    )
    html = found._repr_html_()
    assert "<b>" not in html and "<b>" in read(html).text
    assert repr(found) == "<Difference of generations 1 and 2, 3 audiences>"
    with pytest.raises(RunError, match="no audience 'x' in generations"):
        found.entered("x")


def test_many_audiences_are_not_all_listed(tmp_path: Path) -> None:
    for members in ("x", "y"):
        published(tmp_path, "xyz", {f"a{number}": members for number in range(210)})
    assert "... and 10 more" in printed(between(tmp_path))
