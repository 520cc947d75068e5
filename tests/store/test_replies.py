"""Answers kept under a key: what was changed is there together with them, or not at all."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import update

from segment_engine.errors import Conflict, Invalid
from segment_engine.store.replies import Begun, Replies, Reply
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import idempotency

REPLY = Reply(201, {"etag": '"1"'}, b"made")


def begun(shop: OrganizationStore, key: str = "k") -> Begun:
    found = Replies(shop.store.database).begin(shop.organization.id, key, "asked")
    assert isinstance(found, Begun)
    return found


def written(shop: OrganizationStore, by: Begun, email: str) -> str:
    with by.changes.joining():
        (made,) = shop.consumers.upsert([{"email": email}])
        assert shop.consumers.get(made.id).email == email, "what was written is read"
    return made.id


def count(shop: OrganizationStore) -> int:
    return shop.store.of(shop.organization.id).organization.change_seq


def test_changes_commit_with_their_answer(shop: OrganizationStore) -> None:
    replies, own = Replies(shop.store.database), shop.organization.id
    one = begun(shop)
    for email in ("a@b.c", "b@b.c"):
        written(shop, one, email)
        assert count(shop) == 0
    with pytest.raises(ZeroDivisionError), one.changes.joining(), shop.store.database.writing():
        shop.consumers.upsert([{"email": "c@b.c"}])
        _ = 1 / 0  # is undone alone
    replies.keep(one, REPLY)
    assert count(shop) == 2 and len(shop.consumers.at(range(9))) == 2
    assert replies.begin(own, "k", "asked") == REPLY
    with pytest.raises(Invalid):
        replies.begin(own, "k", "other")


def test_changes_without_an_answer_never_were(shop: OrganizationStore) -> None:
    one = begun(shop)
    written(shop, one, "a@b.c")
    Replies(shop.store.database).free(one)
    written(shop, begun(shop), "b@b.c")
    assert count(shop) == 0 and shop.consumers.at(range(9)) == []


def test_who_was_taken_for_dead_changes_nothing(shop: OrganizationStore) -> None:
    replies, late = Replies(shop.store.database), begun(shop)
    with shop.store.database.writing() as connection:
        connection.execute(update(idempotency).values(created_at=0))
    second = begun(shop)
    written(shop, late, "late@b.c")
    with pytest.raises(Conflict):
        replies.keep(late, REPLY)
    written(shop, second, "second@b.c")
    replies.keep(second, REPLY)
    assert [one.email for one in shop.consumers.at(range(9))] == ["second@b.c"]


def test_one_of_many_at_once_has_the_key(shop: OrganizationStore) -> None:
    replies, own = Replies(shop.store.database), shop.organization.id
    told: list[object] = []

    def ask() -> None:
        try:
            found = replies.begin(own, "k", "asked")
            if isinstance(found, Begun):
                written(shop, found, "a@b.c")
                replies.keep(found, REPLY)
            told.append(type(found))
        except Conflict:
            told.append(Conflict)

    at_once(ask, 8)
    assert told.count(Begun) == 1 and len(told) == 8 and count(shop) == 1


def at_once(do: Callable[[], None], number: int) -> None:
    threads = [threading.Thread(target=do) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
