"""Examples of a catalog: consumers of whom it says whether a rule keeps them, tried on the rule."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import yaml

from segment_engine.catalog.entries import Column, Example
from segment_engine.catalog.places import span_of
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.nearest import nearest
from segment_engine.engine import Engine
from segment_engine.errors import RuleError, SegmentError
from segment_engine.expression.nodes import Call, Expr, fold
from segment_engine.expression.references import references
from segment_engine.expression.resolve import AND, NOT, OR, uses_clock
from segment_engine.expression.schema import FieldSpec
from segment_engine.expression.spelling import spell
from segment_engine.rule import Rule
from segment_engine.values.isotime import parse_iso
from segment_engine.values.paths import parse_name
from segment_engine.values.types import TRUTH, Type

SHOWN = 5
"""Conditions that a message names."""

Clause = tuple[Expr, bool]
"""A condition of a rule, and whether the consumer meets it."""


@dataclass(frozen=True)
class Trial:
    """What examples are tried with: an engine, the column of ids, other names of audiences."""

    engine: Engine
    id_column: str
    aliases: Mapping[str, str]

    def of(self, rule: Rule, examples: Iterable[Example]) -> Iterator[Diagnostic]:
        """What is wrong with examples of a rule; nothing where it keeps whom it should."""
        for example in examples:
            faults = [*self._unreadable(example), *self._unsaid(rule, example)]
            yield from faults or self._differing(rule, example)

    # ---- what an example says

    @cached_property
    def _columns(self) -> dict[str, FieldSpec]:
        specs = self.engine.schema.specs.values()
        return {spec.column: spec for spec in specs if spec.derived is None and not spec.path}

    def _unreadable(self, example: Example) -> Iterator[Diagnostic]:
        for name, given in example.consumer.items():
            spec = self._columns.get(name)
            if spec is None and name != self.id_column:
                yield self._unknown(name, given)
            elif spec is not None and not _fits(_value(given, spec), spec.type):
                wants = _WANTED.get(spec.type.family, f"one {spec.type}")
                message = f"column {name!r} holds a {spec.type}; it wants {wants}"
                yield Diagnostic("example", message, span_of(given.node))

    def _unknown(self, name: str, given: Column) -> Diagnostic:
        """A column that there is not; often a field's name, or a path into an open one."""
        field = self.engine.schema.find(*(parse_name(name) or (name, ())))
        message = f"no field reads a column {name!r}"
        if field is not None and field.derived is not None:
            message = f"field `{name}` is derived by `{field.derived}`; give what that reads"
            return Diagnostic("example", message, span_of(given.key))
        near = nearest(name, self._columns) if field is None else (field.column,)
        return Diagnostic("example", message, span_of(given.key), near=near)

    def _unsaid(self, rule: Rule, example: Example) -> Iterator[Diagnostic]:
        """What the rule asks for beside the consumer, and the example does not say."""
        span = span_of(example.node)
        if example.as_of is None and uses_clock(rule.expression, self.engine.derived):
            message = "the rule asks for the time of the run, so an example wants `as_of:`"
            yield Diagnostic("example", message, span, help="such as `as_of: 2026-07-01`")
        referred = [found.key for found in references(rule.expression, self.aliases)]
        given = [self.aliases.get(key, key) for key in example.audiences]
        for key in referred:
            if key not in given:
                message = f'the rule asks whether the consumer is in audience "{key}"'
                yield Diagnostic("example", message, span, help=f"`audiences: {{{key}: true}}`")
        for key in given:
            if key not in referred:
                message = f'the rule does not refer to audience "{key}"'
                yield Diagnostic("example", message, span, near=nearest(key, referred))

    # ---- what the rule says

    def _differing(self, rule: Rule, example: Example) -> Iterator[Diagnostic]:
        consumer = {
            name: _value(given, self._columns[name])
            for name, given in example.consumer.items()
            if name in self._columns
        }
        audiences = {self.aliases.get(key, key): held for key, held in example.audiences.items()}
        names = {name: audiences[self.aliases.get(name, name)] for name in rule.audiences}

        def keeps(part: Expr) -> bool:
            return Rule(self.engine, part, "").matches(consumer, example.as_of, names)

        try:
            if rule.matches(consumer, example.as_of, names) is not example.member:
                yield _wrong(example, deciding(rule.expression, keeps))
        except RuleError as fault:
            yield Diagnostic("example", fault.diagnostics[0].message, span_of(example.node))
        except SegmentError as fault:
            yield Diagnostic("example", str(fault), span_of(example.node))


def deciding(rule: Expr, keeps: Callable[[Expr], bool]) -> tuple[Clause, ...]:
    """The conditions that make the rule true or false of a consumer.

    Of a false `and` these are its false parts, of a true `or` its true ones, else all of them.
    """

    def node(expr: Expr, parts: tuple[tuple[bool, tuple[Clause, ...]], ...]) -> Any:
        if isinstance(expr, Call) and expr.op is NOT:
            (inner,) = parts
            return not inner[0], inner[1]
        if isinstance(expr, Call) and expr.op in (AND, OR):
            decisive = expr.op is OR
            met = decisive if any(part[0] is decisive for part in parts) else not decisive
            return met, tuple(clause for truth, own in parts if truth is met for clause in own)
        met = _is_truth(expr) and keeps(expr)
        return met, ((expr, met),)

    found: tuple[Clause, ...] = fold(rule, node)[1]
    return found


def _is_truth(expr: Expr) -> bool:
    return expr.type is TRUTH or expr.type.family == "boolean"


def _wrong(example: Example, clauses: tuple[Clause, ...]) -> Diagnostic:
    told = list(dict.fromkeys(f"`{spell(part)}` is {str(met).lower()}" for part, met in clauses))
    more = [f"{len(told) - SHOWN} more"] * (len(told) > SHOWN)
    does, wanted = ("drops", "in: true") if example.member else ("keeps", "in: false")
    message = f"the rule {does} this consumer, against `{wanted}`: {', '.join(told[:SHOWN] + more)}"
    help = "mend the rule, or the example"
    return Diagnostic("example", message, span_of(example.node), help=help)


# ---- values


def _value(given: Column, spec: FieldSpec) -> Any:
    """The value as a source has it: what a text field reads is the text that was written."""
    value = given.value
    if spec.type.family != "text" or not isinstance(given.node, yaml.ScalarNode):
        return value
    return value if value is None or isinstance(value, str) else given.node.value


_KINDS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | Decimal) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "time": lambda value: isinstance(value, str) and parse_iso(value) is not None,
    "any": lambda value: True,
}

_WANTED = {
    "number": "a number without quotes",
    "boolean": "true or false without quotes",
    "time": "an ISO 8601 day or time, such as 2026-01-31T10:00:00Z",
    "list": "a list of such values",
}


def _fits(value: Any, kind: Type) -> bool:
    if value is None:
        return True
    if kind.element is None:
        return _KINDS[kind.family](value)
    return isinstance(value, list) and all(_fits(item, kind.element) for item in value)
