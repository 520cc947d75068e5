"""Whether the service is well, and its measures; no key is wanted."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from segment_engine.api import answers
from segment_engine.api.answering import answered
from segment_engine.api.metrics import CONTENT_TYPE
from segment_engine.api.problems import responses
from segment_engine.store.measures import check, counted_deliveries, counted_jobs, run_measures

health = APIRouter(tags=["service"])


@health.get("/healthz", response_model=answers.Health, responses=responses(503))
def healthz(request: Request) -> Response:
    """That the service answers and reaches its store."""
    check(request.app.state.store.database)
    return answered(answers.Health(status="ok"))


@health.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Requests of this process, jobs, runs and deliveries of the store, for Prometheus."""
    state = request.app.state
    database = state.store.database
    told = state.metrics.exposition(
        counted_jobs(database), run_measures(database), counted_deliveries(database)
    )
    return Response(told, media_type=CONTENT_TYPE)
