"""Consumers: whom a row means, what it changes, what is left of one that was erased."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from segment_engine.errors import Invalid, NotFound
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.tables import consumers

NUMBERS = count()
ADA = {
    "email": "Ada@Example.com",
    "phone": "+4915112345678",
    "fullName": "Ada Lovelace",
    "externalId": "0001",
    "totalOrders": 3,
    "totalOrderValue": Decimal("12345678901234567.89"),
    "lastOrderAt": "2026-01-31T10:00:00+02:00",
    "metadata": {"tier": "gold", "points": Decimal("12345678901234567.89"), "gone": None},
}


def test_a_row_twice_changes_nothing(shop: OrganizationStore) -> None:
    (made,) = shop.consumers.upsert([ADA])
    before = shop.consumers.get(made.id)
    (again,) = shop.consumers.upsert([ADA])
    assert (made.status, again.status, again.id) == ("created", "unchanged", made.id)
    assert shop.consumers.get(made.id) == before
    assert before.total_order_value == ADA["totalOrderValue"]
    assert before.metadata == {"tier": "gold", "points": Decimal("12345678901234567.89")}
    assert before.last_order_at == 1_769_846_400_000_000
    assert shop.store.organizations.get(shop.organization.id).change_seq == 1


@pytest.mark.parametrize(
    "row",
    [{"externalId": "0001"}, {"email": "aDA@example.COM"}, {"phone": "+49 151 12345678"}],
    ids=lambda row: next(iter(row)),
)
def test_a_row_means_who_is_known_by_it(shop: OrganizationStore, row: dict[str, str]) -> None:
    (made,) = shop.consumers.upsert([ADA])
    told = shop.consumers.upsert([{**row, "totalOrders": 4, "metadata": {"tier": None, "a": [1]}}])
    found = shop.consumers.get(made.id)
    assert [one.id for one in told] == [made.id]
    assert (found.total_orders, found.full_name) == (4, "Ada Lovelace")
    assert found.metadata == {"points": Decimal("12345678901234567.89"), "a": [1]}


def test_a_day_is_its_first_instant_in_the_zone(store: Store) -> None:
    shop = store.of(store.organizations.create("berlin", timezone="Europe/Berlin").id)
    (told,) = shop.consumers.upsert([{"externalId": "1", "lastOrderAt": "2026-01-31"}])
    shop.consumers.upsert([{"externalId": "1", "createdAt": date(2026, 7, 1)}])
    found = shop.consumers.get(told.id)
    assert found.last_order_at == 1_769_814_000_000_000  # 2026-01-30T23:00:00Z
    assert found.created_at == 1_782_856_800_000_000  # 2026-06-30T22:00:00Z


def test_an_identifier_may_pass_to_another_within_a_batch(shop: OrganizationStore) -> None:
    ada, bob = shop.consumers.upsert([{"externalId": "1"}, {"externalId": "2"}])
    shop.consumers.upsert(
        [
            {"id": ada.id, "externalId": None, "email": "ada@example.com"},
            {"id": bob.id, "externalId": "1"},
            {"externalId": "2", "fullName": "new"},
        ]
    )
    assert shop.consumers.get(ada.id).external_id is None
    assert shop.consumers.get(bob.id).external_id == "1"
    assert [one.external_id for one in shop.consumers.at([2])] == ["2"]


def test_rows_of_one_batch_may_mean_the_same_consumer(shop: OrganizationStore) -> None:
    told = shop.consumers.upsert(
        [
            {"email": "bob@example.com", "totalOrders": 1},
            {"email": "BOB@example.com", "externalId": "b"},
            {"externalId": "b", "email": None, "fullName": "Bob"},
            {"email": "bob@example.com"},
        ]
    )
    assert told[0].id == told[1].id == told[2].id != told[3].id
    found = shop.consumers.get(told[0].id)
    assert (found.email, found.external_id, found.total_orders) == (None, "b", 1)


def test_identifiers_of_two_consumers_are_a_conflict(shop: OrganizationStore) -> None:
    ada, bob = shop.consumers.upsert([ADA, {"externalId": "2", "email": "bob@example.com"}])
    mixed = {"externalId": "2", "email": "ada@example.com", "totalOrders": 9}
    with pytest.raises(Invalid) as refused:
        shop.consumers.upsert([{"externalId": "3"}, mixed])
    (problem,) = refused.value.problems
    assert (problem.field, problem.code) == ("consumers.1.email", "identity-conflict")
    assert shop.store.organizations.get(shop.organization.id).next_ordinal == 2
    put = shop.consumers.put([mixed])
    assert [one.id for one in put.rows if one] == [bob.id]
    assert shop.consumers.get(bob.id).total_orders == 9
    assert shop.consumers.get(bob.id).email == "bob@example.com"
    assert shop.consumers.get(ada.id).email == ADA["email"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody at home"),
        ("email", ""),
        ("phone", "12"),
        ("totalOrders", "many"),
        ("totalOrders", 1.5),
        ("totalOrders", 2**63),
        ("totalOrders", True),
        ("totalOrderValue", "1e400"),
        ("totalOrderValue", "0.0000001"),
        ("totalOrderValue", Decimal("NaN")),
        ("lastOrderAt", "2026-02-30"),
        ("lastOrderAt", "2026-01-31 10:00"),
        ("lastOrderAt", 5),
        ("fullName", "a\0b"),
        ("fullName", "x" * 1001),
        ("metadata", []),
        ("metadata", {"a": "\0"}),
        ("metadata", {"a": "x" * 70_000}),
        ("shoeSize", 42),
    ],
)
def test_what_is_wrong_is_told_and_nothing_put_in(
    shop: OrganizationStore, field: str, value: Any
) -> None:
    with pytest.raises(Invalid) as refused:
        shop.consumers.upsert([ADA, {"externalId": "2", field: value}])
    assert [one.field for one in refused.value.problems] == [f"consumers.1.{field}"]
    assert shop.store.organizations.get(shop.organization.id).change_seq == 0


def test_a_row_that_is_left_out_changes_nothing(shop: OrganizationStore) -> None:
    (made,) = shop.consumers.upsert([ADA])
    before = shop.consumers.get(made.id)
    most = {"a": "x" * 40_000}
    assert shop.consumers.put([{"externalId": "0001", "metadata": most}]).problems == []
    grown = {"fullName": "new", "metadata": {"b": "x" * 40_000}}
    put = shop.consumers.put([{"externalId": key, **grown} for key in ("0001", "2")])
    assert put.rows[0] is None and [one.field for one in put.problems] == ["consumers.0.metadata"]
    assert shop.consumers.get(made.id).full_name == before.full_name
    assert shop.consumers.put([{"externalId": "3", "metadata": {"a": "\0"}}]).rows == [None]
    assert len(shop.consumers.at(range(9))) == 2


def test_equal_numbers_are_unchanged(shop: OrganizationStore) -> None:
    (made,) = shop.consumers.upsert([{"externalId": "1", "totalOrderValue": "10.5"}])
    (told,) = shop.consumers.upsert([{"externalId": "1", "totalOrderValue": "10.50"}])
    assert (told.status, told.id) == ("unchanged", made.id)
    (told,) = shop.consumers.upsert([{"externalId": "1", "totalOrderValue": "10.51"}])
    assert told.status == "updated"
    assert shop.consumers.get(made.id).total_order_value == Decimal("10.51")


def test_no_message_has_a_value_in_it(shop: OrganizationStore) -> None:
    wrong = {"email": "secret", "phone": "secret", "totalOrders": "secret", "metadata": "secret"}
    with pytest.raises(Invalid) as refused:
        shop.consumers.upsert([wrong])
    assert len(refused.value.problems) == 4
    assert "secret" not in repr(refused.value) + str(refused.value)


def test_nothing_personal_is_left_of_an_erased_consumer(shop: OrganizationStore) -> None:
    ada, bob = shop.consumers.upsert([ADA, {"externalId": "2"}])
    shop.consumers.erase(ada.id)
    with shop.store.database.reading() as connection:
        row = connection.execute(select(consumers).where(consumers.c.ordinal == 0)).one()
        changed = shop.consumers.read_changed(connection, 1, 10)
        assert shop.consumers.erased(connection) == [0]
    left = {name for name, value in row._asdict().items() if value is not None}
    assert left == {"organization", "ordinal", "id", "updated_at", "change_seq", "erased_at"}
    assert row.id == "erased_0"
    assert changed is not None and list(changed["ordinal"]) == [0]
    with pytest.raises(NotFound):
        shop.consumers.get(ada.id)
    assert [one.id for one in shop.consumers.at([1, 0])] == [bob.id]
    assert shop.consumers.ordinals_of([ada.id, bob.id, "erased_0"]) == {bob.id: 1}
    (again,) = shop.consumers.upsert([ADA])
    assert again.status == "created" and again.id != ada.id
    with pytest.raises(Invalid):
        shop.consumers.upsert([{"id": "erased_0", "fullName": "x"}])


IDENTIFIERS = st.fixed_dictionaries(
    {},
    optional={
        "externalId": st.sampled_from(["1", "2", "3", None]),
        "email": st.sampled_from(["a@x", "A@X", "b@x", "c@x", None]),
        "phone": st.sampled_from(["+4915112345671", "+4915112345672", None]),
        "totalOrders": st.integers(0, 2),
        "metadata": st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, None])),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(IDENTIFIERS, max_size=4), rows=st.lists(IDENTIFIERS, max_size=6))
def test_rows_at_once_are_as_one_after_another(
    store: Store, before: list[dict[str, Any]], rows: list[dict[str, Any]]
) -> None:
    told = []
    for size in (len(rows) + 1, 1):
        shop = store.of(store.organizations.create(f"shop {next(NUMBERS)}").id)
        shop.consumers.put(before)
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        put = [shop.consumers.put(part) for part in parts]
        held = shop.consumers.at(range(len(before) + len(rows)))
        for name in ("external_id", "phone", "email"):
            values = [value.lower() for one in held if (value := getattr(one, name))]
            assert len(set(values)) == len(values)
        wrong = sorted(
            (one.field.split(".")[2:], one.code) for part in put for one in part.problems
        )
        ordinals = shop.consumers.ordinals_of([one.id for one in held])
        meant = [one and ordinals.get(one.id) for part in put for one in part.rows]
        same = {"id": "", "created_at": 0, "updated_at": 0}
        told.append((wrong, meant, [replace(one, **same) for one in held]))
        again = shop.consumers.put([{"id": one.id, "email": one.email} for one in held])
        assert {one.status for one in again.rows if one} <= {"unchanged"}
    assert told[0] == told[1]


def test_another_organization_has_other_consumers(shop: OrganizationStore, store: Store) -> None:
    (ada,) = shop.consumers.upsert([ADA])
    other = store.of(store.organizations.create("other").id)
    with pytest.raises(NotFound):
        other.consumers.get(ada.id)
    with pytest.raises(NotFound):
        other.consumers.erase(ada.id)
    assert other.consumers.ordinals_of([ada.id]) == {}
    assert other.consumers.upsert([ADA])[0].id != ada.id


def test_writers_at_once_lose_no_change(shop: OrganizationStore) -> None:
    def write(writer: int) -> None:
        for n in range(10):
            rows = [{"externalId": f"{(writer + n) % 5}-{k}"} for k in range(4)]
            shop.consumers.upsert([*rows, {"externalId": f"own-{writer}-{n}"}])

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write, writer) for writer in range(8)]:
            done.result()
    found = shop.store.organizations.get(shop.organization.id)
    with shop.store.database.reading() as connection:
        query = select(consumers.c.change_seq, consumers.c.ordinal)
        rows = connection.execute(query).all()
    assert sorted(row.ordinal for row in rows) == [*range(100)]
    assert found.next_ordinal == 100
    assert {row.change_seq for row in rows} == {*range(1, found.change_seq + 1)}
    assert found.change_seq == 80
