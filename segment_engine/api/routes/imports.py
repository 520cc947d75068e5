"""CSV files put into static audiences: an import, its upload, and what is wrong in its rows."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Annotated, Any

from fastapi import Path, Request
from starlette.responses import Response

from segment_engine.api import answers, telling, wire
from segment_engine.api.answering import answered
from segment_engine.api.auth import UPLOADS
from segment_engine.api.here import AudienceId, Here, ImportId
from segment_engine.api.routing import router
from segment_engine.store.store import OrganizationStore

imports = router("/api/v1/audiences/{audience_id}", "imports")
uploads = router(UPLOADS.rstrip("/"), "imports")

MOST_TOLD = 100
"""Rows whose errors an answer tells."""
_CSV = "text/csv"
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {_CSV: {"schema": {"type": "string", "format": "binary"}}},
    },
    "security": [],
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"description": "No import has the token."},
    410: {"description": "The upload was used already, or its time is over."},
}


class CsvResponse(Response):
    """A CSV file."""

    media_type = _CSV


@imports.post("/import", status_code=201, response_model=answers.Import)
def create_import(
    request: Request, here: Here, audience_id: AudienceId, body: wire.ImportIn | None = None
) -> Response:
    """An import, and where to PUT its file: once, within an hour, at most 10 MB."""
    mode = "ADD" if body is None else body.mode
    made, token = here.store.imports.create(audience_id, mode)
    url = f"{str(request.base_url).rstrip('/')}{UPLOADS}{token}"
    return answered(telling.import_(made, (), url), 201)


@uploads.put(
    "/{token}",
    status_code=202,
    response_class=Response,
    responses=_REFUSED,
    openapi_extra=_FILE,
)
def upload(request: Request, token: Annotated[str, Path(max_length=200)]) -> Response:
    """Takes the file of an import; the token in the path is the key."""
    request.app.state.store.uploads.receive(token, request.state.body)
    return Response(status_code=202)


@imports.get("/imports/{import_id}", response_model=answers.Import)
def read_import(here: Here, audience_id: AudienceId, import_id: ImportId) -> Response:
    """How far an import has come, and what is wrong in the first rows that have something."""
    found = here.store.imports.get(audience_id, import_id)
    return answered(telling.import_(found, here.store.imports.issues(found.id, MOST_TOLD)))


@imports.get("/imports/{import_id}/errors.csv", response_class=CsvResponse)
def read_errors(here: Here, audience_id: AudienceId, import_id: ImportId) -> Response:
    """All that is wrong: row, field, code and message.

    No value of the file, and so nothing that a spreadsheet would run.
    """
    found = here.store.imports.get(audience_id, import_id)
    headers = {"Content-Disposition": f'attachment; filename="{found.id}-errors.csv"'}
    return CsvResponse("".join(_lines(here.store, found.id)), headers=headers)


def _lines(store: OrganizationStore, import_id: str) -> Iterator[str]:
    yield "row,field,code,message\r\n"
    for found in store.imports.issues(import_id):
        for one in found.issues:
            line = StringIO()
            csv.writer(line).writerow((found.row, one["field"], one["code"], one["message"]))
            yield line.getvalue()
