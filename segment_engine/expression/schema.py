"""A schema: what fields a consumer has, of which types, from which source columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from segment_engine.errors import SchemaError
from segment_engine.expression.schema_file import FIELD_KEYS, load_schema, read_schema
from segment_engine.values.paths import Steps, parse_name, spell_name
from segment_engine.values.types import ANY, CURRENCY, SCALARS, Type, type_named


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field. `column` is its source column; `path` leads into it (declared metadata paths).

    `derived` is the rule-language expression that gives the value instead of a column.
    """

    name: str
    type: Type
    label: str = field(default="", compare=False)
    column: str = ""
    path: Steps = ()
    derived: str | None = None
    currency: str | None = None

    @property
    def open(self) -> bool:
        """Whether any path may follow the name, as `metadata.tier`."""
        return self.type is ANY


class Schema:
    """Field names and their types; immutable, picklable, compared by content.

    `fields` maps a name to a type's name (`text`, `number`, `currency`, `boolean`, `date`,
    `datetime`, `any`, `list of text` ...), or to a mapping with `type` and, as wished, `label`,
    `column`, `derived` (an expression) and `currency`. `metadata.points: number` declares a
    path below the open field `metadata`. Raises SchemaError, naming the field.
    """

    def __init__(self, fields: Mapping[str, Any], *, currency: str = "USD") -> None:
        if not isinstance(fields, Mapping) or not fields:
            raise SchemaError("a schema wants a mapping of field names to types, with one or more")
        self._currency = _checked_currency(currency, "the schema")
        opened = {
            _base(name): _entry(given).get("column") or _base(name)
            for name, given in fields.items()
            if _entry(given).get("type") == "any"
        }
        specs = [_spec(name, given, self._currency, opened) for name, given in fields.items()]
        self._specs = MappingProxyType({spec.name: spec for spec in specs})
        if len(self._specs) < len(specs):
            raise SchemaError("two fields of the schema have the same name")

    @classmethod
    def default(cls) -> "Schema":
        """The consumer schema: what an Audiences API consumer has, and two derived fields."""
        return cls(DEFAULT_FIELDS)

    @classmethod
    def load(cls, path: str | Path) -> "Schema":
        """The schema of a YAML or JSON file, with the keys `fields` and `currency`.

        Raises SchemaError with every mistake of the file, its line and column.
        """
        return load_schema(cls, path)

    @classmethod
    def from_yaml(cls, text: str, name: str = "schema") -> "Schema":
        """As `load`, of a file's text; `name` stands in messages."""
        return read_schema(cls, text, name)

    @property
    def currency(self) -> str:
        """The currency of fields that name none, by its ISO 4217 code."""
        return self._currency

    @property
    def specs(self) -> Mapping[str, FieldSpec]:
        """The specification of each field, by name, in the order of declaration."""
        return self._specs

    def find(self, root: str, steps: Steps) -> FieldSpec | None:
        """The declared field of that name, else the open field that the path leads into."""
        if not steps:
            return self._specs.get(root)
        found = self._specs.get(spell_name(root, steps)) or self._specs.get(root)
        return found if found is None or found.open or not steps or found.name != root else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All declared names."""
        return tuple(self._specs)

    def to_dict(self) -> dict[str, Any]:
        """The schema as its file spells it."""
        return {
            "currency": self.currency,
            "fields": {spec.name: _given(spec, self.currency) for spec in self._specs.values()},
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.currency, tuple(self._specs.values())))

    def __repr__(self) -> str:
        return f"<Schema of {len(self._specs)} fields>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.to_dict(),)


DEFAULT_FIELDS: dict[str, Any] = {
    "email": "text",
    "phone": "text",
    "fullName": "text",
    "externalId": "text",
    "totalOrders": "number",
    "totalOrderValue": "currency",
    "lastOrderAt": "datetime",
    "createdAt": "datetime",
    "metadata": "any",
    "emailDomain": {"type": "text", "derived": "domain(email)"},
    "averageOrderValue": {"type": "currency", "derived": "totalOrderValue / totalOrders"},
}


def _spec(name: str, given: Any, currency: str, opened: Mapping[str, str]) -> FieldSpec:
    entry = _entry(given)
    if unknown := set(entry) - set(FIELD_KEYS):
        raise SchemaError(
            f"field {name!r}: unknown {', '.join(sorted(map(str, unknown)))}; "
            f"known are {', '.join(FIELD_KEYS)}"
        )
    kind = _checked_type(name, entry.get("type"))
    root, steps = _located(name, opened)
    own = entry.get("currency")
    derived = entry.get("derived")
    if entry.get("column") and (steps or derived is not None):
        raise SchemaError(f"field {name!r}: a derived field or a path has no column of its own")
    for key in ("label", "column", "derived"):
        if not isinstance(entry.get(key, ""), str):
            raise SchemaError(f"field {name!r}: {key} wants a text, not {entry[key]!r}")
    return FieldSpec(
        name=spell_name(root, steps),
        type=kind,
        label=entry.get("label", ""),
        column=opened[root] if steps else entry.get("column") or root,
        path=steps,
        derived=derived,
        currency=(_checked_currency(own, name) if own else currency) if kind == CURRENCY else None,
    )


def _base(name: str) -> str:
    return name.removesuffix(".*") if isinstance(name, str) else ""


def _entry(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else {"type": given}


def _checked_type(name: str, given: Any) -> Type:
    kind = type_named(given) if isinstance(given, str) else None
    if kind is None:
        known = ", ".join([*SCALARS, "any", "list of text"])
        raise SchemaError(f"field {name!r}: unknown type {given!r}; types are {known} ...")
    return kind


def _checked_currency(code: Any, where: str) -> str:
    if not (isinstance(code, str) and len(code) == 3 and code.isascii() and code.isupper()):
        raise SchemaError(f"{where}: currency wants an ISO 4217 code such as 'USD', not {code!r}")
    return code


def _located(name: Any, opened: Mapping[str, str]) -> tuple[str, Steps]:
    if not isinstance(name, str) or not name.strip() or "`" in name or "\x00" in name:
        raise SchemaError(f"{name!r} cannot name a field: it wants text without a backtick")
    base = _base(name)
    parsed = parse_name(base)
    if parsed is not None and parsed[1] and parsed[0] in opened:
        return parsed
    return base, ()


def _given(spec: FieldSpec, currency: str) -> dict[str, Any]:
    entry = {"type": spec.type.name, "label": spec.label, "derived": spec.derived}
    if spec.column != spec.name and not spec.path:
        entry["column"] = spec.column
    if spec.currency != currency:
        entry["currency"] = spec.currency
    return {key: value for key, value in entry.items() if value}


def _rebuilt(content: dict[str, Any]) -> Schema:
    return Schema(content["fields"], currency=content["currency"])
