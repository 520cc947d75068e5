"""Runs a graph's program over the bits of one tile."""

import os
from collections.abc import Callable, Sequence
from tempfile import TemporaryFile, gettempdir
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segment_engine.batch.bitmaps import Words
from segment_engine.batch.graph import Does, Program
from segment_engine.errors import OutputError

_DOES: dict[Does, Callable[..., Any]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
_ALONE: dict[Does, Callable[..., Any]] = {"not": np.bitwise_not, "copy": np.positive}


def run(
    program: Program,
    everybody: Words,
    inputs: Sequence[Words],
    on_disk: bool = False,
    width: int = 0,
) -> NDArray[np.uint64]:
    """The roots' bits, a row each; `inputs` have no bit that `everybody` has not.

    `on_disk`: the rows are a mapped file without a name, so that their number costs no memory.
    `width`: the words of a row, where they are to be more; no bit is set in those behind.
    """
    size = len(everybody)
    whole = rows(program.roots, max(width, size), on_disk)
    whole[:, size:] = 0
    roots = whole[:, :size]
    between = program.registers - 1 - program.inputs - program.roots
    registers = [
        everybody,
        *inputs,
        *roots,
        *np.empty((between, size), np.uint64),
    ]
    for does, left, right, to in program.steps:
        if does in _DOES:
            _DOES[does](registers[left], registers[right], out=registers[to])
        else:
            _ALONE[does](registers[left], out=registers[to])
    return whole


def rows(count: int, size: int, on_disk: bool) -> NDArray[np.uint64]:
    """Room for so many rows of so many words; see `run`."""
    if not on_disk or count * size == 0:
        return np.empty((count, size), np.uint64)
    try:
        with TemporaryFile() as file:
            # A mapped file that the disk has no room for would end the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, 8 * count * size)
            file.truncate(8 * count * size)
            return np.memmap(file, np.uint64, "r+", shape=(count, size))
    except OSError as fault:
        raise OutputError(
            f"members of many consumers want room in {gettempdir()}: {fault.strerror}; "
            "set TMPDIR to a folder with more"
        ) from None


def counts(rows: NDArray[np.uint64]) -> list[int]:
    """How many bits are set in each row."""
    size = 64 * rows.shape[1]
    return [
        pa.Array.from_buffers(pa.bool_(), size, [None, pa.py_buffer(row)]).true_count
        for row in rows
    ]


def first(rows: int) -> Words:
    """So many bits, all set."""
    words = np.full(-(-rows // 64), ~np.uint64(0))
    if rows % 64:
        words[-1] = np.uint64((1 << rows % 64) - 1)
    return words
