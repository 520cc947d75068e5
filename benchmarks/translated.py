"""A rule as rule-engine (PyPI) says it, for the conditions that it can say.

Written from the resolved rule, as somebody would by hand who knows that there null is in order
with nothing: every comparison asks first whether there is a value.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from segment_engine import Rule
from segment_engine.expression.nodes import Call, Constant, Expr, Field, fold
from segment_engine.operators.table import operator
from segment_engine.values.moments import END_OF_TIME, MIN_INSTANT, Clock, Window


class CannotSay(ValueError):
    """rule-engine has no words for a part of the rule."""


def translated(rule: Rule, clock: Clock) -> str:
    """The rule in rule-engine's language. Raises CannotSay."""
    return fold(rule.resolved(clock), _said)


def _said(node: Expr, args: tuple[str, ...]) -> str:
    match node:
        case Constant():
            return _literal(node.value)
        case Field():
            return "&.".join([node.spec.column, *map(str, node.path)])
        case Call() if node.op in _JOINS:
            return f"({f' {_JOINS[node.op]} '.join(args)})"
        case Call() if node.op in _SAID:
            return _SAID[node.op](node, *args)
    raise CannotSay(f"{node!r:.80}")


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_literal(one.value) for one in value)}]"
    if isinstance(value, str):
        return f'"{value}"'
    return "" if isinstance(value, Window) else str(value)


def _there(read: str, asked: str) -> str:
    return f"({read} != null and {asked})"


def _compared(sign: str) -> Callable[..., str]:
    return lambda node, left, right: _there(left, f"{left} {sign} {right}")


def _searched(method: str) -> Callable[..., str]:
    return lambda node, left, right: _there(_field(node), f"{left}.{method}({right})")


def _field(node: Call) -> str:
    """What has to be there: the column, below what is made of it."""
    inside = node.args[0]
    return fold(inside.args[0] if isinstance(inside, Call) else inside, _said)


def _equal(node: Call, left: str, right: str) -> str:
    if left.endswith(_DOMAIN):
        return _there(_field(node), _ends(left, right))
    return _there(left, f"{left} == {right}")


def _among(node: Call, left: str, right: str) -> str:
    if left.endswith(_DOMAIN):
        values = node.args[1]
        assert isinstance(values, Constant)
        found = " or ".join(_ends(left, _literal(one.value)) for one in values.value)
        return _there(_field(node), f"({found})")
    return _there(left, f"{left} in {right}")


def _ends(left: str, name: str) -> str:
    return f'{left.removesuffix(_DOMAIN)}.as_lower.ends_with("@{name[1:]})'


def _inside(node: Call, left: str, right: str) -> str:
    window = node.args[1].value  # type: ignore[union-attr]
    bounds = [
        f'{left} {sign} d"{_EPOCH + timedelta(microseconds=at):%Y-%m-%dT%H:%M:%S.%f+00:00}"'
        for sign, at in ((">=", window.start), ("<", window.end))
        if MIN_INSTANT < at < END_OF_TIME
    ]
    return _there(left, " and ".join(bounds))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DOMAIN = " domain"
_JOINS = {operator("and"): "and", operator("or"): "or"}
_SAID: dict[Any, Callable[..., str]] = {
    operator("not"): lambda node, part: f"(not {part})",
    operator("exists"): lambda node, read: f"{read} != null",
    **{
        operator(name): _compared(sign)
        for name, sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="))
    },
    operator("eq"): _equal,
    operator("in"): _among,
    operator("in_window"): _inside,
    operator("starts_with"): _searched("starts_with"),
    operator("ends_with"): _searched("ends_with"),
    operator("contains"): lambda node, left, right: _there(_field(node), f"{right} in {left}"),
    operator("has"): lambda node, left, right: _there(left, f"{right} in {left}"),
    operator("fold"): lambda node, read: f"{read}.as_lower",
    operator("domain"): lambda node, read: f"{read}{_DOMAIN}",
}
