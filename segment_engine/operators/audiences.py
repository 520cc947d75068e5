"""Audiences in audiences: whether the consumer is in another one, as the same run has it."""

from segment_engine.operators.row import Operator, Shape

ROWS = (
    Operator(
        name="in_audience",
        shape=Shape.AUDIENCE,
        words=("in audience",),
        negated=("not in audience",),
        doc="The consumer is a member of that audience in the same run, by its key or id.",
        missing="never missing: an audience that failed fails this one, too",
        examples=('in audience "vip"', 'not in audience "press"'),
        python=bool,
        sql=lambda member: member,
        polars=lambda member: member,
    ),
)
