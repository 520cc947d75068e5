"""The expression: constants, fields and calls. Walkers are iterative, whatever the depth."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from segment_engine.diagnostics.spans import NOWHERE, Place
from segment_engine.expression.schema import FieldSpec
from segment_engine.operators.row import Operator
from segment_engine.values.paths import Steps
from segment_engine.values.types import ANY, Type

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal. `value` is int or Decimal, str, bool, Moment, Duration, Pattern, Window, None,
    or a tuple of Constants (a list). `unit` is the currency that was wrongly written with it.
    """

    value: Any
    type: Type
    span: Place = field(default=NOWHERE, compare=False)
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A value of the consumer, read as `type`. `path` leads into an open column."""

    name: str
    type: Type
    spec: FieldSpec
    path: Steps = ()
    span: Place = field(default=NOWHERE, compare=False)

    @property
    def declared(self) -> bool:
        """Whether the schema gives the type; else the other operand gave it."""
        return self.spec.name == self.name


@dataclass(frozen=True, slots=True)
class Call:
    """An operator on its arguments; `and` and `or` have as many as were written."""

    op: Operator
    args: tuple["Expr", ...]
    type: Type
    span: Place = field(default=NOWHERE, compare=False)
    ignoring_case: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """What an engine's binding puts in place of fields and constants; see backends/reading."""

    @property
    def type(self) -> Type:
        """Storage has physical types; the language's are settled before."""
        return ANY

    @property
    def span(self) -> Place:
        """Nothing of it was written by a person."""
        return NOWHERE


Expr: TypeAlias = Constant | Field | Call | Leaf


def placed(expr: Expr, span: Place) -> Expr:
    """The same expression, standing at `span`."""
    return expr if isinstance(expr, Leaf) else replace(expr, span=span)


def fold(root: Expr, combine: Callable[[Expr, tuple[Result, ...]], Result]) -> Result:
    """`combine(node, results of its arguments)` for every node, children first."""
    waiting: list[tuple[Expr, bool]] = [(root, False)]
    results: list[Result] = []
    while waiting:
        node, ready = waiting.pop()
        if not isinstance(node, Call):
            results.append(combine(node, ()))
        elif ready:
            first = len(results) - len(node.args)
            results[first:] = [combine(node, tuple(results[first:]))]
        else:
            waiting.append((node, True))
            waiting.extend((argument, False) for argument in reversed(node.args))
    return results[0]


def walk(root: Expr) -> Iterator[Expr]:
    """Every node, in the order in which it is written."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Call):
            waiting.extend(reversed(node.args))
