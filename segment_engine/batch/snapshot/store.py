"""A snapshot on disk: a folder of files that are never changed, and the list of them.

It is a cache. What is damaged, or made by other versions, is made anew; deleting it loses nothing.
`snapshot.json` takes its new state in one step, after all that it names is on the disk.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from segment_engine.batch.bitmaps import Words
from segment_engine.batch.snapshot.encoding import Encoded, Kind, Rows
from segment_engine.errors import OutputError

LIST, LOCK = "snapshot.json", ".lock"
FORMAT = "segment-engine snapshot 1"
MADE_BY = {name: version(name) for name in ("polars", "duckdb", "tzdata", "segment-engine")}


@dataclass
class ValueFiles:
    """Where a value is kept, and the digests of the columns that it was made of."""

    made_of: dict[str, str]
    kind: Kind
    rows: int
    file: str


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
class State:
    """All that a snapshot holds."""

    made_by: dict[str, str] = field(default_factory=lambda: dict(MADE_BY))
    source: str | None = None
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

    @contextmanager
    def locked(self) -> Iterator[State]:
        """What is there; OutputError where the folder is another's, or cannot be written."""
        with _reported(self._path):
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check()
            lock = open(self._path / LOCK, "wb")  # noqa: SIM115 - closed below
        with lock:
            with _reported(self._path):
                fcntl.flock(lock, fcntl.LOCK_EX)
            state = self._state()
            self._sizes = state.sizes
            yield state

    def _check(self) -> None:
        held = set(os.listdir(self._path)) - {LOCK}
        if held and LIST not in held and not all(name.startswith(_OURS) for name in held):
            raise OutputError(f"{self._path} is not empty and holds no snapshot; name a new folder")

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
            return State(**told, segments=segments)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return State()

    def publish(self, state: State) -> None:
        """Makes the state that of the snapshot, and deletes the files that it does not name."""
        used = {LIST, LOCK}
        for segment in state.segments:
            used |= {segment.ids, *(one.file for one in segment.predicates.values())}
            for value in segment.values.values():
                used |= {f"{value.file}.bits", f"{value.file}.arrow"}
        state.sizes = {name: size for name, size in self._sizes.items() if name in used}
        with _reported(self._path):
            fresh = self._path / f"{_OURS}{secrets.token_hex(8)}.json"
            with open(fresh, "w", encoding="utf-8") as file:
                json.dump({"format": FORMAT, **asdict(state)}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._path / LIST)
        for name in set(os.listdir(self._path)) - used:
            with suppress(OSError):
                os.unlink(self._path / name)

    def whole(self, name: str) -> bool:
        """Whether a file is as long as it was written."""
        try:
            return os.stat(self._path / name).st_size == self._sizes.get(name)
        except OSError:
            return False

    # ---- what the files hold

    def write_value(self, encoded: Encoded, made_of: dict[str, str]) -> ValueFiles:
        """Writes a value."""
        name = f"{_OURS}{secrets.token_hex(8)}"
        if encoded.bits.size:
            self._write(f"{name}.bits", lambda file: file.write(encoded.bits.data.cast("B")))
        self.write_series(encoded.distinct, f"{name}.arrow")
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
        name = f"{_OURS}{secrets.token_hex(8)}.bits"
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
        return np.memmap(self._path / name, np.uint64, "r", 8 * words * row, (words,))

    def write_series(self, values: pl.Series, name: str = "") -> str:
        """Writes one column; the name of the file."""
        name = name or f"{_OURS}{secrets.token_hex(8)}.arrow"
        # Arrow reads no whole numbers of 128 bits: they are texts, under the name of their type.
        wide = values.dtype in (pl.Int128, pl.UInt128)
        frame = pl.DataFrame({str(values.dtype): values.cast(pl.String)} if wide else {"": values})
        self._write(name, lambda file: frame.write_ipc(file, compression="uncompressed"))
        return name

    def series(self, name: str) -> pl.Series:
        """One column, mapped."""
        with pa.memory_map(str(self._path / name)) as file:
            table = pa.ipc.open_file(file).read_all()
        column = table.column(0)
        found = pl.Series(column.chunk(0) if column.num_chunks == 1 else column)
        (wide,) = table.column_names
        return found.cast(getattr(pl, wide)) if wide else found

    def _write(self, name: str, write: Any) -> None:
        with _reported(self._path), open(self._path / name, "xb", opener=_private) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            self._sizes[name] = file.tell()


_OURS = "part-"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        reason = fault.strerror or str(fault)
        raise OutputError(f"the snapshot in {path} cannot be written: {reason}") from None
    except (pl.exceptions.PolarsError, pa.ArrowException) as fault:
        raise OutputError(f"the snapshot in {path} cannot be written: {fault}") from None
