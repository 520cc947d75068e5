"""Pages of audiences: a walk sees each once, whatever is written meanwhile."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segment_engine.store.records import Page
from segment_engine.store.store import OrganizationStore, Store
from tests.store.problems import problems_of

NAMES = ["b", "B", "a", "Ä", "ä", "a b", "a-b", "_", "%", "z", "b", "Ω", "é", "e", "10", "9"]


@pytest.fixture
def ids(shop: OrganizationStore) -> list[str]:
    made = [shop.audiences.create(name, "STATIC") for name in NAMES]
    return [one.id for one in sorted(made, key=lambda one: (one.created_at, one.id))]


def walk(shop: OrganizationStore, size: int, backwards: bool = False, **asked: Any) -> list[str]:
    """The ids of all pages, in the order of the whole."""
    found: list[str] = []
    place = None
    while True:
        if backwards:
            page = shop.audiences.list(last=size, before=place, **asked)
            found = [one.id for one in page.items] + found
        else:
            page = shop.audiences.list(first=size, after=place, **asked)
            found += [one.id for one in page.items]
        assert len(page.items) == len(page.positions) <= size
        if not (page.before if backwards else page.after):
            return found
        place = page.positions[0 if backwards else -1]


@pytest.mark.parametrize("sort_by", ["name", "createdAt", "updatedAt"])
@pytest.mark.parametrize("sort_dir", ["asc", "desc"])
def test_a_walk_of_any_step_sees_each_once_in_order(
    shop: OrganizationStore, ids: list[str], sort_by: str, sort_dir: str
) -> None:
    for id in ids[3::4]:
        shop.audiences.update(id, {"icon_name": "x"})
    every = shop.audiences.list(sort_by=sort_by, sort_dir=sort_dir).items
    keys = {
        "name": lambda one: (fold_of(one.name), one.id),
        "createdAt": lambda one: (one.created_at, one.id),
        "updatedAt": lambda one: (one.updated_at, one.id),
    }
    assert list(every) == sorted(every, key=keys[sort_by], reverse=sort_dir == "desc")
    whole = [one.id for one in every]
    assert sorted(whole) == sorted(ids)
    for size in (1, 3, len(ids), 100):
        for backwards in (False, True):
            asked = {"sort_by": sort_by, "sort_dir": sort_dir}
            assert walk(shop, size, backwards, **asked) == whole


def fold_of(name: str) -> str:
    return name.lower()


def test_a_page_tells_what_is_on_either_side(shop: OrganizationStore, ids: list[str]) -> None:
    def sides(page: Page[Any]) -> tuple[bool, bool]:
        return page.before, page.after

    first = shop.audiences.list(first=5)
    assert sides(first) == (False, True)
    second = shop.audiences.list(first=5, after=first.positions[-1])
    assert sides(second) == (True, True)
    assert sides(shop.audiences.list(last=5)) == (True, False)
    between = shop.audiences.list(after=first.positions[0], before=first.positions[-1])
    assert [one.id for one in between.items] == ids[1:4]
    assert sides(between) == (True, True)
    assert sides(shop.audiences.list()) == (False, False)
    last = shop.audiences.list().positions[-1]
    assert sides(shop.audiences.list(first=5, after=last)) == (True, False)
    assert sides(shop.audiences.list(search="nothing")) == (False, False)


def test_a_walk_is_not_shaken_by_what_is_written(shop: OrganizationStore, ids: list[str]) -> None:
    seen: list[str] = []
    place = None
    for step in range(100):
        page = shop.audiences.list(first=3, after=place, sort_by="name")
        seen += [one.id for one in page.items]
        if not page.after:
            break
        place = page.positions[-1]
        shop.audiences.create("a", "STATIC")
        shop.audiences.create(f"zz{step}", "STATIC")
        shop.audiences.archive(page.items[-1].id)
    assert len(seen) == len(set(seen))
    assert set(ids) <= set(seen)


def test_archived_ones_and_types_are_asked_for(shop: OrganizationStore, ids: list[str]) -> None:
    shop.audiences.archive(ids[0])
    dynamic = shop.audiences.create("d", "DYNAMIC").id
    listed = {
        key: [one.id for one in shop.audiences.list(**asked).items]
        for key, asked in {
            "kept": {"type": "STATIC_LIST"},
            "gone": {"archived": True},
            "both": {"archived": None},
            "dynamic": {"type": "DYNAMIC"},
        }.items()
    }
    assert listed == {
        "kept": ids[1:],
        "gone": ids[:1],
        "both": [*ids, dynamic],
        "dynamic": [dynamic],
    }


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("ä", ["Ä", "ä"]),
        ("Ä", ["Ä", "ä"]),
        ("%", ["%"]),
        ("_", ["_"]),
        ("/", []),
        ("\\", []),
        (" a ", ["a", "a b", "a-b"]),
        ("ω", ["Ω"]),
        ("", NAMES),
        ("' or 1=1 --", []),
    ],
)
def test_a_search_is_part_of_a_name(
    shop: OrganizationStore, ids: list[str], term: str, found: list[str]
) -> None:
    assert sorted(one.name for one in shop.audiences.list(search=term).items) == sorted(found)


def test_a_search_is_part_of_a_description(shop: OrganizationStore, ids: list[str]) -> None:
    made = shop.audiences.create("x", "STATIC", description="100% ÄRGER_")
    for term in ("00%", "ärger_"):
        assert [one.id for one in shop.audiences.list(search=term).items] == [made.id]
    shop.audiences.update(made.id, {"description": None})
    assert shop.audiences.list(search="00%").items == []


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({"sort_by": "id"}, "sortBy"),
        ({"sort_dir": "up"}, "sortDir"),
        ({"first": 0}, "first"),
        ({"last": 1_001}, "last"),
        ({"first": 1, "last": 1}, "last"),
        ({"type": "static"}, "type"),
        ({"search": "\0"}, "search"),
        ({"search": "x" * 256}, "search"),
        ({"after": ["a", 1]}, "after"),
        ({"after": ["a", "aud_01JDVZ0000000000000000000A"]}, "after"),
        ({"before": [True, "aud_01JDVZ0000000000000000000A"]}, "before"),
        ({"before": [2**70, "aud_01JDVZ0000000000000000000A"]}, "before"),
    ],
)
def test_what_cannot_be_asked_is_told(
    shop: OrganizationStore, asked: dict[str, Any], place: str
) -> None:
    assert [one.field for one in problems_of(shop.audiences.list, **asked)] == [place]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    term=st.text(st.sampled_from("ab%_/\\'A "), max_size=3),
)
def test_any_names_are_walked_and_searched(store: Store, names: list[str], term: str) -> None:
    shop = store.of(store.organizations.create(f"shop {len(store.organizations.list())}").id)
    names = [name for name in (*names, f"x{term}y") if name.strip()]
    ids = [shop.audiences.create(name, "STATIC").id for name in names]
    assert sorted(walk(shop, 2, sort_by="name")) == sorted(ids)
    found = {one.id for one in shop.audiences.list(search=term).items}
    assert ids[-1] in found
