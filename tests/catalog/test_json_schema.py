"""The JSON Schema of catalogs: generated, kept in grammar/, as strict as the reader on shapes."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from segment_engine import RunError
from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.findings import CatalogError
from segment_engine.catalog.json_schema import json_schema
from segment_engine.expression.placed_yaml import Document
from tests.catalog.test_catalog_pictures import CASES, Case

FILE = Path(__file__).parents[2] / "grammar" / "catalog.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def valid(text: str) -> bool:
    """Whether the JSON Schema takes a file, its scalars as the reader has them."""
    return bool(VALIDATOR.is_valid(as_json(text)))


def as_json(text: str) -> Any:
    document = Document(text, "a.yaml", RunError)
    return None if document.root is None else jsonable(document.plain(document.root))


def jsonable(given: Any) -> Any:
    return json.loads(json.dumps(given, default=float))


def test_the_file_is_what_the_code_gives() -> None:
    wanted = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("SEGMENT_ENGINE_REGENERATE"):
        FILE.write_text(wanted, "utf-8")
    assert FILE.read_text("utf-8") == wanted


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json.loads(json.dumps(json_schema())) == json_schema()


def test_what_people_fill_in_is_described() -> None:
    schema = json_schema()
    found = [schema, *schema["$defs"].values()]
    for node in found:
        for part in (node, node.get("then", {}), node.get("else", {})):
            for name, wanted in part.get("properties", {}).items():
                told = wanted if "$ref" not in wanted else named(schema, wanted["$ref"])
                assert told["description"], name
    for name in ("operator", "rowOperator"):
        rows = schema["$defs"][name]["oneOf"]
        assert all(row["description"].startswith("`") for row in rows)
        assert len({row["const"] for row in rows}) == len(rows) > 20


def named(schema: dict[str, Any], reference: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/")]
    return found


GOOD = [
    "a: phone exists\n",
    "a: true\n",
    "audiences: phone exists\n",
    "audiences:\n  audiences: phone exists\n",
    "timezone: UTC\nid: customer\nschema: shop.yaml\naudiences: {a: phone exists}\n",
    "timezone: UTC\n",
    "schema: {currency: EUR, fields: {a: text, b: {type: list of number, label: 7}}}\n"
    "audiences: {a: b contains 3}\n",
    "a: []\n",
    "a: [{field: phone, operator: EXISTS}]\n",
    "a: [{field: phone, operator: IN, values: [x], groupId: g, position: 1, id: 7}]\n",
    "a: {field: phone, operator: notNull}\n",
    "a: {combinator: AND, not: null, rules: [{field: phone, operator: notNull, muted: false}]}\n",
    "a: {combinator: or, rules: [{combinator: and, rules: [{field: phone, operator: notNull}]}]}\n",
    "a: {field: audience, operator: in, value: b}\nb: {members: []}\n",
    "a: {name: A, description: B, tags: [x, 2026], id: 7, rule: phone exists}\n",
    "a: {members: [1, c2, true]}\n",
    "a: {rule: not in audience 'b', examples: [{consumer: {}, in: true, as_of: 2026-07-01,"
    " audiences: {b: false}}]}\nb: true\n",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_the_reader_takes(text: str, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("fields: {phone: text}\n")
    (tmp_path / "catalog.yaml").write_text(text)
    if text != "timezone: UTC\n":
        assert [found.draw() for found in Catalog.load(tmp_path / "catalog.yaml").findings] == []
    assert [error.message for error in VALIDATOR.iter_errors(as_json(text))] == []


SHAPES = {"catalog", "schema", "example", "json-shape", "unknown-operator"}
"""Codes of findings about a shape; but the shape has no say on these messages."""
UNSEEN = (
    *("stands twice", "names two audiences", "differs from", "no YAML", "aliases", "no such file"),
    *("there is no time zone", "currency wants", "a tab", "the file is empty", "shop.yaml:"),
    *("is derived by", "takes two values"),
    "a key is a text",
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_it_refuses_what_the_reader_refuses(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    misshapen = {
        found.file.path
        for found in case.findings()
        if found.item.code in SHAPES and not any(word in found.item.message for word in UNSEEN)
    }
    for name, text in case.files.items():
        if name.endswith((".yaml", ".json")) and name != "shop.yaml" and readable(text):
            assert valid(text) is (name not in misshapen), name


def readable(text: str) -> bool:
    document = Document(text, "a.yaml", RunError)
    return document.root is not None


WRONG = [
    "a: {rule: phone exists, members: [c1]}\n",
    "a: {members: [c1], examples: []}\n",
    "a: {name: A}\n",
    "a: {rule: phone exists, label: A}\n",
    "a: {members: c1}\n",
    "a: {members: {file: a.csv, columns: id}}\n",
    "a: {members: [c1, '']}\n",
    "a: {rule: {field: phone, operator: 'is null'}}\n",
    "a: {combinator: xor, rules: []}\n",
    "a: [{field: phone}]\n",
    "a: [{field: phone, operator: EXISTS, group: x}]\n",
    "a: {rule: phone exists, tags: x}\n",
    "a: {rule: phone exists, examples: [{consumer: {}, in: maybe}]}\n",
    "a: {rule: phone exists, examples: [{in: true}]}\n",
    "'': phone exists\n",
    "a:\n",
    "timezone: [UTC]\naudiences: {a: phone exists}\n",
    "audiences: [phone exists]\n",
    "audiences: {a: phone exists}\nowner: Ada\n",
    "schema: {field: {a: text}}\naudiences: {a: phone exists}\n",
    "schema: {fields: {a: string}}\naudiences: {a: phone exists}\n",
    "schema: {fields: {a: {label: A}}}\naudiences: {a: phone exists}\n",
]


@pytest.mark.parametrize("text", WRONG)
def test_what_neither_takes(text: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(text)
    with pytest.raises(CatalogError):
        catalog = Catalog.load(tmp_path / "catalog.yaml")
        if not catalog.sound:
            raise CatalogError(catalog.findings)
    assert not valid(text)


def test_scalars_that_editors_read_as_numbers() -> None:
    text = "a: {id: 12, tags: [2026, 1.5, true], members: [1, 2]}\n"
    assert VALIDATOR.is_valid(yaml.safe_load(text)) and valid(text)
