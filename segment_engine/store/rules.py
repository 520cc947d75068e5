"""A rule as the store keeps it: canonical text and rows, its references the ids of audiences."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from segment_engine.engine import Engine
from segment_engine.errors import Problem, RuleError
from segment_engine.expression.references import Reference, references, renamed
from segment_engine.expression.spelling import spell
from segment_engine.language.query_builder_write import AUDIENCE
from segment_engine.rule import Rule
from segment_engine.store.problems import invalid, of_rule, refuse
from segment_engine.store.records import Audience
from segment_engine.store.references import Names

Row = dict[str, Any]

ROW_ID = re.compile("rul_[0-9A-HJKMNP-TV-Z]{26}")
MOST_POSITION = 2**31


@dataclass(frozen=True, slots=True)
class Stated:
    """A rule that was checked. `named` are its references, where they stand in what was given."""

    rule: Rule
    rows: list[Row]
    named: tuple[Reference, ...]

    @property
    def text(self) -> str:
        """The canonical text, with ids."""
        return self.rule.text


class Statements:
    """Checks rules under the engine of an organization, in one transaction."""

    def __init__(self, engine: Engine, names: Names, new_id: Callable[[], str]) -> None:
        """`new_id` gives the ids of rows."""
        self._engine, self._names, self._new_id = engine, names, new_id

    def of_text(self, text: Any, of: Audience | None = None) -> Stated:
        """The rule that an expression says, its rows as far as rows can say it.

        `of` is the audience that is to have it, where there is one yet: its rows keep their ids.
        Raises Invalid.
        """
        if not isinstance(text, str):
            refuse([Problem("expression", "an expression is a text")])
        try:
            rule, named, _ = self._checked(text, of)
        except RuleError as error:
            raise invalid(of_rule(error, "expression")) from None
        if of is not None and of.expression == rule.text:
            return Stated(rule, of.rules, named)
        return Stated(rule, self._with_ids(_rows_of(rule), of), named)

    def of_rows(self, rows: Any, of: Audience | None = None, start: int = 0) -> Stated:
        """The rule that rows say, one or more; those from `start` on were just given.

        `of` is as in `of_text`. Raises Invalid.
        """
        if not isinstance(rows, list | tuple):
            refuse([Problem("rules", "rules are a list of rows")])
        try:
            rule, named, ids = self._checked(rows, of)
        except RuleError as error:
            raise invalid(of_rule(error, "rules", start)) from None
        refuse(_faults(rows, start))
        plain = [_row(row, ids) for row in rows]
        return Stated(rule, self._with_ids(_placed(plain), of), named)

    def _checked(
        self, given: Any, of: Audience | None
    ) -> tuple[Rule, tuple[Reference, ...], dict[str, str]]:
        """The rule with ids for names, which is read from its own text: that is what is kept."""
        rule = self._engine.rule(given)
        ids = self._names.resolved(references(rule.expression)) if rule.audiences else {}
        named = references(rule.expression, ids)
        if named and of is not None:
            self._names.check_cycle(of.id, named)
        return self._again(spell(renamed(rule.expression, ids))), named, ids

    def _again(self, text: str) -> Rule:
        try:
            return self._engine.rule(text)
        except RuleError as error:  # what is short as rows may be too long as text
            found = tuple(item for item in error.diagnostics if item.severity == "error")
            raise RuleError(found) from None

    def _with_ids(self, rows: list[Row], of: Audience | None) -> list[Row]:
        """Rows with an id each; one that says what a row before said is that row."""
        given = {row["id"] for row in rows}
        known: dict[str, list[str]] = {}
        for row in of.rules if of else ():
            if row["id"] not in given:
                known.setdefault(_content(row), []).append(row["id"])
        return [{**row, "id": row["id"] or self._id(row, known)} for row in rows]

    def _id(self, row: Row, known: Mapping[str, list[str]]) -> str:
        same = known.get(_content(row))
        return same.pop(0) if same else self._new_id()


def _rows_of(rule: Rule) -> list[Row]:
    try:
        return [_row(row, {key: key for key in rule.audiences}) for row in rule.to_rows()]
    except RuleError:
        return []


def _row(row: Mapping[str, Any], ids: Mapping[str, str]) -> Row:
    values = row.get("values", ())
    values = list(values) if isinstance(values, list | tuple) else [values]
    if row["field"] == AUDIENCE:
        values = [ids[key] for key in values]
    values = [Decimal(repr(value)) if isinstance(value, float) else value for value in values]
    return {
        "id": row.get("id"),
        "field": row["field"],
        "operator": row["operator"],
        "values": values,
        "groupId": row.get("groupId"),
        "position": row.get("position"),
    }


def _placed(rows: list[Row]) -> list[Row]:
    """Rows in the order of their positions; those without one come last, and get the next."""
    given = sorted((row for row in rows if row["position"] is not None), key=_position)
    rest = [row for row in rows if row["position"] is None]
    first = given[-1]["position"] + 1 if given else 0
    return given + [{**row, "position": first + n} for n, row in enumerate(rest)]


def _position(row: Row) -> int:
    place: int = row["position"]
    return place


def _faults(rows: Sequence[Mapping[str, Any]], start: int) -> list[Problem]:
    """What the language does not look at: it has no use for the ids of rows."""
    ids = [row.get("id") for row in rows]
    often = Counter(id for id in ids if isinstance(id, str))
    found = []
    for number, row in enumerate(rows[start:]):
        id, position = row.get("id"), row.get("position")
        if id is not None and not (isinstance(id, str) and ROW_ID.fullmatch(id)):
            message = "leave the id of a new row out; the store gives it"
            found.append(Problem(f"rules.{number}.id", message))
        elif id is not None and often[id] > 1:
            found.append(Problem(f"rules.{number}.id", "two rows have this id"))
        if position is not None and abs(position) >= MOST_POSITION:
            message = f"a position is below {MOST_POSITION:,}"
            found.append(Problem(f"rules.{number}.position", message))
    return found


def _content(row: Row) -> str:
    return repr([row["field"], row["operator"], row["values"], row["groupId"]])
