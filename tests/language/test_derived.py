"""Derived fields: what may derive one, and what is told of a wrong one when the schema is used."""

from typing import Any

import pytest

from segment_engine import Engine, Schema, SchemaError

SOURCE = {"n": "number", "t": "text", "ok": "boolean", "at": "datetime", "metadata": "any"}


def derived(**fields: tuple[str, str]) -> dict[str, Any]:
    """A schema with those fields: name to type and expression."""
    made = {name: {"type": kind, "derived": text} for name, (kind, text) in fields.items()}
    return {**SOURCE, **made}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "n + 1"),
        ("currency", "n / 2"),
        ("text", "domain(t)"),
        ("boolean", "n > 5 and t exists"),
        ("boolean", "ok"),
        ("datetime", "datetime(metadata.at)"),
        ("datetime", "at"),
        ("number", "year(at)"),
    ],
)
def test_what_may_derive_a_field(kind: str, text: str) -> None:
    engine = Engine(Schema(derived(x=(kind, text))))
    assert list(engine.derived) == ["x"]
    assert engine.rule("x exists").fields == ("x",)


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("text", "n + 1", "field 'x' is text, but `n + 1` gives number"),
        ("number", "5", "field 'x' is number, but `5` gives number"),
        ("number", "n > 5", "field 'x' is number, but `n > 5` gives truth"),
        ("boolean", "true", "field 'x' is boolean, but `true` gives boolean"),
        ("number", "metadata.a", "field 'x' is number, but `metadata.a` gives any"),
        (
            "number",
            "n + nn",
            "field 'x' is derived by a wrong expression\n"
            "error[unknown-field]: no field is called `nn`\n"
            "1 | n + nn\n"
            "  |     ^^\n"
            "  = help: a key of `metadata` is written `metadata.nn`",
        ),
        (
            "number",
            "a + b",
            "field 'x' is derived by a wrong expression\n"
            "error[unknown-field]: no field is called `a`\n"
            "1 | a + b\n"
            "  | ^\n"
            "  = help: a key of `metadata` is written `metadata.a`\n"
            "error[unknown-field]: no field is called `b`\n"
            "1 | a + b\n"
            "  |     ^\n"
            "  = help: a key of `metadata` is written `metadata.b`",
        ),
    ],
)
def test_a_wrong_expression_is_told(kind: str, text: str, told: str) -> None:
    with pytest.raises(SchemaError) as raised:
        Engine(Schema(derived(x=(kind, text))))
    assert str(raised.value) == told


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"a": "a + 1"}, "a -> a"),
        ({"a": "b + 1", "b": "a + 1"}, "a -> b -> a"),
        ({"a": "b", "b": "c + d", "c": "n", "d": "n + a"}, "a -> b -> d -> a"),
        ({"a": "n", "b": "a + c", "c": "b"}, "b -> c -> b"),
    ],
)
def test_a_cycle_is_told_with_its_path(fields: dict[str, str], path: str) -> None:
    with pytest.raises(SchemaError) as raised:
        Engine(Schema(derived(**{name: ("number", text) for name, text in fields.items()})))
    assert str(raised.value) == f"derived fields form a cycle: {path}"


def test_fields_may_be_derived_by_others_in_several_ways() -> None:
    fields = {"a": "b + c", "b": "d * 2", "c": "d", "d": "n + 1"}
    engine = Engine(Schema(derived(**{name: ("number", text) for name, text in fields.items()})))
    assert engine.rule("a = 9").matches({"n": 2})
