"""Arithmetic in IEEE doubles. Engines make every result that is not finite missing."""

import operator as python

from segment_engine.operators.row import Operator, Right, Shape
from segment_engine.values.numbers import finite
from segment_engine.values.types import NUMBER

SAME = {"number": Right.SAME}

ROWS = (
    Operator(
        name="add",
        shape=Shape.ARITHMETIC,
        words=("+",),
        takes=SAME,
        gives=NUMBER,
        doc="The sum.",
        missing="missing",
        examples=("totalOrders + metadata.returns > 10",),
        python=lambda x, y: finite(float(x) + float(y)),
        sql=lambda x, y: f"({x} + {y})",
        sql_bounded=lambda x, y: f"({x} + {y})",
        polars=python.add,
    ),
    Operator(
        name="subtract",
        shape=Shape.ARITHMETIC,
        words=("-",),
        takes=SAME,
        gives=NUMBER,
        doc="The difference.",
        missing="missing",
        examples=("totalOrders - metadata.returns > 10",),
        python=lambda x, y: finite(float(x) - float(y)),
        sql=lambda x, y: f"({x} - {y})",
        sql_bounded=lambda x, y: f"({x} - {y})",
        polars=python.sub,
    ),
    Operator(
        name="multiply",
        shape=Shape.ARITHMETIC,
        words=("*",),
        takes=SAME,
        gives=NUMBER,
        doc="The product.",
        missing="missing",
        examples=("totalOrders * 2 > metadata.points",),
        python=lambda x, y: finite(float(x) * float(y)),
        sql=lambda x, y: f"({x} * {y})",
        sql_bounded=lambda x, y: f"({x} * {y})",
        polars=python.mul,
    ),
    Operator(
        name="divide",
        shape=Shape.ARITHMETIC,
        words=("/",),
        takes=SAME,
        gives=NUMBER,
        doc="The quotient; missing where the divisor is 0.",
        missing="missing",
        examples=("totalOrderValue / totalOrders >= 50",),
        python=lambda x, y: finite(float(x) / float(y)) if y else None,
        sql=lambda x, y: f"({x} / {y})",
        sql_bounded=lambda x, y: f"({x} / nullif({y}, 0))",
        polars=python.truediv,
    ),
    # A whole number as an IEEE double.
    Operator(
        name="double",
        shape=Shape.HIDDEN,
        gives=NUMBER,
        native=lambda dialect, x: dialect.double(x),
    ),
    Operator(
        name="negate",
        shape=Shape.ARITHMETIC,
        words=("-",),
        takes={"number": Right.NOTHING},
        gives=NUMBER,
        doc="The number with its sign turned.",
        missing="missing",
        examples=("-totalOrders < metadata.floor",),
        python=lambda x: finite(-float(x)),
        sql=lambda x: f"(- {x})",
        polars=python.neg,
    ),
)
