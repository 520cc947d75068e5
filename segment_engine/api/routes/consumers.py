"""Consumers: written many at a time, read, erased, and the audiences of one."""

from typing import Annotated, Literal

from fastapi import Depends
from starlette.responses import Response

from segment_engine.api import answers, telling
from segment_engine.api.answering import answered
from segment_engine.api.here import ConsumerId, Here
from segment_engine.api.ndjson import EXTRA, Rows, rows_of
from segment_engine.api.routing import router
from segment_engine.store.fresh import fresh_audiences

consumers = router("/api/v1/consumers", "consumers")


@consumers.post("", response_model=answers.UpsertedAll, openapi_extra=EXTRA)
def upsert_consumers(here: Here, rows: Annotated[Rows, Depends(rows_of)]) -> Response:
    """Inserts or updates consumers, all or none; an absent key leaves, null clears."""
    return answered(telling.upserted(here.store.consumers.upsert(rows)))


@consumers.get("/{consumer_id}", response_model=answers.Consumer)
def read_consumer(here: Here, consumer_id: ConsumerId) -> Response:
    """One consumer as it is now."""
    return answered(telling.consumer(here.store.consumers.get(consumer_id)))


@consumers.delete("/{consumer_id}", status_code=204)
def erase_consumer(here: Here, consumer_id: ConsumerId) -> Response:
    """Erases all that is known of a consumer, for good."""
    here.store.consumers.erase(consumer_id)
    return Response(status_code=204)


@consumers.get("/{consumer_id}/audiences", response_model=answers.ConsumerAudiences)
def read_audiences(
    here: Here, consumer_id: ConsumerId, fresh: Literal["true", "false"] = "false"
) -> Response:
    """Its audiences in the published generation, or as they are now with `fresh=true`."""
    found = here.store.consumers.get(consumer_id)
    if fresh == "true":
        return answered(telling.consumer_audiences(found, *fresh_audiences(here.store, found)))
    latest = here.store.generations.latest()
    if latest is None:
        return answered(telling.consumer_audiences(found, {}, None))
    ids = here.store.generations.audiences_of(latest, found.ordinal)
    labels = here.store.audiences.labels(ids)
    return answered(telling.consumer_audiences(found, labels, latest.as_of, latest.number))
