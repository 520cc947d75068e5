"""What is asked beside the published generations: a run now, and one consumer as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

from segment_engine.store import jobs
from segment_engine.store.attributes import DYNAMIC
from segment_engine.store.records import Consumer
from segment_engine.store.store import OrganizationStore

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def refresh(store: OrganizationStore) -> None:
    """Wants a run of the organization at once."""
    with store.store.database.writing() as connection:
        jobs.want(connection, store.organization.id, after_s=0)


def fresh_audiences(store: OrganizationStore, consumer: Consumer) -> tuple[dict[str, str], int]:
    """The audiences that a consumer is in now, name by id, and the instant in microseconds."""
    with store.store.database.reading() as connection:
        now = store.store.database.now(connection)
    active = store.audiences.active()
    rules = {one.id: one.expression for one in active if one.expression is not None}
    lists = {
        one.id: [consumer.ordinal] if consumer.ordinal in store.members.bitmap(one.id) else []
        for one in active
        if one.type != DYNAMIC
    }
    match = store.organization.engine.matcher(
        rules, as_of=_instant(now), id_column="ordinal", lists=lists
    )
    found = set(match(_row(consumer)))
    return {one.id: one.name for one in active if one.id in found}, now


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
