"""The only constructor of calls: types are settled and checked here, whatever the door."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.nearest import nearest
from segment_engine.diagnostics.spans import Place
from segment_engine.expression import slips
from segment_engine.expression.amend import amend
from segment_engine.expression.nodes import Call, Constant, Expr, Field
from segment_engine.expression.schema import Schema
from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.operators.table import operator
from segment_engine.values.paths import Steps, spell_name
from segment_engine.values.patterns import PatternError, parse_pattern
from segment_engine.values.types import (
    ANY,
    AUDIENCE,
    BOOLEAN,
    FAULTY,
    NULL,
    NUMBER,
    PATTERN,
    TEXT,
    TRUTH,
    Type,
)

MAX_PREDICATES = 2_000
MAX_ARITHMETIC = 64
MAX_VALUES = 10_000
MOST_DIGITS = 38

AND, OR, NOT, EQ = (operator(name) for name in ("and", "or", "not", "eq"))
EXISTS, IN, IN_AUDIENCE = (operator(name) for name in ("exists", "in", "in_audience"))
LOGIC = (AND, OR)


class TooMany(Exception):
    """A limit was passed: the check ends here; the log says which."""


def too_many(log: Log, span: Place) -> TooMany:
    """Notes that there are too many predicates; raise what it gives."""
    log.error("limit", f"a rule has at most {MAX_PREDICATES:,} predicates", span)
    return TooMany()


@dataclass(slots=True)
class Builder:
    """Builds one rule under one schema; what is wrong goes to the log and reads as FAULTY."""

    schema: Schema
    log: Log
    predicates: int = 0
    arithmetic: int = 0

    # ---- leaves

    def field(self, root: str, steps: Steps, span: Place) -> Expr:
        """The field of that name and path; unknown names are reported with the nearest."""
        spec = self.schema.find(root, steps)
        if spec is not None and not steps:
            return Field(spec.name, spec.type, spec, spec.path, span)
        if spec is None:
            return self._unknown_field(root, steps, span)
        name = spell_name(root, steps)
        declared = spec.name == name
        return Field(name, spec.type if declared else ANY, spec, steps, span)

    def _unknown_field(self, root: str, steps: Steps, span: Place) -> Expr:
        name = spell_name(root, steps)
        near = nearest(name, self.schema.names)
        known = self.schema.find(root, ())
        if known is not None and steps:
            self.log.error(
                "unknown-field",
                f"`{root}` is {slips.a(known.type)}: nothing follows its name",
                span,
                help=f"write `{root}`",
            )
        else:
            self.log.error(
                "unknown-field",
                f"no field is called `{name}`",
                span,
                near=near,
                help=None if near else self._otherwise((root, *steps)),
            )
        return Constant(None if steps else root, FAULTY, span)

    def _otherwise(self, steps: Steps) -> str | None:
        """How else to ask for what was perhaps meant."""
        if str(steps[0]).lower() in ("audience", "segment"):
            return 'members of another audience are `in audience "its key"`'
        opened = next((spec.name for spec in self.schema.specs.values() if spec.open), None)
        return f"a key of `{opened}` is written `{spell_name(opened, steps)}`" if opened else None

    def number(self, value: int | Decimal, span: Place, unit: str | None = None) -> Expr:
        """A number literal; outside DECIMAL(38) it is an error."""
        _, digits, exponent = Decimal(value).as_tuple()
        assert isinstance(exponent, int)
        if max(len(digits) + exponent, 0) + max(-exponent, 0) > MOST_DIGITS:
            self.log.error("number-range", "the number has more than 38 digits", span)
            return Constant(None, FAULTY, span)
        return Constant(value, NUMBER, span, unit)

    def pattern(self, text: str, span: Place, at: Callable[[int, int], Place]) -> Expr:
        """A pattern literal; `at` places offsets into the pattern."""
        try:
            return Constant(parse_pattern(_quotable(text)), PATTERN, span)
        except PatternError as fault:
            self.log.error(
                "bad-pattern", fault.message, at(fault.start, fault.end), help=fault.hint
            )
            return Constant(None, FAULTY, span)

    # ---- logic

    def logic(self, op: Operator, parts: list[Expr], span: Place) -> Expr:
        """`and` or `or` of two or more parts, flat."""
        flat: list[Expr] = []
        for part in slips.repeated_values(self, op, parts):
            truth = self.truth(part)
            same = isinstance(truth, Call) and truth.op is op
            flat.extend(truth.args if same and isinstance(truth, Call) else (truth,))
        return Call(op, tuple(flat), TRUTH, span) if len(flat) > 1 else flat[0]

    def negation(self, part: Expr, span: Place) -> Expr:
        """`not` of a part."""
        return Call(NOT, (self.truth(part),), TRUTH, span)

    def truth(self, part: Expr) -> Expr:
        """The part as a truth: a boolean alone means `= true`; other values are errors."""
        family = part.type.family
        if family in ("truth", "faulty"):
            return part
        if isinstance(part, Constant):
            if family == "boolean":
                return Constant(part.value, TRUTH, part.span)
        elif family in ("boolean", "any"):
            return self.predicate(EQ, [part, Constant(True, BOOLEAN, part.span)], part.span)
        self.log.error(
            "not-a-truth",
            f"{slips.the(part)} is neither true nor false",
            part.span,
            help="compare it, as in `totalOrders > 2`; several values stand behind one `in`"
            if isinstance(part, Constant) and part.value is not None
            else "compare it, as in `totalOrders > 2` or `phone exists`",
        )
        return Constant(None, FAULTY, part.span)

    # ---- predicates

    def predicate(
        self,
        op: Operator,
        args: list[Expr],
        span: Place,
        *,
        negated: bool = False,
        ignoring_case: bool = False,
    ) -> Expr:
        """A predicate on values, typed and checked; `negated` is `not` of it."""
        self._count(span)
        if op.mirror and isinstance(args[0], Constant) and not isinstance(args[1], Constant):
            op, args = operator(op.mirror), [args[1], args[0]]
        amend(self.log, op, args[0], args[1:])
        if len(args) == 2 and args[1].type is NULL:
            made = slips.null_comparison(self, op, args[0], args[1], span, negated)
            return made
        typed = self._typed(op, args, span, ignoring_case)
        if typed is None:
            return Constant(None, FAULTY, span)
        made = Call(op, typed, TRUTH, span, ignoring_case)
        return Call(NOT, (made,), TRUTH, span) if negated else made

    def audience(self, key: str, span: Place, at: Place) -> Expr:
        """That the consumer is in the audience of that key or id; whether there is one is not
        asked here, because rules are checked one by one."""
        self._count(span)
        if not key.strip():
            self.log.error(
                "empty-key", "an audience has a key", at, help='name it, as in `in audience "vip"`'
            )
            return Constant(None, FAULTY, span)
        return Call(IN_AUDIENCE, (Constant(key, AUDIENCE, at),), TRUTH, span)

    def _count(self, span: Place) -> None:
        self.predicates += 1
        if self.predicates > MAX_PREDICATES:
            raise too_many(self.log, span)

    def _typed(
        self, op: Operator, args: list[Expr], span: Place, ignoring_case: bool
    ) -> tuple[Expr, ...] | None:
        """The arguments with undeclared types settled, or None where something was reported."""
        left, rights = args[0], args[1:]
        for part in args:
            if part.type is TRUTH or part.type is FAULTY:
                self._refuse_truths(args)
                return None
        if isinstance(left, Constant):
            slips.constant_alone(self, left)
            return None
        if op.years:
            rights = [
                slips.year(right) if isinstance(right, Constant) else right for right in rights
            ]
        items = _items(rights)
        if items is not None and not self._list_is_sound(items, rights[0].span):
            return None
        left = self._settled(op, left, rights if items is None else items)
        if not self._defined(op, left, span):
            return None
        if ignoring_case and not self._folds(op, left, span):
            return None
        kind = _right_kind(op, left)
        checked = [self.right(op, kind, left, right) for right in (items or rights)]
        if FAULTY in [item.type for item in checked]:
            return None
        if items is not None:
            return left, Constant(tuple(checked), checked[0].type, rights[0].span)
        if len(checked) == 2 and not slips.in_order(self, checked, span):
            return None
        return left, *checked

    def _refuse_truths(self, parts: list[Expr]) -> None:
        for part in parts:
            if part.type is TRUTH:
                self.log.error(
                    "not-a-value",
                    "a truth cannot be compared",
                    part.span,
                    help="join truths with `and`, `or`, `not`",
                )

    def _settled(self, op: Operator, left: Expr, rights: list[Expr]) -> Expr:
        """An undeclared path takes its type from the other operand or from the operator."""
        if left.type is not ANY or not isinstance(left, Field):
            return left
        families = op.takes
        if op.shape is Shape.LISTED or "*" in families or "list" in families:
            return left
        if len(families) == 1 or op.shape is Shape.LASTING:
            return replace(left, type=slips.FAMILY_TYPE[next(iter(families))])
        kinds = [slips.FAMILY_TYPE.get(right.type.family) for right in rights]
        kind = next((kind for kind in kinds if kind is not None), ANY)
        return replace(left, type=kind)

    def _defined(self, op: Operator, left: Expr, span: Place) -> bool:
        families = op.takes
        if "*" in families or left.type is ANY or left.type.family in families:
            return True
        takes = " or ".join(", ".join(families).rsplit(", ", 1))
        self.log.error(
            "operator-type",
            f"`{op.words[0]}` is not defined for {slips.the(left)}; it takes {takes}",
            span,
            help=slips.instead(op, left),
        )
        return False

    def _folds(self, op: Operator, left: Expr, span: Place) -> bool:
        textual = left.type is ANY or TEXT in (left.type, left.type.element)
        if op.folds and textual:
            return True
        self.log.error(
            "ignoring-case",
            f"`ignoring case` says nothing for `{op.words[0]}` on {slips.the(left)}",
            span,
            help="it goes with = != in contains, starts with, ends with, on text",
        )
        return False

    def _list_is_sound(self, items: list[Expr], span: Place) -> bool:
        if not items:
            self.log.error("empty-list", "the list is empty", span, help="name one value or more")
        if len(items) > MAX_VALUES:
            self.log.error("limit", f"a list has at most {MAX_VALUES:,} values", span)
        sound = bool(items) and len(items) <= MAX_VALUES
        for item in items if sound else ():
            if item.type is NULL:
                self.log.error(
                    "null-in-list",
                    "a list cannot hold null",
                    item.span,
                    help="write `or ... is missing` beside it",
                )
                sound = False
            elif not isinstance(item, Constant):
                self.log.error(
                    "literal-type",
                    "a list holds fixed values only",
                    item.span,
                    help="compare with a field in a condition of its own",
                )
                sound = False
        return sound

    def right(self, op: Operator, kind: Right, left: Expr, right: Expr) -> Expr:
        """The right side as the left one wants it; FAULTY where it was reported."""
        if isinstance(right, Field) and right.type is ANY and kind is Right.SAME:
            if left.type is ANY:
                return slips.cast_needed(self, left, right)
            right = replace(right, type=left.type)
        wanted = _wanted_family(kind, left.type)
        if left.type is ANY and kind in (Right.NEEDLE, Right.ELEMENT):
            wanted = right.type.family if right.type.family in slips.SCALAR_FAMILIES else "text"
        elif left.type is ANY:
            wanted = right.type.family
        if right.type.family != wanted:
            return slips.wrong_type(self, op, left, right, wanted)
        if kind is not Right.SAME and not isinstance(right, Constant):
            self.log.error(
                "literal-type", f"`{op.words[0]}` wants a fixed value on its right", right.span
            )
            return Constant(None, FAULTY, right.span)
        if isinstance(right, Constant) and right.value == "" and kind is not Right.SAME:
            self.log.error(
                "empty-needle",
                "the text is empty: every text would do",
                right.span,
                help="write `exists` to ask for any value",
            )
            return Constant(None, FAULTY, right.span)
        if isinstance(right, Constant) and right.unit is not None:
            return slips.money(self, left, right)
        return right

    # ---- values

    def function(self, op: Operator, args: list[Expr], span: Place) -> Expr:
        """A value function, `anniversary of`, or arithmetic."""
        settled = []
        if any(argument.type in (TRUTH, FAULTY) for argument in args):
            self._refuse_truths(args)
            return Constant(None, FAULTY, span)
        for argument in args:
            if argument.type is ANY and isinstance(argument, Field) and "any" not in op.takes:
                family = next(iter(op.takes))
                argument = replace(argument, type=slips.FAMILY_TYPE[family])
            if not self._defined(op, argument, argument.span):
                return Constant(None, FAULTY, span)
            if isinstance(argument, Constant) and argument.unit is not None:
                argument = slips.money(self, args[0], argument)
            settled.append(argument)
        if op.shape is Shape.ARITHMETIC:
            self._count_arithmetic(span)
        folded = slips.folded_constant(op, settled, span)
        if folded is not None:
            return folded
        if all(isinstance(argument, Constant) for argument in settled):
            self.log.error(
                "constant-comparison", "a function of constants only", span, help="name a field"
            )
            return Constant(None, FAULTY, span)
        return Call(op, tuple(settled), op.gives, span)

    def _count_arithmetic(self, span: Place) -> None:
        self.arithmetic += 1
        if self.arithmetic > MAX_PREDICATES:
            self.log.error("limit", f"a rule has at most {MAX_PREDICATES:,} + - * /", span)
            raise TooMany


def _quotable(pattern: str) -> str:
    """The pattern as it stands between double quotes: `"` and line breaks are escaped."""
    pairs = re.findall(r"\\.|.", pattern, re.S)
    spelt = {'"': '\\"', "\n": "\\n", "\r": "\\r"}
    return "".join(spelt.get(pair, pair) for pair in pairs)


def _right_kind(op: Operator, left: Expr) -> Right:
    families = op.takes
    return families.get(left.type.family) or next(iter(families.values()))


def _items(rights: list[Expr]) -> list[Expr] | None:
    if len(rights) == 1 and isinstance(rights[0], Constant):
        value = rights[0].value
        return list(value) if isinstance(value, tuple) else None
    return None


def _wanted_family(kind: Right, left: Type) -> str:
    if kind is Right.PATTERN:
        return "pattern"
    if kind is Right.DURATION:
        return "duration"
    if left.family == "anniversary":
        return "time"
    return left.element.family if left.element else left.family
