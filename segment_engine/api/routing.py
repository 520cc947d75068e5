"""How requests are read: exact JSON bodies of the declared type, and no unknown query."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from segment_engine.api.problems import invalid, plain
from segment_engine.errors import Problem
from segment_engine.store.exact_json import Refused, received

JSON = "application/json"


class ExactRequest(Request):
    """A request whose JSON is read exactly."""

    async def json(self) -> Any:
        """The body. Raises Fault 400 where it is no JSON that has one meaning."""
        return await run_in_threadpool(exact, await self.body())


def exact(body: bytes, field: str = "body") -> Any:
    """What JSON says. Raises Fault 400."""
    try:
        return received(body)
    except Refused as refused:
        raise invalid(Problem(field, str(refused), "json")) from None


class ExactRoute(APIRoute):
    """A route that takes the queries and the bodies that it declares."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See APIRoute."""
        handle = super().get_route_handler()
        queries = _queries(self.dependant)
        takes_json = self.body_field is not None

        async def handling(request: Request) -> Response:
            read = ExactRequest(request.scope, request.receive)
            _check_query(read, queries)
            if takes_json and await read.body():
                check_type(read, JSON)
            return await handle(read)

        return handling


def check_type(request: Request, *accepted: str) -> str:
    """The media type of the body. Raises Fault 415 where it is none of those."""
    found = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if found not in accepted:
        raise plain(415, detail=f"the body is {' or '.join(accepted)}, by its Content-Type")
    return found


def _queries(dependant: Dependant) -> set[str]:
    """The names of the queries of a route and of what it depends on."""
    own = {one.alias for one in dependant.query_params}
    return own.union(*map(_queries, dependant.dependencies))


def _check_query(request: Request, queries: set[str]) -> None:
    given = [name for name, _ in request.query_params.multi_items()]
    wrong = [
        Problem(name, "there is no such parameter", "unknown-field")
        for name in dict.fromkeys(given)
        if name not in queries
    ]
    wrong += [
        Problem(name, "it stands more than once", "twice")
        for name in dict.fromkeys(given)
        if given.count(name) > 1 and name in queries
    ]
    wrong += [
        Problem(name, "text has no NUL")
        for name, value in request.query_params.items()
        if "\0" in value
    ]
    if wrong:
        raise invalid(*wrong)


def router(prefix: str, tag: str) -> APIRouter:
    """A router of exact routes."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=ExactRoute)
