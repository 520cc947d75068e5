"""Consumers in a body: a JSON object, or one JSON object a line."""

from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from segment_engine.api.problems import invalid, problems_of
from segment_engine.api.routing import JSON, check_type, exact
from segment_engine.api.wire import ConsumersIn

NDJSON = "application/x-ndjson"

Rows = list[dict[str, Any]]

_BODY = TypeAdapter(ConsumersIn)
EXTRA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/ConsumersIn"}},
            NDJSON: {"schema": {"type": "string", "description": "a consumer a line"}},
        },
    }
}
"""What the OpenAPI document says of such a body."""


def rows_of(request: Request) -> Rows:
    """The consumers of a request, each with the keys that were sent. Raises Fault 400, 415."""
    body = request.state.body
    lines = check_type(request, JSON, NDJSON) == NDJSON
    content = {"consumers": _lines(body)} if lines else exact(body)
    try:
        return [one.given() for one in _BODY.validate_python(content).consumers]
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid(*problems_of(found)) from None


def _lines(body: bytes) -> list[Any]:
    """What the lines say; empty ones say nothing."""
    numbered = enumerate(line for line in body.split(b"\n") if line.strip())
    return [exact(line, f"consumers.{number}") for number, line in numbered]
