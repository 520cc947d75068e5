"""Runs a graph's program over the bits of one tile."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segment_engine.batch.bitmaps import Words
from segment_engine.batch.graph import Does, Program

_DOES: dict[Does, Callable[..., Any]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
_ALONE: dict[Does, Callable[..., Any]] = {"not": np.bitwise_not, "copy": np.positive}


def run(program: Program, everybody: Words, inputs: Sequence[Words]) -> NDArray[np.uint64]:
    """The roots' bits, a row each; `inputs` may have bits that `everybody` has not."""
    size = len(everybody)
    roots = np.empty((program.roots, size), np.uint64)
    between = program.registers - 1 - program.inputs - program.roots
    registers = [
        everybody,
        *(np.bitwise_and(bits, everybody) for bits in inputs),
        *roots,
        *np.empty((between, size), np.uint64),
    ]
    for does, left, right, to in program.steps:
        if does in _DOES:
            _DOES[does](registers[left], registers[right], out=registers[to])
        else:
            _ALONE[does](registers[left], out=registers[to])
    return roots


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
