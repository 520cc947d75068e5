"""What a random rule may be made of: fields, paths and rows of the table that fit one another."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from segment_engine.errors import RunError
from segment_engine.expression.schema import FieldSpec, Schema
from segment_engine.expression.spelling import spell_field
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import of_shape
from segment_engine.values.paths import Steps, parse_name
from segment_engine.values.types import Type

SCALARS = ("text", "number", "boolean", "time")
_PREDICATES = (
    *(Shape.COMPARE, Shape.INFIX, Shape.POSTFIX, Shape.LISTED, Shape.BETWEEN, Shape.LASTING),
)
DEEPEST = 2
"""How deep functions and arithmetic stand in one another."""
_MAKERS = (Shape.FUNCTION, Shape.PREFIX, Shape.ARITHMETIC)


@dataclass(frozen=True, slots=True)
class Operand:
    """A value as text, with its type; `ANY` takes its type from the other side.

    `among`: the numbers that the value can be, where they are few.
    """

    text: str
    type: Type
    among: range = range(0)


class Vocabulary:
    """The operands and rows that may be used. RunError for an unknown name, or where none fit."""

    def __init__(
        self,
        schema: Schema,
        fields: Collection[str] | None = None,
        operators: Collection[str] | None = None,
    ) -> None:
        self.schema = schema
        self.free = operators is None
        self.named: list[Operand] = []
        self.paths: list[tuple[str, Steps]] = []
        self.opened: list[str] = []
        for name in schema.names if fields is None else fields:
            self._allow(name)
        rows = _rows(operators)
        self.logic = [row for row in rows if row.shape is Shape.LOGIC]
        self.makers = [row for row in rows if row.shape in _MAKERS]
        self.reach = self._reach()
        self.predicates = {
            row: families
            for row in rows
            if row.shape in _PREDICATES
            if (families := [family for family in _taken(row) if family in self.reach[-1]])
        }
        if not self.predicates:
            raise RunError("no rule can be made of these fields and operators")

    def _allow(self, name: str) -> None:
        spec = self.schema.specs.get(name)
        if spec is not None and not spec.open:
            self.named.append(Operand(spell_field(name, _root(spec)), spec.type))
            return
        root, steps = (name, ()) if spec is not None else parse_name(name) or (name, ())
        if (found := self.schema.specs.get(root)) is None or not found.open:
            known = ", ".join(self.schema.names)
            raise RunError(f"the schema has no field {name!r}; it has {known}")
        if steps:
            self.paths.append((root, steps))
        else:
            self.opened.append(root)

    def _reach(self) -> list[set[str]]:
        """The families of which there are values: as they stand, made once, and made twice."""
        open_families = {*SCALARS, "list"} if self.paths or self.opened else set()
        reach = [{operand.type.family for operand in self.named} | open_families]
        for _ in range(DEEPEST):
            made = {row.gives.family for row in self.makers if reach[-1] & row.takes.keys()}
            reach.append(reach[-1] | made)
        return reach

    def makers_of(self, family: str, depth: int) -> list[tuple[Operator, str]]:
        """The rows that give the family, each with a family it takes, of which there are values."""
        return [
            (row, taken)
            for row in self.makers
            if depth > 0 and row.gives.family == family
            for taken in row.takes
            if taken in self.reach[depth - 1]
        ]

    def known(self, family: str) -> list[Operand]:
        """The declared fields of a family."""
        return [operand for operand in self.named if operand.type.family == family]


def _root(spec: FieldSpec) -> str:
    return spec.name.split(".")[0].split("[")[0] if spec.path else spec.name


def _taken(row: Operator) -> Iterator[str]:
    """The families of left values that the row takes."""
    for family in row.takes:
        yield from (*SCALARS, "list") if family == "*" else (family,)


def _rows(operators: Collection[str] | None) -> list[Operator]:
    rows = of_shape(Shape.LOGIC, *_PREDICATES, *_MAKERS)
    if operators is None:
        return rows
    known = [word for row in rows for word in _words(row)]
    if unknown := [word for word in operators if word not in known]:
        raise RunError(f"there is no operator {unknown[0]!r}; there are {', '.join(known)}")
    return [row for row in rows if any(word in operators for word in _words(row))]


def _words(row: Operator) -> tuple[str, ...]:
    return *row.words, *row.negated
