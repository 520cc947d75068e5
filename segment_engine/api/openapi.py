"""What the routes alone do not tell in the OpenAPI document: problems, keys, limits, headers."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from segment_engine.api.answers import ProblemOut
from segment_engine.api.problems import MEDIA_TYPE
from segment_engine.api.routing import JSON
from segment_engine.api.wire import ConsumersIn

Json = dict[str, Any]

_REF = "#/components/schemas/"
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": f"{_REF}ProblemAnswer"}}}}
_ALWAYS = {
    "400": "What was sent is wrong: `details` tell the fields.",
    "404": "There is no such thing in your organization.",
    "413": "The body is too large.",
    "500": "A fault of the service.",
}
_OF_KEYS = {
    "401": "No key, or one that is unknown or revoked.",
    "429": "Too many requests with this key; Retry-After says when to ask again.",
}
_OF_JSON = {"415": "The body is of another type."}
_OF_POST = {
    "409": "The state of things speaks against it, or the Idempotency-Key is in use right now.",
    "422": "The Idempotency-Key was used with another request.",
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with the same key is done once within 24 hours.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "examples": {"a key": {"value": "7b0f6f0e-6f6f-4a55-9a64-1e3a0c2f6f10"}},
}
_LIMITS = {
    f"X-RateLimit-{name}": {"description": text, "schema": {"type": "integer"}}
    for name, text in (
        ("Limit", "Requests a minute, of this key in this process."),
        ("Remaining", "How many are left now."),
        ("Reset", "Seconds until all are there again."),
    )
}


def described(app: FastAPI) -> Json:
    """The OpenAPI document of the app."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/api/"):
                _describe(operation, method)
            else:
                operation["responses"].pop("422", None)
    parts = document.setdefault("components", {})
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    schemas = parts.setdefault("schemas", {})
    for name, model in (("ProblemAnswer", ProblemOut), ("ConsumersIn", ConsumersIn)):
        schema = model.model_json_schema(ref_template=_REF + "{model}")
        schemas.update({**schema.pop("$defs"), name: schema})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document


def _describe(operation: Json, method: str) -> None:
    has_key = bool(operation.setdefault("security", [{"key": []}]))
    responses = operation["responses"]
    responses.pop("422", None)
    told = {
        **_ALWAYS,
        **(_OF_KEYS if has_key else {}),
        **(_OF_JSON if JSON in operation.get("requestBody", {}).get("content", {}) else {}),
        **(_OF_POST if method == "post" else {}),
    }
    for status, text in told.items():
        own = responses.get(status, {})
        responses[status] = {"description": own.get("description", text), **_PROBLEM}
    for status, response in responses.items():
        if has_key and status != "401":
            response.setdefault("headers", {}).update(_LIMITS)
    if method == "post":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY)
