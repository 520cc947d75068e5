"""What one row of the operator table holds. A row is the whole of an operator's meaning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from segment_engine.values.types import TRUTH, Type


class Shape(Enum):
    """How an operator is written."""

    LOGIC = auto()  # a and b
    COMPARE = auto()  # x = 1
    INFIX = auto()  # x contains 1
    POSTFIX = auto()  # x exists
    LISTED = auto()  # x in (1, 2)
    BETWEEN = auto()  # x between 1 and 2
    LASTING = auto()  # x within last 1 day
    PREFIX = auto()  # anniversary of x
    FUNCTION = auto()  # year(x)
    ARITHMETIC = auto()  # x + 1
    AUDIENCE = auto()  # in audience "x"
    HIDDEN = auto()  # never written: other rows are resolved or bound to it


class Right(Enum):
    """What may stand at the right of a value."""

    NOTHING = "nothing"
    SAME = "a value of the same type"
    LITERAL = "a literal of the same type"
    NEEDLE = "a text that is not empty"
    ELEMENT = "an element of the list"
    PATTERN = "a pattern"
    DURATION = "a length of time"


Make = Callable[..., Any]
"""`make(name, *arguments)`: an expression of the named row, for `expand`."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Operator:
    """One operator. Rows are compared by identity and pickled by name.

    words: spellings, the canonical one first; negated: spellings of `not` of it.
    takes: what the right side may be, for each family of left value.
    gives: the type of the result; of hidden rows only whether it is a truth counts.
    doc: what it means; missing: what a missing value does. Both are for users, who see no hidden
    rows: what those mean, a comment says.
    json, json_negated: the names in query-builder JSON, the first is written.
    api, api_negated: the name in rule rows; two rows may share one that counts its values.
    folds: may be followed by `ignoring case`. years: a bare number right of it is a year.
    mirror: the row that means the same with its sides exchanged.
    expand: the same meaning in other rows; such a row needs no engine columns.
    python: on plain values of one consumer, none of them missing (unless `sees_missing`).
    sql, sql_not: on SQL fragments; NULL counts as false in both, `sql_not` is the exact
    complement (default: `p is not true`). sql_bounded: the same on numbers that are stored
    exactly, so that no result is infinite. polars: on Polars expressions, null is false.
    native: on the fragments of either engine, by a function that its dialect defines.
    """

    name: str
    shape: Shape
    words: tuple[str, ...] = ()
    negated: tuple[str, ...] = ()
    takes: Mapping[str, Right] = field(default_factory=dict)
    gives: Type = TRUTH
    doc: str = ""
    missing: str = ""
    examples: tuple[str, ...] = ()
    json: tuple[str, ...] = ()
    json_negated: tuple[str, ...] = ()
    api: str = ""
    api_negated: str = ""
    folds: bool = False
    years: bool = False
    mirror: str | None = None
    expand: Callable[..., Any] | None = None
    python: Callable[..., Any] | None = None
    sees_missing: bool = False
    sql: Callable[..., str] | None = None
    sql_not: Callable[..., str] | None = None
    sql_bounded: Callable[..., str] | None = None
    polars: Callable[..., Any] | None = None
    native: Callable[..., Any] | None = None

    def __repr__(self) -> str:
        return f"<operator {self.name}>"
