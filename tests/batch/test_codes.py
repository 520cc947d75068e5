"""Spans of codes as logic over the bits of an encoded value, however many codes there are."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.batch import machine
from segment_engine.batch.bitmaps import positions
from segment_engine.batch.graph import Graph, compiled, negated
from segment_engine.batch.snapshot.codes import DIGIT, Codes
from segment_engine.batch.snapshot.encoding import FEW, encoded

SIZES = (1, 2, FEW, FEW + 1, 2**DIGIT * 3, 4**DIGIT - 1, 4**DIGIT + 100)


@pytest.mark.parametrize("distinct", SIZES)
@given(data=st.data())
def test_spans(distinct: int, data: st.DataObject) -> None:
    """As many values as that, each once, and a missing one."""
    values = encoded(pl.Series([*range(distinct), None]))
    graph = Graph()
    rows = [graph.input() for _ in values.bits]
    codes = Codes(values, rows, graph)
    edges = st.lists(st.integers(0, distinct), min_size=2, max_size=6, unique=True)
    asked = [sorted(data.draw(edges)) for _ in range(3)]
    spans = [list(zip(one[::2], one[1::2], strict=False)) for one in asked]
    roots = [*map(codes.within, spans), negated(codes.present())]
    program = compiled(graph, rows, roots)
    found = machine.run(program, machine.first(distinct + 1), list(values.bits))
    for some, words in zip(spans, found, strict=False):
        wanted = [place for low, high in some for place in range(low, high)]
        assert positions(words).tolist() == wanted
    assert positions(np.asarray(found[-1])).tolist() == [distinct]
