"""Publishing runs in a folder: a generation is there whole, or not at all.

It is written under another name, made durable and then renamed; whoever reads never sees a part.
New ids get their ordinals before. If the run dies in between, these stay and do no harm.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from segment_engine.batch.bitmaps import Bitmap, bitmap_of
from segment_engine.batch.files import remove, reported, settle, whole
from segment_engine.batch.folder import (
    GENERATIONS,
    IDS,
    INDEX,
    PACK,
    PREDICATES,
    folder_of,
    locked,
    numbered,
)
from segment_engine.batch.generations import Generation, Generations
from segment_engine.batch.manifest import (
    MANIFEST,
    About,
    Audience,
    Manifest,
    read_manifest,
    written,
)
from segment_engine.batch.memberships import Memberships, Predicate
from segment_engine.batch.ordinals import Ordinals
from segment_engine.batch.packs import Blob, PackWriter, read_index, write_index
from segment_engine.errors import OutputError
from segment_engine.values.zones import tzdata_version

KEEP, KEEP_FOR = 2, timedelta(hours=1)


def publish(memberships: Memberships, out: str | Path, about: About, **options: Any) -> Manifest:
    """Publish a run in a folder; see `Writer.publish` for the options and the errors."""
    with writing(out) as writer:
        return writer.publish(memberships, about, **options)


@contextmanager
def writing(out: str | Path) -> Iterator["Writer"]:
    """The folder for one run alone, from before it begins.

    Raises OutputError where another run has it, or where it holds what no run wrote.
    """
    with locked(out) as target:
        yield Writer(out, target)


class Writer:
    """Who may publish in a folder. Made by `writing`."""

    def __init__(self, out: str | Path, target: Path) -> None:
        self._out, self._target = out, target
        self._folder = target / GENERATIONS

    def before(self) -> Generation | None:
        """The newest generation so far; None where there is none, or it is damaged."""
        with suppress(OutputError):
            return Generations(self._target).newest()
        return None

    def publish(
        self,
        memberships: Memberships,
        about: About,
        *,
        keep: int = KEEP,
        keep_for: timedelta = KEEP_FOR,
    ) -> Manifest:
        """Publish a run as the next generation, and remove those that are not to be kept.

        Audiences that failed keep the members of the generation before, without those who are no
        consumers any more. The last `keep` generations stay, this one among them, and
        those younger than `keep_for`. Raises OutputError; what was published stays then.
        """
        if keep < 1:
            raise OutputError(f"at least 1 generation is kept, not {keep}")
        with reported(self._out):
            now = datetime.now(UTC)
            ordinals = Ordinals(self._target / IDS)
            held, audiences = _by_ordinal(memberships, ordinals)
            carried = _Carried(memberships, held)
            carried.take_from(Generations(self._target))
            manifest = Manifest(
                number=max(numbered(self._target), default=0) + 1,
                created=now,
                consumers=len(held),
                ordinals=len(ordinals),
                audiences=_told(audiences, about) | carried.told,
                failed=carried.failed,
                carried=carried.numbers,
                packs=(),
                as_of=about.as_of,
                timezone=about.timezone,
                tzdata=tzdata_version(),
                engine=about.engine,
                source=about.source,
                fingerprint=about.fingerprint,
                id_column=about.id_column,
                basis=memberships.basis,
            )
            kept = self._kept(keep, now - keep_for)
            bitmaps = {None: held, **audiences, **carried.bitmaps}
            manifest = self._write(
                manifest, bitmaps, _table(memberships.predicates), self._blobs(kept)
            )
            self._prune({**kept, manifest.number: manifest})
        return manifest

    def _kept(self, keep: int, since: datetime) -> dict[int, Manifest]:
        """The earlier generations that stay."""
        numbers = Generations(self._target).numbers()
        last = set(numbers[len(numbers) - keep + 1 :])
        manifests = {n: read_manifest(self._path(n) / MANIFEST) for n in numbers}
        return {n: m for n, m in manifests.items() if n in last or m.created > since}

    def _blobs(self, numbers: Mapping[int, Manifest]) -> dict[str, Blob]:
        """The blobs in the packs of those generations, as far as the files still hold them."""
        blobs: dict[str, Blob] = {}
        for number in numbers:
            with suppress(OutputError, FileNotFoundError):
                size = (self._path(number) / PACK).stat().st_size
                for row in read_index(self._path(number) / INDEX):
                    if row.pack == number and row.offset + row.length <= size:
                        blobs[row.hash] = Blob(row.pack, row.offset, row.length)
        return blobs

    def _write(
        self,
        manifest: Manifest,
        bitmaps: Mapping[str | None, Bitmap],
        predicates: pa.Table | None,
        known: Mapping[str, Blob],
    ) -> Manifest:
        """The generation's folder; the manifest, with the packs that it reads."""
        if not self._folder.exists():
            self._folder.mkdir()
            settle(self._target)
        with whole(self._path(manifest.number)) as fresh:
            fresh.mkdir()
            with open(fresh / PACK, "wb") as file:
                pack = PackWriter(manifest.number, file, known)
                rows = [row for key, found in bitmaps.items() for row in pack.rows(key, found)]
            write_index(fresh / INDEX, rows)
            if predicates is not None:
                pq.write_table(predicates, fresh / PREDICATES, compression="zstd")
            manifest = replace(manifest, packs=tuple(sorted({row.pack for row in rows})))
            (fresh / MANIFEST).write_bytes(written(manifest))
            for path in fresh.iterdir():
                settle(path)
        return manifest

    def _prune(self, kept: Mapping[int, Manifest]) -> None:
        """Removes the others; what cannot be removed now is by the next run."""
        packs = {pack for manifest in kept.values() for pack in manifest.packs}
        for number in numbered(self._target):
            if number in kept:
                continue
            with suppress(OSError):
                (self._path(number) / MANIFEST).unlink(missing_ok=True)  # now it is none
                if number not in packs:
                    remove(self._path(number))
                    continue
                for name in (INDEX, PREDICATES):
                    (self._path(number) / name).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._folder / folder_of(number)


class _Carried:
    """What audiences that failed take over from the generation before.

    `failed` are the messages; they tell also where the members before cannot be read.
    """

    def __init__(self, memberships: Memberships, held: Bitmap) -> None:
        self._held = held
        self.failed = {key: str(fault) for key, fault in memberships.failed.items()}
        self.bitmaps: dict[str | None, Bitmap] = {}
        self.numbers: dict[str, int] = {}
        self.told: dict[str, Audience] = {}

    def take_from(self, generations: Generations) -> None:
        """The members of the newest generation, where there is one."""
        if not self.failed or not generations.numbers():
            return
        before: Generation | None = None
        for key in self.failed:
            try:
                before = before or generations.newest()
                self._take(key, before)
            except OutputError as fault:
                self.failed[key] += f"\nits members before cannot be carried over: {fault}"

    def _take(self, key: str, before: Generation) -> None:
        if key in before.audiences:
            members = before.audiences[key] & self._held
            self.bitmaps[key] = members
            self.numbers[key] = before.manifest.carried.get(key, before.number)
            self.told[key] = replace(before.manifest.audiences[key], count=len(members))


def _by_ordinal(
    memberships: Memberships, ordinals: Ordinals
) -> tuple[Bitmap, dict[str | None, Bitmap]]:
    """Who the consumers are, and the members of each audience, by the folder's ordinals."""
    ids = memberships.ids
    audiences: dict[str | None, Bitmap] = {key: memberships.bitmap(key) for key in memberships}
    places = np.arange(len(ids))
    if ids.null_count:
        places = places[ids.is_valid().to_numpy()]
    given = ordinals.assign(ids.drop_null() if ids.null_count else ids)
    held = bitmap_of(given)
    if np.array_equal(places, given):
        return held, audiences
    moved = np.zeros(len(ids), np.uint32)
    moved[places] = given
    return held, {key: bitmap_of(moved[one.ordinals()]) for key, one in audiences.items()}


def _told(audiences: Mapping[str | None, Bitmap], about: About) -> dict[str, Audience]:
    return {
        key: Audience(len(found), about.rules.get(key), about.seconds.get(key))
        for key, found in audiences.items()
        if key is not None
    }


def _table(predicates: Sequence[Predicate]) -> pa.Table | None:
    """A row a predicate: how many consumers it is true for, and the audiences that have it."""
    if not predicates:
        return None
    return pa.table(
        {
            "predicate": pa.array([one.text for one in predicates], pa.string()),
            "count": pa.array([one.count for one in predicates], pa.uint32()),
            "audiences": pa.array([one.audiences for one in predicates], pa.list_(pa.string())),
        }
    )
