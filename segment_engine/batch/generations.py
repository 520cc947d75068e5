"""Published runs, for readers: each is a generation, the one of the highest number is the newest.

`OUT/generations/000007/` holds manifest.json, bitmaps.parquet (the index), bitmaps.bin (the pack)
and, where the run gave them, predicates.parquet. A folder without a manifest is no generation: of
one that was not kept the pack stays for as long as a kept one refers to it.
"""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from segment_engine.batch.bitmaps import Bitmap
from segment_engine.batch.files import reported
from segment_engine.batch.folder import (
    GENERATIONS,
    IDS,
    INDEX,
    PACK,
    PREDICATES,
    folder_of,
    numbered,
    refuse_earlier,
)
from segment_engine.batch.manifest import MANIFEST, Manifest, read_manifest
from segment_engine.batch.memberships import Memberships, Predicate
from segment_engine.batch.ordinals import Ordinals
from segment_engine.batch.packs import Pack, read_index, stored
from segment_engine.errors import OutputError, RunError, SegmentError


class Generations:
    """The published runs in a folder; each call looks at the folder anew."""

    def __init__(self, out: str | Path) -> None:
        """`out` as it was given to the run."""
        self._out, self._path = out, Path(out)

    def numbers(self) -> list[int]:
        """The numbers of the generations that can be opened, ascending."""
        with reported(self._out, "read"):
            refuse_earlier(self._out, self._path)
            return [n for n in numbered(self._path) if (self._folder(n) / MANIFEST).exists()]

    def newest(self) -> "Generation":
        """The newest generation. Raises OutputError where there is none, or it is damaged."""
        while numbers := self.numbers():
            try:
                return self._open(numbers[-1])
            except OutputError:
                # Runs that follow each other fast and keep little may have removed it since.
                if numbers[-1] in self.numbers():
                    raise
        raise OutputError(f"{self._out} holds no generation; a run of `materialize` publishes one")

    def open(self, number: int) -> "Generation":
        """The generation of a number. Raises OutputError where there is none, or it is damaged."""
        numbers = self.numbers()
        if number not in numbers:
            there = ", ".join(map(str, numbers)) or "none"
            raise OutputError(f"{self._out} holds no generation {number}; there are: {there}")
        return self._open(number)

    def _open(self, number: int) -> "Generation":
        folder = self._folder(number)
        with reported(folder, "read"):
            manifest = read_manifest(folder / MANIFEST)
        bitmaps = stored(read_index(folder / INDEX), lambda pack: Pack(self._folder(pack) / PACK))
        return Generation(self._path, manifest, bitmaps)

    def _folder(self, number: int) -> Path:
        return self._path / GENERATIONS / folder_of(number)


class Generation:
    """A published run. Members are read when they are asked for, whatever is removed meanwhile.

    Raises OutputError, which names the file and the audience, where they are damaged; the other
    audiences can be read all the same.
    """

    def __init__(self, out: Path, manifest: Manifest, bitmaps: Mapping[str | None, Bitmap]) -> None:
        """Made by `Generations`."""
        self._out, self.manifest, self._bitmaps = out, manifest, bitmaps

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return self.manifest.number

    @property
    def everybody(self) -> Bitmap:
        """The ordinals of the consumers of the run."""
        return self._bitmaps.get(None, Bitmap({}))

    @cached_property
    def audiences(self) -> dict[str, Bitmap]:
        """The members of each audience by ordinal, those carried over too."""
        return {key: self._bitmaps.get(key, Bitmap({})) for key in self.manifest.audiences}

    @cached_property
    def failed(self) -> dict[str, SegmentError]:
        """The errors of the audiences that failed and have no members carried over."""
        return {
            key: RunError(f"audience {key!r} failed in generation {self.number}: {message}")
            for key, message in self.manifest.failed.items()
            if key not in self.manifest.carried
        }

    @cached_property
    def known_ids(self) -> pa.ChunkedArray:
        """The ids of all ordinals, also of those that were no consumers in this run."""
        return Ordinals(self._out / IDS, self.manifest.ordinals).ids

    @cached_property
    def memberships(self) -> Memberships:
        """The run, as it was published."""
        ids = self.known_ids
        if len(self.everybody) < len(ids):
            held = np.zeros(len(ids), np.bool_)
            held[self.everybody.ordinals()] = True
            ids = pc.if_else(pa.chunked_array([held]), ids, pa.scalar(None, ids.type))
        counted: list[dict[str, Any]] = []
        with suppress(OutputError):  # members do not depend on them
            counted = [] if self.predicates is None else self.predicates.to_pylist()
        found = [
            Predicate(one["predicate"], one["count"], tuple(one["audiences"])) for one in counted
        ]
        return Memberships(ids, self.audiences, self.failed, found, self.manifest.basis)

    @cached_property
    def predicates(self) -> pa.Table | None:
        """`predicate`, `count` and `audiences`, those that have it; None where not published."""
        path = self._out / GENERATIONS / folder_of(self.number) / PREDICATES
        with reported(path, "read"):
            return pq.read_table(path) if path.exists() else None

    def __repr__(self) -> str:
        return f"<Generation {self.number} of {len(self.audiences)} audiences>"
