"""Organizations and their keys."""

import pytest
from sqlalchemy import update

from segment_engine.errors import Conflict, Invalid, NotFound
from segment_engine.store.store import Store
from segment_engine.store.tables import organizations


def test_an_organization_keeps_its_settings(store: Store) -> None:
    made = store.organizations.create("shop", timezone="Europe/Berlin", currency="EUR")
    changed = store.organizations.set("shop", phone_region="DE")
    assert changed.phone_region == "DE"
    assert changed.engine.timezone == "Europe/Berlin"
    assert changed.engine.schema.currency == "EUR"
    assert changed.definition_seq == made.definition_seq + 1
    assert store.organizations.set("shop", phone_region="DE") == changed
    assert [job.kind for job in store.jobs.state(made.id)] == ["materialize"]
    with pytest.raises(Conflict, match="already"):
        store.organizations.create("shop")


def test_an_id_is_nobody_elses_name(store: Store) -> None:
    first, second = (store.organizations.create(name) for name in ("one", "two"))
    with pytest.raises(Invalid, match="spelt as an id"):
        store.organizations.create(first.id)
    for other, mine in ((first, second), (second, first)):
        with store.database.writing() as connection:  # as it may be since before
            named = update(organizations).where(organizations.c.id == other.id)
            connection.execute(named.values(name=mine.id))
        assert store.organizations.get(mine.id).id == mine.id
        assert store.of(other.id).organization.id == other.id


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timezone": "Mars"}, "Mars"),
        ({"currency": "euro"}, "ISO 4217"),
        ({"phone_region": "Germany"}, "such as US"),
        ({"schema": {"fields": {"points": "number"}}}, "declare it as `metadata.points`"),
        ({"schema": {"fields": {"x": {"type": "text", "derived": "domain(y)"}}}}, "y"),
    ],
)
def test_wrong_settings_change_nothing(
    store: Store, settings: dict[str, object], message: str
) -> None:
    made = store.organizations.create("shop")
    with pytest.raises(Invalid, match=message):
        store.organizations.set("shop", **settings)
    assert store.organizations.get("shop") == made


def test_a_key_opens_its_organization_until_it_is_revoked(store: Store) -> None:
    shops = [store.organizations.create(name) for name in ("one", "two")]
    made = [store.keys.create(shop.id, "back office") for shop in shops]
    for shop, (secret, key) in zip(shops, made, strict=True):
        assert store.keys.organization_of(secret) == shop.id
        assert secret.startswith(key.shown)
    store.keys.revoke(made[0][1].id)
    assert [store.keys.organization_of(secret) for secret, _ in made] == [None, shops[1].id]
    assert store.keys.list(shops[0].id)[0].revoked_at is not None
    for wrong in ("", "sk_live_", "x" * 51, made[1][0][:-1], made[1][0] + "=", "sk_live_\0" * 9):
        assert store.keys.organization_of(wrong) is None
    with pytest.raises(NotFound):
        store.keys.revoke("key_nobody")
