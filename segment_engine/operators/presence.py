"""Whether there is a value at all."""

from segment_engine.operators.row import Operator, Right, Shape

ROWS = (
    Operator(
        name="exists",
        shape=Shape.POSTFIX,
        words=("exists",),
        negated=("is missing",),
        takes={"*": Right.NOTHING},
        doc='There is a value, of whatever type: also "", an empty list, an object.',
        missing="false; `is missing` keeps them",
        examples=("phone exists", "metadata.tier is missing"),
        json=("notNull",),
        json_negated=("null",),
        api="EXISTS",
        api_negated="NOT_EXISTS",
        python=lambda x: True,
        sql=lambda x: f"{x} is not null",
        sql_not=lambda x: f"{x} is null",
        polars=lambda x: x.is_not_null(),
    ),
    Operator(
        name="is_empty",
        shape=Shape.POSTFIX,
        words=("is empty",),
        negated=("is not empty",),
        takes={"*": Right.NOTHING},
        doc='The value is missing, "", or a list without elements. An object is never empty.',
        missing="true; `is not empty` drops them",
        examples=("phone is empty", "metadata.tags is not empty"),
        json=("isEmpty",),
        json_negated=("isNotEmpty",),
        python=lambda x: x is None or x == "" or x == [],
        sees_missing=True,
    ),
    # A float that is no NaN. DuckDB folds `x <= inf` and `isnan(x)` by statistics, and those of a
    # Parquet file leave NaN out; it does not fold this.
    Operator(
        name="is_number",
        shape=Shape.HIDDEN,
        sql=lambda x: f"(case when isfinite({x}) then true else isinf({x}) end)",
        sql_not=lambda x: f"(case when isfinite({x}) then false else not isinf({x}) end)",
        polars=lambda x: x.is_not_nan(),
    ),
    # A list that has no elements.
    Operator(
        name="list_is_empty",
        shape=Shape.HIDDEN,
        native=lambda dialect, x: dialect.list_is_empty(x),
    ),
)
