"""A rule tried on the consumers as they are, and never saved."""

from starlette.responses import Response

from segment_engine.api import answers, telling, wire
from segment_engine.api.answering import answered
from segment_engine.api.here import Here
from segment_engine.api.routing import router

previews = router("/api/v1/audiences", "preview")


@previews.post("/preview", response_model=answers.Preview)
def preview(here: Here, body: wire.PreviewIn) -> Response:
    """Counts the members of a rule, shows the first, and counts what each clause keeps."""
    found = here.store.runs.preview(body.rule(), body.first)
    told = answers.Preview(
        expression=found.text,
        diagnostics=[telling.finding(one) for one in found.diagnostics],
        count=found.count,
        consumers=found.consumers,
        members=[telling.consumer(one) for one in here.store.consumers.at(found.ordinals)],
        clauses=[answers.Clause(text=text, count=count) for text, count in found.clauses],
        as_of=telling.instant(found.as_of),
    )
    return answered(told)
