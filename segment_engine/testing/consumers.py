"""Random consumers: dicts of source columns, JSON documents and lists among them."""

import json
import math
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any

from segment_engine.expression.schema import FieldSpec, Schema
from segment_engine.testing.boundaries import Boundaries
from segment_engine.testing.drawing import part
from segment_engine.testing.rules import random_path
from segment_engine.testing.values import Number, Scalars, spelt_number
from segment_engine.values.paths import Steps
from segment_engine.values.types import Type

BROKEN = ("", "{bad", "[1,,2]", '{"a":}', '{"tier":1}}', '"\\ud800"', "nul", "[" * 120, "{'a': 1}")
SPELT_NUMBERS = (
    *("1.0", "1e0", "-0", "-0.0", "1e400", "12345678901234567890123", "9007199254740993"),
    *("9007199254740993.0", "9223372036854775807", "9223372036854775808", "-9223372036854775808"),
    *("NaN", "1E-400", "0.1", "2.5", "100e-2"),
)
_BARE = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|true|false")


class Values(Scalars):
    """Draws lists and JSON documents too."""

    def at(self, column: str, path: Steps = ()) -> "Values":
        """Values that mostly meet what rules say of that field, if they say anything."""
        own = self.bounds.fields.get((column, path))
        return self if own is None or self.chance(0.1) else Values(self.random, own)

    def elements(self, type: Type) -> list[Any]:
        """A list of up to four, None and values of another type among them now and then."""
        return [self.element(type) for _ in range(self.random.randrange(5))]

    def element(self, type: Type) -> Any:
        """One element of a list."""
        if self.chance(0.1):
            return None
        value = self.scalar(type)
        return retyped(value) if self.chance(0.25) else value

    # ---- JSON

    def document(self, column: str) -> str:
        """JSON text with something at most of the paths read; few documents are hostile."""
        if self.chance(0.07):
            return self.hostile()
        tree: dict[str | int, Any] = {}
        paths = [path for path in self.bounds.paths.get(column, ()) if not self.chance(0.15)]
        if not paths or self.chance(0.1):
            paths.append(random_path(self.random))
        for path in paths[:12]:
            _plant(tree, path, self.at(column, path).json_value(2))
        return self.spelt(tree)

    def hostile(self) -> str:
        """A document that is a scalar, broken or has a key twice."""
        way = self.random.randrange(3)
        if way == 0:
            return self.random.choice(BROKEN)
        if way == 1:
            return self.json_value(2)
        key = _quoted(self.random.choice(["tier", "city", ""]))
        return f"{{{key}: {self.json_value(1)}, {key}: {self.json_value(1)},}}"

    def json_value(self, depth: int) -> str:
        """The JSON text of a value, mostly at what rules mention, maybe of another type."""
        near = self.near()
        if not near or self.chance(0.2):
            return self.any_json(depth)
        value = self.random.choice(near)()
        if self.chance(0.2):
            value = _requoted(value)
        if self.chance(0.3):
            others = [self.random.choice(near)() for _ in range(self.random.randrange(3))]
            return f"[{', '.join([value, *others])}]"
        return value

    def near(self) -> list[Callable[[], str]]:
        """What draws JSON texts of the types of which rules say something."""
        bounds = self.bounds
        text = bounds.texts or bounds.patterns or bounds.instants or bounds.days
        makers = [(bounds.numbers, self.json_number), (text, lambda: _quoted(self.text()))]
        return [make for given, make in makers if given]

    def json_number(self) -> str:
        """A number as JSON spells it."""
        return spelt_number(self.number())

    def any_json(self, depth: int) -> str:
        """The JSON text of a value of any type."""
        way = self.random.randrange(8 if depth else 6)
        if way == 0:
            return self.random.choice(["null", "true", "false"])
        if way == 1:
            return self.json_number()
        if way == 2:
            return self.random.choice(SPELT_NUMBERS)
        if way < 6:
            return _quoted(self.iso_text() if way == 3 else self.text())
        parts = [self.any_json(depth - 1) for _ in range(self.random.randrange(4))]
        if way == 6:
            return f"[{', '.join(parts)}]"
        names = (_quoted(str(self.random.choice(["tier", "sku", "0", ""]))) for _ in parts)
        return f"{{{', '.join(map(': '.join, zip(names, parts, strict=True)))}}}"

    def spelt(self, tree: Any) -> str:
        """JSON text of planted branches; steps that are numbers are places in lists."""
        if isinstance(tree, str):
            return tree
        numbers = [step for step in tree if isinstance(step, int)]
        if numbers and (len(numbers) == len(tree) or self.chance(0.5)):
            places = (self.spelt(tree.get(at, "null")) for at in range(min(max(numbers), 9) + 1))
            return f"[{', '.join(places)}]"
        members = (
            f"{_quoted(key)}: {self.spelt(value)}"
            for key, value in tree.items()
            if isinstance(key, str)
        )
        return f"{{{', '.join(members)}}}"

    # ---- consumers

    def field(self, spec: FieldSpec, kind: str) -> Any:
        """A value for the column of a declared field; None now and then."""
        if self.chance(0.1):
            return None
        if spec.open:
            return self.document(spec.column)
        if spec.type.element is not None:
            return self.at(spec.column).elements(spec.type.element)
        if kind == "float" and self.chance(0.07):
            return math.nan
        value = self.at(spec.column).scalar(spec.type)
        return as_kind(value, kind) if spec.type.family == "number" else value


def random_consumers(
    random: Random, schema: Schema, bounds: Boundaries, size: int
) -> list[dict[str, Any]]:
    """So many consumers, each a dict of all source columns; a number column keeps to one kind."""
    draw = consumer_of(random, sources(schema), bounds)
    return [draw() for _ in range(size)]


def sources(schema: Schema, columns: Iterable[str] | None = None) -> list[FieldSpec]:
    """The fields that have a column of their own, among these columns or all."""
    wanted = None if columns is None else set(columns)
    return [
        spec
        for spec in schema.specs.values()
        if spec.derived is None and not spec.path and (wanted is None or spec.column in wanted)
    ]


def consumer_of(
    random: Random, specs: list[FieldSpec], bounds: Boundaries
) -> Callable[[], dict[str, Any]]:
    """Draws one consumer after the other."""
    values = Values(random, bounds)
    kinds = {
        spec.name: "Decimal" if spec.type.name == "currency" else random.choice(["int", "float"])
        for spec in specs
        if spec.type.family == "number"
    }

    def consumer() -> dict[str, Any]:
        return {
            spec.column: part(random, partial(values.field, spec, kinds.get(spec.name, "")))
            for spec in specs
        }

    return consumer


def as_kind(value: Number, kind: str) -> Number | None:
    """The number as an int of 64 bits, a Decimal of two places or a float; None without one."""
    if kind == "float":
        return float(value)
    if not math.isfinite(value):
        return None
    if kind == "int":
        whole = int(value)
        return whole if -(1 << 63) <= whole < 1 << 63 else None
    small = -(10**16) < value < 10**16
    return round(Decimal(value), 2) if small else None


def retyped(value: Any) -> Any:
    """A text that spells a number or a truth as that, a number as its text; else missing."""
    if isinstance(value, Number):
        return spelt_number(value)
    return json.loads(value) if isinstance(value, str) and _BARE.fullmatch(value) else None


def _requoted(value: str) -> str:
    """The JSON text of what looks the same and has another type: 12 for "12"."""
    if not value.startswith('"'):
        return _quoted(value)
    inner: str = json.loads(value)
    return inner if _BARE.fullmatch(inner) else value


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=len(text) % 2 == 0)


def _plant(tree: dict[str | int, Any], path: Steps, leaf: str) -> None:
    for step in path[:-1]:
        inner = tree.setdefault(step, {})
        if not isinstance(inner, dict):
            return
        tree = inner
    if path:
        tree.setdefault(path[-1], leaf)
