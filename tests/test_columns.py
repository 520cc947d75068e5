"""The operator table is what conformance says: break one column of one row, and a case fails.

The commit profile breaks each column in one way, the others in every way that there is.

`doc`, `missing` and `examples` are for readers: language/test_reference.py holds them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
import pytest

from segment_engine.backends.bind import bind
from segment_engine.backends.polars_expr import DIALECT as POLARS
from segment_engine.backends.sources import open_for
from segment_engine.backends.sql import DIALECT as DUCKDB
from segment_engine.expression.nodes import Call, walk
from segment_engine.language import callbacks, parse, query_builder, rows
from segment_engine.language.misspellings import TERMINALS
from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.operators.table import TABLE, spelled
from segment_engine.values.types import NUMBER, TEXT, TRUTH
from tests import test_conformance as conformance
from tests.profile import COMMIT
from tests.test_conformance import CASES, Case, Group

SPELLINGS = ("words", "negated", "json", "json_negated")
RUN_BY = {"sql": "duckdb", "sql_not": "duckdb", "sql_bounded": "duckdb", "polars": "polars"}
LONG = 300


@dataclass(frozen=True)
class Break:
    """Another value for one column of one row; the engine that is to show it; a text that cases
    which do are likely to have.
    """

    row: Operator
    column: str
    how: str
    value: Any
    engine: str = "records"
    likely: str = ""

    def cases(self) -> list[Case]:
        """Those in which the row occurs, the likely ones first."""
        return sorted(cases_of()[self.row], key=lambda case: self.likely not in str(case.source))

    def __str__(self) -> str:
        return f"{self.row.name}.{self.column}: {self.how}"


def breaks(row: Operator) -> Iterator[Break]:
    """Every column that the row fills in, broken in every way there is."""
    for column in SPELLINGS:
        given = getattr(row, column)
        for at, word in enumerate(given):
            others = (*given[:at], "unheardOf", *given[at + 1 :])
            likely = f"'{word}'" if column.startswith("json") else word
            yield Break(row, column, f"no {word}", others, likely=likely)
    for column in ("api", "api_negated"):
        if name := getattr(row, column):
            yield Break(row, column, f"no {name}", "UNHEARD_OF", likely=f"'{name}'")
    for family, right in row.takes.items():
        others = {key: value for key, value in row.takes.items() if key != family}
        yield Break(row, "takes", f"no {family}", others or {"nothing": right}, likely=family)
        if right is not Right.NOTHING and row.shape is not Shape.ARITHMETIC:
            other = Right.DURATION if right is Right.PATTERN else Right.PATTERN
            changed = {**row.takes, family: other}
            yield Break(row, "takes", f"{family} with {other.value}", changed, likely=family)
    if row.gives is not TRUTH and row.shape is not Shape.HIDDEN:
        yield Break(row, "gives", "another type", TEXT if row.gives is NUMBER else NUMBER)
    for column in ("folds", "years", "sees_missing"):
        if getattr(row, column):
            yield Break(row, column, "no", False, likely="ignoring case")
    if row.mirror:
        yield Break(row, "mirror", "none", None)
        yield Break(row, "mirror", "another", "lt" if row.mirror == "eq" else "eq")
    yield from _functions(row)


def _functions(row: Operator) -> Iterator[Break]:
    truth, how = row.gives is TRUTH, "negated" if row.gives is TRUTH else "always missing"
    if row.expand is not None:
        yield Break(row, "expand", "negated", _not_expanded(row.expand))
    if row.python is not None:
        yield Break(row, "python", how, _after(row.python, lambda x: not x if truth else None))
    for column in ("sql", "sql_not", "sql_bounded"):
        if getattr(row, column) is not None:
            yield Break(row, column, how, _after(getattr(row, column), _sql(truth)), "duckdb")
    if row.polars is not None:
        yield Break(row, "polars", how, _after(row.polars, _polars(truth)), "polars")
    if row.native is not None:
        for engine, dialect, turn in (
            ("duckdb", DUCKDB, _sql(truth)),
            ("polars", POLARS, _polars(truth)),
        ):
            broken = _on(dialect, row.native, turn)
            yield Break(row, "native", f"{how} by {engine}", broken, engine)


def _after(function: Callable[..., Any], turn: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *args: turn(function(*args))


def _on(wanted: object, native: Callable[..., Any], turn: Callable[[Any], Any]) -> Any:
    def broken(dialect: object, *args: Any) -> Any:
        made = native(dialect, *args)
        return turn(made) if dialect is wanted else made

    return broken


def _not_expanded(expand: Callable[..., Any]) -> Callable[..., Any]:
    return lambda make, *args: make("not", expand(make, *args))


def _sql(truth: bool) -> Callable[[str], str]:
    return lambda sql: f"(not ({sql}))" if truth else "null"


def _polars(truth: bool) -> Callable[[pl.Expr], pl.Expr]:
    return lambda made: made.not_() if truth else pl.lit(None)


@contextmanager
def broken(what: Break, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The row so broken, and what is made of its spellings made anew."""
    before = getattr(what.row, what.column)
    object.__setattr__(what.row, what.column, what.value)
    patch.setattr(conformance, "ENGINES", (what.engine,))
    if what.column in SPELLINGS:
        patch.setattr(parse, "_by_terminal", cache(parse._by_terminal.__wrapped__))
        patch.setattr(parse, "_lark", cache(parse._lark.__wrapped__))
        patch.setattr(callbacks, "_SPELLED", spelled(*TERMINALS))
        functions = {word: row for word, (row, _) in spelled(Shape.FUNCTION).items()}
        patch.setattr(callbacks, "_FUNCTIONS", functions)
        patch.setattr(query_builder, "_OPERATORS", query_builder.operators())
    patch.setattr(rows, "_OPERATORS", rows.operators())
    try:
        yield
    finally:
        object.__setattr__(what.row, what.column, before)
        patch.undo()


@cache
def cases_of() -> dict[Operator, list[Case]]:
    """The short cases in which a row occurs: as written, resolved, or bound; the wrong ones too."""
    found: dict[Operator, list[Case]] = {row: [] for row in TABLE.values()}
    for case in sorted(CASES, key=lambda case: len(str(case.source))):
        for row in _rows(case) if len(str(case.source)) < LONG else ():
            found[row].append(case)
    return found


def _rows(case: Case) -> set[Operator]:
    if "error" in case.given:
        text = str(case.source).lower()
        return {row for row in TABLE.values() if any(word in text for word in row.words)}
    rule, group = case.rules["members"], case.group
    resolved = rule.resolved(group.engine.clock(group.as_of))
    columns = open_for(group.engine, [rule], group.table, None).columns
    members = dict.fromkeys(rule.audiences)
    stages = (rule.expression, resolved, bind(resolved, columns, members))
    rows = {node.op for stage in stages for node in walk(stage) if isinstance(node, Call)}
    return rows | {TABLE[row.mirror] for row in rows if row.mirror}


def fails(case: Case) -> bool:
    """Whether the case, asked alone and anew, fails in any way."""
    given = {**case.group.given, "cases": [case.given]}
    try:
        (alone,) = Group(case.group.name, given).cases
        if "error" in case.given:
            conformance.test_errors(alone)
        else:
            conformance.test_spellings(alone)
            conformance.test_members(alone)
    except (Exception, pytest.fail.Exception):
        return True
    return False


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_a_broken_column_fails_a_case(row: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = list(breaks(row))
    if COMMIT:
        ways = list({one.column: one for one in reversed(ways)}.values())
    unseen = []
    for what in ways:
        cases = what.cases()
        with broken(what, monkeypatch):
            if not any(map(fails, cases)):
                unseen.append(str(what))
    assert unseen == []


def test_nothing_stays_broken() -> None:
    """The cases that were used hold when nothing is broken."""
    used = {id(case): case for cases in cases_of().values() for case in cases[:2]}
    assert [str(case) for case in used.values() if fails(case)] == []
