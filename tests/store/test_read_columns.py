"""What is read of all consumers at once is what each of them has, exactly."""

from decimal import Decimal

import pytest

from segment_engine.backends.sources import tiled
from segment_engine.backends.sources.tiled import COLUMNS
from segment_engine.store import source
from segment_engine.store.source import Reading
from segment_engine.store.store import OrganizationStore

HOSTILE = 'a"b\\c\t\x1f\x7f\u2028 😀 İ \ufeff {"n": 1} [null]'


def test_columns_are_read_exactly(shop: OrganizationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "AT_ONCE", 2)
    shop.consumers.upsert(
        [
            {"email": "1@x.org", "fullName": HOSTILE, "metadata": {HOSTILE: [HOSTILE, None, 1.5]}},
            {"externalId": "null", "totalOrders": 2**63 - 1, "fullName": "null"},
            {"externalId": "3", "totalOrders": 0, "totalOrderValue": Decimal("-0.10")},
            {"phone": "+49 30 901820", "totalOrderValue": Decimal("9" * 26 + ".999999")},
            {"email": "5@x.org", "lastOrderAt": "1969-12-31T23:59:59.999999Z"},
        ]
    )
    shop.consumers.erase(shop.consumers.at([2])[0].id)
    with shop.store.database.reading() as connection:
        tiles = Reading(connection, shop.consumers, shop.organization.id).source(None).source
        frames = list(tiles.frames(COLUMNS, 3))
        told = shop.consumers.read_changed(connection, 0, 10)
    assert [len(one) for one in frames] == [3, 2]
    assert told is not None
    found = [row for one in frames for row in one.to_dicts()]
    every = tiled.frame(told)
    assert found == every.to_dicts()
    assert (found[0]["fullName"], found[1]["totalOrders"]) == (HOSTILE, 2**63 - 1)
    assert found[3]["totalOrderValue"] == Decimal("9" * 26 + ".999999")
    assert set(found[2].values()) == {2, None}
    assert [one.schema for one in frames] == 2 * [every.schema]
