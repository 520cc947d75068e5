"""Rule rows of the Audiences API to expression and back: an `and` of `or`s of single predicates.

A row is `{"field", "operator", "values": [...], "groupId": text, "position": number}`. Rows are
and-ed; those that share a groupId are or-ed first. `position` orders them, `id` says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.nearest import nearest
from segment_engine.diagnostics.spans import Pointer
from segment_engine.expression.build import (
    AND,
    EXISTS,
    IN,
    MAX_PREDICATES,
    MAX_VALUES,
    OR,
    Builder,
    too_many,
)
from segment_engine.expression.nodes import Constant, Expr
from segment_engine.expression.schema import Schema
from segment_engine.language.json_text import WHOLE
from segment_engine.language.json_values import ValueReader, faulty, read_whole, wanted_family
from segment_engine.language.query_builder_write import AUDIENCE
from segment_engine.language.rows_write import write
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import TABLE
from segment_engine.values.paths import quote
from segment_engine.values.types import ANY, TRUTH

__all__ = ["KEYS", "read", "write"]

MAX_GROUP_ID = 64
KEYS = ("field", "operator", "values", "groupId", "position", "id")
_UNKNOWN_KEY = 40
"""What an unknown key weighs beside its own length: its nearest names take time."""

_COUNTS = {Shape.POSTFIX: 0, Shape.BETWEEN: 2}
_COUNTED = ("no value", "one value", "two values")

Meaning = tuple[Operator, bool]


def operators() -> dict[str, list[Meaning]]:
    """Each name with what it may mean: the row of the table, and whether that is negated."""
    found: dict[str, list[Meaning]] = {}
    for op in TABLE.values():
        for name, negated in ((op.api, False), (op.api_negated, True)):
            if name:
                found.setdefault(name, []).append((op, negated))
    return found


_OPERATORS = operators()
_AUDIENCE_OPERATORS = {IN.api: False, IN.api_negated: True}


def read(rows: Sequence[Mapping[str, Any]] | str, schema: Schema, log: Log) -> Expr | None:
    """The rule that rows say, or None with errors in the log, each placed by JSON pointer.

    `rows` is a list of mappings: JSON text, or what JSON text gives in Python. None are nobody.
    """
    reader = _Reader(schema, log, Builder(schema, log))
    return read_whole(rows, log, reader.rule_of)


class _Row(NamedTuple):
    """A row that was read; one without a groupId has its index for a group of its own."""

    position: int | None
    group: str | int
    made: Expr


@dataclass(slots=True)
class _Reader(ValueReader):
    """Reads the rows of one rule; goes on after an error, so that all are told at once."""

    def rule_of(self, rows: Any) -> Expr:
        """The expression of all rows."""
        if not isinstance(rows, list | tuple):
            return self.misshapen(rows, "a list of rule rows", WHOLE)
        if not rows:
            return Constant(False, TRUTH, WHOLE)
        if len(rows) > MAX_PREDICATES:
            raise too_many(self.log, WHOLE.at(MAX_PREDICATES))
        groups: dict[str | int, list[Expr]] = {}
        for row in sorted([self._row(row, index) for index, row in enumerate(rows)], key=_place):
            groups.setdefault(row.group, []).append(row.made)
        clauses = [self.build.logic(OR, parts, WHOLE) for parts in groups.values()]
        return self.build.logic(AND, clauses, WHOLE)

    def _row(self, row: Any, index: int) -> _Row:
        at = WHOLE.at(index)
        if not isinstance(row, Mapping):
            return _Row(None, index, self.misshapen(row, "a rule row", at))
        self._check_keys(row, at)
        made = self._predicate(row, at)
        group = self._group(row.get("groupId"), at.at("groupId"))
        position = self._position(row.get("position"), at.at("position"))
        return _Row(position, index if group is None else group, made)

    def _check_keys(self, row: Mapping[str, Any], at: Pointer) -> None:
        for key in row:
            if key in KEYS:
                continue
            name, place = str(key), at.at(str(key))
            self.weigh(place, _UNKNOWN_KEY + len(name))
            near = nearest(name, KEYS)
            help = None if near else f"it has {', '.join(KEYS)}"
            message = f"a rule row has no {quote(name[:60])}"
            self.log.error("json-shape", message, place, near=near, help=help)

    def _group(self, given: Any, at: Pointer) -> str | None:
        if given is None:
            return None
        if not isinstance(given, str):
            self.misshapen(given, "the text of a groupId", at)
            return None
        if not 1 <= len(given) <= MAX_GROUP_ID:
            help = "leave it out where the row is in no group" if not given else None
            message = f"a groupId has 1 to {MAX_GROUP_ID} characters, not {len(given):,}"
            self.log.error("json-shape", message, at, help=help)
        return given

    def _position(self, given: Any, at: Pointer) -> int | None:
        if given is None or (isinstance(given, int) and not isinstance(given, bool)):
            return given
        self.misshapen(given, "the whole number of a position", at)
        return None

    # ---- predicates

    def _predicate(self, row: Mapping[str, Any], at: Pointer) -> Expr:
        if row.get("field") == AUDIENCE:
            values = row.get("values", ())
            keys = values if isinstance(values, list | tuple) else [values]
            return self.audiences(row.get("operator"), _AUDIENCE_OPERATORS, keys, at, "values")
        left = self.named(row.get("field"), at.at("field"), "field")
        found = self.operator(row.get("operator"), _OPERATORS, at.at("operator"))
        values, place = row.get("values", ()), at.at("values")
        if not isinstance(values, list | tuple):
            return self.misshapen(values, "a list of values", place)
        if found is None:
            return faulty(at)
        op, negated = next((one for one in found if _fits(one[0], values)), found[-1])
        if not _fits(op, values):
            wanted = _COUNTED[_COUNTS.get(op.shape, 1)]
            self.shape(f"`{row['operator']}` takes {wanted}, not {len(values):,}", place)
            return faulty(at)
        rights = self._rights(op, left, values, place)
        return self.build.predicate(op, [left, *rights], at, negated=negated)

    def _rights(
        self, op: Operator, left: Expr, values: Sequence[Any], at: Pointer
    ) -> list[Constant]:
        wanted = wanted_family(op, left)
        several = op.shape is Shape.LISTED
        made = []
        for index, value in enumerate(values[: MAX_VALUES + 1]):
            place = at.at(index)
            if value is None and not several:
                self.null(place, EXISTS.api, EXISTS.api_negated)
                made.append(faulty(place))
            else:
                made.append(self.constant(op, wanted, value, place))
        return [Constant(tuple(made), ANY, at)] if several else made


def _fits(op: Operator, values: Sequence[Any]) -> bool:
    """Whether the operator takes so many values; an empty list is the builder's to refuse."""
    return op.shape is Shape.LISTED or len(values) == _COUNTS.get(op.shape, 1)


def _place(row: _Row) -> tuple[bool, int]:
    """Rows without a position stand behind the others, in their own order."""
    return row.position is None, row.position or 0
