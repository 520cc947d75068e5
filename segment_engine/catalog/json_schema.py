"""The JSON Schema of catalogs, for editors: made of what the code itself goes by.

It describes the shape of a file. What a rule says is checked by `Catalog` alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from segment_engine.catalog.entries import (
    AUDIENCE_KEYS,
    EXAMPLE_KEYS,
    LIST_KEYS,
    QUERY_KEYS,
    TOP_KEYS,
)
from segment_engine.expression.schema_file import FIELD_KEYS
from segment_engine.expression.schema_file import KEYS as SCHEMA_KEYS
from segment_engine.language.query_builder import GROUP_KEYS, RULE_KEYS
from segment_engine.language.rows import KEYS as ROW_KEYS
from segment_engine.language.rows import MAX_GROUP_ID
from segment_engine.operators.row import Operator, Shape
from segment_engine.operators.table import TABLE
from segment_engine.values.types import ANY, SCALARS, list_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Node = dict[str, Any]


def json_schema() -> Node:
    """The schema (draft 2020-12) of one YAML or JSON file of a catalog, ready for `json.dumps`."""
    return {
        "$schema": DIALECT,
        "title": "Audience catalog",
        "description": "Audiences by key, alone or under `audiences:` beside the settings.",
        "type": "object",
        "minProperties": 1,
        "if": {"anyOf": [_held("audiences", {"not": _SCALAR}), _settings_alone()]},
        "then": _mapping(TOP_KEYS, _TOP),
        "else": _ref("audiences"),
        "$defs": {name: make() for name, make in _DEFINITIONS.items()},
    }


# ---- parts


_SCALAR: Node = {"type": ["string", "number", "boolean"]}
_TEXT: Node = {**_SCALAR, "pattern": r"\S"}
"""YAML's numbers, `true` and `false` are taken as they are written."""


def _ref(name: str, description: str | None = None) -> Node:
    about = {"description": description} if description else {}
    return {"$ref": f"#/$defs/{name}", **about}


def _text(description: str) -> Node:
    return {**_TEXT, "description": description}


def _flag(description: str) -> Node:
    return {"type": ["boolean", "null"], "description": description}


def _mapping(keys: Iterable[str], described: Mapping[str, Node], *required: str) -> Node:
    """A mapping of these keys alone; KeyError for one that nobody described."""
    return {**_open(keys, described, *required), "additionalProperties": False}


def _open(keys: Iterable[str], described: Mapping[str, Node], *required: str) -> Node:
    properties = {key: described[key] for key in keys}
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "minProperties": 1, "properties": properties, **needed}


def _held(name: str, wanted: Node) -> Node:
    return {"required": [name], "properties": {name: wanted}}


def _settings_alone() -> Node:
    named = {"propertyNames": {"enum": list(TOP_KEYS)}}
    return {**named, "not": {"required": ["audiences"]}}


# ---- the file


_TOP: Mapping[str, Node] = {
    "timezone": _text(
        "The IANA name of the zone in which days are meant; UTC where there is none."
    ),
    "id": _text("The column of the consumers' ids; `id` where there is none."),
    "schema": _ref("schema"),
    "audiences": _ref("audiences"),
}

_SCHEMA: Mapping[str, Node] = {
    "currency": _text("The ISO 4217 code of fields of type currency."),
    "fields": {
        "type": "object",
        "description": "Fields that rules may name, with their types.",
        "minProperties": 1,
        "additionalProperties": {
            "if": {"type": "object"},
            "then": _ref("field"),
            "else": _ref("type"),
        },
    },
}

_FIELD: Mapping[str, Node] = {
    "type": _ref("type"),
    "label": _text("What people call the field."),
    "column": _text("The source column, where it is called differently."),
    "derived": _text("The expression that gives the value, instead of a column."),
    "currency": _text("The ISO 4217 code, where it is not that of the schema."),
}

_AUDIENCE: Mapping[str, Node] = {
    "id": _text("Another name by which rules may refer to the audience."),
    "name": _text("What people call the audience."),
    "description": _text("What it is for."),
    "tags": {"type": "array", "items": _TEXT, "description": "Words to find it by."},
    "rule": _ref("rule"),
    "members": _ref("members"),
    "examples": {
        "type": "array",
        "description": "Consumers that have to be in the audience, or not.",
        "items": _ref("example"),
    },
}

_LIST: Mapping[str, Node] = {
    "file": _text("A .txt, .csv, .tsv or .parquet file, beside this one."),
    "column": _text("The column of the ids in it."),
}

_EXAMPLE: Mapping[str, Node] = {
    "consumer": {"type": "object", "description": "The columns of one consumer."},
    "in": {"type": "boolean", "description": "Whether it has to be a member."},
    "as_of": {"type": ["string", "null"], "description": "The ISO 8601 time of the run."},
    "audiences": {
        "type": "object",
        "description": "Whether it is in each audience that the rule refers to.",
        "additionalProperties": {"type": "boolean"},
    },
}


def _schema() -> Node:
    return {
        "description": "The schema: the path of its file, or the fields themselves.",
        "if": {"type": "object"},
        "then": _mapping(SCHEMA_KEYS, _SCHEMA, "fields"),
        "else": _TEXT,
    }


def _type() -> Node:
    lists = [list_of(element).name for element in SCALARS.values()]
    return {"enum": [*SCALARS, ANY.name, *lists], "description": "The type of the field."}


def _field() -> Node:
    return _mapping(FIELD_KEYS, _FIELD, "type")


def _audiences() -> Node:
    return {
        "description": "Audiences by key.",
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": r"\S"},
        "additionalProperties": _ref("audience"),
    }


def _audience() -> Node:
    long = _mapping(AUDIENCE_KEYS, _AUDIENCE)
    tried = {"required": ["examples"]}
    long["oneOf"] = [{"required": ["rule"]}, {"required": ["members"], "not": tried}]
    return {
        "description": "A rule, or a mapping with `rule:` or `members:`.",
        "if": {"type": "object", "not": _query_like()},
        "then": long,
        "else": _ref("rule"),
    }


def _members() -> Node:
    return {
        "description": "The ids of a static audience, or the file that has them.",
        "if": {"type": "object"},
        "then": _mapping(LIST_KEYS, _LIST, "file"),
        "else": {"type": "array", "items": _TEXT},
    }


def _example() -> Node:
    return _mapping(EXAMPLE_KEYS, _EXAMPLE, "consumer", "in")


# ---- rules


def _query_like() -> Node:
    return {"anyOf": [{"required": [key]} for key in sorted(QUERY_KEYS)]}


def _rule() -> Node:
    return {
        "description": "Text, query-builder JSON, or rule rows (none of them: nobody).",
        "if": {"type": "object"},
        "then": _ref("query"),
        "else": {
            "if": {"type": "array"},
            "then": {"type": "array", "items": _ref("row")},
            "else": _TEXT,
        },
    }


def _query() -> Node:
    return {
        "description": "A group or a rule of query-builder JSON.",
        "type": "object",
        "if": {"anyOf": [{"required": ["rules"]}, {"required": ["combinator"]}]},
        "then": _open(GROUP_KEYS, _GROUP, "combinator", "rules"),
        "else": _open(RULE_KEYS, _QUERY_RULE, "field", "operator"),
        "properties": {"muted": _flag("Whether it is left out.")},
    }


_GROUP: Mapping[str, Node] = {
    "combinator": {
        "type": "string",
        "pattern": "^([aA][nN][dD]|[oO][rR])$",
        "description": "`and` or `or`.",
    },
    "rules": {"type": "array", "items": _ref("query"), "description": "Rules and groups."},
    "not": _flag("Whether the group keeps the others."),
}

_NAME: Node = {"type": "string", "pattern": r"\S", "description": "The field; `audience` for one."}

_QUERY_RULE: Mapping[str, Node] = {
    "field": _NAME,
    "operator": _ref("operator"),
    "value": {"description": "What the field is compared with."},
    "valueSource": {"enum": ["value", "field"], "description": "What `value` is."},
    "ignoreCase": _flag("Whether capital letters are as small ones."),
}

_ROW: Mapping[str, Node] = {
    "field": _NAME,
    "operator": _ref("rowOperator"),
    "values": {"type": "array", "description": "As many as the operator takes."},
    "groupId": {
        "type": ["string", "null"],
        "minLength": 1,
        "maxLength": MAX_GROUP_ID,
        "description": "Rows that share it are joined by `or`.",
    },
    "position": {"type": ["integer", "null"], "description": "The place among the rows."},
    "id": {"description": "Says nothing here."},
}


def _row() -> Node:
    return _mapping(ROW_KEYS, _ROW, "field", "operator")


def _operators() -> Node:
    rows = [row for row in TABLE.values() if row.shape is not Shape.LOGIC]
    named = [(name, _said(row)) for row in rows for name in row.json]
    return _names([*named, *((n, _unsaid(row)) for row in rows for n in row.json_negated)])


def _row_operators() -> Node:
    rows = [row for row in TABLE.values() if row.api]
    named = [(row.api, _said(row)) for row in rows]
    return _names([*named, *((row.api_negated, _unsaid(row)) for row in rows if row.api_negated)])


def _names(said: Iterable[tuple[str, str]]) -> Node:
    """One of these names; two operators that share one are told by the first."""
    found: dict[str, str] = {}
    for name, about in said:
        found.setdefault(name, about)
    rows = [{"const": name, "description": about} for name, about in found.items()]
    return {"description": "What the field is asked.", "oneOf": rows}


def _said(row: Operator) -> str:
    return f"`{row.words[0]}`: {row.doc}"


def _unsaid(row: Operator) -> str:
    return f"`{row.negated[0]}`: keeps whom `{row.words[0]}` does not."


_DEFINITIONS = {
    "schema": _schema,
    "type": _type,
    "field": _field,
    "audiences": _audiences,
    "audience": _audience,
    "members": _members,
    "example": _example,
    "rule": _rule,
    "query": _query,
    "row": _row,
    "operator": _operators,
    "rowOperator": _row_operators,
}
