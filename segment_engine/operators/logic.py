"""And, or, not: over truths, which are never missing. Every engine joins truths in its own way."""

from segment_engine.operators.row import Operator, Shape

ROWS = (
    Operator(
        name="and",
        shape=Shape.LOGIC,
        words=("and",),
        doc="All of the parts are true.",
        missing="truths are never missing",
        examples=('totalOrders > 2 and email ends with "@example.com"',),
        json=("and",),
    ),
    Operator(
        name="or",
        shape=Shape.LOGIC,
        words=("or",),
        doc="At least one of the parts is true. Binds looser than `and`.",
        missing="truths are never missing",
        examples=('metadata.country = "US" or totalOrders >= 10',),
        json=("or",),
    ),
    Operator(
        name="not",
        shape=Shape.LOGIC,
        words=("not",),
        doc="The exact complement: everybody whom the part does not keep.",
        missing="keeps those whose value is missing, because the part is false for them",
        examples=('not (email ends with "@example.com")',),
        json=("not",),
    ),
)
