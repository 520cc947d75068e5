"""Schema files: what they say, and every mistake with its line, its column and how to mend it."""

import json
import pickle
from pathlib import Path

import pytest

from segment_engine import Engine, Schema, SchemaError

GOOD = """\
# our shop
currency: EUR
fields:
  email: text
  lifetimeValue: {type: currency, label: 00012, column: ltv, currency: USD}
  spent:
    type: currency
  no: boolean
  tags: list of text
  metadata: any
  metadata.points: number
  domainName: {type: text, derived: domain(email)}
"""


def test_a_file_says_what_the_constructor_takes(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(GOOD)
    schema = Schema.load(path)
    assert schema == Schema(
        {
            "email": "text",
            "lifetimeValue": {
                "type": "currency", "label": "00012", "column": "ltv", "currency": "USD"
            },
            "spent": "currency",
            "no": "boolean",
            "tags": "list of text",
            "metadata": "any",
            "metadata.points": "number",
            "domainName": {"type": "text", "derived": "domain(email)"},
        },
        currency="EUR",
    )  # fmt: skip
    assert schema.specs["lifetimeValue"].label == "00012"
    assert pickle.loads(pickle.dumps(schema)) == schema
    assert Engine(schema).rule("no and metadata.points > 3").fields == ("no", "metadata.points")


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_and_what_to_dict_gives_are_read(indent: int | str | None) -> None:
    schema = Schema.default()
    assert Schema.from_yaml(json.dumps(schema.to_dict(), indent=indent)) == schema
    labelled = Schema.from_yaml('{"fields":{"a":{"type":"text","label":"\\ud83d\\ude00\\/"}}}')
    assert labelled.specs["a"].label == "😀/"


WRONG = [
    ("", "1:1: the file is empty; it wants `fields:`"),
    ("# nothing\n", "1:1: the file is empty"),
    ("- email\n", "1:1: this is a list, not `fields:`"),
    ("email: text\n", "1:1: unknown key 'email'; known are currency, fields"),
    ("currency: EUR\n", "1:1: there are no fields"),
    ("feilds: {a: text}\n", "1:1: unknown key 'feilds'; did you mean fields?"),
    ("fields:\n", "1:8: this is nothing, not a mapping of field names to types"),
    ("fields: {}\n", "1:9: there is nothing in it"),
    ("fields:\n  a: txt\n", "2:3: field 'a': unknown type 'txt'; types are text, number"),
    ("fields:\n  a:\n", "2:5: the type of field 'a' is empty"),
    ("fields:\n  a: [text]\n", "2:6: the type of field 'a' wants a text, not a list"),
    ("fields:\n  a: text\n  b: text\n  a: number\n", "4:3: 'a' stands twice, first in line 2"),
    ("fields:\n  a: {typ: text}\n", "2:7: unknown key 'typ'; did you mean type?"),
    ("fields:\n  a: {label: A}\n", "2:6: field 'a' has no type; write `type: text`"),
    ("fields:\n  a: {type: text, label: [A]}\n", "2:26: label of field 'a' wants a text, not"),
    ("fields:\n  a: {type: text, label: }\n", "2:25: label of field 'a' is empty"),
    ("fields:\n\ta: text\n", "2:1: a tab cannot stand here: indent with blanks"),
    ("fields:\n  a: b: text\n", "2:7: this is no YAML: mapping values are not allowed here"),
    ("fields:\n  a: {type: text\n", "3:1: this is no YAML: "),
    ("currency: euro\nfields: {a: text}\n", "1:11: the schema: currency wants an ISO 4217 code"),
    ("fields: {a: {type: currency, currency: 5}}", "1:10: a: currency wants an ISO 4217 code"),
    ("fields: {a: &x text, b: *x}\n", "1:25: aliases (`*name`) are not read"),
    ("fields: {? [a] : text}\n", "1:12: a key is a text that is not empty"),
    ("fields: {a: te\x00xt}\n", "1:15: this character cannot stand in YAML"),
    ("fields: {a: text}\n---\nfields: {}\n", "this is no YAML: but found another document"),
    ("[" * 100_000, "1:1: this is nested too deep"),
    (
        "fields: {a: {type: text, derived: b, column: c}, b: text}\n",
        "1:10: field 'a': a derived field or a path has no column of its own",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[repr(text[:30]) for text, _ in WRONG])
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError) as found:
        Schema.load(path)
    assert f"{path}:" in str(found.value) and message in str(found.value)


def test_all_mistakes_are_told_at_once_in_order() -> None:
    with pytest.raises(SchemaError) as found:
        Schema.from_yaml(
            "fields:\n  a: txt\n  a: text\n  b: {label: B, typ: x}\n  c:\ncurency: USD\n"
        )
    places = [line.split(": ")[0] for line in str(found.value).splitlines()]
    wanted = ("2:3", "3:3", "4:6", "4:17", "5:5", "6:1")
    assert places == [f"schema:{place}" for place in wanted]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "none.yaml", "none.yaml: no such file or directory"),
        (tmp_path, "is a directory"),
        (Path("a\x00b"), "null byte"),
    ):
        with pytest.raises(SchemaError, match=message):
            Schema.load(path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"fields:\n  pr\xe9nom: text\n")
    with pytest.raises(SchemaError, match=r"latin.yaml:2:5: this is not UTF-8 text"):
        Schema.load(latin)
