"""Consumers loaded from files: all formats alike, bad rows told, the same file twice."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from segment_engine.errors import Invalid, SourceError
from segment_engine.store import loading
from segment_engine.store.loading import Rejected, load
from segment_engine.store.store import OrganizationStore

ROWS: list[dict[str, Any]] = [
    {
        "externalId": "0001",
        "email": "Ada@x.org",
        "phone": "+4915112345678",
        "fullName": "Ada",
        "totalOrders": 3,
        "totalOrderValue": Decimal("12345678901234567.89"),
        "lastOrderAt": datetime(2026, 1, 31, 10, tzinfo=UTC),
        "metadata": '{"a": 12345678901234567.89}',
        "metadata.tier": "gold",
        "shoe": "42",
    },
    {"externalId": "0002", "email": "bob@x.org", "metadata.tier": None},
]
SEEN = datetime(2026, 1, 31, 10, 0, 0, 500_000)


def parquet(rows: list[dict[str, Any]], path: Path) -> None:
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)


def csv(rows: list[dict[str, Any]], path: Path) -> None:
    named = [name for name in rows[0] if any(row.get(name) is not None for row in rows)]
    texts = [{name: _text(row.get(name)) for name in named} for row in rows]
    pl.DataFrame(texts).write_csv(path)


def _text(value: Any) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if value is None else str(value)


def ndjson(rows: list[dict[str, Any]], path: Path) -> None:
    path.write_text("\n\n".join(map(_line, rows)))


def _line(row: dict[str, Any]) -> str:
    if "metadata" in row:
        row = {**row, "metadata": "METADATA"}
    text = json.dumps(row, default=lambda one: _text(one) if isinstance(one, datetime) else "V")
    return text.replace('"V"', "12345678901234567.89").replace(
        '"METADATA"', '{"a": 12345678901234567.89}'
    )


@pytest.mark.parametrize("write", [parquet, csv, ndjson], ids=lambda one: one.__name__)
def test_every_format_gives_the_same_consumers(
    shop: OrganizationStore, tmp_path: Path, write: Callable[[Any, Path], None]
) -> None:
    path = tmp_path / f"people.{write.__name__}"
    write(ROWS, path)
    steps: list[tuple[int, int]] = []
    told = load(shop, path, progress=lambda done, total: steps.append((done, total)))
    assert (told.rows, told.created, told.rejected, told.left_out) == (2, 2, [], ["shoe"])
    assert steps == [(2, 2)]
    ada, bob = shop.consumers.at([0, 1])
    assert (ada.email, ada.phone, ada.external_id) == ("Ada@x.org", "+4915112345678", "0001")
    assert (ada.total_orders, ada.total_order_value) == (3, Decimal("12345678901234567.89"))
    assert ada.last_order_at == 1_769_853_600_000_000
    assert ada.metadata == {"a": Decimal("12345678901234567.89"), "tier": "gold"}
    assert (bob.external_id, bob.email, bob.metadata) == ("0002", "bob@x.org", None)
    again = load(shop, path)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert shop.consumers.at([0, 1]) == [ada, bob]
    assert shop.store.organizations.get(shop.organization.id).change_seq == 1


def test_bad_rows_are_told_and_good_ones_land(
    shop: OrganizationStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "MOST_ROWS", 2)
    path = tmp_path / "people.csv"
    path.write_text(
        "externalId,email,totalOrders,metadata\n"
        "1,a@x.org,many,\n2,b@x.org,1,{\n3,,,\n,,5,\n4,C@x.org,,[]\n5,d@x.org,2,\n6,D@x.org,2,\n"
    )
    told = load(shop, path)
    assert told.rejected == [
        Rejected(1, "totalOrders", "it is a number such as 12 or 19.99"),
        Rejected(2, "metadata", "it is no JSON"),
        Rejected(4, "", "a consumer has an id, externalId, email or phone"),
        Rejected(5, "metadata", "it is an object"),
        Rejected(7, "email", "it is another consumer's"),
    ]
    assert dict(loading.lines(told)) == {
        "created": 3, "updated": 0, "unchanged": 0, "rejected": 4,
    }  # fmt: skip
    assert [one.external_id for one in shop.consumers.at([0, 1, 2])] == ["3", "5", "6"]


def test_lines_that_are_no_objects_are_told(shop: OrganizationStore, tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    path.write_text('{"externalId": 7, "totalOrders": "3"}\n[]\nsecret\n{"email": NaN}\n')
    told = load(shop, path)
    assert [(one.row, one.reason) for one in told.rejected] == [
        (row, "it is no JSON object") for row in (2, 3, 4)
    ]
    (made,) = shop.consumers.at([0])
    assert (made.external_id, made.total_orders) == ("7", 3)


def test_values_of_other_types_are_read_as_they_are_meant(
    shop: OrganizationStore, tmp_path: Path
) -> None:
    path = tmp_path / "people.parquet"
    columns = {
        "customer": [7, 8],
        "totalOrders": [2.0, float("nan")],
        "totalOrderValue": [0.1 + 0.2, None],
        "lastOrderAt": [datetime(2026, 1, 31, 10), None],
        "metadata": [{"tier": "gold", "on": date(2026, 1, 31), "at": [SEEN]}, None],
        "metadata.seen": [SEEN, None],
    }
    pl.DataFrame(columns).write_parquet(path)
    with pytest.raises(Invalid, match=r"it has customer, .* --external-id"):
        load(shop, path)
    assert load(shop, path, external_id="customer").rejected == []
    made, other = shop.consumers.at([0, 1])
    assert (made.external_id, made.total_orders) == ("7", 2)
    assert (made.total_order_value, made.last_order_at) == (Decimal("0.3"), 1_769_853_600_000_000)
    told = "2026-01-31T10:00:00.5Z"
    assert made.metadata == {"tier": "gold", "on": "2026-01-31", "at": [told], "seen": told}
    assert (other.external_id, other.total_orders, other.metadata) == ("8", None, None)


def test_a_file_that_cannot_be_read_changes_nothing(
    shop: OrganizationStore, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"externalId,email\n1,a@x.org\n2,\xff\n")
    for wrong in (path, tmp_path / "none.csv"):
        with pytest.raises(SourceError):
            load(shop, wrong)
    assert shop.store.organizations.get(shop.organization.id).change_seq == 0
