"""Derived fields of a schema: their expressions, checked against their declared types."""

from collections.abc import Mapping
from types import MappingProxyType

from segment_engine.diagnostics.diagnostic import Log
from segment_engine.diagnostics.picture import draw
from segment_engine.errors import SchemaError
from segment_engine.expression.nodes import Constant, Expr, Field, walk
from segment_engine.expression.schema import FieldSpec, Schema
from segment_engine.language.parse import parse


def derive(schema: Schema) -> Mapping[str, Expr]:
    """The expression of each derived field. Raises SchemaError with a picture of what is wrong."""
    found = {spec.name: _parsed(spec, schema) for spec in schema.specs.values() if spec.derived}
    for name in found:
        _refuse_cycle(name, found)
    return MappingProxyType(found)


def _parsed(spec: FieldSpec, schema: Schema) -> Expr:
    log = Log()
    assert spec.derived is not None
    made = parse(spec.derived, schema, log, value=True)
    if made is None or log.failed:
        pictures = "\n".join(draw(item, spec.derived) for item in log.sorted())
        raise SchemaError(f"field {spec.name!r} is derived by a wrong expression\n{pictures}")
    family = "boolean" if made.type.family == "truth" else made.type.family
    if isinstance(made, Constant) or family != spec.type.family:
        raise SchemaError(
            f"field {spec.name!r} is {spec.type}, but `{spec.derived}` gives {made.type}"
        )
    return made


def _refuse_cycle(name: str, found: Mapping[str, Expr]) -> None:
    seen = {name}
    waiting: list[tuple[str, ...]] = [(name,)]
    while waiting:
        path = waiting.pop()
        for needed in _derived_in(found[path[-1]]):
            if needed == name:
                raise SchemaError(f"derived fields form a cycle: {' -> '.join([*path, name])}")
            if needed not in seen:
                seen.add(needed)
                waiting.append((*path, needed))


def _derived_in(expr: Expr) -> list[str]:
    return [n.spec.name for n in walk(expr) if isinstance(n, Field) and n.spec.derived is not None]
