"""Hints: predicates that keep or drop the consumers without a value, where people trip over it."""

from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.expression.nodes import Call, Constant, Expr, Field, walk
from segment_engine.operators.table import operator

_NOT, _EXISTS, _EQ = operator("not"), operator("exists"), operator("eq")
_SMALL = {operator(name) for name in ("lt", "le", "older_than", "before")}


def hints(expr: Expr) -> tuple[Diagnostic, ...]:
    """At most one of each kind for each field, in the order of the rule."""
    asked = {node.args[0] for node in walk(expr) if isinstance(node, Call) and node.op is _EXISTS}
    found: dict[tuple[str, str], Diagnostic] = {}
    inside: set[int] = set()
    for node in walk(expr):
        if not isinstance(node, Call) or id(node) in inside:
            continue
        if node.op is _NOT:
            inside.add(id(node.args[0]))
        subject, hint = _subject(node), _hint(node)
        if hint is not None and subject is not None and subject not in asked:
            found.setdefault((hint.code, subject.name), hint)
    return tuple(found.values())


def _subject(node: Call) -> Field | None:
    inner = node.args[0]
    if node.op is _NOT:
        inner = inner.args[0] if isinstance(inner, Call) else inner
    return inner if isinstance(inner, Field) else None


def _hint(node: Call) -> Diagnostic | None:
    subject = _subject(node)
    if subject is None:
        return None
    if node.op is _NOT:
        inner = node.args[0]
        if not isinstance(inner, Call) or inner.op.sees_missing or not inner.op.negated:
            return None
        message = f"this keeps consumers who have no `{subject.name}`; add `and {{}} exists`"
        return Diagnostic("keeps-missing", message.format(subject.name), node.span, "hint")
    if node.op in _SMALL or (node.op is _EQ and _is_zero(node.args[1])):
        message = f"this drops consumers who have no `{subject.name}`; add `or {{}} is missing`"
        return Diagnostic("drops-missing", message.format(subject.name), node.span, "hint")
    return None


def _is_zero(node: Expr) -> bool:
    return isinstance(node, Constant) and node.value == 0 and not isinstance(node.value, bool)
