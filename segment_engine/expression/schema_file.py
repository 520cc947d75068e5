"""Schemas as files: YAML or JSON, every mistake told with its line and column, all at once.

currency: EUR
fields:
  email: text
  lifetimeValue: {type: currency, label: Lifetime value, column: ltv_cents, currency: USD}
  metadata: any
  metadata.points: number
  emailDomain: {type: text, derived: domain(email)}
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from segment_engine.errors import SchemaError
from segment_engine.expression.placed_yaml import Document, Entry, read_text

KEYS = ("currency", "fields")
FIELD_KEYS = ("type", "label", "column", "derived", "currency")

_FIELDS = "a mapping of field names to types, such as `email: text`"
_WHOLE = "`fields:`, " + _FIELDS

Made = TypeVar("Made")
Make = Callable[..., Made]


def load_schema(make: Make[Made], path: str | Path) -> Made:
    """`make(fields, currency=...)` of a schema file. Raises SchemaError."""
    return read_schema(make, read_text(path, SchemaError), str(path))


def read_schema(make: Make[Made], text: str, name: str) -> Made:
    """`make(fields, currency=...)` of a schema's text; `name` stands in messages."""
    document = Document(text, name, SchemaError)
    top = document.known(document.entries(document.root, _WHOLE), KEYS)
    chosen = _currency(document, make, top.get("currency"))
    if "fields" in top:
        entries = document.entries(top["fields"], _FIELDS)
        fields = {key: _field(document, key, value) for key, _, value in entries}
        _check_each(document, make, entries, fields)
    elif isinstance(document.root, yaml.MappingNode) and document.root.value:
        document.fault(document.root, f"there are no fields; it wants {_WHOLE}")
    document.refuse()
    try:
        return make(fields, **chosen)
    except SchemaError as fault:
        raise SchemaError(f"{name}: {fault}") from None


def _currency(document: Document, make: Make[Made], node: yaml.Node | None) -> dict[str, str]:
    code = document.text(node, "currency") if node is not None else None
    if node is None or code is None:
        return {}
    _check(document, node, lambda: make({"any": "any"}, currency=code))
    return {"currency": code}


def _field(document: Document, name: str, node: yaml.Node) -> Any:
    """What the schema's constructor takes for a field; None where something was noted."""
    if not isinstance(node, yaml.MappingNode):
        return document.text(node, f"the type of field {name!r}")
    values = document.known(document.entries(node, "type: ..."), FIELD_KEYS)
    if node.value and "type" not in values:
        document.fault(node, f"field {name!r} has no type; write `type: text`, for example")
    read = {key: document.text(value, f"{key} of field {name!r}") for key, value in values.items()}
    complete = "type" in read and None not in read.values() and len(read) == len(node.value)
    return read if complete else None


def _check_each(
    document: Document, make: Make[Made], entries: list[Entry], fields: dict[str, Any]
) -> None:
    """Notes what the constructor says of each field, beside the fields that paths lead into."""
    opened = {name: given for name, given in fields.items() if "any" in (given, _type(given))}
    for name, key, _ in entries:
        if fields[name] is not None:
            beside = opened if "." in name or "[" in name else {}
            _check(document, key, lambda alone={**beside, name: fields[name]}: make(alone))  # type: ignore[misc]


def _type(given: Any) -> Any:
    return given.get("type") if isinstance(given, dict) else given


def _check(document: Document, node: yaml.Node, attempt: Callable[[], object]) -> None:
    try:
        attempt()
    except SchemaError as fault:
        document.fault(node, str(fault))
