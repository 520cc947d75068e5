"""Loyalty tiers: no value is in two of them, and they change together, on both databases."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segment_engine import Engine
from segment_engine.errors import Conflict, Invalid
from segment_engine.store.records import Audience
from segment_engine.store.store import OrganizationStore, Store
from segment_engine.store.tiers import gaps, tiers_of
from tests.store.problems import problems_of

AUDIENCE = "aud_01JDVZ0000000000000000000A"


def tier(name: str, order: int, start: Any, end: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "order": order, "startValue": start, "endValue": end, **more}


TIERS = [
    tier("Gold", 3, 500, None, iconName="star"),
    tier("Bronze", 1, "0", "99.50"),
    tier("Silver", 2, Decimal("99.50"), 500),
]


@pytest.fixture
def tiers(shop: OrganizationStore) -> list[Audience]:
    made, warnings = shop.groups.create_tiers("Loyalty", tiers=TIERS)
    assert warnings == []
    return made


def names(audiences: Sequence[Audience]) -> list[str]:
    return [one.name for one in audiences]


def definition_seq(shop: OrganizationStore) -> int:
    return shop.store.organizations.get(shop.organization.id).definition_seq


def group_of(tiers: Sequence[Audience]) -> str:
    (id,) = {one.group_id for one in tiers}
    assert id is not None
    return id


def test_a_tier_is_an_audience_with_a_half_open_range(
    shop: OrganizationStore, tiers: list[Audience]
) -> None:
    assert names(tiers) == ["Bronze", "Silver", "Gold"]
    assert [one.expression for one in tiers] == [
        "totalOrderValue >= 0 and totalOrderValue < 99.5",
        "totalOrderValue >= 99.5 and totalOrderValue < 500",
        "totalOrderValue >= 500",
    ]
    assert [one.type for one in tiers] == ["DYNAMIC"] * 3
    assert {(one.group_name, one.group_type) for one in tiers} == {("Loyalty", "SEGMENTED_VALUE")}
    assert tiers[1].tier == {"order": 2, "startValue": Decimal("99.5"), "endValue": 500}
    assert tiers[2].icon_name == "star"
    assert [len(one.rules) for one in tiers] == [2, 2, 1]
    group = shop.groups.get(group_of(tiers))
    assert (group.name, group.attribute) == ("Loyalty", "totalOrderValue")
    assert shop.groups.audiences(group.id) == tiers
    assert definition_seq(shop) == 1


@pytest.mark.parametrize("attribute", ["totalOrders", "averageOrderValue", 'metadata["points"]'])
def test_any_number_is_an_attribute(store: Store, attribute: str) -> None:
    fields = Engine().schema.to_dict()["fields"] | {"metadata.points": "number"}
    made = store.organizations.create("points", schema={"fields": fields})
    found, _ = store.of(made.id).groups.create_tiers("x", attribute, TIERS)
    assert "points" in attribute or attribute in str(found[0].expression)
    assert str(found[2].expression).endswith(">= 500")


@pytest.mark.parametrize(
    ("attribute", "advice"),
    [
        ("totalOrdersValue", "did you mean totalOrderValue"),
        ("email", "there are totalOrders"),
        ("metadata.points", "there are totalOrders"),
        ("totalOrders + 1", "there are|did you mean"),
        (5, "there are totalOrders"),
        ("lastOrderAt", "number or currency"),
    ],
)
def test_another_attribute_is_refused(shop: OrganizationStore, attribute: Any, advice: str) -> None:
    with pytest.raises(Invalid, match=advice) as caught:
        shop.groups.create_tiers("x", attribute, TIERS)
    assert [one.field for one in caught.value.problems] == ["attribute"]


@pytest.mark.parametrize(
    ("tiers", "places"),
    [
        ([], ["tiers"]),
        ("Gold", ["tiers"]),
        ([5], ["tiers.0"]),
        ([tier(" ", 1, 0, 1)], ["tiers.0.name"]),
        ([tier("a", True, 0, 1)], ["tiers.0.order"]),
        ([tier("a", 1, None, 1)], ["tiers.0.startValue"]),
        ([tier("a", 1, "x", True)], ["tiers.0.startValue", "tiers.0.endValue"]),
        ([tier("a", 1, "1e3", "0x1")], ["tiers.0.startValue", "tiers.0.endValue"]),
        ([tier("a", 1, 10**38, None)], ["tiers.0.startValue"]),
        ([tier("a", 1, Decimal("1e-99"), None)], ["tiers.0.startValue"]),
        ([tier("a", 1, float("nan"), float("inf"))], ["tiers.0.startValue", "tiers.0.endValue"]),
        ([tier("a", 1, 5, 5)], ["tiers.0.endValue"]),
        ([tier("a", 1, 5, 4)], ["tiers.0.endValue"]),
        ([tier("a", 1, 0, 1, color="red")], ["tiers.0.color"]),
        ([tier("a", 1, 0, 1, audienceId="x")], ["tiers.0.audienceId"]),
        ([tier("a", 1, 0, 1, audienceId=AUDIENCE)], ["tiers.0.audienceId"]),
        ([tier("a", 1, 0, 1), tier("A", 1, 1, 2)], ["tiers.1.name", "tiers.1.order"]),
        ([tier("a", 1, 0, 10), tier("b", 2, 2, 3), tier("c", 3, 9, 11)], ["tiers.1", "tiers.2"]),
        ([tier("a", 1, 0, None), tier("b", 2, 2, 3)], ["tiers.1"]),
        ([tier("a", 1, "99.5", 100), tier("b", 2, 0, "99.51")], ["tiers.0"]),
    ],
)
def test_wrong_tiers_are_told_at_their_places(
    shop: OrganizationStore, tiers: Any, places: list[str]
) -> None:
    found = problems_of(shop.groups.create_tiers, "x", None, tiers)
    assert sorted(one.field for one in found) == sorted(places)
    assert shop.audiences.list().items == []


def test_an_overlap_names_both(shop: OrganizationStore) -> None:
    wanted = [tier("Gold", 1, 0, 10), tier("Silver", 2, 9, 20)]
    with pytest.raises(Invalid, match='"Gold" and "Silver" overlap'):
        shop.groups.create_tiers("x", tiers=wanted)


def test_a_gap_is_told(shop: OrganizationStore) -> None:
    wanted = [tier("a", 1, 0, 10), tier("b", 2, "10.5", 20), tier("c", 3, 20, None)]
    _, warnings = shop.groups.create_tiers("x", tiers=wanted)
    assert warnings == ['no tier has the values from 10 to 10.5, between "a" and "b"']


# ---- changes


def test_tiers_are_changed_by_id_and_by_name(
    shop: OrganizationStore, tiers: list[Audience]
) -> None:
    bronze, silver, gold = tiers
    before = definition_seq(shop)
    made, _ = shop.groups.update_tiers(
        group_of(tiers),
        tiers=[
            tier("Platinum", 3, 500, None, audienceId=gold.id),
            tier("bronze", 1, 0, 100),
            tier("Gold", 2, 100, 500),
        ],
    )
    assert [one.id for one in (made[0], made[2])] == [bronze.id, gold.id]
    assert made[1].id not in {one.id for one in tiers}
    assert names(made) == ["bronze", "Gold", "Platinum"]
    assert [one.version for one in made] == [2, 1, 1]
    assert made[2].icon_name == "star"
    assert shop.audiences.get(silver.id).archived
    assert shop.groups.audiences(group_of(tiers)) == made
    assert definition_seq(shop) == before + 1


def test_the_same_tiers_change_nothing(shop: OrganizationStore, tiers: list[Audience]) -> None:
    id = group_of(tiers)
    before = shop.groups.get(id), definition_seq(shop)
    for said in ({"tiers": TIERS}, {"name": "Loyalty"}, {"attribute": "totalOrderValue"}, {}):
        assert shop.groups.update_tiers(id, **said) == (tiers, [])
    assert (shop.groups.get(id), definition_seq(shop)) == before


def test_another_attribute_changes_all(shop: OrganizationStore, tiers: list[Audience]) -> None:
    id = group_of(tiers)
    made, _ = shop.groups.update_tiers(id, name="Orders", attribute="totalOrders")
    assert [one.id for one in made] == [one.id for one in tiers]
    assert [one.version for one in made] == [2, 2, 2]
    assert made[2].expression == "totalOrders >= 500"
    assert (made[0].group_name, shop.groups.get(id).attribute) == ("Orders", "totalOrders")


def test_an_archived_tier_comes_back_with_its_group(
    shop: OrganizationStore, tiers: list[Audience]
) -> None:
    id, gold = group_of(tiers), tiers[2]
    shop.groups.update_tiers(id, tiers=TIERS[1:])
    with pytest.raises(Conflict, match="group"):
        shop.audiences.update(gold.id, {"archived": False})
    made, _ = shop.groups.update_tiers(id, tiers=[{**TIERS[0], "audienceId": gold.id}, *TIERS[1:]])
    assert made[2] == shop.audiences.get(gold.id)
    assert not made[2].archived


def test_a_tier_means_what_its_group_says(shop: OrganizationStore, tiers: list[Audience]) -> None:
    gold = tiers[2]
    for changes in ({"expression": "phone exists"}, {"rules": []}, {"name": "silver"}):
        with pytest.raises(Conflict):
            shop.audiences.update(gold.id, changes)
    with pytest.raises(Conflict):
        shop.audiences.add_rules(gold.id, [{"field": "email", "operator": "EXISTS", "values": []}])
    assert shop.audiences.get(gold.id) == gold
    changed = shop.audiences.update(gold.id, {"name": "GOLD", "expression": gold.expression})
    assert changed.name == "GOLD"


def test_what_fails_changes_no_tier(shop: OrganizationStore, tiers: list[Audience]) -> None:
    id, silver = group_of(tiers), tiers[1]
    shop.audiences.create("Press", "DYNAMIC", expression=f'in audience "{silver.id}"')
    before = definition_seq(shop)
    with pytest.raises(Conflict) as caught:
        shop.groups.update_tiers(id, "New", "totalOrders", [tier("Gold", 1, 0, 1)])
    assert ["Press" in one.message for one in caught.value.problems] == [True]
    stranger = shop.audiences.create("x", "STATIC").id
    for audience in (AUDIENCE, stranger):
        wanted = [tier("Gold", 1, 0, 1, audienceId=audience)]
        found = problems_of(shop.groups.update_tiers, id, tiers=wanted)
        assert [one.field for one in found] == ["tiers.0.audienceId"]
    assert shop.groups.audiences(id) == tiers
    assert shop.groups.get(id).name == "Loyalty"
    assert definition_seq(shop) == before + 1  # that of the stranger


def test_a_group_is_archived_whole(shop: OrganizationStore, tiers: list[Audience]) -> None:
    id = group_of(tiers)
    other = shop.audiences.create("Press", "DYNAMIC", expression='in audience "Gold"')
    with pytest.raises(Conflict):
        shop.groups.archive(id)
    assert shop.groups.audiences(id) == tiers
    shop.audiences.archive(other.id)
    before = definition_seq(shop)
    for _ in range(2):
        shop.groups.archive(id)
        assert shop.groups.audiences(id) == []
        assert definition_seq(shop) == before + 1
    assert all(shop.audiences.get(one.id).archived for one in tiers)


# ---- no value is in two tiers

NUMBERS = st.one_of(
    st.integers(-20, 20),
    st.decimals(-20, 20, places=2),
    st.integers(-20, 20).map(str),
    st.decimals(-20, 20, places=1).map(str),
)
ENGINE = Engine()


@given(
    st.lists(st.tuples(NUMBERS, st.none() | NUMBERS), min_size=1, max_size=6),
    st.lists(st.decimals(-21, 21, places=2), max_size=20),
)
def test_each_value_is_in_at_most_one_tier(
    ranges: list[tuple[Any, Any]], values: list[Decimal]
) -> None:
    given = [tier(f"t{n}", n, start, end) for n, (start, end) in enumerate(ranges)]
    bounds = [(Decimal(start), None if end is None else Decimal(end)) for start, end in ranges]
    values += [bound for both in bounds for bound in both if bound is not None]
    within = [
        [start <= value and (end is None or value < end) for start, end in bounds]
        for value in values
    ]
    try:
        tiers = tiers_of(given)
    except Invalid as error:
        empty = any(end is not None and start >= end for start, end in bounds)
        assert empty or any(sum(row) > 1 for row in within), error
        return
    assert all(sum(row) <= 1 for row in within)
    rules = [ENGINE.rule(one.rows("totalOrderValue")) for one in tiers]
    for value, row in zip(values, within, strict=True):
        assert [rule.matches({"totalOrderValue": value}) for rule in rules] == row
    least, most = min(start for start, _ in bounds), max(start for start, _ in bounds)
    lost = [
        value
        for value, row in zip(values, within, strict=True)
        if least <= value < most and not any(row)
    ]
    assert gaps(tiers) or not lost
