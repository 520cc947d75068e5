"""Imports of CSV files into static audiences: what is to be uploaded, and how far each has come.

An upload is let in by a token of its own, once, for an hour. What is done with it then is a job
(importing.py).
"""

import hmac
import secrets
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from segment_engine.errors import Invalid, NotFound
from segment_engine.store import exact_json
from segment_engine.store.attributes import STATIC
from segment_engine.store.csv_rows import MOST_BYTES
from segment_engine.store.database import Database, now
from segment_engine.store.defining import get
from segment_engine.store.generations import Gone
from segment_engine.store.ids import new_id
from segment_engine.store.jobs import SECOND, want
from segment_engine.store.records import Import, Organization, RowIssues
from segment_engine.store.tables import import_files, import_issues, imports, jobs

KIND = "import"
MODES = ("ADD", "REPLACE")
AWAITING, VALIDATING, PROCESSING = "AWAITING_UPLOAD", "VALIDATING", "PROCESSING"
COMPLETED, WITH_ERRORS, FAILED = "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED"
OPEN_FOR = 3_600 * SECOND
"""Microseconds in which a file may be uploaded."""
MOST_LISTED = 20
LATE = "no file came in time; begin another import"
LEFT = "it could not be ended; import the file again, what is in already stays as it is"
_COLUMNS = [imports.c[name] for name in Import.__slots__]


class Imports:
    """The imports of one organization."""

    def __init__(self, database: Database, organization: Organization, secret: bytes) -> None:
        """Made by `Store.of`; `secret` is the key of the hashes of tokens."""
        self._database, self._organization, self._secret = database, organization, secret

    def create(self, audience_id: str, mode: str = "ADD") -> tuple[Import, str]:
        """An import that waits for its file, and the token that lets it in.

        ADD puts the rows' consumers into the audience, REPLACE makes them its members. Raises
        NotFound, and Invalid for an audience that is not STATIC.
        """
        if mode not in MODES:
            raise Invalid(f"the mode of an import is {' or '.join(MODES)}")
        token, own = secrets.token_urlsafe(32), self._organization.id
        with self._database.writing() as connection:
            if get(connection, own, audience_id).type != STATIC:
                raise Invalid("Audience is not a static list")
            instant = now(connection)
            id = new_id("imp", instant)
            row = {
                "organization": own,
                "id": id,
                "audience": audience_id,
                "mode": mode,
                "status": AWAITING,
                "token": _hash(self._secret, token),
                "expires_at": instant + OPEN_FOR,
                "processed": 0,
                "wrong": 0,
                "ignored": "[]",
                "created_at": instant,
                "updated_at": instant,
            }
            connection.execute(insert(imports).values(row))
        return self.get(audience_id, id), token

    def get(self, audience_id: str, import_id: str) -> Import:
        """One of an audience's imports. Raises NotFound."""
        with self._database.reading() as connection:
            get(connection, self._organization.id, audience_id)
            query = self._of(audience_id).where(imports.c.id == import_id)
            row = connection.execute(query).first()
        if row is None:
            raise NotFound("Import not found")
        return made(row)

    def list(self, audience_id: str) -> list[Import]:
        """The newest of an audience, at most 20, the newest first."""
        newest = self._of(audience_id).order_by(imports.c.created_at.desc(), imports.c.id.desc())
        with self._database.reading() as connection:
            return [made(row) for row in connection.execute(newest.limit(MOST_LISTED))]

    def issues(self, import_id: str, most: int | None = None) -> Iterator[RowIssues]:
        """The rows in which something is wrong, in order."""
        c = import_issues.c
        mine = c.organization == self._organization.id, c.import_id == import_id
        query = select(c.row, c.issues).where(*mine).order_by(c.row).limit(most)
        with self._database.reading() as connection:
            for row in connection.execute(query):
                yield RowIssues(row.row, exact_json.loads(row.issues))

    def _of(self, audience_id: str) -> Any:
        mine = imports.c.organization == self._organization.id
        return select(*_COLUMNS).where(mine, imports.c.audience == audience_id)


class Uploads:
    """The files of all organizations that come in by a token."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database, self._secret = database, secret

    def is_known(self, token: str) -> bool:
        """Whether an import has the token, used or not."""
        known = select(imports.c.id).where(imports.c.token == _hash(self._secret, token))
        with self._database.reading() as connection:
            return connection.execute(known).first() is not None

    def receive(self, token: str, content: bytes) -> str:
        """Takes the file of an import, which is a job from then on; the job's id.

        Raises NotFound for a token that nobody has, Gone where its time is over or it was used,
        Invalid for a file that is too large.
        """
        if len(content) > MOST_BYTES:
            raise Invalid(f"a file has at most {MOST_BYTES // 1024**2} MB")
        known = imports.c.token == _hash(self._secret, token)
        with self._database.writing() as connection:
            row = connection.execute(select(imports).where(known).with_for_update()).first()
            if row is None:
                raise NotFound("Upload not found")
            instant = now(connection)
            if row.expires_at < instant:
                raise Gone("The time of the upload is over")
            if row.status != AWAITING:
                raise Gone("The upload was used already")
            file = {"organization": row.organization, "import_id": row.id, "bytes": content}
            connection.execute(insert(import_files).values(file))
            begun = update(imports).where(known).values(status=VALIDATING, updated_at=instant)
            connection.execute(begun)
            return want(connection, row.organization, KIND, row.id, after_s=0)


def made(row: Row[Any]) -> Import:
    """The import that a row tells of."""
    told: dict[str, Any] = {name: getattr(row, name) for name in Import.__slots__}
    return Import(**{**told, "ignored": exact_json.loads(row.ignored)})


def settle_old(connection: Connection) -> None:
    """Imports that nobody will end have failed: without a file in time, or given up by workers."""
    instant = now(connection)
    late = (imports.c.status == AWAITING) & (imports.c.expires_at < instant)
    alive = exists().where(
        jobs.c.organization == imports.c.organization,
        jobs.c.kind == KIND,
        jobs.c.key == imports.c.id,
        jobs.c.state.in_(("QUEUED", "RUNNING")),
    )
    left = imports.c.status.in_((VALIDATING, PROCESSING)) & ~alive
    for which, reason in ((late, LATE), (left, LEFT)):
        failed = {"status": FAILED, "reason": reason, "updated_at": instant}
        connection.execute(update(imports).where(which).values(**failed))
    ended = exists().where(
        imports.c.organization == import_files.c.organization,
        imports.c.id == import_files.c.import_id,
        imports.c.status == FAILED,
    )
    connection.execute(delete(import_files).where(ended))


def _hash(secret: bytes, token: str) -> str:
    return hmac.digest(secret, b"upload " + token.encode(errors="replace"), "sha256").hex()
