"""Loading by column is putting row by row: what is plain is sound, and nobody is another one."""

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from segment_engine.errors import Problem
from segment_engine.store import importing, loading
from segment_engine.store.csv_rows import Sheet
from segment_engine.store.given_rows import Row, names
from segment_engine.store.identity import checked, written
from segment_engine.store.import_here import import_here
from segment_engine.store.importing import _as_told
from segment_engine.store.loading import Loaded, Rejected, load
from segment_engine.store.matching import KEPT
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.tables import consumers, jobs

NUMBERS = count()
SIZE = 3
NEXT = datetime(2026, 1, 31, 10, tzinfo=UTC)

Pool = tuple[pl.DataType, list[Any]]


def texts(*pool: str) -> Pool:
    return pl.String(), ["", *pool]


def doubles(*pool: float) -> Pool:
    return pl.Float64(), [0.0, -0.0, 1.0, 2.5, float("nan"), float("inf"), 1e300, *pool]


WHOLE: list[Pool] = [
    texts("1", "2", "007", "-0", "+1", "1.0", "1e2", "many", "9" * 18, "9" * 19, " 1"),
    (pl.Int16(), [0, 1, 2, -5]),
    (pl.UInt64(), [1, 2**63 - 1, 2**63]),
    (pl.Boolean(), [True, False]),
    (pl.Decimal(38, 0), [Decimal(1), Decimal(10**37)]),
    (pl.Decimal(9, 2), [Decimal("1.00"), Decimal("1.50")]),
    (pl.Float32(), [1.0, 0.1, 16777216.0]),
    doubles(2.0**53, 2.0**53 + 2, 2.0**63, 1.0000000001),
]
MONEY: list[Pool] = [
    texts("1", "10.50", "10.5", "0.00", "-0", "-0.10", "007", "1e3", ".5", "5.", "1.1234567"),
    (pl.Decimal(18, 2), [Decimal("10.50"), Decimal(0), Decimal("-0.01")]),
    (pl.Decimal(38, 9), [Decimal("10.5"), Decimal("0.000000001"), Decimal(0), Decimal(10**28)]),
    (pl.Decimal(38, 0), [Decimal(0), Decimal(10**31), Decimal(10**32), Decimal(-(10**37))]),
    (pl.Float32(), [0.1, 2.5]),
    doubles(0.1 + 0.2, 10.5, 123456789.123456, 1e9, 1e-6, 1e-7, 0.1234565, 1e16, 5e-324),
    *WHOLE[1:4],
]
TIMES: list[Pool] = [
    texts("2026-01-31", "2026-01-31T10:00", "2026-01-31T10:00:00.1234567+02:00", "0001-01-02"),
    texts("2026-02-30", "9999-12-30", "2026-01-31 10:00", "2026-01-31T23:59:60Z"),
    (pl.Date(), [date(2026, 1, 31), date(2026, 3, 29)]),
    (pl.Datetime("us", "UTC"), [NEXT, NEXT + timedelta(microseconds=1)]),
    (pl.Datetime("ns"), [datetime(2026, 1, 31, 10, 0, 0, 5)]),
    (pl.Datetime("ms", "Europe/Berlin"), [NEXT, datetime(1, 1, 1, tzinfo=UTC)]),
    (pl.Int64(), [5]),
]
NAMES = texts("1", "2", " 1", "1\x1c", "a b", "\u00e9", "1\u00a0", "x" * 201, "x" * 1001, "a\0")
NUMBERED: list[Pool] = [NAMES, NAMES, (pl.Int64(), [1, 2, -1]), (pl.Float64(), [1.0])]
PHONES = texts("+4915112345671", "+49 151 12345672", "0151", "+4915112345671 ", "+0151123456")
EMAILS = texts(
    "a@x", "A@x", "b@x", "a@", "@x", "a@b@c", "a@@", "\u00c4@x", "\u212a@x", "a b@x", " a@x"
)
DOCUMENTS: list[Pool] = [
    texts(
        *("{}", "[]", "null", "{", '{"b": 1, "a": "x"}', '{"a":"x","b":1}', '{"a": null}'),
        *('{"a":1.50}', '{"a":-0}', '{"a":1,"a":2}', '{"b":[1,"x"], "a":true}', '{"a":"\\u0000"}'),
        *('{"a":0.000001}', '{"a":1e5}', '{"a":"\u00e9"}', '{"a":{"b":1}}', '{"a":[null]}'),
        *('{"a":"x"}\n', '{"a":"$1\\u0041"}', '{"a":"${1}","A":2}', '{"a b":1}'),
    ),
    texts('{"b":1,"a":2}', '{"b":1}', '{"a":2,"b":1}', '{"big":"' + "x" * 70_000 + '"}'),
    (pl.Struct({"a": pl.Int64(), "day": pl.Date()}), [{"a": 1, "day": date(2026, 1, 31)}, {}]),
    (pl.Struct({"at": pl.Datetime("us", "UTC")}), [{"at": NEXT}]),
]
COLUMNS: dict[str, list[Pool]] = {
    "externalId": NUMBERED,
    "email": [EMAILS, EMAILS, (pl.Int64(), [5])],
    "phone": [PHONES, PHONES, (pl.Int64(), [4915112345671])],
    "fullName": [NAMES, (pl.Boolean(), [True])],
    "totalOrders": WHOLE,
    "totalOrderValue": MONEY,
    "lastOrderAt": TIMES,
    "createdAt": TIMES,
    "metadata": DOCUMENTS,
    "metadata.a": [texts("x", "y"), (pl.Date(), [date(2026, 1, 31)]), (pl.Int8(), [1])],
}


@st.composite
def frames(draw: st.DrawFn, most: int = 8) -> pl.DataFrame:
    """A file of consumers, many of them the same ones, with cells of all sorts."""
    wanted = draw(st.sets(st.sampled_from(list(COLUMNS)), min_size=1).filter(_known))
    length = draw(st.integers(1, most))
    cells = []
    for name in sorted(wanted):
        kind, pool = draw(st.sampled_from(COLUMNS[name]))
        values = st.lists(st.sampled_from([*pool, None]), min_size=length, max_size=length)
        cells.append(pl.Series(name, draw(values), dtype=kind))
    return pl.DataFrame(cells)


def _known(wanted: set[str]) -> bool:
    return not wanted.isdisjoint({"externalId", "email", "phone"})


def as_file(frame: pl.DataFrame, folder: Path) -> Path:
    path = folder / f"{next(NUMBERS)}.parquet"
    frame.write_parquet(path)
    return path


def parts(shop: OrganizationStore, path: Path) -> Sequence[loading.Part]:
    return list(loading._of_columns(path, names("externalId"), shop.organization).parts)


@pytest.fixture
def berlin(store: Store) -> OrganizationStore:
    made = store.organizations.create("berlin", timezone="Europe/Berlin")
    return store.of(made.id)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(frame=frames(40))
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_plain_is_sound(
    berlin: OrganizationStore, tmp_path: Path, frame: pl.DataFrame
) -> None:
    (part,) = parts(berlin, as_file(frame, tmp_path))
    for plain, row in zip(part.plain, part.read(range(len(part.plain))), strict=True):
        if plain is not None:
            assert plain == kept(berlin, row)


def kept(shop: OrganizationStore, row: Row) -> tuple[Any, ...]:
    """What a row gives as it is kept; it must be sound."""
    given, unreadable = row
    values, problems = checked(given, shop.organization, "row")
    assert (unreadable, problems) == ([], [])
    if (patch := values.get("metadata")) is not None:
        sound = {key: one for key, one in patch.items() if one is not None}
        values["metadata"] = written(sound)
    return tuple(values.get(name) for name in KEPT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=frames(), frame=frames())
def test_loading_is_putting_row_by_row(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: pl.DataFrame,
    frame: pl.DataFrame,
) -> None:
    monkeypatch.setattr(loading, "MOST_ROWS", SIZE)
    found = []
    for way in (load, put_row_by_row):
        made = store.organizations.create(f"shop {next(NUMBERS)}", timezone="Europe/Berlin")
        shop = store.of(made.id)
        told = [way(shop, as_file(each, tmp_path)) for each in (before, frame, frame)]
        found.append((told, table(shop)))
    assert found[0] == found[1]


def put_row_by_row(shop: OrganizationStore, path: Path) -> Loaded:
    told = Loaded()
    for part in parts(shop, path):
        rows = list(part.read(range(len(part.plain))))
        put = shop.consumers.put([row for row, wrong in rows if not wrong])
        sound = [n for n, (_, wrong) in enumerate(rows) if not wrong]
        problems = [(n, one.field, one.message) for n, (_, all) in enumerate(rows) for one in all]
        for one in put.problems:
            _, place, *name = one.field.split(".", 2)
            problems.append((sound[int(place)], "".join(name), one.message))
        told.rejected += [Rejected(told.rows + n + 1, *rest) for n, *rest in sorted(problems)]
        told.wrong = len(told.rejected)
        statuses = [one.status for one in put.rows if one]
        told.created += statuses.count("created")
        told.updated += statuses.count("updated")
        told.unchanged += statuses.count("unchanged")
        told.rows += len(rows)
    return told


SHEETS: dict[str, Pool] = {
    "externalId": NAMES,
    "email": EMAILS,
    "phone": PHONES,
    "fullName": NAMES,
    "metadata": DOCUMENTS[0],
    "metadata.a": texts("x", "y"),
}


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """A CSV file of consumers, many of them the same ones."""
    wanted = sorted(draw(st.sets(st.sampled_from(list(SHEETS)), min_size=1).filter(_known)))
    cells = [
        st.sampled_from([one for one in SHEETS[name][1] if "\0" not in one]) for name in wanted
    ]
    out = StringIO()
    csv.writer(out).writerows([wanted, *draw(st.lists(st.tuples(*cells), max_size=8))])
    return out.getvalue().encode()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=settings.default.max_examples // 2,  # each is six imports
)
@given(before=sheets(), content=sheets())
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_importing_is_putting_row_by_row(
    store: Store, monkeypatch: pytest.MonkeyPatch, before: bytes, content: bytes
) -> None:
    monkeypatch.setattr(importing, "PART", SIZE)
    found = []
    for way in (imported, put_sheet):
        made = store.organizations.create(f"shop {next(NUMBERS)}")
        shop = store.of(made.id)
        lists = [shop.audiences.create(name, "STATIC").id for name in ("a", "b", "c")]
        files = zip(lists, (before, content, content), strict=True)
        told = [way(shop, audience, file) for audience, file in files]
        found.append((told, table(shop)))
    assert found[0] == found[1]


def imported(shop: OrganizationStore, audience: str, content: bytes) -> Any:
    """The ordinals of the members once a file is in, and what was wrong by the row."""
    made = import_here(shop, audience, content, "ADD", lambda done, total: None)
    issues = {
        one.row: sorted(map(sorted, map(dict.items, one.issues)))
        for one in shop.imports.issues(made.id)
    }
    return shop.members.bitmap(audience).ordinals().tolist(), issues


def put_sheet(shop: OrganizationStore, _: str, content: bytes) -> Any:
    members: set[int] = set()
    issues: dict[int, list[Problem]] = {}
    sheet = Sheet(content)
    for part in sheet.parts(SIZE):
        read = [(number, *sheet.row(cells)) for number, cells in part]
        sound = [(number, row) for number, row, wrong in read if not wrong]
        issues |= {number: list(wrong) for number, _, wrong in read if wrong}
        put = shop.consumers.put([row for _, row in sound])
        for one in put.problems:
            _, place, *name = one.field.split(".", 2)
            told = Problem("".join(name), one.message, one.code)
            issues.setdefault(sound[int(place)][0], []).append(told)
        members |= {*shop.consumers.ordinals_of([one.id for one in put.rows if one]).values()}
    told = {
        row: sorted(map(sorted, map(dict.items, _as_told(wrong)))) for row, wrong in issues.items()
    }
    return sorted(members), dict(sorted(told.items()))


def table(shop: OrganizationStore) -> list[Any]:
    """The consumers as they are kept, but for instants of now and ids; counters, and jobs."""
    mine = consumers.c.organization == shop.organization.id
    with shop.store.database.reading() as connection:
        today = shop.store.database.now(connection) - 3_600_000_000
        columns = [consumers.c[name] for name in ("ordinal", "change_seq", *KEPT)]
        rows = connection.execute(select(*columns).where(mine).order_by("ordinal")).all()
        wanted = connection.execute(
            select(jobs.c.kind).where(
                jobs.c.organization == shop.organization.id, jobs.c.kind != "import"
            )
        ).all()
    told = [(*row[:-1], None if (row[-1] or 0) > today else row[-1]) for row in rows]
    held = shop.store.organizations.get(shop.organization.id)
    return [*told, held.change_seq, held.next_ordinal, *map(tuple, wanted)]
