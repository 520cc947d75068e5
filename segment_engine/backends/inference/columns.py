"""What field a column can be: by how it is stored, else by the values in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from segment_engine.backends.inference.kinds import (
    LIST,
    OBJECT,
    is_document,
    is_filled,
    kind_of,
    of_cell,
    one_type,
    shares,
)
from segment_engine.backends.physical import (
    Bool,
    Day,
    Dec,
    Float,
    Int,
    Json,
    ListOf,
    MapOf,
    Physical,
    Record,
    Stamp,
    Text,
)
from segment_engine.expression.column_names import tells_label, tells_money, tells_no_money
from segment_engine.expression.inferred import percent
from segment_engine.values.types import DATE, DATETIME

_CENTS = 2
_SCALARS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((Int, Dec, Float), "number"),
    ((Text,), "text"),
    ((Bool,), "boolean"),
    ((Day,), "date"),
    ((Stamp,), "datetime"),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A type for a column, and why. `weaker` are types that take what this one does not.

    `within_text`: the column is text in which every value spells a time.
    """

    type: str
    why: str
    weaker: tuple[str, ...] | None = None
    within_text: bool = False

    def demoted(self) -> "Proposal":
        """The next weaker type."""
        first, *rest = self.weaker or ("text",)
        why = f"not every value of the file reads as {self.type}"
        return replace(self, type=first, why=why, weaker=tuple(rest) or None)


def proposed(
    column: str, stored: Physical | None, values: Sequence[Any], *, cells: bool, json: bool
) -> Proposal | str:
    """The field that a column can be, or why it can be none.

    `stored` is None where only the values tell: text `cells` of CSV, values of `json` lines, else
    those of dicts.
    """
    filled = [value for value in values if is_filled(value)]
    if stored is not None:
        return _of_storage(column, stored, filled)
    if not filled:
        return Proposal("any" if json else "text", "no value seen")
    if cells:
        return _of_cells(column, filled)
    return _of_values(column, filled, json)


def _of_storage(column: str, stored: Physical, filled: Sequence[Any]) -> Proposal | str:
    if isinstance(stored, Text):
        return _of_texts(filled)
    if isinstance(stored, Json | Record | MapOf):
        return Proposal("any", f"stored as {_kind(stored)}")
    if isinstance(stored, ListOf):
        element = _scalar(stored.element)
        if element is None:
            return f"{stored}; only lists of scalars can be a field, so store it as JSON text"
        return Proposal(f"list of {element}", f"stored as {stored}")
    kind = _scalar(stored)
    if kind is None:
        return f"{stored}, which no field can have"
    if kind != "number":
        return Proposal(kind, f"stored as {stored}")
    if isinstance(stored, Dec) and stored.scale == _CENTS and not tells_no_money(column):
        return Proposal("currency", f"stored as {stored}, {_CENTS} decimals as money has")
    return _number(column, f"stored as {stored}")


def _scalar(stored: Physical) -> str | None:
    return next((name for kinds, name in _SCALARS if isinstance(stored, kinds)), None)


def _kind(stored: Physical) -> str:
    return {Record: "a struct", MapOf: "a map from text"}.get(type(stored), str(stored))


def _number(column: str, why: str, weaker: tuple[str, ...] | None = None) -> Proposal:
    word = tells_money(column)
    if word is None:
        return Proposal("number", why, weaker)
    return Proposal(
        "currency", f"{why}, and its name says {word!r}", weaker and ("number", *weaker)
    )


def _of_texts(texts: Sequence[str]) -> Proposal:
    if not texts:
        return Proposal("text", "no value seen")
    if all(map(is_document, texts)):
        return Proposal("any", "every value seen is JSON text")
    found = one_type(texts)
    if found in (DATE, DATETIME):
        why = "text, of which every value seen reads strictly as ISO 8601"
        return Proposal(str(found), why, within_text=True)
    return Proposal("text", "stored as text")


def _of_cells(column: str, texts: Sequence[str]) -> Proposal:
    values = [of_cell(text) for text in texts]
    found = one_type(values)
    name = found.name if found is not None else None
    if {kind_of(value) for value in values} <= {OBJECT, LIST}:
        weaker = ("text",) if name is None else ("any", "text")
        return Proposal(name or "any", "every value seen is JSON", weaker)
    if name is None or name == "text":
        return Proposal("text", "read as text")
    if name == "number":
        if word := tells_label(column):
            return Proposal("text", f"its name says {word!r}, and nobody calculates with that")
        return _number(column, "every value seen reads as a number", ("text",))
    how = " strictly as ISO 8601" if name in ("date", "datetime") else f" as {name}"
    weaker = ("datetime", "text") if name == "date" else ("text",)
    return Proposal(name, f"every value seen reads{how}", weaker)


def _of_values(column: str, values: Sequence[Any], json: bool) -> Proposal | str:
    found = one_type(values)
    weaker = ("any",) if json else None
    if found is not None and found.name == "number":
        return _number(column, "every value seen is a number", weaker)
    if found is not None:
        iso = found in (DATE, DATETIME) and any(isinstance(value, str) for value in values)
        how = "reads strictly as ISO 8601" if iso else f"is {found}"
        return Proposal(found.name, f"every value seen {how}", weaker)
    seen = shares(Counter(map(kind_of, values)))
    if set(seen) == {OBJECT}:
        return Proposal("any", "every value seen is an object")
    told = ", ".join(f"{percent(share)} {kind}" for kind, share in seen.items())
    if json or set(seen) <= {OBJECT, LIST}:
        return Proposal("any", f"values of no single type: {told}")
    return f"a column of values of no single type ({told})"
