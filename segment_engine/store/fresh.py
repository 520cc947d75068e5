"""What is asked beside the published generations: a run now, and one consumer as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

from segment_engine.store import jobs
from segment_engine.store.records import Consumer
from segment_engine.store.source import Reading
from segment_engine.store.store import OrganizationStore

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def refresh(store: OrganizationStore) -> None:
    """Wants a run of the organization at once."""
    with store.store.database.writing() as connection:
        jobs.want(connection, store.organization.id, after_s=0)


def fresh_audiences(store: OrganizationStore, consumer: Consumer) -> tuple[dict[str, str], int]:
    """The audiences that a consumer is in now, name by id, and the instant in microseconds."""
    own, ordinal = store.organization.id, consumer.ordinal
    with store.store.database.reading() as connection:
        reading = Reading(connection, store.consumers, own)
        without = reading.audiences.keys() - reading.rules.keys()
        lists = {key: [ordinal] if ordinal in reading.members(key) else [] for key in without}
    match = reading.engine.matcher(
        reading.rules, as_of=_instant(reading.as_of), id_column="ordinal", lists=lists
    )
    found = sorted(match(_row(consumer)))
    labels = store.audiences.labels(found)
    return {key: labels[key] for key in found}, reading.as_of


def _row(consumer: Consumer) -> dict[str, Any]:
    """The consumer as the columns that rules read."""
    return {
        "ordinal": consumer.ordinal,
        "email": consumer.email,
        "phone": consumer.phone,
        "fullName": consumer.full_name,
        "externalId": consumer.external_id,
        "totalOrders": consumer.total_orders,
        "totalOrderValue": consumer.total_order_value,
        "lastOrderAt": _instant(consumer.last_order_at),
        "createdAt": _instant(consumer.created_at),
        "metadata": consumer.metadata,
    }


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)
