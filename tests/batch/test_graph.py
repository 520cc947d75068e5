"""The program of a graph computes what the graph says, whatever the logic."""

from collections.abc import Callable
from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segment_engine.batch import machine
from segment_engine.batch.bitmaps import packed
from segment_engine.batch.graph import FALSE, TRUE, Graph, Signed, compiled, negated

INPUTS = 4
ROWS = np.array([*product((False, True), repeat=INPUTS)]).T
Truths = np.ndarray


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, list[Signed], list[Signed], list[Truths]]:
    """A graph with inputs and roots, and what each root is for all values of the inputs."""
    graph = Graph()
    inputs = [graph.input() for _ in range(INPUTS)]
    known: list[tuple[Signed, Truths]] = [
        *zip(inputs, ROWS, strict=True),
        (TRUE, np.ones(2**INPUTS, bool)),
        (FALSE, np.zeros(2**INPUTS, bool)),
    ]
    for _ in range(draw(st.integers(0, 12))):
        some = draw(st.lists(st.sampled_from(range(len(known))), min_size=1, max_size=4))
        parts = [known[number] for number in some]
        flips = draw(st.lists(st.booleans(), min_size=len(parts), max_size=len(parts)))
        signed = [
            negated(one) if flip else one for (one, _), flip in zip(parts, flips, strict=True)
        ]
        truths = [~one if flip else one for (_, one), flip in zip(parts, flips, strict=True)]
        join: tuple[Callable[..., Signed], np.ufunc] = draw(
            st.sampled_from(((graph.all_of, np.logical_and), (graph.any_of, np.logical_or)))
        )
        known.append((join[0](signed), join[1].reduce(truths)))
    roots = draw(st.lists(st.sampled_from(range(len(known))), max_size=8))
    flips = draw(st.lists(st.booleans(), min_size=len(roots), max_size=len(roots)))
    chosen = [(known[number], flip) for number, flip in zip(roots, flips, strict=True)]
    return (
        graph,
        inputs,
        [negated(one) if flip else one for (one, _), flip in chosen],
        [~truths if flip else truths for (_, truths), flip in chosen],
    )


@given(graphs(), st.integers(1, 2**INPUTS))
def test_a_program_computes_its_graph(made, rows: int) -> None:
    graph, inputs, roots, expected = made
    program = compiled(graph, inputs, roots)
    everybody = np.arange(2**INPUTS) < rows
    given = [packed(row & everybody) for row in ROWS]
    found = machine.run(program, machine.first(rows), given, on_disk=bool(rows % 2))
    assert [row.tolist() for row in found] == [packed(one & everybody).tolist() for one in expected]
    assert machine.counts(found) == [int((one & everybody).sum()) for one in expected]


@given(graphs())
def test_a_graph_is_the_same_in_another(made) -> None:
    graph, inputs, roots, expected = made
    other = Graph()
    there = [other.input() for _ in inputs]
    moved = graph.onto(other, dict(zip(inputs, there, strict=True)), roots)
    found = machine.run(
        compiled(other, there, moved), machine.first(2**INPUTS), [packed(row) for row in ROWS]
    )
    assert [row.tolist() for row in found] == [packed(one).tolist() for one in expected]


def test_equal_logic_is_one_node() -> None:
    graph = Graph()
    a, b, c = (graph.input() for _ in range(3))
    assert graph.all_of([a, b, a]) == graph.all_of([b, a])
    assert graph.any_of([a, b]) == negated(graph.all_of([negated(b), negated(a)]))
    assert graph.all_of([a, negated(a), c]) == FALSE
    assert graph.any_of([TRUE, c]) == TRUE
    assert graph.all_of([graph.all_of([a]), TRUE]) == a


@given(st.lists(st.integers(0, 2 * INPUTS + 1), min_size=2, max_size=2))
def test_two_are_joined_as_any_number_is(signed: list[Signed]) -> None:
    graph = Graph()
    for _ in range(INPUTS):
        graph.input()
    assert graph.both(*signed) == graph.all_of(signed)
    assert graph.either(*signed) == graph.any_of(signed)
