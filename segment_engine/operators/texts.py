"""Text, compared by code point; and functions that give or read text."""

from operator import contains

from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.values.folding import fold
from segment_engine.values.isotime import parse_iso
from segment_engine.values.numbers import parse_number
from segment_engine.values.types import ANY, DATETIME, NUMBER, TEXT


def domain(address: str) -> str | None:
    """What follows the last `@`, case-folded; None without one."""
    _, at, name = address.rpartition("@")
    return fold(name) if at else None


ROWS = (
    Operator(
        name="contains",
        shape=Shape.INFIX,
        words=("contains",),
        negated=("not contains",),
        takes={"text": Right.NEEDLE, "list": Right.ELEMENT},
        doc="Text: the needle stands somewhere in it. List: it has the element.",
        missing="false, so `not contains` keeps them",
        examples=('fullName contains "Ada"', 'metadata.tags not contains "vip"'),
        json=("contains",),
        json_negated=("doesNotContain",),
        api="CONTAINS",
        api_negated="NOT_CONTAINS",
        folds=True,
        python=contains,
        sql=lambda text, needle: f"contains({text}, {needle})",
        polars=lambda text, needle: text.str.contains(needle, literal=True),
    ),
    Operator(
        name="starts_with",
        shape=Shape.INFIX,
        words=("starts with",),
        negated=("not starts with",),
        takes={"text": Right.NEEDLE},
        doc="The text begins with the needle.",
        missing="false, so `not starts with` keeps them",
        examples=('email starts with "ada"',),
        json=("beginsWith",),
        json_negated=("doesNotBeginWith",),
        api="STARTS_WITH",
        folds=True,
        python=str.startswith,
        sql=lambda text, needle: f"starts_with({text}, {needle})",
        polars=lambda text, needle: text.str.starts_with(needle),
    ),
    Operator(
        name="ends_with",
        shape=Shape.INFIX,
        words=("ends with",),
        negated=("not ends with",),
        takes={"text": Right.NEEDLE},
        doc="The text ends with the needle.",
        missing="false, so `not ends with` keeps them",
        examples=('email ends with "@example.com" ignoring case',),
        json=("endsWith",),
        json_negated=("doesNotEndWith",),
        api="ENDS_WITH",
        folds=True,
        python=str.endswith,
        sql=lambda text, needle: f"ends_with({text}, {needle})",
        polars=lambda text, needle: text.str.ends_with(needle),
    ),
    Operator(
        name="matches",
        shape=Shape.INFIX,
        words=("matches",),
        negated=("not matches",),
        takes={"text": Right.PATTERN},
        doc="The pattern is found somewhere in the text.",
        missing="false, so `not matches` keeps them",
        examples=(r'phone matches "^\+49[0-9]+$"',),
        json=("matches",),
        json_negated=("doesNotMatch",),
        api="MATCHES",
        python=lambda text, pattern: pattern.search(text),
        sql=lambda text, pattern: f"regexp_matches({text}, {pattern})",
        polars=lambda text, pattern: text.str.contains(pattern),
    ),
    # The text with case folded away.
    Operator(
        name="fold",
        shape=Shape.HIDDEN,
        gives=TEXT,
        python=fold,
        native=lambda dialect, text: dialect.fold(text),
    ),
    # The list of texts with case folded away.
    Operator(
        name="fold_all",
        shape=Shape.HIDDEN,
        gives=ANY,
        python=lambda elements: [fold(element) for element in elements],
        native=lambda dialect, elements: dialect.fold_all(elements),
    ),
    Operator(
        name="domain",
        shape=Shape.FUNCTION,
        words=("domain",),
        takes={"text": Right.NOTHING},
        gives=TEXT,
        doc="What follows the last `@` of an address, case-folded.",
        missing="missing; so is a text without `@`",
        examples=('domain(email) = "example.com"',),
        python=domain,
        native=lambda dialect, text: dialect.domain(text),
    ),
    Operator(
        name="number",
        shape=Shape.FUNCTION,
        words=("number",),
        takes={"text": Right.NOTHING, "any": Right.NOTHING},
        gives=NUMBER,
        doc="The number that a text spells: digits, maybe with a sign and decimals.",
        missing="missing; so is any other text",
        examples=("number(metadata.score) > 5",),
        python=parse_number,
        native=lambda dialect, text: dialect.parse_number(text),
    ),
    # The first value that is not missing.
    Operator(
        name="first_present",
        shape=Shape.HIDDEN,
        gives=NUMBER,
        python=lambda *values: next((float(v) for v in values if v is not None), None),
        sees_missing=True,
        native=lambda dialect, *values: dialect.first_present(*values),
    ),
    Operator(
        name="datetime",
        shape=Shape.FUNCTION,
        words=("datetime",),
        takes={"text": Right.NOTHING},
        gives=DATETIME,
        doc="The day or datetime that an ISO 8601 text spells.",
        missing="missing; so is any other text",
        examples=("datetime(metadata.joined) older than 1 year",),
        python=parse_iso,
    ),
)
