"""A snapshot on disk: a folder of files that are never changed, and the list of them.

It is a cache. What is missing, cut short or made by other versions is made anew; deleting it loses
nothing.
`snapshot.json` takes its new state in one step, after all that it names is on the disk.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from segment_engine import __version__
from segment_engine.batch.bitmaps import Words
from segment_engine.batch.files import reported, take
from segment_engine.batch.snapshot.encoding import Encoded, Kind, Rows
from segment_engine.batch.snapshot.overlay import Overlay
from segment_engine.errors import OutputError
from segment_engine.values.zones import tzdata_version

LIST, LOCK = "snapshot.json", "snapshot.lock"
OURS = re.compile(r"segment-[0-9a-f]{16}\.(?:bits|arrow|json)")
FORMAT, VERSION = "segment-engine snapshot", 4
MADE_BY = {
    "segment-engine": f"{__version__}, format {VERSION}",
    "polars": pl.__version__,
    "duckdb": duckdb.__version__,
    "tzdata": tzdata_version(),
}


@dataclass
class ValueFiles:
    """Where a value is kept, and the digests of the columns that it was made of."""

    made_of: dict[str, str]
    kind: Kind
    rows: int
    file: str
    unused: int = 0
    """Changes of the snapshot since a run asked for it."""


@dataclass
class PredicateRow:
    """Where the bits of a predicate are kept, and the digests of the columns that it reads."""

    made_of: dict[str, str]
    file: str
    row: int


@dataclass
class Segment:
    """What is kept of one tile; `digests` are by column, values and predicates by their keys."""

    size: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    ids: str = ""
    values: dict[str, ValueFiles] = field(default_factory=dict)
    predicates: dict[str, PredicateRow] = field(default_factory=dict)


@dataclass
class Seen:
    """A column that grows with each change of a consumer, its type, and how far it was read."""

    column: str
    kind: str
    greatest: str | None


@dataclass
class State:
    """All that a snapshot holds.

    `token` is another one whenever consumers are others. `overlay` is the file of those that were
    changed since the segments were made, when the source's fingerprint was `base`; `tokens` are the
    last that there were since then.
    """

    made_by: dict[str, str] = field(default_factory=lambda: dict(MADE_BY))
    token: str = ""
    overlay: str = ""
    seen: Seen | None = None
    source: str | None = None
    base: str | None = None
    tokens: list[str] = field(default_factory=list)
    id_column: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    """Of each file, in bytes."""


class Store:
    """The files of a snapshot; one run has them at a time, another one waits."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._sizes: dict[str, int] = {}
        self._mapped: dict[str, Words] = {}

    @contextmanager
    def locked(self) -> Iterator[State]:
        """What is there; OutputError where the folder is another's, or cannot be written."""
        with self._reported():
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check()
            lock = open(self._path / LOCK, "wb")  # noqa: SIM115 - closed below
        with lock:
            with self._reported():
                take(lock.fileno(), wait=True)
            state = self._state()
            self._sizes = state.sizes
            self._remove_but(self._used(state))  # what a run that was killed has left
            yield state

    def seen(self) -> State:
        """What is there now; a run may be changing it, and files that it names be gone soon."""
        state = self._state()
        self._sizes = state.sizes
        return state

    def _reported(self) -> AbstractContextManager[None]:
        return reported(f"the snapshot in {self._path}")

    def _check(self) -> None:
        others = (set(os.listdir(self._path)) - {LOCK, LIST}) - self._ours()
        if others or not self._is_ours():
            raise OutputError(
                f"{self._path} holds {min(others, default=LIST)!r}, which is of no snapshot; "
                "name a new folder"
            )

    def _ours(self) -> set[str]:
        return {name for name in os.listdir(self._path) if OURS.fullmatch(name)}

    def _is_ours(self) -> bool:
        """Whether the list may be replaced: there is none, it is one, or it is damaged."""
        try:
            told = json.loads((self._path / LIST).read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return True
        return isinstance(told, dict) and told.get("format") == FORMAT

    def _state(self) -> State:
        try:
            told = json.loads((self._path / LIST).read_bytes())
            if told.pop("format") != FORMAT or told["made_by"] != MADE_BY:
                return State()
            segments = [
                Segment(
                    **{
                        **one,
                        "values": {k: ValueFiles(**v) for k, v in one["values"].items()},
                        "predicates": {k: PredicateRow(**v) for k, v in one["predicates"].items()},
                    }
                )
                for one in told.pop("segments")
            ]
            seen = told.pop("seen")
            state = State(**told, seen=Seen(**seen) if seen else None, segments=segments)
            return state if isinstance(state.sizes, dict) else State()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return State()

    def publish(self, state: State) -> None:
        """Makes the state that of the snapshot, and deletes the files that it does not name."""
        used = self._used(state)
        state.sizes = {name: size for name, size in self._sizes.items() if name in used}
        with self._reported():
            fresh = self._path / f"segment-{secrets.token_hex(8)}.json"
            with open(fresh, "w", encoding="utf-8") as file:
                json.dump({"format": FORMAT, **asdict(state)}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._path / LIST)
        self._remove_but(used)

    @staticmethod
    def _used(state: State) -> set[str]:
        used = {state.overlay}
        for segment in state.segments:
            used |= {segment.ids, *(one.file for one in segment.predicates.values())}
            for value in segment.values.values():
                used |= {f"{value.file}.bits", f"{value.file}.arrow"}
        return used

    def _remove_but(self, used: set[str]) -> None:
        for name in self._ours() - used:
            with suppress(OSError):
                os.unlink(self._path / name)

    def whole(self, name: str) -> bool:
        """Whether a file is as long as it was written."""
        try:
            return os.stat(self._path / name).st_size == self._sizes.get(name)
        except OSError:
            return False

    # ---- what the files hold

    def overlay(self, state: State) -> Overlay | None:
        """Those that were changed since; None for none, and where the file is damaged."""
        return Overlay(self.frame(state.overlay)) if self.whole(state.overlay) else None

    def write_value(self, encoded: Encoded, made_of: dict[str, str]) -> ValueFiles:
        """Writes a value."""
        name = f"segment-{secrets.token_hex(8)}"
        if encoded.bits.size:
            self._write(f"{name}.bits", lambda file: file.write(encoded.bits.data.cast("B")))
        self.write_series(encoded.loaded, f"{name}.arrow")
        return ValueFiles(made_of, encoded.kind, len(encoded.bits), name)

    def value(self, held: ValueFiles, size: int) -> Encoded | None:
        """A value as it was written; None where it is not there any more."""
        if not self.whole(f"{held.file}.arrow"):
            return None
        bits = self.bits(f"{held.file}.bits", held.rows, size)
        if bits is None:
            return None
        return Encoded(held.kind, size, bits, lambda: self.series(f"{held.file}.arrow"))

    def write_bits(self, rows: list[Words]) -> str:
        """Writes rows of bits; the name of the file."""
        name = f"segment-{secrets.token_hex(8)}.bits"
        self._write(name, lambda file: [file.write(row.tobytes()) for row in rows])
        return name

    def bits(self, name: str, rows: int, size: int) -> Rows | None:
        """Rows of bits, mapped; None where the file is not what was written."""
        words = -(-size // 64)
        if rows == 0 or words == 0:
            return np.empty((rows, words), np.uint64)
        if not self.whole(name):
            return None
        return np.memmap(self._path / name, np.uint64, "r", shape=(rows, words))

    def row(self, name: str, row: int, size: int) -> Words | None:
        """One row of a file of bits, mapped; None where the file is not what was written."""
        words = -(-size // 64)
        if not self.whole(name):
            return None
        if not words:
            return np.empty(0, np.uint64)
        if name not in self._mapped:
            self._mapped[name] = np.asarray(np.memmap(self._path / name, np.uint64, "r"))
        return self._mapped[name][words * row : words * (row + 1)]

    def write_series(self, values: pl.Series, name: str = "") -> str:
        """Writes one column; the name of the file."""
        return self.write_frame(pl.DataFrame({"": values}), name)

    def write_ids(self, ids: Any) -> str:
        """Writes ids, as an Arrow array; the name of the file."""
        name, table = f"segment-{secrets.token_hex(8)}.arrow", pa.table({"": ids})

        def write(file: Any) -> None:
            with pa.ipc.new_file(file, table.schema) as ipc:
                ipc.write_table(table)

        self._write(name, write)
        return name

    def ids(self, name: str) -> Any:
        """Ids, mapped."""
        (found,) = self._columns(name).values()
        return found

    def series(self, name: str) -> pl.Series:
        """One column, mapped."""
        return self.frame(name).to_series()

    def write_frame(self, frame: pl.DataFrame, name: str = "") -> str:
        """Writes columns; the name of the file."""
        name = name or f"segment-{secrets.token_hex(8)}.arrow"
        # Arrow reads no whole numbers of 128 bits: they are texts, under the name of their type.
        columns = {
            f"{one.dtype if one.dtype in _WIDE else ''}:{one.name}": (
                one.cast(pl.String) if one.dtype in _WIDE else one
            )
            for one in frame
        }
        kept, size = pl.DataFrame(columns), max(1, len(frame))
        # What lies in one piece can be mapped as it is.
        self._write(name, lambda file: kept.write_ipc(file, record_batch_size=size))
        return name

    def frame(self, name: str) -> pl.DataFrame:
        """Columns, mapped."""
        found: dict[str, pl.Series] = {}
        for told, column in self._columns(name).items():
            wide, _, own = told.partition(":")
            values = pl.Series(column)
            found[own] = values.cast(getattr(pl, wide)) if wide else values
        return pl.DataFrame(found)

    def _columns(self, name: str) -> dict[str, Any]:
        """The columns of a file, each in one piece."""
        try:
            with pa.memory_map(str(self._path / name)) as file:
                table = pa.ipc.open_file(file).read_all()
        except (OSError, pa.ArrowException) as fault:
            raise OutputError(
                f"{self._path / name} is damaged ({fault}); delete the snapshot, it is a cache"
            ) from None
        return {
            told: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
            for told, column in zip(table.column_names, table.columns, strict=True)
        }

    def _write(self, name: str, write: Any) -> None:
        with self._reported(), open(self._path / name, "xb", opener=_private) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            self._sizes[name] = file.tell()


def new_token() -> str:
    """One that nobody has."""
    return secrets.token_hex(8)


_WIDE = (pl.Int128, pl.UInt128)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
