"""Answers of routes: exact JSON of an answer's model."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from starlette.responses import Response

from segment_engine.api.routing import JSON
from segment_engine.store.exact_json import answer


def answered(
    told: BaseModel | Sequence[BaseModel],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer; keys that were never set, as what is not included, are left out."""
    many = isinstance(told, Sequence)
    content = [_plain(one) for one in told] if many else _plain(told)  # type: ignore[arg-type]
    return Response(answer(content), status, headers, JSON)


def _plain(told: BaseModel) -> object:
    return told.model_dump(by_alias=True, exclude_unset=True)
