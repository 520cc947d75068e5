"""Query-builder JSON, the shape of react-querybuilder, to expression and back.

A group is `{"combinator": "and" | "or", "not": bool, "rules": [...]}`, a rule `{"field",
"operator", "value", "valueSource": "value" | "field", "ignoreCase": bool}`. Both may be muted
and are left out then, as that library does. `id`, `path`, `disabled` and other keys say nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.spans import Pointer
from segment_engine.expression.build import AND, IN, OR, Builder
from segment_engine.expression.nodes import Constant, Expr
from segment_engine.expression.schema import Schema
from segment_engine.language.json_text import WHOLE
from segment_engine.language.json_values import faulty, read_whole, wanted_family
from segment_engine.language.limits import MAX_DEPTH, too_deep
from segment_engine.language.query_builder_values import QueryValues
from segment_engine.language.query_builder_write import AUDIENCE, CONSTANTS, write
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import TABLE
from segment_engine.values.paths import quote
from segment_engine.values.types import TRUTH

__all__ = ["GROUP_KEYS", "RULE_KEYS", "read", "write"]

_LOGIC = {"and": AND, "or": OR}


def operators() -> dict[str, tuple[Operator, bool]]:
    """Each name of a rule's operator, with its row and whether it negates it."""
    return {
        name: (row, negated)
        for row in TABLE.values()
        if row.shape is not Shape.LOGIC
        for negated, names in ((False, row.json), (True, row.json_negated))
        for name in names
    }


_OPERATORS = operators()
_AUDIENCE_OPERATORS = {IN.json[0]: False, IN.json_negated[0]: True}
RULE_KEYS = ("field", "operator", "value", "valueSource", "ignoreCase")
GROUP_KEYS = ("combinator", "rules", "not")
_LIGHTEST = len('{"field":"a","operator":"<","value":1}')


def read(query: Mapping[str, Any] | str, schema: Schema, log: Log) -> Expr | None:
    """The rule that a query says, or None with errors in the log, each placed by JSON pointer.

    `query` is a group or a single rule: JSON text, or what JSON text gives in Python.
    """
    reader = _Reader(schema, log, Builder(schema, log))
    return read_whole(query, log, reader.rule_of)


@dataclass(slots=True)
class _Reader(QueryValues):
    """Reads one query; goes on after an error, so that all are told at once."""

    def rule_of(self, node: Any) -> Expr:
        """The expression of the whole query."""
        made = self._node(node, WHOLE, 0)
        return self._empty_group(WHOLE) if made is None else made

    # ---- groups

    def _node(self, node: Any, at: Pointer, depth: int) -> Expr | None:
        self.weigh(at, _LIGHTEST)
        if not isinstance(node, Mapping):
            return self.misshapen(node, "a rule or a group", at)
        if self._flag(node, "muted", at):
            return None
        if "rules" in node or "combinator" in node:
            return self._group(node, at, depth)
        return self._rule(node, at)

    def _group(self, node: Mapping[str, Any], at: Pointer, depth: int) -> Expr:
        self._check_keys(node, GROUP_KEYS, RULE_KEYS, "group", at)
        rules = node.get("rules")
        if not isinstance(rules, list | tuple):
            return self.misshapen(rules, "the list of a group's `rules`", at.at("rules"))
        negated = self._flag(node, "not", at)
        # As deep as its text: one for `not`, one for brackets, none around the whole rule.
        depth += 1 + (len(rules) > 1) if negated else at != WHOLE
        if depth > MAX_DEPTH:
            raise too_deep(self.log, at)
        op = self._combinator(node, rules, at)
        parts = [
            part
            for index, rule in enumerate(rules)
            if not isinstance(rule, str)
            and (part := self._node(rule, at.at("rules").at(index), depth)) is not None
        ]
        if op is None:
            return faulty(at)
        if not parts:
            return self._empty_group(at)
        made = self.build.logic(op, parts, at)
        return self.build.negation(made, at) if negated else made

    def _combinator(self, node: Mapping[str, Any], rules: Any, at: Pointer) -> Operator | None:
        between = next((i for i, rule in enumerate(rules) if isinstance(rule, str)), None)
        if between is not None:
            self.log.error(
                "json-shape",
                f"{quote(rules[between][:60])} stands between rules: a group has one combinator",
                at.at("rules").at(between),
                help='give each group one "combinator", and mix them by groups in groups',
            )
            return None
        name = node.get("combinator")
        op = _LOGIC.get(name.lower()) if isinstance(name, str) else None
        if op is None:
            self.misshapen(name, 'the combinator, "and" or "or",', at.at("combinator"))
        return op

    def _empty_group(self, at: Pointer) -> Expr:
        self.log.error(
            "empty-group",
            "the group has no rules: it would keep everybody",
            at,
            help="add a rule, or mute or remove the group; the field `true` keeps everybody",
        )
        return faulty(at)

    # ---- rules

    def _rule(self, node: Mapping[str, Any], at: Pointer) -> Expr:
        self._check_keys(node, RULE_KEYS, GROUP_KEYS, "rule", at)
        if node.get("field") in tuple(CONSTANTS):
            return self._constant_rule(node, at)
        if node.get("field") == AUDIENCE:
            return self._audience_rule(node, at)
        if node.get("match") is not None:
            self.shape("`match` is not known here; ask lists with `contains`", at.at("match"))
        left = self.named(node.get("field"), at.at("field"), "field")
        found = self.operator(node.get("operator"), _OPERATORS, at.at("operator"))
        folds = self._flag(node, "ignoreCase", at)
        if found is None:
            return faulty(at)
        op, negated = found
        rights = self._rights(op, left, node, at)
        if rights is None:
            return faulty(at)
        return self.build.predicate(op, [left, *rights], at, negated=negated, ignoring_case=folds)

    def _audience_rule(self, node: Mapping[str, Any], at: Pointer) -> Expr:
        given = node.get("value")
        keys = given if isinstance(given, list | tuple) else [given]
        return self.audiences(node.get("operator"), _AUDIENCE_OPERATORS, keys, at, "value")

    def _constant_rule(self, node: Mapping[str, Any], at: Pointer) -> Expr:
        name, value = node["field"], node.get("value")
        if self.ambiguous(name, at.at("field")):
            pass
        elif node.get("operator") != "=" or not isinstance(value, bool):
            self.shape(f"`{name}` wants the operator = and the value true", at)
        return Constant(CONSTANTS[name] is value, TRUTH, at)

    def _rights(
        self, op: Operator, left: Expr, node: Mapping[str, Any], at: Pointer
    ) -> list[Expr] | None:
        if op.shape is Shape.POSTFIX:
            return []
        source, place = node.get("valueSource") or "value", at.at("value")
        if source not in ("value", "field"):
            self.misshapen(source, 'the valueSource, "value" or "field",', at.at("valueSource"))
        elif "value" not in node:
            self.shape("the rule has no `value`", at)
        elif node["value"] is None:
            self.null(place, '"null"', '"notNull"')
        elif source == "field":
            return self.named_values(op, node["value"], place)
        else:
            return self.values(op, wanted_family(op, left), node["value"], place)
        return None

    # ---- keys

    def _flag(self, node: Mapping[str, Any], key: str, at: Pointer) -> bool:
        value = node.get(key)
        if value is not None and not isinstance(value, bool):
            self.misshapen(value, "true or false", at.at(key))
        return value is True

    def _check_keys(
        self,
        node: Mapping[str, Any],
        known: tuple[str, ...],
        foreign: tuple[str, ...],
        what: str,
        at: Pointer,
    ) -> None:
        by_likeness = {_likeness(key): key for key in (*known, *foreign, "muted")}
        for key in node:
            meant = by_likeness.get(_likeness(key)) if isinstance(key, str) else None
            if meant in foreign:
                self.shape(f"a {what} has no `{meant}`", at.at(key))
            elif meant not in (None, key):
                message = f"`{key}` is not `{meant}`, and would say nothing"
                self.log.error("json-shape", message, at.at(key), near=(str(meant),))


def _likeness(key: str) -> str:
    return key.casefold().replace("_", "").replace("-", "")
