"""A rule as logic over its conditions, each condition one object wherever it stands."""

from collections.abc import Mapping
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from segment_engine.expression.nodes import Call, Constant, Expr
from segment_engine.expression.resolve import AND, IN_AUDIENCE, NOT, OR, expand_derived
from segment_engine.operators.row import Operator


class Condition:
    """A part of a rule without `and`, `or`, `not` and references; compared by identity.

    `kept` is what the last batches have made of it, for the next one.
    """

    __slots__ = ("__weakref__", "expression", "kept")

    def __init__(self, expression: Expr) -> None:
        self.expression = expression
        self.kept: Any = ()


Joint: TypeAlias = tuple[Operator, int]
"""What joins the so many parts before it."""

Logic: TypeAlias = tuple[Condition | str | Joint, ...]
"""Conditions, keys of audiences, and behind its parts what joins them."""

_CONDITIONS: "WeakValueDictionary[Expr, Condition]" = WeakValueDictionary()


def logic_of(expr: Expr, derived: Mapping[str, Expr]) -> Logic:
    """The logic of a rule, derived fields replaced by what they are derived by."""
    whole = expand_derived(expr, derived)
    return tuple(part if isinstance(part, tuple) else _leaf(part) for part in postfix(whole))


def _leaf(node: Expr) -> Condition | str:
    if isinstance(node, Call) and node.op is IN_AUDIENCE:
        assert isinstance(node.args[0], Constant)
        key: str = node.args[0].value
        return key
    return _CONDITIONS.setdefault(node, Condition(node))


def postfix(expr: Expr) -> list[Expr | Joint]:
    """The parts that are joined by `and`, `or` and `not`, and behind its parts what joins them."""
    found: list[Expr | Joint] = []
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Call) and node.op in (AND, OR, NOT):
            found.append((node.op, len(node.args)))
            waiting.extend(node.args)
        else:
            found.append(node)
    found.reverse()
    return found
