"""Files put into static audiences: bad rows are told, the same file twice changes nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from segment_engine.errors import Invalid, NotFound
from segment_engine.store import importing
from segment_engine.store.csv_rows import MOST_BYTES, MOST_ROWS, Sheet
from segment_engine.store.database import now
from segment_engine.store.generations import Gone
from segment_engine.store.import_here import import_here
from segment_engine.store.imports import LATE, LEFT, settle_old
from segment_engine.store.jobs import Job, Lost
from segment_engine.store.records import Import
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import import_files, imports

GOOD = (
    b"externalId,Email, first_name,LAST NAME,tags,metadata,metadata.shoe,Total\r\n"
    b'007,Ada@x.org,Ada,Lovelace,"vip, press;vip","{""n"": 1.10}",042,9\r\n'
    b"008,bob@x.org,,,,,,\r\n"
    b"\r\n"
    b',eve@x.org,"Eve\n""E""",,,,,\r\n'
)


@pytest.fixture
def audience(shop: OrganizationStore) -> str:
    return shop.audiences.create("by hand", "STATIC").id


def received(shop: OrganizationStore, audience: str, content: bytes, mode: str = "ADD") -> Job:
    """The job of an import whose file has come."""
    _, token = shop.imports.create(audience, mode)
    shop.store.uploads.receive(token, content)
    while (job := shop.store.jobs.claim("here", 1)) is not None and job.kind != "import":
        shop.store.jobs.finish(job)
    assert job is not None
    return job


def imported(shop: OrganizationStore, audience: str, content: bytes, mode: str = "ADD") -> Import:
    job = received(shop, audience, content, mode)
    importing.run(shop, job)
    return shop.imports.get(audience, job.key)


def members(shop: OrganizationStore, audience: str) -> list[Any]:
    return shop.consumers.at(shop.members.bitmap(audience).ordinals().tolist())


def state(shop: OrganizationStore) -> tuple[int, int]:
    own = shop.store.organizations.get(shop.organization.id)
    return own.change_seq, own.definition_seq


def test_a_good_file(shop: OrganizationStore, audience: str) -> None:
    told = imported(shop, audience, GOOD)
    assert (told.status, told.total, told.processed, told.wrong) == ("COMPLETED", 3, 3, 0)
    assert told.ignored == ["Total"]
    ada, bob, eve = members(shop, audience)
    assert (ada.external_id, ada.email, ada.full_name) == ("007", "Ada@x.org", "Ada Lovelace")
    assert str(ada.metadata["n"]) == "1.10"
    assert (ada.metadata["tags"], ada.metadata["shoe"]) == (["vip", "press"], "042")
    assert (bob.full_name, bob.metadata, eve.full_name) == (None, None, 'Eve\n"E"')
    before = state(shop)
    again = imported(shop, audience, GOOD)
    assert (again.status, state(shop), members(shop, audience)) == (
        "COMPLETED",
        before,
        [ada, bob, eve],
    )
    with shop.store.database.reading() as connection:
        assert connection.execute(select(import_files)).all() == []


def test_modes(shop: OrganizationStore, audience: str) -> None:
    imported(shop, audience, b"email\na@x.org\nb@x.org\n")
    imported(shop, audience, b"email;phone\nc@x.org;+4915112345678\n")
    assert [one.email for one in members(shop, audience)] == ["a@x.org", "b@x.org", "c@x.org"]
    imported(shop, audience, b"email\nB@x.org\n", "REPLACE")
    told = imported(shop, audience, b"email\nnobody\n", "REPLACE")
    assert (told.status, told.reason, told.wrong) == ("FAILED", importing.NO_ROW, 1)
    assert [one.email for one in members(shop, audience)] == ["B@x.org"]
    imported(shop, audience, b"email\n", "REPLACE")
    assert members(shop, audience) == []
    with pytest.raises(Invalid, match="ADD or REPLACE"):
        shop.imports.create(audience, "DROP")


def test_bad_rows(shop: OrganizationStore, audience: str) -> None:
    shop.consumers.upsert([{"email": "a@x.org"}, {"phone": "+4915112345678"}])
    content = (
        b"email,phone,metadata\n"
        b"nobody,,\n"  # 1
        b",,\n"  # 2
        b"b@x.org\n"  # 3
        b"c@x.org,,[1]\n"  # 4
        b"a@x.org,+4915112345678,\n"  # 5
        b"new@x.org,,\n"  # 6
        b"NEW@x.org,,\n"  # 7
        b"=1+1@x.org,,\n"  # 8
    )
    told = imported(shop, audience, content)
    assert (told.status, told.total, told.wrong) == ("COMPLETED_WITH_ERRORS", 8, 5)
    found = {one.row: one.issues for one in shop.imports.issues(told.id)}
    assert {row: [(i["field"], i["code"]) for i in one] for row, one in found.items()} == {
        1: [("email", "INVALID")],
        2: [("", "INVALID")],
        3: [("", "INVALID")],
        4: [("metadata", "INVALID")],
        5: [("phone", "IDENTITY_CONFLICT")],
    }
    assert "nobody" not in str(found) and "x.org" not in str(found)
    emails = [one.email for one in members(shop, audience)]
    assert emails == ["a@x.org", "NEW@x.org", "=1+1@x.org"]


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is empty"),
    "blank": (b"\n \n", "it is empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 1 is not UTF-8"),
    "a workbook": (b"PK\x03\x04\x14\0", "it is a workbook"),
    "UTF-16": ("email\na@x.org".encode("utf-16"), "it is UTF-16"),
    "Latin 1": ("email\nä@x.org".encode("latin-1"), "line 2 is not UTF-8"),
    "NUL": (b"email\na\0@x.org", "it is no text"),
    "no header": (b"ada@x.org,Ada\n", "names no column email, phone or externalId"),
    "one column twice": (b"email,E-Mail\n", "two columns are called email"),
    "no name": (b"email,\na@x.org\na@x.org,2\n", "column 2 has no name"),
    "a long name": (b"email," + b"a" * 201 + b"\n", "the name of column 2 has more than 200"),
    "many columns": (b"email" + b",a" * 2_000_000 + b"\na\n" * 9_999, "more than 1,000 columns"),
    "an open quote": (b'email\n"a@x.org\nb@x.org\n', "is no CSV"),
    "too many rows": (b"email\n" + b"a@x.org\n" * (MOST_ROWS + 1), "more than 100,000 rows"),
    "too large": (b"email\n" + b"a" * MOST_BYTES, "more than 10 MB"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files(name: str) -> None:
    content, reason = BAD[name]
    with pytest.raises(Invalid, match=reason):
        Sheet(content)


def rows_of(sheet: Sheet) -> list[Any]:
    return [sheet.row(cells) for part in sheet.parts(9) for _, cells in part]


def test_an_unreadable_file_changes_nothing(shop: OrganizationStore, audience: str) -> None:
    before = state(shop)
    told = imported(shop, audience, b"email\na@x.org\n\xff@x.org\n")
    assert (told.status, told.reason) == ("FAILED", "line 3 is not UTF-8; save it as CSV UTF-8")
    assert (state(shop), len(shop.members.bitmap(audience))) == (before, 0)


def test_a_byte_order_mark_and_columns_without_a_name_or_values() -> None:
    sheet = Sheet("\ufeffemail,,\na@x.org,,\n".encode())
    assert rows_of(sheet) == [({"email": "a@x.org"}, [])]
    assert sheet.ignored == []


@pytest.mark.parametrize(
    "content",
    [
        b'email;"Total, net, in EUR, rounded"\na@x.org;3\n',
        b"\r\n\nemail;Total\na@x.org;3\n",
        b'email;Total\ra@x.org;"1,2,3"\r',
        b'"email","Total;of;this;year"\na@x.org,3\n',
    ],
)
def test_separators(content: bytes) -> None:
    assert rows_of(Sheet(content)) == [({"email": "a@x.org"}, [])]


def test_one_person_in_rows_far_apart(
    shop: OrganizationStore, audience: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last word is the last row's, and the same file again says nothing new."""
    monkeypatch.setattr(importing, "PART", 2)
    content = (
        b"externalId,email,fullName\n"
        b"1,A@x.org,first\n"
        b",b@x.org,other\n"
        b"2,,unknown\n"
        b",a@x.org,second\n"
        b"wrong\n"
        b"1,,third\n"
    )
    told = imported(shop, audience, content)
    assert [one.row for one in shop.imports.issues(told.id)] == [5]
    assert (told.processed, told.wrong) == (6, 1)
    found = {one.full_name: one.external_id for one in members(shop, audience)}
    assert found == {"other": None, "unknown": "2", "third": "1"}
    before = state(shop)
    assert imported(shop, audience, content).processed == 6
    assert state(shop) == before


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40), st.integers(1, 5))
def test_parts_hold_each_row_once_and_persons_together(
    rows: list[tuple[int, int]], size: int
) -> None:
    lines = [f"{a or ''},{f'{b}@x.org' if b else ''},x" for a, b in rows]
    sheet = Sheet("\n".join(["externalId,email,fullName", *lines]).encode())
    parts = [*sheet.parts(size)]
    assert [*sheet.parts(size)] == parts
    numbers = [[number for number, _ in part] for part in parts]
    assert sorted(one for part in numbers for one in part) == [*range(1, len(rows) + 1)]
    for key in ("externalId", "email"):
        holding = [
            (row[key], at)
            for at, part in enumerate(parts)
            for row, _ in (sheet.row(cells) for _, cells in part)
            if key in row
        ]
        assert len({value for value, _ in holding}) == len(set(holding))


class Died(Exception):
    pass


@pytest.mark.parametrize("at", range(6))
def test_a_worker_that_dies(
    shop: OrganizationStore, audience: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or behind the commit of each part: another worker goes on from there, each row counts
    once."""
    monkeypatch.setattr(importing, "PART", 2)
    content = b"email\n" + b"".join(
        b"u%d@x.org\n" % n if n % 3 else b"wrong%d\n" % n for n in range(5)
    )
    job = received(shop, audience, content)
    before, calls, advanced = state(shop), iter(range(100)), importing._Importing._advanced

    def dying(*_: Any) -> None:
        if next(calls) == at // 2:
            raise Died

    def advanced_and_dying(*told: Any) -> None:
        advanced(*told)
        dying()

    with monkeypatch.context() as dies:
        if at % 2 == 0:
            dies.setattr(importing._Importing, "_advanced", advanced_and_dying)
        with pytest.raises(Died):
            importing.run(shop, job, dying if at % 2 else None)
    assert shop.imports.get(audience, job.key).processed == min(5, (at + 1) // 2 * 2)
    assert at or state(shop) == before
    shop.store.jobs.release(job)
    again = shop.store.jobs.take(job.id, "there", 2) or pytest.fail("it does not wait")
    importing.run(shop, again)
    told = shop.imports.get(audience, job.key)
    assert (told.status, told.processed, told.wrong) == ("COMPLETED_WITH_ERRORS", 5, 2)
    assert [one.row for one in shop.imports.issues(told.id)] == [1, 4]
    assert [one.email for one in members(shop, audience)] == ["u1@x.org", "u2@x.org", "u4@x.org"]
    with pytest.raises(Lost):
        importing.run(shop, job)


def test_a_worker_that_was_taken_for_dead_puts_nothing_in(
    shop: OrganizationStore, audience: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PART", 1)
    job = received(shop, audience, b"email,fullName\na@x.org,Ada\nb@x.org,Bob\n")

    def taken(*_: int) -> None:
        shop.store.jobs.release(job)
        importing.run(shop, shop.store.jobs.take(job.id, "there", 2) or pytest.fail("not there"))
        shop.consumers.upsert([{"email": "b@x.org", "fullName": "Bert"}])

    with pytest.raises(Lost):
        importing.run(shop, job, taken)
    assert [one.full_name for one in members(shop, audience)] == ["Ada", "Bert"]


def test_an_import_here_whose_job_was_taken_is_awaited(
    shop: OrganizationStore, audience: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = importing.run

    def losing(*told: Any) -> None:
        run(*told)
        raise Lost("another worker has the job")

    monkeypatch.setattr(importing, "run", losing)
    told = import_here(shop, "by hand", b"email\na@x.org\n", "ADD", lambda done, total: None)
    assert (told.status, told.processed) == ("COMPLETED", 1)


def test_who_may_upload(shop: OrganizationStore, audience: str) -> None:
    uploads, (made, token) = shop.store.uploads, shop.imports.create(audience)
    with pytest.raises(NotFound, match="Upload not found"):
        uploads.receive(f"{token}x", b"email\n")
    with pytest.raises(Invalid, match="at most 10 MB"):
        uploads.receive(token, b" " * (MOST_BYTES + 1))
    uploads.receive(token, b"email\n")
    with pytest.raises(Gone, match="used already"):
        uploads.receive(token, b"email\n")
    _, late = shop.imports.create(audience)
    with shop.store.database.writing() as connection:
        passed = {"expires_at": now(connection) - 1}
        connection.execute(update(imports).where(imports.c.id != made.id).values(**passed))
    with pytest.raises(Gone, match="time of the upload is over"):
        uploads.receive(late, b"email\n")
    dynamic = shop.audiences.create("rule", "DYNAMIC", expression="totalOrders > 1").id
    with pytest.raises(Invalid, match="Audience is not a static list"):
        shop.imports.create(dynamic)
    with pytest.raises(NotFound):
        shop.imports.get(dynamic, made.id)


def test_what_nobody_ends_has_failed(shop: OrganizationStore, audience: str) -> None:
    job = received(shop, audience, b"email\n")
    late, token = shop.imports.create(audience)
    shop.store.jobs.fail(job, "broken", again=False)
    with shop.store.database.writing() as connection:
        passed = {"expires_at": now(connection) - 1}
        connection.execute(update(imports).where(imports.c.id == late.id).values(**passed))
        settle_old(connection)
        assert connection.execute(select(import_files)).all() == []
    assert {one.id: (one.status, one.reason) for one in shop.imports.list(audience)} == {
        job.key: ("FAILED", LEFT),
        late.id: ("FAILED", LATE),
    }
    with pytest.raises(Gone, match="time of the upload is over"):
        shop.store.uploads.receive(token, b"email\n")
