"""Runs over a store give what a run over all its consumers gives, whatever happened before."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from segment_engine.errors import Invalid
from segment_engine.store.generations import Generation
from segment_engine.store.store import OrganizationStore
from segment_engine.values.isotime import format_instant


def members(shop: OrganizationStore, generation: Generation) -> dict[str, list[int]]:
    """The ordinals of each audience."""
    return {
        key: shop.generations.bitmap(generation, key).ordinals().tolist()
        for key in generation.audiences
    }


def expected(shop: OrganizationStore, generation: Generation) -> dict[str, list[int]]:
    """The same as the engine for single records finds it among all consumers."""
    people = consumers(shop)
    audiences = shop.audiences.active()
    rules = {one.id: one.expression for one in audiences if one.expression is not None}
    lists = {
        one.id: [] if one.type == "DYNAMIC" else shop.members.bitmap(one.id).ordinals().tolist()
        for one in audiences
        if one.id not in rules
    }
    found = shop.organization.engine.materialize(
        rules,
        people,
        as_of=format_instant(generation.as_of),
        engine="records",
        id_column="ordinal",
        lists=lists,
    )
    assert not found.failed
    return {one.id: found.members(one.id) for one in audiences}


def consumers(shop: OrganizationStore) -> list[dict[str, Any]]:
    """All that are not erased."""
    with shop.store.database.reading() as connection:
        total = shop.consumers.count_ordinals(connection)
    return [
        {
            "ordinal": one.ordinal,
            "email": one.email,
            "phone": one.phone,
            "fullName": one.full_name,
            "externalId": one.external_id,
            "totalOrders": one.total_orders,
            "totalOrderValue": one.total_order_value,
            "lastOrderAt": _iso(one.last_order_at),
            "createdAt": _iso(one.created_at),
            "metadata": one.metadata,
        }
        for one in shop.consumers.at(range(total))
    ]


def _iso(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


RULES = (
    "totalOrders > {n}",
    "not (totalOrders > {n})",
    "totalOrderValue >= {n}.5 or metadata.level = {n}",
    'email ends with "{n}.org" or fullName contains "a"',
    "lastOrderAt within last {n} days",
    "metadata.level is missing and createdAt exists",
    "averageOrderValue > {n}",
)


class History:
    """Consumers come, change and go; audiences are edited."""

    def __init__(self, shop: OrganizationStore, seed: int) -> None:
        self.shop, self.random = shop, Random(seed)
        self.ids: list[str] = []
        self.static = shop.audiences.create("static", "STATIC").id
        self.dynamic = [
            shop.audiences.create(f"dynamic {n}", "DYNAMIC", expression=self.rule()).id
            for n in range(5)
        ]
        shop.audiences.create("nobody", "DYNAMIC")

    def rule(self) -> str:
        text = self.random.choice(RULES).format(n=self.random.randint(1, 6))
        if self.random.random() < 0.3:
            text = f'({text}) and not (in audience "{self.static}")'
        return text

    def person(self) -> dict[str, Any]:
        random = self.random
        found: dict[str, Any] = {
            "email": f"p{random.randint(0, 10**9)}@{random.randint(1, 6)}.org",
            "fullName": random.choice([None, "ada", "Bob", "Cäcilie"]),
            "totalOrders": random.choice([None, *range(8)]),
            "totalOrderValue": random.choice([None, Decimal(random.randint(0, 90)) / 8]),
            "metadata": random.choice([None, {}, {"level": random.randint(1, 6)}]),
        }
        return {key: one for key, one in found.items() if one is not None}

    def step(self) -> None:
        random = self.random
        rows = [self.person() for _ in range(random.randint(0, 8))]
        if self.ids:
            some = random.sample(self.ids, min(len(self.ids), 4))
            rows += [{**self.person(), "id": one} for one in some]
        if rows:
            self.ids += [
                one.id for one in self.shop.consumers.upsert(rows) if one.status == "created"
            ]
        if self.ids and random.random() < 0.6:
            self.shop.consumers.erase(self.ids.pop(random.randrange(len(self.ids))))
        if random.random() < 0.4:
            changes = {"expression": self.rule()}
            self.shop.audiences.update(random.choice(self.dynamic), changes)
        if self.ids and random.random() < 0.5:
            some = random.sample(self.ids, min(len(self.ids), 3))
            random.choice([self.shop.members.add, self.shop.members.remove])(self.static, some)


@pytest.mark.parametrize("seed", range(3))
def test_histories(shop: OrganizationStore, seed: int) -> None:
    history = History(shop, seed)
    before: dict[str, list[int]] = {}
    for _ in range(6):
        history.step()
        made = shop.runs.run()
        found = members(shop, made)
        assert found == expected(shop, made)
        for key, audience in made.audiences.items():
            was, now = set(before.get(key, ())), set(found[key])
            assert audience.count == len(now)
            assert (audience.entered, audience.left) == (len(now - was), len(was - now))
        assert made.consumers == len(consumers(shop))
        before = found


def test_only_those_who_changed_are_asked(shop: OrganizationStore) -> None:
    many = shop.audiences.create("many", "DYNAMIC", expression="totalOrders > 3").id
    rows = [{"email": f"{n}@x.org", "totalOrders": n % 7} for n in range(500)]
    ids = [one.id for one in shop.consumers.upsert(rows)]
    first = shop.runs.run()
    assert (first.number, first.asked, first.audiences[many].count) == (1, 500, 213)
    shop.consumers.upsert([{"id": ids[7], "totalOrders": 9}, {"email": "new@x.org"}])
    second = shop.runs.run()
    assert (second.number, second.asked, second.audiences[many].entered) == (2, 2, 1)
    assert second.consumers == 501
    shop.consumers.erase(ids[7])
    third = shop.runs.run()
    assert (third.asked, third.audiences[many].left, third.consumers) == (1, 1, 500)
    entered, left = shop.generations.changes(third, many)
    assert (len(entered), left.ordinals().tolist()) == (0, [7])
    assert shop.runs.run().asked == 0


def test_previews(shop: OrganizationStore) -> None:
    rows = [{"email": f"{n}@x.org", "totalOrders": n} for n in range(50)]
    ids = [one.id for one in shop.consumers.upsert(rows)]
    shop.audiences.create("large", "DYNAMIC", expression="totalOrders >= 40")
    found = shop.runs.preview('not (in audience "large") and totalOrders > 10', first=2)
    assert (found.count, found.consumers, found.ordinals) == (29, 50, [11, 12])
    assert [count for _, count in found.clauses] == [40, 39]
    shop.consumers.erase(ids[11])
    shop.consumers.upsert([{"id": ids[12], "totalOrders": 3}])
    found = shop.runs.preview(
        [{"field": "totalOrders", "operator": "GREATER_THAN", "values": [10]}]
    )
    assert (found.count, found.consumers, found.ordinals[0]) == (37, 49, 13)
    assert found.clauses == [("totalOrders > 10", 37)]
    with pytest.raises(Invalid):
        shop.runs.preview("totalOrder > 10")
