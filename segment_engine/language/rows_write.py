"""Rule rows of an expression, or what of it rows cannot say: `rows.read` reads them back."""

from typing import Any

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.expression.build import AND, IN, NOT, OR
from segment_engine.expression.nodes import Call, Constant, Expr
from segment_engine.expression.spelling import spell
from segment_engine.language.query_builder_write import AUDIENCE, literal, operand
from segment_engine.operators.row import Operator, Shape

Row = dict[str, Any]

_SHOWN = 120


class _Unsaid(Exception):
    """What rows lack, and how else to say it."""

    def __init__(self, lacking: str, help: str = "text and query-builder JSON say it") -> None:
        super().__init__(lacking)
        self.lacking, self.help = lacking, help


def write(expr: Expr, log: Log) -> list[Row] | None:
    """The rule as rows of plain JSON values, or None with each part that rows cannot say.

    Nobody has no rows. A `contains any` of one value is the `contains` of it. Numbers beyond a
    double go as text where a type is declared.
    """
    rows: list[Row] = []
    groups, before = 0, len(log.found)
    for clause in [] if _is_nobody(expr) else _parts(expr, AND):
        parts = _parts(clause, OR)
        groups += len(parts) > 1
        for part in parts:
            try:
                row = _row(part)
            except _Unsaid as unsaid:
                message = f"rule rows have no {unsaid.lacking}: `{_shown(part)}`"
                log.error("not-in-rows", message, part.span, help=unsaid.help)
            else:
                group = str(groups) if len(parts) > 1 else None
                rows.append({**row, "groupId": group, "position": len(rows)})
    return rows if len(log.found) == before else None


def _is_nobody(expr: Expr) -> bool:
    return isinstance(expr, Constant) and not expr.value


def _parts(expr: Expr, op: Operator) -> list[Expr]:
    return list(expr.args) if isinstance(expr, Call) and expr.op is op else [expr]


def _shown(part: Expr) -> str:
    text = spell(part)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _row(part: Expr) -> Row:
    if isinstance(part, Constant):
        raise _Unsaid("condition that keeps everybody, or nobody")
    assert isinstance(part, Call)
    call = part.args[0] if part.op is NOT else part
    if not isinstance(call, Call) or call.op.shape is Shape.LOGIC:
        within = "`not` of anything but one condition" if part.op is NOT else "`and` inside `or`"
        raise _Unsaid(within)
    left, *rights = call.args
    if call.op.shape is Shape.AUDIENCE:
        name = IN.api if part is call else IN.api_negated
        return {"field": AUDIENCE, "operator": name, "values": [literal(left, left)]}
    return {
        "field": operand(left),
        "operator": _name(call, negated=part is not call),
        "values": [value for right in rights for value in _values(call, left, right)],
    }


def _name(call: Call, negated: bool) -> str:
    name = call.op.api_negated if negated else call.op.api
    word = f"`{call.op.words[0]}`"
    if not name:
        raise _Unsaid(f"operator for the `not` of {word}" if negated else f"operator for {word}")
    if call.ignoring_case:
        raise _Unsaid("`ignoring case`")
    return name


def _values(call: Call, left: Expr, right: Expr) -> list[Any]:
    if not isinstance(right, Constant):
        raise _Unsaid(f"field on the right of `{call.op.words[0]}`")
    said = literal(right, left)
    return [_plain(call.op, value) for value in (said if isinstance(said, list) else [said])]


def _plain(op: Operator, value: Any) -> Any:
    """The value without the object that query-builder JSON puts around it on undeclared paths."""
    match value:
        case {"datetime": text} if "text" not in op.takes:
            return text
        case {"number": text} if text.lstrip("-").isdigit():
            return int(text)
        case dict():
            kind = "time" if "datetime" in value else "decimal beyond a double"
            help = "declare the type of the path in the schema"
            raise _Unsaid(f"{kind} for a path of no declared type", help)
    return value
