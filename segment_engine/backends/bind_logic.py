"""Logic of bound expressions: constants taken out, `not` brought down to single rows."""

from collections.abc import Callable

from segment_engine.backends.reading import MISSING
from segment_engine.expression.nodes import Call, Constant, Expr
from segment_engine.expression.resolve import AND, FALSE, NOT, OR, TRUE
from segment_engine.operators.row import Operator
from segment_engine.values.types import TRUTH


def settled(made: Expr) -> Expr:
    """A call on something that is missing for everybody is false, or missing itself."""
    if isinstance(made, Call) and MISSING in made.args and not made.op.sees_missing:
        return FALSE if made.op.gives is TRUTH else MISSING
    return made


def _conjunction(parts: tuple[Expr, ...]) -> Expr:
    return _joined(AND, parts, TRUE, FALSE)


def _disjunction(parts: tuple[Expr, ...]) -> Expr:
    return _joined(OR, parts, FALSE, TRUE)


def _joined(op: Operator, parts: tuple[Expr, ...], neutral: Expr, absorbing: Expr) -> Expr:
    flat: list[Expr] = []
    for part in parts:
        nested = isinstance(part, Call) and part.op is op
        flat.extend(part.args if nested and isinstance(part, Call) else (part,))
    if absorbing in flat:
        return absorbing
    kept = tuple(part for part in flat if part != neutral)
    if len(kept) > 1:
        return Call(op, kept, TRUTH)
    return kept[0] if kept else neutral


def complement(parts: tuple[Expr, ...]) -> Expr:
    """`not` of the one part."""
    part = parts[0]
    if isinstance(part, Constant):
        return FALSE if part.value else TRUE
    return Call(NOT, parts, TRUTH)


LOGIC: dict[Operator, Callable[[tuple[Expr, ...]], Expr]] = {
    AND: _conjunction,
    OR: _disjunction,
    NOT: complement,
}


def all_of(*parts: Expr) -> Expr:
    """The parts joined by `and`, constants taken out."""
    return _conjunction(parts)


def any_of(*parts: Expr) -> Expr:
    """The parts joined by `or`, constants taken out."""
    return _disjunction(parts)


def push_negations(expr: Expr) -> Expr:
    """`not` only directly above rows: De Morgan is exact, because truths are never missing."""
    waiting: list[tuple[Expr, bool, bool]] = [(expr, False, False)]
    results: list[Expr] = []
    while waiting:
        node, negated, ready = waiting.pop()
        if not isinstance(node, Call) or node.op not in LOGIC:
            results.append(complement((node,)) if negated else node)
        elif node.op is NOT:
            waiting.append((node.args[0], not negated, False))
        elif ready:
            first = len(results) - len(node.args)
            join = LOGIC[OR if (node.op is AND) is negated else AND]
            results[first:] = [join(tuple(results[first:]))]
        else:
            waiting.append((node, negated, True))
            waiting.extend((part, negated, False) for part in reversed(node.args))
    return results[0]
