"""A schema out of a source: how its columns are stored, and what a sample of them holds."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from segment_engine.backends.inference.columns import Proposal, proposed
from segment_engine.backends.inference.kinds import is_filled, spelt
from segment_engine.backends.inference.paths import paths_in
from segment_engine.backends.physical import Other
from segment_engine.backends.sources.files import TextSource
from segment_engine.backends.sources.fitting import misplaced
from segment_engine.backends.sources.opening import Source, open_source
from segment_engine.backends.sources.storage import is_twin
from segment_engine.backends.sources.tables import RowsSource
from segment_engine.errors import RunError, SourceError
from segment_engine.expression.column_names import field_name, unused
from segment_engine.expression.inferred import Inferred, InferredField, InferredPath, LeftOut
from segment_engine.expression.schema import Schema
from segment_engine.values.jsontext import decode

Progress = Callable[[int, int], None]

_EXAMPLES = 3
_TOLD = 500

# Nothing is known of any column yet.
_UNKNOWN = Schema({"nothing": {"type": "text", "derived": "nothing"}})


def infer(
    source: Any, sample: int | None, currency: str, progress: Progress | None = None
) -> Inferred:
    """As `segment_engine.infer_schema`."""
    if sample is not None and sample < 1:
        raise RunError(f"a sample is one consumer or more, not {sample}")
    opened = _opened(source)
    rows = _row_count(opened)
    every = 1 if sample is None else max(1, -(-rows // sample))
    looked_at = _sampled(opened, every, -(-rows // every), progress)
    return _Inference(source, opened, rows, looked_at, currency).made()


def _opened(source: Any) -> Source:
    """The source with its columns as they are: those of NDJSON as JSON, which tells 5 from "5"."""
    opened = open_source(source, _UNKNOWN)
    if not (isinstance(opened, TextSource) and opened.in_json and opened.columns):
        return opened
    columns = [name for name in opened.columns if name.strip()]
    fields = {f"c{at}": {"type": "any", "column": name} for at, name in enumerate(columns)}
    return open_source(source, Schema(fields)) if fields else opened


def _row_count(opened: Source) -> int:
    with opened.duckdb() as (connection, table):
        count: int = connection.sql(f"select count(*) from {table}").fetchall()[0][0]
    return count


def _sampled(
    opened: Source, every: int, total: int, progress: Progress | None
) -> dict[str, list[Any]]:
    names = list(opened.columns) if isinstance(opened, RowsSource) else list(opened.read)
    values: dict[str, list[Any]] = {name: [] for name in names}
    for done, row in enumerate(opened.rows(names, every), 1):
        for name, held in values.items():
            held.append(row[name])
        if progress and (done % _TOLD == 0 or done == total):
            progress(done, total)
    return values


@dataclass(frozen=True, slots=True)
class _Inference:
    source: Any
    opened: Source
    rows: int
    values: Mapping[str, Sequence[Any]]
    currency: str

    def made(self) -> Inferred:
        """All that is proposed."""
        proposals, left_out = self._proposals()
        fields: list[InferredField] = []
        paths: list[InferredPath] = []
        for position, (column, proposal) in enumerate(proposals.items(), 1):
            taken = [field.name for field in fields]
            made = list(self._fields(column, proposal, taken, position))
            fields += made
            if proposal.type == "any":
                paths += paths_in(made[0].name, self._documents(column))
        sampled = max(map(len, self.values.values()), default=0)
        found = Inferred(
            self.opened.describe, self.rows, sampled, tuple(fields), tuple(paths),
            tuple(left_out), self.currency,
        )  # fmt: skip
        return self._fitting(found) if fields else found

    def _proposals(self) -> tuple[dict[str, Proposal], list[LeftOut]]:
        kept: dict[str, Proposal] = {}
        left_out: list[LeftOut] = []
        for column, physical in self.opened.columns.items():
            found = self._proposed(column, physical)
            if isinstance(found, Proposal):
                kept[column] = found
            else:
                left_out.append(LeftOut(column, found))
        return (self._readable(kept) if isinstance(self.opened, TextSource) else kept), left_out

    def _proposed(self, column: str, physical: Any) -> Proposal | str:
        if not column.strip():
            return "a column without a name; give it one"
        if isinstance(physical, Other) and is_twin(physical):
            return str(physical)
        if column not in self.values:
            return f"{physical}, which no field can have"
        stored = None if isinstance(self.opened, TextSource | RowsSource) else physical
        cells = isinstance(self.opened, TextSource) and not self._in_json
        return proposed(column, stored, self._seen(column), cells=cells, json=self._in_json)

    @property
    def _in_json(self) -> bool:
        return isinstance(self.opened, TextSource) and self.opened.in_json

    def _seen(self, column: str) -> Sequence[Any]:
        """The values looked at; of NDJSON what the JSON says."""
        return self._documents(column) if self._in_json else self.values[column]

    def _documents(self, column: str) -> list[Any]:
        return [decode(v) if isinstance(v, str) else v for v in self.values[column]]

    def _readable(self, proposals: dict[str, Proposal]) -> dict[str, Proposal]:
        """The proposals as the whole file allows them: a cell beyond the sample may differ."""
        if not proposals or self._reads(proposals):
            return proposals
        return {column: self._demoted(column, each) for column, each in proposals.items()}

    def _demoted(self, column: str, proposal: Proposal) -> Proposal:
        while proposal.weaker is not None and not self._reads({column: proposal}):
            proposal = proposal.demoted()
        return proposal

    def _reads(self, proposals: Mapping[str, Proposal]) -> bool:
        entries = {
            f"c{at}": {"type": each.type, "column": column}
            for at, (column, each) in enumerate(proposals.items())
        }
        try:
            open_source(self.source, Schema(entries), list(proposals))
        except SourceError:
            return False
        return True

    def _fields(
        self, column: str, proposal: Proposal, taken: Sequence[str], position: int
    ) -> Iterator[InferredField]:
        name = field_name(column, taken, position)
        values = [value for value in self._seen(column) if is_filled(value)]
        filled = len(values) / max(1, len(self.values[column]))
        scalar = proposal.type != "any" and not proposal.type.startswith("list of ")
        common = Counter(map(spelt, values if scalar else ()))
        examples = tuple(text for text, _ in common.most_common(_EXAMPLES))
        distinct = len(set(values)) if scalar else None
        made = InferredField(name, column, proposal.type, filled, distinct, examples, proposal.why)
        if not proposal.within_text:
            yield made
            return
        text = unused(f"{name}Text", [*taken, name])
        yield replace(made, derived=f"datetime({text})")
        yield replace(made, name=text, type="text", why=f"what `{name}` is read from")

    def _fitting(self, found: Inferred) -> Inferred:
        """Paths are declared only where they are stored as what they are declared to be."""
        if isinstance(self.opened, TextSource | RowsSource):
            return found
        refused = {item.field for item in misplaced(self.opened, found.schema)}
        paths = (replace(p, type=None) if p.name in refused else p for p in found.paths)
        return replace(found, paths=tuple(paths))
