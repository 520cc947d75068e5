"""The store's records as answers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, overload

from segment_engine.api import answers
from segment_engine.diagnostics.diagnostic import Diagnostic
from segment_engine.diagnostics.spans import Pointer
from segment_engine.store.generations import Generation
from segment_engine.store.records import Audience, Consumer, Import, RowIssues, Sync, Upserted


@overload
def instant(micros: int) -> str: ...
@overload
def instant(micros: int | None) -> str | None: ...
def instant(micros: int | None) -> str | None:
    """Microseconds since 1970 as ISO 8601 in UTC."""
    if micros is None:
        return None
    seconds, rest = divmod(micros, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return moment.isoformat().replace("+00:00", "Z")


def audience(
    found: Audience,
    organization: str,
    latest: Generation | None,
    include: Iterable[str] = (),
    imports: Iterable[Import] = (),
    sync: Sync | None = None,
) -> answers.Audience:
    """An audience; when it was refreshed is what the latest generation says."""
    refreshed = latest is not None and found.id in latest.audiences
    included: dict[str, Any] = {}
    if "rules" in include:
        included["rules"] = rules(found.rules)
    if "imports" in include:
        included["imports"] = list(map(import_, imports))
    if "primarySyncSource" in include:
        included["primary_sync_source"] = None if sync is None else sync_source(sync)
    return answers.Audience(
        id=found.id,
        organization_id=organization,
        name=found.name,
        description=found.description,
        type=found.type,  # type: ignore[arg-type]
        icon_name=found.icon_name,
        metadata=found.metadata,
        version=found.version,
        revision=found.revision,
        group_id=found.group_id,
        group_name=found.group_name,
        group_type=found.group_type,
        primary_sync_source_id=found.sync_source_id,
        last_refreshed_at=instant(latest.as_of) if latest and refreshed else None,
        refresh_interval_seconds=found.refresh_interval,
        archived=found.archived,
        created_at=instant(found.created_at),
        updated_at=instant(found.updated_at),
        expression=found.expression,
        **included,
    )


def rules(rows: Iterable[dict[str, Any]]) -> list[answers.Rule]:
    """Rule rows as they are kept."""
    return [
        answers.Rule(
            id=row["id"],
            field=row["field"],
            operator=row["operator"],
            values=row.get("values", []),
            group_id=row.get("groupId"),
            position=row["position"],
        )
        for row in rows
    ]


def import_(
    found: Import, issues: Iterable[RowIssues] | None = None, upload_url: str | None = None
) -> answers.Import:
    """An import, with the rows that have something wrong where they are told."""
    included: dict[str, Any] = {}
    if issues is not None:
        included["errors"] = [
            answers.RowIssues(row=one.row, issues=[answers.Issue(**told) for told in one.issues])
            for one in issues
        ]
    return answers.Import(
        id=found.id,
        audience_id=found.audience,
        mode=found.mode,  # type: ignore[arg-type]
        status=found.status,  # type: ignore[arg-type]
        progress=_of_100(found.processed, found.total),
        total_consumers=found.total,
        processed_consumers=found.processed,
        error_count=found.wrong,
        reason=found.reason,
        ignored_columns=found.ignored,
        upload_url=upload_url,
        upload_method="PUT",
        expires_at=instant(found.expires_at),
        created_at=instant(found.created_at),
        updated_at=instant(found.updated_at),
        **included,
    )


def sync_source(found: Sync) -> answers.SyncSource:
    """A list that an audience has its members of."""
    return answers.SyncSource(
        id=found.id,
        sync_source=f"{found.vendor}:list",  # type: ignore[arg-type]
        sync_source_id=found.list_id,
        source_data=answers.SourceData(
            name=found.name,
            list=found.data,
            profiles=found.profiles,
            processed=found.processed,
            left_out=found.left_out,
            error=found.error,
        ),
        sync_status=found.status,
        last_synced_at=instant(found.last_synced_at),
    )


def _of_100(done: int, total: int | None) -> int:
    """How far something has come; all of nothing is all."""
    return 100 * done // total if total else 100 * (total == 0)


def of_consumer(found: Consumer) -> dict[str, Any]:
    """The keys of a consumer, for each of the models that have them."""
    value = found.total_order_value
    return {
        "id": found.id,
        "email": found.email,
        "phone": found.phone,
        "full_name": found.full_name,
        "external_id": found.external_id,
        "total_orders": found.total_orders,
        "total_order_value": None if value is None else format(Decimal(value), "f"),
        "last_order_at": instant(found.last_order_at),
        "created_at": instant(found.created_at),
        "updated_at": instant(found.updated_at),
        "metadata": found.metadata,
    }


def consumer(found: Consumer) -> answers.Consumer:
    """A consumer."""
    return answers.Consumer(**of_consumer(found))


def consumer_audiences(
    found: Consumer, labels: Mapping[str, str], as_of: int | None, generation: int | None = None
) -> answers.ConsumerAudiences:
    """The audiences of a consumer by id and name, and when they were so."""
    return answers.ConsumerAudiences(
        consumer_id=found.id,
        data=[answers.Label(id=id, name=name) for id, name in labels.items()],
        generation=generation,
        as_of=instant(as_of),
    )


def upserted(found: Sequence[Upserted]) -> answers.UpsertedAll:
    """What became of consumers, one by one and counted."""
    counts = Counter(one.status for one in found)
    return answers.UpsertedAll(
        data=[answers.Upserted(id=one.id, status=one.status) for one in found],
        created=counts["created"],
        updated=counts["updated"],
        unchanged=counts["unchanged"],
    )


def finding(found: Diagnostic) -> answers.Finding:
    """A warning or a hint about a rule, at its characters or at its place in the rows."""
    place = found.span
    return answers.Finding(
        severity=found.severity,
        code=found.code,
        message=found.message,
        field="rules" + place.path.replace("/", ".")
        if isinstance(place, Pointer)
        else "expression",
        span=None if isinstance(place, Pointer) else {"start": place.start, "end": place.end},
    )


def count(audience_id: str, latest: Generation | None) -> answers.Count:
    """How many members the latest generation has."""
    known = latest.audiences.get(audience_id) if latest else None
    return answers.Count(
        audience_id=audience_id,
        count=known.count if known else None,
        version=known.version if known else None,
        as_of=instant(latest.as_of) if latest and known else None,
    )
