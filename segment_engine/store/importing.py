"""The job of an import: its file is checked whole, then put in part by part.

A part commits with how far the import has come, while the job is held: each is put in once,
whatever dies. The members follow at the end, all at once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import and_
from typing import Any

from pyroaring import BitMap
from sqlalchemy import Connection, delete, insert, select, update

from segment_engine.backends.sources.plain_cells import plain_texts
from segment_engine.batch.bitmaps import bitmap_of
from segment_engine.errors import Invalid, Problem
from segment_engine.store import bulk, counting, exact_json, members
from segment_engine.store.csv_rows import Line, Sheet
from segment_engine.store.database import as_one, now
from segment_engine.store.given_rows import METADATA
from segment_engine.store.imports import COMPLETED, FAILED, PROCESSING, VALIDATING, WITH_ERRORS
from segment_engine.store.jobs import Job, Jobs
from segment_engine.store.matching import Kept
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import import_files, import_issues, imports

PART = 5_000
"""Rows of a part."""
NO_ROW = "no row could be put in, so the members stay as they are"
_PREFIX = "consumers."

Progress = Callable[[int, int], None]


def run(shop: OrganizationStore, job: Job, progress: Progress | None = None) -> str:
    """Puts in the file of an import, and ends its job; what there is to be logged of it.

    `progress` is told the rows done and all rows. Raises Lost.
    """
    return _Importing(shop, job).run(progress or (lambda done, total: None))


class _Importing:
    def __init__(self, shop: OrganizationStore, job: Job) -> None:
        self._shop, self._job, self._id = shop, job, job.key
        self._own = shop.organization.id
        self._database = shop.store.database
        self._mine = (imports.c.organization == self._own, imports.c.id == self._id)

    def run(self, progress: Progress) -> str:
        row = self._begun()
        if row is None:
            return "ended before"
        try:
            sheet = Sheet(self._content())
        except Invalid as fault:
            self._failed(fault.message)
            return "unreadable"
        self._told(status=PROCESSING, total=sheet.total, ignored=exact_json.dumps(sheet.ignored))
        self._put(sheet, row.processed, BitMap.deserialize(row.members or _NOBODY), progress)
        return f"rows={sheet.total}"

    def _begun(self) -> Any:
        """The row of the import; None where it has ended."""
        with self._database.writing() as connection:
            Jobs.holds(connection, self._job)
            row = connection.execute(select(imports).where(*self._mine)).one()
            if row.status not in (VALIDATING, PROCESSING):
                Jobs.done(connection, self._job)
                return None
            return row

    def _content(self) -> bytes:
        file = select(import_files.c.bytes).where(
            import_files.c.organization == self._own, import_files.c.import_id == self._id
        )
        with self._database.reading() as connection:
            return bytes(connection.execute(file).scalar_one())

    def _put(self, sheet: Sheet, done: int, held: BitMap, progress: Progress) -> None:
        passed = 0
        for part in sheet.parts(PART):
            passed += len(part)
            if passed <= done:
                continue
            with as_one():
                found, issues = self._put_part(sheet, part)
                held |= BitMap(found)
                self._advanced(passed, issues, held)
            progress(passed, sheet.total)
        self._completed(held)

    def _put_part(
        self, sheet: Sheet, part: Sequence[Line]
    ) -> tuple[list[int], dict[int, list[Problem]]]:
        """The ordinals of those whom the rows mean, and what is wrong by the number of the row."""
        plain = _plain(sheet, part)
        given = bulk.Part(plain, lambda numbers: (sheet.row(part[n][1]) for n in numbers))
        put = bulk.put(self._database, self._shop.organization, given)
        issues: dict[int, list[Problem]] = {}
        for problem in put.problems:
            place, _, name = problem.field.removeprefix(_PREFIX).partition(".")
            told = Problem(name, problem.message, problem.code)
            issues.setdefault(part[int(place)][0], []).append(told)
        return put.ordinals, issues

    def _advanced(self, done: int, issues: dict[int, list[Problem]], held: BitMap) -> None:
        with self._database.writing() as connection:
            Jobs.advances(connection, self._job)
            if issues:
                connection.execute(insert(import_issues), list(self._rows(issues)))
            changed = {"processed": done, "wrong": imports.c.wrong + len(issues)}
            self._change(connection, **changed, members=held.serialize())

    def _rows(self, issues: dict[int, list[Problem]]) -> Iterator[dict[str, Any]]:
        for row, found in issues.items():
            yield {
                "organization": self._own,
                "import_id": self._id,
                "row": row,
                "issues": exact_json.dumps(_as_told(found)),
            }

    def _completed(self, held: BitMap) -> None:
        """The members, the end of the import and of its job are one."""
        with self._database.writing() as connection:
            counting.lock(connection, self._own)
            row = connection.execute(select(imports).where(*self._mine)).one()
            if row.mode == "REPLACE" and row.wrong and not held:
                self._end(connection, status=FAILED, reason=NO_ROW)
                return
            before = members.members_of(connection, self._own, row.audience)
            given = bitmap_of(held.to_array())
            after = before | given if row.mode == "ADD" else given
            if after != before:
                members.put(connection, self._own, row.audience, after)
            self._end(connection, status=WITH_ERRORS if row.wrong else COMPLETED)

    def _failed(self, reason: str) -> None:
        with self._database.writing() as connection:
            self._end(connection, status=FAILED, reason=reason)

    def _end(self, connection: Connection, **told: Any) -> None:
        Jobs.done(connection, self._job)  # before the import, as whoever holds both takes them
        self._change(connection, **told, members=None)
        file = import_files.c
        mine = file.organization == self._own, file.import_id == self._id
        connection.execute(delete(import_files).where(*mine))

    def _told(self, **told: Any) -> None:
        with self._database.writing() as connection:
            Jobs.holds(connection, self._job)
            self._change(connection, **told)

    def _change(self, connection: Connection, **told: Any) -> None:
        told["updated_at"] = now(connection)
        connection.execute(update(imports).where(*self._mine).values(**told))


_NOBODY = BitMap().serialize()


def _plain(sheet: Sheet, part: Sequence[Line]) -> list[Kept | None]:
    """The rows that are plainly sound, None for others."""
    texts, documents, sound = sheet.columns(part)
    values, are_plain = plain_texts(texts)
    return bulk.plain_rows({**values, METADATA: documents}, list(map(and_, sound, are_plain)))


def _as_told(found: Iterable[Problem]) -> list[dict[str, str]]:
    return [
        {
            "field": one.field,
            "code": one.code.replace("-", "_").upper(),
            "message": one.message,
        }
        for one in found
    ]
