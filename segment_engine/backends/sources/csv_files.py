"""CSV files as text cells: Arrow reads them, and Python's own reader finds where they are wrong."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from segment_engine.backends.sources.tables import Types, first_line, refuse_doubles
from segment_engine.errors import SourceError

_BLOCK = 1 << 24
_LARGEST = (1 << 31) - 1
_BROKEN = (OSError, EOFError, zlib.error)

# Python's own limit of 128 KiB a cell is less than what JSON in a cell may take.
csv.field_size_limit(_LARGEST)


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """The bytes of a file, unpacked where its name ends in `.gz`; SourceError if unreadable."""
    try:
        with gzip.open(path) if path.lower().endswith(".gz") else open(path, "rb") as file:
            yield file
    except _BROKEN as fault:
        raise SourceError(f"{path} cannot be read: {fault}") from fault


def decoded_lines(path: str) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends, without a mark at its start."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                text = line.decode()
            except UnicodeDecodeError as fault:
                raise SourceError(
                    f"{path}, line {number}: not UTF-8 ({fault.reason}); save the file as UTF-8"
                ) from fault
            yield text.removeprefix("\ufeff") if number == 1 else text


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file: UTF-8, a header row, `"` quotes doubled inside; an empty cell is missing."""

    path: str
    delimiter: str = ","

    def columns(self, types: Types) -> list[str]:
        """The names in the header."""
        _, names = next(self._records(), (1, []))
        if not names or not all(names):
            raise SourceError(
                f"{self.path}, line 1: every column wants a name in the header row; "
                f"found {names if names else 'none'}"
            )
        refuse_doubles(self.path, names)
        return names

    def table(self, types: Types, columns: Sequence[str]) -> Any:
        """The cells of those columns, one or more, as text."""
        try:
            table = self._read(columns, _BLOCK)
        except pa.ArrowInvalid:
            self._find_fault()
            # Nothing is wrong with the file, so one row is longer than a block.
            table = self._read(columns, _LARGEST)
        if self._odd_quotes():
            self._find_fault()
        return table

    def line(self, row: int) -> int:
        """The line on which the record of a row (from 0, without the header) begins."""
        blank_counts = len(self.columns({})) == 1
        records = (line for line, record in self._records() if record or blank_counts)
        return next(islice(records, row + 1, None))

    def _read(self, columns: Sequence[str], block: int) -> Any:
        alone = len(self.columns({})) == 1
        try:
            return arrow_csv.read_csv(
                pa.input_stream(self.path, compression="gzip" if self._packed else None),
                arrow_csv.ReadOptions(block_size=block),
                arrow_csv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, ignore_empty_lines=not alone
                ),
                arrow_csv.ConvertOptions(
                    include_columns=columns,
                    column_types=dict.fromkeys(columns, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                ),
            )
        except OSError as fault:
            raise SourceError(f"{self.path} cannot be read: {first_line(fault)}") from fault

    @property
    def _packed(self) -> bool:
        return self.path.lower().endswith(".gz")

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Each record after the line on which it begins."""
        start, reader = 1, csv.reader(
            decoded_lines(self.path), delimiter=self.delimiter, strict=True
        )  # fmt: skip
        try:
            for record in reader:
                yield start, record
                start = reader.line_num + 1
        except csv.Error as fault:
            raise SourceError(
                f"{self.path}, line {start}: a quoted cell does not end where a cell ends; close "
                f"its quotes, and double those inside it ({fault})"
            ) from fault

    def _find_fault(self) -> None:
        records = self._records()
        width = len(next(records)[1])
        for line, record in records:
            if record and len(record) != width:
                raise SourceError(
                    f"{self.path}, line {line}: {len(record)} cells, and the header has {width}; "
                    "quote a cell that holds a delimiter"
                )

    def _odd_quotes(self) -> int:
        with opened(self.path) as file:
            blocks = iter(lambda: file.read(_BLOCK), b"")
            quotes: int = sum(block.count(b'"') for block in blocks)
        return quotes % 2
