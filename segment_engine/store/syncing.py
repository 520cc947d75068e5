"""The job of a sync: a list is read whole, then put in part by part, then it is the members.

What was read commits with the cursor of what follows, and a part with how far the sync has come,
while the job is held: whoever goes on does so from there. As long as the list is not read whole no
consumer is changed, and the members follow at the end, all at once.

A list that changes while it is read may miss people or repeat them: who has joined since the pass
began is read once more, and each profile counts once. Who leaves meanwhile leaves with the next
sync.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from pyroaring import BitMap
from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from segment_engine.batch.bitmaps import bitmap_of
from segment_engine.errors import Invalid, StoreError
from segment_engine.store import audience_rows, counting, exact_json, members
from segment_engine.store.attributes import MOST_NAME, is_speakable, name_of
from segment_engine.store.database import as_one, now
from segment_engine.store.defining import get
from segment_engine.store.jobs import SECOND, Job, Jobs
from segment_engine.store.matching import is_one_of
from segment_engine.store.records import Audience
from segment_engine.store.store import OrganizationStore
from segment_engine.store.syncs import ENDED, PUT, READ, RECENT
from segment_engine.store.tables import identities, sync_profiles, sync_sources
from segment_engine.syncing.source import CursorGone, Listed, Profile, SyncFault, SyncSource
from segment_engine.syncing.source import Read as Page
from segment_engine.syncing.vendors import VENDORS

PART = 2_000
"""Profiles of a part."""
CLOCKS = 300 * SECOND
"""How far the clock of a vendor may be behind the database's."""
MOST_AGE = 6 * 3_600 * SECOND
"""Of a pass that goes on; behind a service that was down for longer it begins anew."""
MOST_ID = 255
_NEXT = {READ: RECENT, RECENT: PUT}
_ARCHIVED = "the audience is archived"

Progress = Callable[[int, int], None]


def run(shop: OrganizationStore, job: Job, progress: Progress | None = None) -> str:
    """Syncs the source that is the job's key, and ends the job; what there is to be logged of it.

    `progress` is told the profiles put in and those that were read. Raises StoreError where the
    same may work later, and Lost.
    """
    return _Pass(shop, job, progress or (lambda done, total: None)).run()


class _Pass:
    def __init__(self, shop: OrganizationStore, job: Job, progress: Progress) -> None:
        self._shop, self._job, self._progress = shop, job, progress
        self._own = shop.organization.id
        self._database = shop.store.database
        self._mine = (sync_sources.c.organization == self._own, sync_sources.c.id == job.key)

    def run(self) -> str:
        try:
            row, source = self._begun()
            with closing(source):
                self._read(source, row)
            return self._put()
        except SyncFault as fault:
            if fault.temporary and not self._shop.store.jobs.is_last(self._job):
                raise StoreError(fault.message) from None
            return self._failed(fault.message)
        except Invalid as fault:
            return self._failed(fault.message)

    def _begun(self) -> tuple[Row[Any], SyncSource]:
        """The source as it is, and its vendor."""
        with self._database.writing() as connection:
            Jobs.holds(connection, self._job)
            row = self._row(connection)
            self._audience(connection, row)
            key = self._shop.vendor_keys.get(connection, row.vendor)
        return row, VENDORS[row.vendor](key, self._shop.store.addresses[row.vendor])

    def _row(self, connection: Connection) -> Row[Any]:
        return connection.execute(select(sync_sources).where(*self._mine)).one()

    def _audience(self, connection: Connection, row: Row[Any]) -> Audience:
        found = get(connection, self._own, row.audience)
        if found.archived:
            raise SyncFault(_ARCHIVED)
        return found

    # ---- reading the list

    def _read(self, source: SyncSource, row: Row[Any]) -> None:
        if not self._goes_on(row):
            row = self._anew(source.find(row.list_id))
        try:
            self._read_on(source, row)
        except CursorGone:
            self._read_on(source, self._anew(source.find(row.list_id)))

    def _goes_on(self, row: Row[Any]) -> bool:
        """Whether the pass is this job's, and what it has read is still of the list as it is."""
        with self._database.reading() as connection:
            return bool(row.job == self._job.id and row.began_at > now(connection) - MOST_AGE)

    def _anew(self, listed: Listed) -> Row[Any]:
        """A pass begins; of one before nothing is kept."""
        with self._database.writing() as connection:
            Jobs.holds(connection, self._job)
            self._forget(connection)
            begun = {
                **dict.fromkeys(("profiles", "processed", "left_out"), 0),
                **ENDED,
                "job": self._job.id,
                "phase": READ,
                "began_at": now(connection),
                "name": listed.name if is_speakable(listed.name) else listed.id,
                "data": exact_json.dumps(dict(listed.data)),
            }
            self._change(connection, **begun)
            return self._row(connection)

    def _read_on(self, source: SyncSource, row: Row[Any]) -> None:
        phase, cursor = row.phase, row.cursor
        while phase != PUT:
            since = None if phase == READ else row.began_at - CLOCKS
            page = source.read(row.list_id, cursor, since)
            cursor = page.cursor
            phase = _NEXT[phase] if cursor is None else phase
            self._progress(0, self._kept(page, row.vendor, phase))

    def _kept(self, page: Page, vendor: str, phase: str) -> int:
        """A page is kept, and what follows it; how many profiles there are by now."""
        told = {one.id: _told(one, vendor) for one in page.profiles}
        if not all(len(id) <= MOST_ID and is_speakable(id) for id in told):
            raise SyncFault("the list has a profile whose id cannot be kept")
        same = {"organization": self._own, "source": self._job.key}
        rows = [{**same, "profile": id, "told": text} for id, text in told.items()]
        with self._database.writing() as connection:
            Jobs.advances(connection, self._job)
            known = is_one_of(connection, sync_profiles.c.profile, list(told))
            again = select(func.count()).where(*self._read_by_now(), known)
            new = len(rows) - connection.execute(again).scalar_one()
            if rows:
                connection.execute(_put_in_place(connection), rows)
            profiles = int(self._row(connection).profiles) + new
            self._change(connection, phase=phase, cursor=page.cursor, profiles=profiles)
        return profiles

    def _read_by_now(self) -> tuple[Any, ...]:
        c = sync_profiles.c
        return c.organization == self._own, c.source == self._job.key

    # ---- putting it in

    def _put(self) -> str:
        with self._database.reading() as connection:
            row = self._row(connection)
        held = BitMap.deserialize(row.members) if row.members else BitMap()
        done, processed = row.cursor or "", row.processed
        while part := self._part(done):
            with as_one():
                held = held | self._put_part(row.vendor, part, held)
            done, processed = part[-1].profile, processed + len(part)
            self._progress(processed, row.profiles)
        self._completed(held)
        return f"profiles={processed}"

    def _part(self, done: str) -> Sequence[Any]:
        """The profiles behind that one: in the same order in every sync."""
        profile, told = sync_profiles.c.profile, sync_profiles.c.told
        behind = select(profile, told).where(*self._read_by_now(), profile > done)
        with self._database.reading() as connection:
            return connection.execute(behind.order_by(profile).limit(PART)).all()

    def _put_part(self, vendor: str, part: Sequence[Any], held: BitMap) -> BitMap:
        """The ordinals of those whom profiles are; `held` are those of the parts before."""
        with self._database.writing() as connection:
            counting.lock(connection, self._own)
            known = self._identities(connection, vendor, [row.profile for row in part])
        rows = [_given(row, known) for row in part]
        put = self._shop.consumers.fill(rows, held)
        whom = {row.profile: one.id for row, one in zip(part, put.rows, strict=True) if one}
        wrong = {problem.field.split(".")[1] for problem in put.problems}
        ordinals = BitMap(self._shop.consumers.ordinals_of([*whom.values()]).values())
        with self._database.writing() as connection:
            Jobs.advances(connection, self._job)
            self._identify(connection, vendor, {k: v for k, v in whom.items() if k not in known})
            self._change(
                connection,
                cursor=part[-1].profile,
                processed=sync_sources.c.processed + len(part),
                left_out=sync_sources.c.left_out + len(wrong),
                members=(held | ordinals).serialize(),
            )
        return ordinals

    def _identities(
        self, connection: Connection, vendor: str, profiles: Sequence[str]
    ) -> dict[str, str]:
        """The ids of the consumers whom profiles are known to be."""
        c = identities.c
        mine = c.organization == self._own, c.vendor == vendor
        given = is_one_of(connection, c.profile, profiles)
        query = select(c.profile, c.consumer).where(*mine, given)
        return {row.profile: row.consumer for row in connection.execute(query)}

    def _identify(self, connection: Connection, vendor: str, whom: Mapping[str, str]) -> None:
        same = {"organization": self._own, "vendor": vendor}
        rows = [{**same, "profile": one, "consumer": id} for one, id in whom.items()]
        if rows:
            connection.execute(insert(identities), rows)

    # ---- the end

    def _completed(self, held: BitMap) -> None:
        """The members, the end of the pass and of its job are one."""
        with self._database.writing() as connection:
            counting.lock(connection, self._own)
            row = self._row(connection)
            audience = self._audience(connection, row)
            given = bitmap_of(held.to_array())
            if given != members.members_of(connection, self._own, audience.id):
                members.put(connection, self._own, audience.id, given)
            Jobs.done(connection, self._job)  # before the source, as whoever holds both takes them
            self._call(connection, audience, row)
            instant = now(connection)
            self._end(connection, last_synced_at=instant, ended_at=instant, error=None)

    def _call(self, connection: Connection, audience: Audience, row: Row[Any]) -> None:
        """An audience that nobody gave a name is called as its list."""
        if audience.name != row.list_id or row.last_synced_at is not None:
            return
        name = name_of(row.name.strip()[:MOST_NAME] or row.list_id)
        called = replace(audience, name=name, updated_at=now(connection))
        audience_rows.write(connection, self._own, audience, called)

    def _failed(self, reason: str) -> str:
        """Nothing that was read is kept."""
        with self._database.writing() as connection:
            Jobs.given_up(connection, self._job, reason)
            self._end(connection, ended_at=now(connection), error=reason)
        return f"failed: {reason}"

    def _end(self, connection: Connection, **told: Any) -> None:
        self._forget(connection)
        self._change(connection, **ENDED, **told)

    def _forget(self, connection: Connection) -> None:
        connection.execute(delete(sync_profiles).where(*self._read_by_now()))

    def _change(self, connection: Connection, **told: Any) -> None:
        connection.execute(update(sync_sources).where(*self._mine).values(**told))


def _told(profile: Profile, vendor: str) -> str:
    """What a profile gives a consumer, as JSON; a text that no database keeps is a wrong one."""
    given = {
        "externalId": profile.external_id,
        "email": profile.email,
        "phone": profile.phone,
        "fullName": profile.full_name,
    }
    texts = {key: one if is_speakable(one) else "\0" for key, one in given.items() if one}
    return exact_json.dumps({**texts, "metadata": {vendor: dict(profile.data)}})


def _given(row: Row[Any], known: Mapping[str, str]) -> dict[str, Any]:
    """What is given to the consumer whom the profile is known to be, or to whom it means."""
    id = {"id": known[row.profile]} if row.profile in known else {}
    return {**exact_json.loads(row.told), **id}


def _put_in_place(connection: Connection) -> Any:
    """Keeps profiles, of each what was read last."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(sync_profiles)
    return statement.on_conflict_do_update(
        index_elements=["organization", "source", "profile"],
        set_={"told": statement.excluded.told},
    )
