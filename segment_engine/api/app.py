"""The application: what surrounds every request, and the routes."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing import parent_process
from threading import Thread

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Match

import segment_engine
from segment_engine.api import logs, problems
from segment_engine.api.auth import Authenticated
from segment_engine.api.cursors import Cursors
from segment_engine.api.idempotency import Idempotent
from segment_engine.api.limits import Bounded, Limited
from segment_engine.api.metrics import Metrics
from segment_engine.api.openapi import described
from segment_engine.api.routes import ROUTERS
from segment_engine.api.settings import ServiceSettings
from segment_engine.errors import StoreError
from segment_engine.store.csv_rows import MOST_BYTES
from segment_engine.store.logs import configure
from segment_engine.store.replies import Replies
from segment_engine.store.settings import told
from segment_engine.store.warming import Warming


def create_app(settings: ServiceSettings) -> FastAPI:
    """The service over the store that the settings name. Raises StoreError."""
    store, metrics = settings.opened(), Metrics()

    @asynccontextmanager
    async def open_until_the_end(_: FastAPI) -> AsyncIterator[None]:
        warming = Warming(store)
        warming.begin()
        yield
        warming.end()
        store.close()

    app = FastAPI(
        title="Audiences API",
        version=segment_engine.__version__,
        description="Audiences of consumers by typed rules; see the README.",
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        lifespan=open_until_the_end,
        middleware=[
            Middleware(logs.Observed, metrics),
            Middleware(Authenticated, store.keys.organization_of, store.uploads.is_known),
            Middleware(Limited, settings.rate_limit),
            Middleware(Bounded, settings.body_bytes, MOST_BYTES),
            Middleware(Idempotent, Replies(store.database)),
        ],
        exception_handlers={
            HTTPException: _of_http,
            RequestValidationError: problems.of_validation,
            StoreError: problems.of_store,
        },
    )
    app.state.store, app.state.metrics = store, metrics
    app.state.cursors = Cursors(store.secret)
    app.state.time_run_s = 60 * settings.time_run_minutes
    for router in ROUTERS:
        app.include_router(router)
    document = described(app)
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


async def _of_http(request: Request, error: Exception) -> Response:
    """A 405 names all methods that the path has, not those of the first route alone."""
    answer = await problems.of_http(request, error)
    if answer.status_code == 405:
        answer.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    routes = [one for router in ROUTERS for one in router.routes if isinstance(one, APIRoute)]
    first = next(one for one in routes if one.matches(request.scope)[0] != Match.NONE)
    return {method for one in routes if one.path == first.path for method in one.methods or ()}


def from_environment() -> FastAPI:
    """The service as a process of its own makes it, with its logs.

    One of several ends with the process that started it, however that has ended.
    """
    configure()
    Thread(target=_end_with_parent, daemon=True).start()
    return create_app(told(ServiceSettings))


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
