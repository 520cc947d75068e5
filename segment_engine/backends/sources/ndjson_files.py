"""NDJSON files as text cells: one JSON object a line, parsed once inside DuckDB."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from segment_engine.backends import json_sql
from segment_engine.backends.sources.csv_files import decoded_lines
from segment_engine.backends.sources.tables import Types, database
from segment_engine.backends.sql import identifier
from segment_engine.errors import SourceError
from segment_engine.values.types import CURRENCY, DATE, DATETIME, TEXT, Type

_ROW = "row_number"
_DOUBLE_DIGITS = 15


class NdjsonFile:
    """A file of JSON objects, one a line; a key that a line lacks is missing, and so is null."""

    def __init__(self, path: str) -> None:
        self.path = path

    def columns(self, types: Types) -> list[str]:
        """The keys of all lines; those of the schema where there is no line."""
        if not len(self._lines):
            return list(types)
        self._refuse("json_valid(line) and starts_with(line, '{')", "is not a JSON object")
        found = self._query("select distinct unnest(json_keys(line)) as name from lines")
        return sorted(found.column("name").to_pylist())

    def table(self, types: Types, columns: Sequence[str]) -> Any:
        """The values of those columns as text: a string as it is, anything else as JSON."""
        for name in columns:
            if types.get(name) == TEXT:
                value = f"({json_sql.step('line', (name,))})::varchar"
                good = f"coalesce(starts_with({value}, '\"') or {value} = 'null', true)"
                self._refuse(good, f"does not have a JSON string in {name!r}")
        cells = ", ".join(
            f"{_cell(json_sql.step('line', (name,)), types.get(name))} as {identifier(name)}"
            for name in columns
        )
        table = self._query(f"select {cells} from lines order by {_ROW}")
        for position, name in enumerate(columns):
            if types.get(name) == CURRENCY:
                table = table.set_column(position, name, self._exact(name, table.column(name)))
        return table

    def line(self, row: int) -> int:
        """The line of a row (from 0)."""
        filled = (at for at, line in enumerate(decoded_lines(self.path), 1) if line.strip())
        return next(islice(filled, row, None))

    def lines(self) -> Iterator[str]:
        """The lines, without the blank ones."""
        return filter(None, map(str.strip, decoded_lines(self.path)))

    @cached_property
    def _lines(self) -> Any:
        return pa.array(list(self.lines()), pa.large_string())

    def _query(self, query: str) -> Any:
        numbers = pa.array(range(len(self._lines)), pa.int64())
        with database().cursor() as connection:
            connection.register("lines", pa.table({"line": self._lines, _ROW: numbers}))
            return connection.sql(query).to_arrow_table()

    def _refuse(self, good: str, why: str) -> None:
        """Raises SourceError for the first line that is not good."""
        found = self._query(f"select min({_ROW}) as first from lines where not ({good})")
        row = found.column("first")[0].as_py()
        if row is not None:
            text = self._lines[row].as_py()
            shown = text if len(text) <= 60 else text[:57] + "..."
            raise SourceError(f"{self.path}, line {self.line(row)}: {shown} {why}")

    def _exact(self, name: str, cells: Any) -> Any:
        """The amounts as they were written, where a double has too few digits for them."""
        digits = pc.utf8_length(pc.replace_substring_regex(cells, "[^0-9]", ""))
        doubtful = pc.or_(
            pc.greater(digits, _DOUBLE_DIGITS), pc.match_substring(cells, "e", ignore_case=True)
        )
        rows = pc.indices_nonzero(pc.fill_null(doubtful, False)).to_pylist()
        if not rows:
            return cells
        texts = cells.to_pylist()
        for row in rows:
            texts[row] = _written(self._lines[row].as_py(), name) or texts[row]
        return pa.chunked_array([pa.array(texts, cells.type)])


def _cell(value: str, wanted: Type | None) -> str:
    as_json = f"nullif(({value})::varchar, 'null')"
    if wanted is None or wanted in (TEXT, DATE, DATETIME):
        return f"coalesce({json_sql.text(value)}, {as_json})"
    return as_json


def _written(line: str, name: str) -> str | None:
    try:
        pairs = json.loads(line, parse_float=Decimal, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    value = next(value for key, value in pairs if key == name)
    return format(value, "f") if isinstance(value, Decimal) else None
