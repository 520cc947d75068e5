"""A CSV file of consumers as people upload it: checked whole, then read part by part.

Every cell is a text, and an empty one leaves what there is.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO, TextIOWrapper
from itertools import chain, groupby
from typing import Any, NamedTuple

from segment_engine.errors import Invalid, Problem
from segment_engine.store.given_rows import METADATA, PATH, Row, metadata_of, row_of
from segment_engine.values.folding import fold

MOST_BYTES, MOST_ROWS = 10 * 1024 * 1024, 100_000
MOST_COLUMNS, MOST_NAME = 1_000, 200
"""Columns, and characters of the name of one."""
_MOST = 10_000
"""Rows of any part."""
_IDENTIFIERS = ("externalId", "email", "phone")
_FULL, _TAGS, _PARTS_OF_NAME = "fullName", "tags", ("firstName", "lastName")
_NAMES = {key: key for key in (*_IDENTIFIERS, _FULL)}
_KEYS = (*_NAMES, *_PARTS_OF_NAME, _TAGS, METADATA)
_SEPARATORS = (",", ";", "\t")
_FIRST_LINE, _QUOTED = re.compile(r"[\r\n]*([^\r\n]*)"), re.compile(r'"[^"]*"')
_SIGNS = {
    b"PK\x03\x04": "it is a workbook; save it as CSV UTF-8",
    b"\xff\xfe": "it is UTF-16; save it as CSV UTF-8",
    b"\xfe\xff": "it is UTF-16; save it as CSV UTF-8",
}

Line = tuple[int, list[str]]
"""The number of a row from 1, and its cells."""


class Columns(NamedTuple):
    """What rows give: texts by the API's keys, "" where nothing; metadata as it is kept; and which
    of the rows can be read so.
    """

    texts: Mapping[str, Sequence[str]]
    documents: list[str | None]
    sound: Sequence[bool]


class Sheet:
    """A file that can be read; `total` rows below the header, `ignored` are the other columns."""

    def __init__(self, content: bytes) -> None:
        """Raises Invalid with what is wrong and how to mend it: then no row is to be taken."""
        self._content, self._separator = content, _separator(_decoded(content))
        lines = self._lines()
        header = [name.strip() for name in next(lines, [])]
        self._keys = _keys_of(header)
        self.total = _counted(header, lines)
        named = zip(header, self._keys, strict=True)
        self.ignored = [name for name, key in named if name and not key]

    def parts(self, size: int) -> Iterator[list[Line]]:
        """The rows in parts, the same ones at every call; a part has `size` rows or not many more.

        Rows that share an identifier are in one part, at the end where they are far apart: so the
        last word about a consumer is the last one of its part, and a file that is put in twice
        says nothing new. Only one who has over 10,000 rows is in several parts.
        """
        scattered = self._scattered(size)
        late: list[tuple[int, Line]] = []
        for _, part in groupby(self._rows(), lambda row: (row[0] - 1) // size):
            here: list[Line] = []
            for row in part:
                if row[0] in scattered:
                    late.append((scattered[row[0]], row))
                else:
                    here.append(row)
            if here:
                yield here
        late.sort(key=lambda one: (one[0], one[1][0]))
        held: list[Line] = []
        for _, group in groupby(late, lambda one: one[0]):
            person = [row for _, row in group]
            if len(held) + len(person) > size:
                yield from _slices(held)
                held = []
            held += person
        yield from _slices(held)

    def row(self, cells: Sequence[str]) -> Row:
        """What one row gives."""
        if len(cells) != len(self._keys):
            problem = f"it has {len(cells):,} cells, and the first row {len(self._keys):,}"
            return {}, [Problem("", problem)]
        given = _given(self._keys, cells)
        name = _name(*(given.pop(key, "") for key in (_FULL, *_PARTS_OF_NAME)))
        return row_of({**given, _FULL: name}, _NAMES)

    def columns(self, part: Sequence[Line]) -> Columns:
        """What the rows of a part give, by column: the same, sooner."""
        nothing, no_cells = [""] * len(part), [""] * len(self._keys)
        sound = [len(cells) == len(self._keys) for _, cells in part]
        rows = (cells if one else no_cells for (_, cells), one in zip(part, sound, strict=True))
        cells_of = dict(zip(self._keys, zip(*rows, strict=True), strict=True))
        names = (cells_of.get(key, nothing) for key in (_FULL, *_PARTS_OF_NAME))
        texts = {key: cells_of.get(key, nothing) for key in _IDENTIFIERS}
        texts[_FULL] = list(map(_name, *names))
        others = [key for key in cells_of if key in (_TAGS, METADATA) or key.startswith(PATH)]
        documents: list[str | None] = [None] * len(part)
        for n, cells in enumerate(zip(*(cells_of[key] for key in others), strict=True)):
            try:
                documents[n] = metadata_of(_given(others, cells), _NAMES)
            except (ValueError, RecursionError):
                sound[n] = False
        return Columns(texts, documents, sound)

    def _rows(self) -> Iterator[Line]:
        lines = self._lines()
        next(lines)
        return enumerate(lines, 1)

    def _scattered(self, size: int) -> dict[int, int]:
        """The rows that have to do with others of other parts; of each, the first of them all."""
        first_with: dict[tuple[str, str], int] = {}
        before: dict[int, int] = {}

        def first_of(number: int) -> int:
            while (one := before.get(number, number)) != number:
                before[number] = before.get(one, one)  # half of the way is enough next time
                number = one
            return number

        repeated = self._repeated()
        for number, known_by in self._known_by() if repeated else ():
            for known in repeated.intersection(known_by):
                low, high = sorted(
                    (first_of(number), first_of(first_with.setdefault(known, number)))
                )
                before[low] = before[high] = low
        together: dict[int, list[int]] = {}
        for number in before:
            together.setdefault(first_of(number), []).append(number)
        wide = (
            some for some in together.values() if (some[0] - 1) // size < (some[-1] - 1) // size
        )
        return {number: first_of(number) for number in chain.from_iterable(wide)}

    def _repeated(self) -> set[tuple[str, str]]:
        """What consumers of several rows are known by; mostly nothing, so hashes are looked at."""
        once, again = set[int](), set[int]()
        for one in map(hash, self._identifiers()):
            (again if one in once else once).add(one)
        if not again:
            return set()
        times = Counter(known for known in self._identifiers() if hash(known) in again)
        return {known for known, count in times.items() if count > 1}

    def _identifiers(self) -> Iterator[tuple[str, str]]:
        return chain.from_iterable(known_by for _, known_by in self._known_by())

    def _known_by(self) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """The numbers of the rows, and what the consumer of each is known by."""
        places = [(key, at) for at, key in enumerate(self._keys) if key in _IDENTIFIERS]
        for number, cells in self._rows():
            if len(cells) == len(self._keys):
                told = ((key, cells[at].strip()) for key, at in places)
                yield number, [(key, fold(one)) for key, one in told if one]

    def _lines(self) -> Iterator[list[str]]:
        """The cells of each line that is not blank. Raises Invalid."""
        text = TextIOWrapper(BytesIO(self._content), "utf-8-sig", newline="")
        read = csv.reader(text, delimiter=self._separator, strict=True)
        try:
            yield from filter(None, read)
        except csv.Error as fault:
            raise Invalid(f"line {read.line_num:,} is no CSV: {fault}") from None


def _slices(rows: list[Line]) -> Iterator[list[Line]]:
    return (rows[at : at + _MOST] for at in range(0, len(rows), _MOST))


def _decoded(content: bytes) -> str:
    if not content.strip():
        raise Invalid("it is empty")
    if len(content) > MOST_BYTES:
        raise Invalid(f"it has more than {MOST_BYTES // 1024**2} MB; divide it")
    for sign, reason in _SIGNS.items():
        if content.startswith(sign):
            raise Invalid(reason)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise Invalid(f"line {line:,} is not UTF-8; save it as CSV UTF-8") from None
    if "\0" in text:
        raise Invalid("it is no text; save it as CSV UTF-8")
    return text


def _separator(text: str) -> str:
    """What parts the names of the first line; a name in quotes may hold any of them."""
    found = _FIRST_LINE.match(text)
    return max(_SEPARATORS, key=_QUOTED.sub("", found[1] if found else "").count)


def _keys_of(header: Sequence[str]) -> list[str]:
    """What each column is; see `_key`. Raises Invalid."""
    if len(header) > MOST_COLUMNS:
        raise Invalid(f"it has more than {MOST_COLUMNS:,} columns; delete some")
    keys = list(map(_key, header))
    _check(keys)
    for place, name in enumerate(header, 1):
        if len(name) > MOST_NAME:
            raise Invalid(f"the name of column {place} has more than {MOST_NAME} characters")
    return keys


def _counted(header: Sequence[str], lines: Iterable[Sequence[str]]) -> int:
    """How many rows there are. Raises Invalid for too many, and for values without a name."""
    total, is_named = 0, all(header)
    for total, cells in enumerate(lines, 1):
        if total > MOST_ROWS:
            raise Invalid(f"it has more than {MOST_ROWS:,} rows; divide it")
        if not is_named:
            _check_named(header, cells)
    return total


def _check_named(header: Sequence[str], cells: Sequence[str]) -> None:
    for place, (name, cell) in enumerate(zip(header, cells, strict=False), 1):
        if not name and cell.strip():
            raise Invalid(f"column {place} has no name; name it, or delete it")


def _key(name: str) -> str:
    """What a column is, however its words are joined and capitalized; "" for nothing we know."""
    start, dot, path = name.partition(".")
    if dot and start.strip().lower() == "metadata" and path.strip():
        return PATH + path.strip()
    return _SPELT.get("".join(name.replace("_", " ").replace("-", " ").split()).lower(), "")


_SPELT = {key.lower(): key for key in _KEYS}


def _check(keys: Sequence[str]) -> None:
    if not any(key in _IDENTIFIERS for key in keys):
        raise Invalid(
            "its first row names no column email, phone or externalId, by which consumers are known"
        )
    for key in keys:
        if key and keys.count(key) > 1:
            raise Invalid(f"two columns are called {key}; delete one")


def _given(keys: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """The cells that are not blank by what they are; tags are a list of metadata."""
    given: dict[str, Any] = {
        key: cell for key, cell in zip(keys, cells, strict=True) if key and cell.strip()
    }
    if _TAGS in given:
        tags = [one.strip() for one in given[_TAGS].replace(";", ",").split(",")]
        given.setdefault(f"{PATH}{_TAGS}", [*dict.fromkeys(filter(None, tags))])
    return given


def _name(full: str, first: str, last: str) -> str:
    """The name of a person; one that is whole counts before one of parts."""
    return full if full.strip() else " ".join(filter(None, (first.strip(), last.strip())))
