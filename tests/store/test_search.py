"""Search: a term anywhere in email, phone or name, ignoring case; changes are seen at once."""

import pytest

from segment_engine.errors import Invalid
from segment_engine.store.store import OrganizationStore
from segment_engine.store.warming import Warming


def found(shop: OrganizationStore, term: str) -> list[int]:
    return shop.search.ordinals(term).ordinals().tolist()


def test_a_term_is_found_anywhere(shop: OrganizationStore) -> None:
    shop.consumers.upsert(
        [
            {"email": "Ada@Example.com", "phone": "+4915112345678", "fullName": "Ada LOVELACE"},
            {"externalId": "2"},
            {"email": "bob@example.com", "fullName": "Bob İnce 100%_\\"},
        ]
    )
    assert found(shop, "example.COM") == [0, 2]
    assert found(shop, "lovel") == found(shop, "15112") == found(shop, "a l") == [0]
    assert found(shop, "0%_\\") == found(shop, "İn") == [2]
    assert found(shop, "com\n+49") == found(shop, "..") == found(shop, "None") == []
    for term in ("", "a", "x" * 201):
        with pytest.raises(Invalid):
            shop.search.ordinals(term)


def test_what_changes_is_found_at_once(shop: OrganizationStore) -> None:
    ada, _ = shop.consumers.upsert([{"email": "ada@example.com"}, {"email": "bob@example.com"}])
    assert found(shop, "ada@") == [0]
    shop.consumers.upsert([{"id": ada.id, "email": "countess@example.com"}, {"email": "ada@x"}])
    assert (found(shop, "ada@"), found(shop, "countess")) == ([2], [0])
    shop.consumers.erase(ada.id)
    assert found(shop, "countess") == []
    assert found(shop, "example") == [1]


def test_texts_are_read_before_somebody_searches(shop: OrganizationStore) -> None:
    shop.consumers.upsert([{"email": "ada@example.com"}])
    texts = shop.store.texts.of(shop.organization.id)
    shop.search.warm(ended=lambda: True)
    assert texts.seen == 0
    warming = Warming(shop.store)
    warming.begin()
    warming.end()
    assert texts.seen in (0, 1)
    shop.search.warm(ended=lambda: False)
    assert texts.seen == 1 and found(shop, "ada") == [0]
