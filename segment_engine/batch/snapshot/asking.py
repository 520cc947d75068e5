"""A plan asked of encoded tiles: predicates as logic over codes, the dear ones by value."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from segment_engine.backends.polars_expr import to_polars
from segment_engine.backends.reading import Reading
from segment_engine.batch import machine
from segment_engine.batch.bitmaps import Words, packed
from segment_engine.batch.frames import Values, words_of
from segment_engine.batch.graph import FALSE, Graph, Signed, compiled, negated
from segment_engine.batch.snapshot.codes import MOST_SPANS, Codes, Questions, Spans
from segment_engine.batch.snapshot.encoding import Encoded
from segment_engine.expression.nodes import Expr, walk


class EncodedTile(Protocol):
    """The consumers of one tile, as a snapshot keeps them."""

    @property
    def everybody(self) -> Words:
        """Those that there are."""

    def encoded(self, value: Expr) -> Encoded:
        """A value of all of them."""

    def kept(self, predicate: Expr) -> Words | None:
        """The bits of a predicate, if they were kept."""

    def keep(self, predicate: Expr, words: Words) -> None:
        """Keeps them."""


class Asked(Protocol):
    """What is asked: a plan, or a part of one."""

    @property
    def predicates(self) -> Collection[Expr]:
        """Bound, without logic."""

    def onto(self, graph: Graph, inputs: Sequence[Signed]) -> list[Signed]:
        """The roots, given the predicates, and lists behind them."""


class Asking:
    """A plan, ready to be asked of tile after tile."""

    def __init__(self, plan: Asked, values: Values) -> None:
        self._plan, self._values = plan, values
        self._predicates = list(plan.predicates)
        asked = list(map(values.kept, self._predicates))
        of_one: dict[str, list[tuple[int, Expr]]] = {}
        self._of_several: dict[int, tuple[list[str], Expr]] = {}
        for number, one in enumerate(asked):
            names = [*dict.fromkeys(n.column for n in walk(one) if isinstance(n, Reading))]
            if len(names) == 1:
                of_one.setdefault(names[0], []).append((number, one))
            else:
                self._of_several[number] = names, one
        self._questions = {name: Questions(name, some) for name, some in of_one.items()}
        self._by = {
            "steps": self._by_code,
            "slices": self._by_code,
            "elements": self._by_element,
            "plain": self._by_value,
        }

    def rows(
        self,
        tile: EncodedTile,
        lists: Sequence[Words],
        on_disk: bool = False,
        width: int = 0,
        only: Sequence[int] | None = None,
    ) -> NDArray[Any]:
        """The bits of each root, or of some of them, a row each; see `machine.run`."""
        asked = _Tile()
        nodes = [asked.input(words) for words in lists]
        found = dict(self._found(tile, asked))
        graph, inputs = asked.graph, [found[number] for number in range(len(found))]
        roots = self._plan.onto(graph, [*inputs, *nodes])
        chosen = roots if only is None else [roots[place] for place in only]
        program = compiled(graph, asked.nodes, chosen)
        return machine.run(program, tile.everybody, asked.words, on_disk, width)

    def _found(self, tile: EncodedTile, asked: "_Tile") -> Iterator[tuple[int, Signed]]:
        for name, questions in self._questions.items():
            encoded = tile.encoded(self._values.expressions[name])
            yield from self._by[encoded.kind](tile, asked, questions, encoded)
        for number, (names, one) in self._of_several.items():
            make = partial(self._of_row, tile, names, one)
            yield number, asked.input(self._kept(tile, number, make))

    def _of_row(self, tile: EncodedTile, names: Sequence[str], predicate: Expr) -> Words:
        values = {n: tile.encoded(self._values.expressions[n]).values() for n in names}
        frame = pl.DataFrame(values)
        return words_of(frame.select(to_polars(predicate)).to_series(), len(frame))

    def _by_value(
        self, tile: EncodedTile, asked: "_Tile", questions: Questions, encoded: Encoded
    ) -> Iterator[tuple[int, Signed]]:
        for number, predicate in questions.predicates.items():
            make = partial(_of_value, encoded, questions.name, predicate)
            yield number, asked.input(self._kept(tile, number, make))

    def _by_code(
        self, tile: EncodedTile, asked: "_Tile", questions: Questions, encoded: Encoded
    ) -> Iterator[tuple[int, Signed]]:
        rows = [asked.input(row) for row in encoded.bits]
        codes = Codes(encoded, rows, asked.graph)
        for number, spans, missing in questions.spans(encoded.distinct):
            if len(spans) > MOST_SPANS:
                make = partial(_of_code, encoded, spans, missing)
                yield number, asked.input(self._kept(tile, number, make))
                continue
            node = codes.within(spans)
            yield number, asked.graph.either(node, negated(codes.present())) if missing else node

    def _by_element(
        self, tile: EncodedTile, asked: "_Tile", questions: Questions, encoded: Encoded
    ) -> Iterator[tuple[int, Signed]]:
        graph = asked.graph
        present, filled, *rows = [asked.input(row) for row in encoded.bits]
        for number, places, of_none, of_missing in questions.elements(encoded.distinct):
            found = [rows[place] for place in places]
            some = filled if len(found) == len(rows) else graph.any_of(found)
            none = graph.both(present, negated(filled)) if of_none else FALSE
            missing = negated(present) if of_missing else FALSE
            yield number, graph.either(some, graph.either(none, missing))

    def _kept(self, tile: EncodedTile, number: int, make: Callable[[], Words]) -> Words:
        predicate = self._predicates[number]
        words = tile.kept(predicate)
        if words is None:
            words = make()
            tile.keep(predicate, words)
        return words


def _of_value(encoded: Encoded, name: str, predicate: Expr) -> Words:
    found = pl.DataFrame({name: encoded.distinct}).select(to_polars(predicate)).to_series()
    return words_of(found, encoded.size)


def _of_code(encoded: Encoded, spans: Spans, missing: bool) -> Words:
    truths = np.zeros(len(encoded.distinct) + 1, np.bool_)
    truths[0] = missing
    for low, high in spans:
        truths[low + 1 : high + 1] = True
    return packed(truths[encoded.codes()])


class _Tile:
    """The graph of one tile, and the bits of its inputs."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.nodes: list[Signed] = []
        self.words: list[Words] = []

    def input(self, words: Words) -> Signed:
        """The node of these bits."""
        self.words.append(words)
        self.nodes.append(self.graph.input())
        return self.nodes[-1]
