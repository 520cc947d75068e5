"""Values of query-builder rules: arrays and text with commas, objects, names of fields."""

import re
from dataclasses import dataclass
from typing import Any

from segment_engine.diagnostics.spans import Pointer
from segment_engine.expression.build import MAX_VALUES
from segment_engine.expression.nodes import Constant, Expr
from segment_engine.language.json_values import NUMERAL, ValueReader
from segment_engine.operators.row import Operator, Shape
from segment_engine.values.types import ANY

_COMMA = re.compile(r"(?<!\\),")


@dataclass(slots=True)
class QueryValues(ValueReader):
    """Reads what query-builder JSON can say at the right of a field."""

    def values(
        self, op: Operator, wanted: str | None, value: Any, at: Pointer
    ) -> list[Expr] | None:
        """The right sides that a JSON value gives, its texts read as the family `wanted`."""
        if op.shape not in (Shape.LISTED, Shape.BETWEEN):
            return [self._one(op, wanted, value, at)]
        parts = self._parts(op, value, at)
        if parts is None:
            return None
        made = [self._one(op, wanted, part, place) for part, place in parts]
        if op.shape is Shape.BETWEEN:
            return list(made)
        return [Constant(tuple(made), ANY, at)]

    def named_values(self, op: Operator, value: Any, at: Pointer) -> list[Expr] | None:
        """The right sides that names of fields give; None where there are none."""
        if op.shape is Shape.LISTED:
            self.shape("a list holds values, not fields", at)
            return None
        if op.shape is not Shape.BETWEEN:
            return [self.named(value, at, "value")]
        parts = self._parts(op, value, at)
        if parts is None:
            return None
        return [self.named(part, place, "value") for part, place in parts]

    def _parts(self, op: Operator, value: Any, at: Pointer) -> list[tuple[Any, Pointer]] | None:
        """The values of a list or of comma text, where `\\,` is a comma inside a value."""
        if isinstance(value, list | tuple):
            parts = [(part, at.at(index)) for index, part in enumerate(value[: MAX_VALUES + 1])]
        elif isinstance(value, str):
            texts = [part.replace("\\,", ",").strip() for part in _COMMA.split(value)]
            parts = [(text, at) for text in texts if text]
        else:
            parts = [(value, at)]
        if op.shape is Shape.BETWEEN and len(parts) != 2:
            self.shape(f"`{op.json[0]}` wants two values, not {len(parts)}", at)
            return None
        return parts

    def _one(self, op: Operator, wanted: str | None, value: Any, at: Pointer) -> Constant:
        """One value: an object says what a text means where no type is declared."""
        match value:
            case {"datetime": str(text)} if len(value) == 1:
                return self.constant(op, "time", text, at.at("datetime"))
            case {"number": str(text)} if len(value) == 1 and NUMERAL.fullmatch(text):
                return self.constant(op, "number", text, at)
        return self.constant(op, wanted, value, at)
