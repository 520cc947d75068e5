"""Lists: which elements they have."""

from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.values.types import ANY

ROWS = (
    Operator(
        name="contains_any",
        shape=Shape.LISTED,
        words=("contains any",),
        negated=("not contains any",),
        takes={"text": Right.NEEDLE, "list": Right.ELEMENT},
        doc="The `or` of `contains` over the list.",
        missing="false, so `not contains any` keeps them",
        examples=('metadata.tags contains any ("vip", "press")',),
        json=("containsAny",),
        json_negated=("doesNotContainAny",),
        api="CONTAINS",
        api_negated="NOT_CONTAINS",
        folds=True,
        expand=lambda make, x, values: make("or", *(make("contains", x, v) for v in values)),
    ),
    Operator(
        name="contains_all",
        shape=Shape.LISTED,
        words=("contains all",),
        negated=("not contains all",),
        takes={"text": Right.NEEDLE, "list": Right.ELEMENT},
        doc="The `and` of `contains` over the list.",
        missing="false, so `not contains all` keeps them",
        examples=('metadata.tags contains all ("vip", "press")',),
        json=("containsAll",),
        json_negated=("doesNotContainAll",),
        folds=True,
        expand=lambda make, x, values: make("and", *(make("contains", x, v) for v in values)),
    ),
    # The list has an element equal to the second.
    Operator(
        name="has",
        shape=Shape.HIDDEN,
        python=lambda elements, wanted: wanted in elements,
        native=lambda dialect, elements, wanted: dialect.has(elements, wanted),
    ),
    # The list has an element from the second to the third, both included.
    Operator(
        name="has_in_range",
        shape=Shape.HIDDEN,
        native=lambda dialect, elements, low, high: dialect.has_in_range(elements, low, high),
    ),
    # The instants that the texts of a list spell.
    Operator(
        name="iso_instants",
        shape=Shape.HIDDEN,
        gives=ANY,
        native=lambda dialect, texts: dialect.iso_instants(texts),
    ),
    # The days that the texts of a list spell.
    Operator(
        name="iso_days",
        shape=Shape.HIDDEN,
        gives=ANY,
        native=lambda dialect, texts: dialect.iso_days(texts),
    ),
    # The list has a time inside the window.
    Operator(
        name="has_in_window",
        shape=Shape.HIDDEN,
        python=lambda elements, window: any(map(window.holds, elements)),
    ),
)
