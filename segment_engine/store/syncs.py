"""Syncs: audiences whose members are those of lists kept elsewhere, and how far each has come.

What a sync does is a job (syncing.py).
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, cast, delete, exists, func, or_, select, update

from segment_engine.errors import Conflict, Invalid
from segment_engine.store import counting, exact_json, jobs
from segment_engine.store.attributes import SYNCED_LIST, checked
from segment_engine.store.database import Database, now
from segment_engine.store.defining import Definitions, defining, get
from segment_engine.store.jobs import SECOND, JobState, want
from segment_engine.store.records import Audience, Organization, Skipped, Sync
from segment_engine.store.tables import audiences, sync_profiles, sync_sources
from segment_engine.store.tables import jobs as all_jobs
from segment_engine.store.vendor_keys import VendorKeys

KIND = "sync"
READ, RECENT, PUT = "READ", "RECENT", "PUT"
"""Phases of a pass: all of the list, who has joined since the pass began, consumers."""
LEFT = "it could not be ended; the next sync begins anew"
ENDED: dict[str, Any] = dict.fromkeys(("job", "phase", "cursor", "began_at", "members"))
"""What a source has while a pass has begun and not ended."""


class Syncs:
    """The syncs of one organization."""

    def __init__(self, database: Database, organization: Organization, keys: VendorKeys) -> None:
        """Made by `Store.of`."""
        self._database, self._organization, self._keys = database, organization, keys

    def create(
        self,
        vendor: str,
        lists: Sequence[tuple[str, str | None]],
        refresh_interval: int | None = None,
    ) -> tuple[list[Audience], list[Skipped]]:
        """Audiences of lists by the vendor's ids, and their first syncs; and who has lists already.

        Without a name an audience is called as its list, once that is known. Raises Invalid, also
        where the organization has no key of the vendor.
        """
        made: list[Audience] = []
        skipped: list[Skipped] = []
        with defining(self._database, self._organization) as held:
            self._keys.check(held.connection, vendor)
            for list_id, name in lists:
                known = self._holder(held.connection, vendor, list_id)
                if known is not None:
                    skipped.append(Skipped(list_id, "An audience has this list already", known))
                    continue
                values = {"name": name or list_id, "refresh_interval": refresh_interval}
                made.append(self._made(held, vendor, list_id, values))
        return made, skipped

    def _holder(self, connection: Connection, vendor: str, list_id: str) -> str | None:
        """The audience that has the list and is not archived."""
        c = sync_sources.c
        query = (
            select(c.audience)
            .join(audiences, _is_primary())
            .where(c.organization == self._organization.id, audiences.c.archived.is_(False))
            .where(c.vendor == vendor, c.list_id == list_id)
        )
        found: str | None = connection.execute(query.order_by(c.id).limit(1)).scalar()
        return found

    def _made(
        self, held: Definitions, vendor: str, list_id: str, values: dict[str, Any]
    ) -> Audience:
        id = held.new_id("syn")
        given = checked({**values, "type": SYNCED_LIST})
        audience = held.add(None, {**given, "sync_source_id": id})
        row = {
            "organization": self._organization.id,
            "id": id,
            "vendor": vendor,
            "list_id": list_id,
            "audience": audience.id,
            "created_at": held.now,
            **dict.fromkeys(("profiles", "processed", "left_out"), 0),
        }
        held.connection.execute(sync_sources.insert().values(row))
        want(held.connection, self._organization.id, KIND, id, after_s=0)
        return audience

    def want(self, audience_id: str) -> str:
        """The id of the job that syncs the audience, now.

        One that failed and waits for its next try is that job. Raises NotFound, Invalid for an
        audience that no list is of, Conflict where a sync is in progress.
        """
        own = self._organization.id
        with self._database.writing() as connection:
            counting.lock(connection, own)
            audience = get(connection, own, audience_id)
            if audience.type != SYNCED_LIST:
                raise Invalid("Audience is not a synced list")
            if audience.sync_source_id is None:
                raise Invalid("Audience has no sync source")
            if audience.archived:
                raise Conflict("Audience is archived")
            row = connection.execute(self._of(audience.id)).one()
            self._keys.check(connection, row.vendor)
            alive = [one for one in _jobs(connection, row) if one.state != "FAILED"]
            if any(one.state == "RUNNING" or one.attempts == 0 for one in alive):
                raise Conflict("Sync already in progress")
            return want(connection, own, KIND, row.id, after_s=0)

    def get(self, audience_id: str) -> Sync | None:
        """The sync of an audience; None where no list is of it."""
        with self._database.reading() as connection:
            row = connection.execute(self._of(audience_id)).first()
            return None if row is None else _told(row, _jobs(connection, row))

    def job(self, sync_id: str) -> str | None:
        """The id of the job of a sync that waits or runs."""
        with self._database.reading() as connection:
            alive = jobs.states(connection, self._organization.id, ("RUNNING", "QUEUED"))
        return next((one.id for one in alive if (one.kind, one.key) == (KIND, sync_id)), None)

    def _of(self, audience_id: str) -> Any:
        mine = sync_sources.c.organization == self._organization.id
        return select(sync_sources).where(mine, sync_sources.c.audience == audience_id)


def _is_primary() -> Any:
    same = audiences.c.organization == sync_sources.c.organization
    return same & (audiences.c.sync_source_id == sync_sources.c.id)


def _jobs(connection: Connection, row: Row[Any]) -> list[JobState]:
    """Those of a source that wait, run, or failed; the newest first."""
    found = jobs.states(connection, row.organization)
    return [one for one in found if (one.kind, one.key) == (KIND, row.id)]


def _told(row: Row[Any], found: Sequence[JobState]) -> Sync:
    told: dict[str, Any] = {name: row._mapping.get(name) for name in Sync.__slots__}
    data = None if row.data is None else exact_json.loads(row.data)
    status, error = _status(row, found)
    return Sync(**{**told, "data": data, "status": status, "error": error})


def _status(row: Row[Any], found: Sequence[JobState]) -> tuple[str, str | None]:
    """How it stands, and why the last try failed."""
    for state, status in (("RUNNING", "IN_PROGRESS"), ("QUEUED", "PENDING")):
        if (job := next((one for one in found if one.state == state), None)) is not None:
            return status, job.error
    since = row.ended_at or 0
    for job in found:
        if job.finished_at is not None and job.finished_at > since:
            return "FAILED", job.error
    if row.error is not None:
        return "FAILED", row.error
    return "PENDING" if row.last_synced_at is None else "COMPLETED", None


def due(connection: Connection) -> list[tuple[str, str]]:
    """The organization and the id of each source whose audience wants to be refreshed by now."""
    s, instant = sync_sources.c, now(connection)
    interval = cast(audiences.c.refresh_interval, BigInteger) * SECOND
    recent = _job(
        or_(
            all_jobs.c.state.in_(("QUEUED", "RUNNING")),
            all_jobs.c.finished_at > instant - interval,
        )
    )
    query = (
        select(s.organization, s.id)
        .join(audiences, _is_primary())
        .where(audiences.c.archived.is_(False), audiences.c.refresh_interval.is_not(None))
        .where(func.coalesce(s.ended_at, s.created_at) + interval <= instant, ~recent)
    )
    return [(row.organization, row.id) for row in connection.execute(query)]


def settle_old(connection: Connection) -> None:
    """Passes that nobody will end have failed, and nothing that they have read is kept."""
    c = sync_sources.c
    left = c.job.is_not(None) & ~_job(all_jobs.c.state.in_(("QUEUED", "RUNNING")))
    ended = {**ENDED, "ended_at": now(connection), "error": LEFT}
    connection.execute(update(sync_sources).where(left).values(**ended))
    read = sync_profiles.c
    begun = exists().where(
        c.organization == read.organization, c.id == read.source, c.job.is_not(None)
    )
    connection.execute(delete(sync_profiles).where(~begun))


def _job(condition: Any) -> Any:
    """Whether a source has a job of which that is true."""
    return exists().where(
        all_jobs.c.organization == sync_sources.c.organization,
        all_jobs.c.kind == KIND,
        all_jobs.c.key == sync_sources.c.id,
        condition,
    )
