"""Runs: the members of all audiences of an organization, published as its next generation."""

from pathlib import Path
from typing import Any

from segment_engine.batch.bitmaps import Bitmap
from segment_engine.batch.by_ordinal import basis_text, run_before
from segment_engine.batch.memberships import Memberships
from segment_engine.store.asking import asked
from segment_engine.store.consumers import Consumers
from segment_engine.store.database import Database
from segment_engine.store.generations import Draft, Found, Generation, Generations
from segment_engine.store.jobs import Job
from segment_engine.store.outcome import Before, Outcome, before
from segment_engine.store.previewing import FIRST, Preview, Previews
from segment_engine.store.records import Organization
from segment_engine.store.source import Defined, Reading
from segment_engine.store.views import Views


class Runs:
    """Runs over one organization on this host."""

    def __init__(
        self, database: Database, organization: Organization, folder: Path, views: Views
    ) -> None:
        """`folder` keeps the snapshots of this host."""
        self._database, self._id = database, organization.id
        self._snapshot = folder / organization.id
        self._consumers = Consumers(database, organization)
        self._generations = Generations(database, organization)
        self._previews = Previews(database, organization, views)

    def preview(self, rule: Any, first: int = FIRST) -> Preview:
        """The members of a rule that is not saved; see `Previews.preview`."""
        return self._previews.preview(rule, first)

    def run(self, job: Job | None = None) -> Generation:
        """Computes all audiences and publishes them, together with the end of the job.

        Raises Lost where another run was published meanwhile, or another worker has the job.
        """
        with self._database.reading() as connection:
            reading = Reading(connection, self._consumers, self._id)
            draft = self._draft(reading, before(connection, self._id))
        return self._generations.publish(draft, job)

    def _draft(self, reading: Reading, known: Before | None) -> Draft:
        run = self._asked(reading, known)
        erased = reading.erased()
        newly = reading.erased(known.generation.change_seq) if known else erased
        outcome = Outcome(known, reading.tiles, erased, newly)
        found = _Audiences(reading, known, run, outcome)
        return Draft(
            before=known.generation.number if known else 0,
            as_of=reading.as_of,
            change_seq=reading.organization.change_seq,
            definition_seq=reading.organization.definition_seq,
            consumers=reading.ordinals - sum(map(len, erased.values())),
            ordinals=reading.ordinals,
            asked=run.asked,
            basis=basis_text(run),
            audiences={key: found.of(one) for key, one in reading.audiences.items()},
        )

    def _asked(self, reading: Reading, known: Before | None) -> Memberships:
        if known is None:
            return asked(reading, self._snapshot, reading.rules, None, None)
        generation = known.generation
        held = {key: reading.bitmap(rows) for key, rows in known.rows.items()}
        empty = {key: Bitmap({}) for key in generation.audiences}
        since = run_before(generation.ordinals, empty | held, known.basis)
        return asked(reading, self._snapshot, reading.rules, since, generation.change_seq)


class _Audiences:
    """What becomes of each audience."""

    def __init__(
        self, reading: Reading, known: Before | None, run: Memberships, outcome: Outcome
    ) -> None:
        self._reading, self._known = reading, known
        self._run, self._outcome = run, outcome

    def of(self, audience: Defined) -> Found:
        key = audience.id
        if key in self._run.failed:
            return self._outcome.failed(key, self._before(key), self._run.failed[key])
        return self._outcome.found(key, audience.version, self._members(audience))

    def _before(self, key: str) -> Bitmap:
        return self._reading.bitmap(self._known.rows.get(key, ()) if self._known else ())

    def _members(self, audience: Defined) -> Bitmap:
        if audience.id in self._reading.rules:
            return self._run.bitmap(audience.id)
        # A dynamic audience without a rule has no members.
        return self._reading.members(audience.id)
