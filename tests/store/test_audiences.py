"""Audiences of a store: their laws, on both databases."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from segment_engine.errors import Conflict, Invalid, NotFound, RevisionConflict
from segment_engine.store.records import Audience
from segment_engine.store.store import OrganizationStore, Store
from tests.store.problems import problems_of

ROWS = [
    {"field": "totalOrders", "operator": "GREATER_THAN", "values": [2]},
    {"field": "metadata.tier", "operator": "IN", "values": ["gold", "silver"], "groupId": "g"},
    {"field": "email", "operator": "EXISTS", "values": [], "groupId": "g"},
]
TEXT = 'totalOrders > 2 and (metadata.tier in ("gold", "silver") or email exists)'
HOSTILE = ["a'b", '"; drop table audiences; --', "100%", "a_b", "\\", "😀 ünï", "a/b", "{}", "?:x"]


@pytest.fixture
def vip(shop: OrganizationStore) -> Audience:
    return shop.audiences.create("VIP", "DYNAMIC", expression="totalOrders > 9")


def definitions(shop: OrganizationStore) -> tuple[int, int]:
    """How often members may have changed, and how many runs wait."""
    found = shop.store.organizations.get(shop.organization.id)
    return found.definition_seq, len(shop.store.jobs.state(shop.organization.id))


# ---- what is kept


def test_what_is_created_is_found(shop: OrganizationStore) -> None:
    exact = {"a": Decimal("12345678901234567.89"), "b": [1, True, None, "ü😀\0"], "c": {}}
    made = shop.audiences.create(
        "  Good customers ",
        "DYNAMIC",
        description="who buy",
        icon_name="star",
        metadata=exact,
        rules=ROWS,
        refresh_interval=60,
    )
    assert shop.audiences.get(made.id) == made
    assert (made.name, made.version, made.revision, made.archived) == (
        "Good customers",
        1,
        1,
        False,
    )
    assert made.metadata == exact and type(made.metadata["b"][1]) is bool
    assert made.expression == TEXT
    assert [row["position"] for row in made.rules] == [0, 1, 2]
    assert [row["groupId"] for row in made.rules] == [None, "g", "g"]
    assert len({row["id"] for row in made.rules}) == 3
    assert made.created_at == made.updated_at > 0
    assert definitions(shop) == (1, 1)


def test_rows_and_text_say_the_same(shop: OrganizationStore) -> None:
    by_rows = shop.audiences.create("a", "DYNAMIC", rules=ROWS)
    by_text = shop.audiences.create("b", "DYNAMIC", expression=TEXT)
    assert by_rows.expression == by_text.expression
    said = [{**row, "id": "", "groupId": bool(row["groupId"])} for row in by_rows.rules]
    assert said == [{**row, "id": "", "groupId": bool(row["groupId"])} for row in by_text.rules]


def test_an_audience_of_each_type(shop: OrganizationStore) -> None:
    kinds = {kind: shop.audiences.create("x", kind).type for kind in ("STATIC", "STATIC_LIST")}
    assert kinds == {"STATIC": "STATIC", "STATIC_LIST": "STATIC"}
    assert shop.audiences.create("x", "SYNCED_LIST").type == "SYNCED_LIST"
    nobody = shop.audiences.create("x", "DYNAMIC", rules=[])
    assert (nobody.expression, nobody.rules) == (None, [])
    for given in ({"rules": ROWS}, {"expression": TEXT}):
        with pytest.raises(Invalid, match="only a DYNAMIC"):
            shop.audiences.create("x", "STATIC", **given)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"name": None}, "name"),
        ({"type": "dynamic"}, "type"),
        ({"description": "x" * 5_001}, "description"),
        ({"description": "\0"}, "description"),
        ({"icon_name": "x" * 256}, "iconName"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"x": "y" * 65_536}}, "metadata"),
        ({"metadata": {"x": float("nan")}}, "metadata"),
        ({"metadata": {"x": "\ud800"}}, "metadata"),
        ({"refresh_interval": 59}, "refreshIntervalSeconds"),
        ({"refresh_interval": True}, "refreshIntervalSeconds"),
        ({"refresh_interval": 2**40}, "refreshIntervalSeconds"),
        ({"expression": "totalOrder > 2"}, "expression"),
        ({"expression": " "}, "expression"),
        ({"expression": TEXT, "rules": ROWS}, "expression"),
        ({"rules": [{**ROWS[0], "values": ["many"]}]}, "rules.0.values.0"),
        ({"rules": [ROWS[0], {**ROWS[0], "value": 1}]}, "rules.1.value"),
        ({"rules": [ROWS[0], {**ROWS[0], "id": "1"}]}, "rules.1.id"),
        ({"rules": [{**ROWS[0], "position": 2**40}]}, "rules.0.position"),
        ({"rules": "totalOrders > 2"}, "rules"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(
    shop: OrganizationStore, given: dict[str, Any], place: str
) -> None:
    values = {"name": "x", "type": "DYNAMIC", **given}
    assert [one.field for one in problems_of(shop.audiences.create, **values)] == [place]
    assert shop.audiences.list().items == []
    assert definitions(shop) == (0, 0)


def test_a_misspelt_field_has_its_characters_and_the_nearest_name(shop: OrganizationStore) -> None:
    (problem,) = problems_of(shop.audiences.create, "x", "DYNAMIC", expression="totalOrder > 2")
    assert problem.span == (0, 10)
    assert problem.code == "unknown-field"
    assert "did you mean totalOrders" in problem.message


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_kept_found_and_referred_to(shop: OrganizationStore, text: str) -> None:
    made = shop.audiences.create(text, "STATIC", description=text)
    shop.audiences.create("another", "STATIC")
    assert [one.id for one in shop.audiences.list(search=text).items] == [made.id]
    row = {"field": "audience", "operator": "IN", "values": [text]}
    other = shop.audiences.create("refers", "DYNAMIC", rules=[row])
    assert other.rules[0]["values"] == [made.id]
    assert other.expression == f'in audience "{made.id}"'


# ---- changes


def test_an_update_changes_what_is_told_and_only_that(shop: OrganizationStore) -> None:
    made = shop.audiences.create("a", "DYNAMIC", description="d", rules=ROWS, metadata={"x": 1})
    changed = shop.audiences.update(made.id, {"description": None, "icon_name": "star"})
    assert (changed.description, changed.icon_name, changed.name) == (None, "star", "a")
    assert (changed.metadata, changed.rules, changed.revision) == ({"x": 1}, made.rules, 2)
    assert changed.version == 1
    assert definitions(shop) == (1, 1)
    assert shop.audiences.get(made.id) == changed


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": " a "},
        {"type": "DYNAMIC"},
        {"archived": False},
        {"metadata": {"y": Decimal("1.0"), "x": 1}},
        {"rules": ROWS},
        {"expression": f"  {TEXT}"},
    ],
)
def test_the_same_values_change_nothing(shop: OrganizationStore, changes: dict[str, Any]) -> None:
    metadata = {"x": 1, "y": Decimal("1.0")}
    made = shop.audiences.create("a", "DYNAMIC", rules=ROWS, metadata=metadata)
    assert shop.audiences.update(made.id, changes) == made
    assert shop.audiences.update(made.id, {"rules": made.rules}) == made
    assert definitions(shop) == (1, 1)


def test_what_equals_in_python_alone_is_another_value(shop: OrganizationStore) -> None:
    made = shop.audiences.create("a", "STATIC", metadata={"x": 1})
    changed = shop.audiences.update(made.id, {"metadata": {"x": True}})
    assert changed.revision == 2
    assert changed.metadata == {"x": True} and type(changed.metadata["x"]) is bool


def test_the_version_counts_meanings(shop: OrganizationStore) -> None:
    made = shop.audiences.create("a", "DYNAMIC", expression="totalOrders > 2 and phone exists")
    steps = [
        ({"expression": "phone exists and totalOrders > 2"}, 1, 2),
        ({"expression": "phone exists"}, 2, 3),
        ({"name": "b"}, 2, 4),
        ({"expression": None}, 3, 5),
        ({"rules": [], "expression": None}, 3, 5),
        ({"rules": ROWS}, 4, 6),
        ({"rules": ROWS[:1]}, 5, 7),
    ]
    for changes, version, revision in steps:
        changed = shop.audiences.update(made.id, changes)
        assert (changed.version, changed.revision) == (version, revision), changes
    assert definitions(shop)[0] == 5


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": None}, "name"),
        ({"type": "STATIC"}, "type"),
        ({"archived": None}, "archived"),
        ({"colour": "red"}, "colour"),
        ({"version": 7}, "version"),
        ({"expression": "x"}, "expression"),
        ({"expression": 5}, "expression"),
    ],
)
def test_a_wrong_update_changes_nothing(
    shop: OrganizationStore, vip: Audience, changes: dict[str, Any], place: str
) -> None:
    problems = problems_of(shop.audiences.update, vip.id, {"name": "else", **changes})
    assert [one.field for one in problems] == [place]
    assert shop.audiences.get(vip.id) == vip


def test_a_revision_that_is_not_the_newest_is_refused(
    shop: OrganizationStore, vip: Audience
) -> None:
    assert shop.audiences.update(vip.id, {"name": "a"}, if_revision=1).revision == 2
    with pytest.raises(RevisionConflict):
        shop.audiences.update(vip.id, {"name": "b"}, if_revision=1)
    assert shop.audiences.get(vip.id).name == "a"


def test_of_two_who_saw_the_same_revision_one_wins(shop: OrganizationStore, vip: Audience) -> None:
    def rename(name: str) -> Callable[[], object]:
        return lambda: shop.audiences.update(vip.id, {"name": name}, if_revision=1)

    outcomes = together(rename("a"), rename("b"))
    assert sorted(type(one).__name__ for one in outcomes) == ["Audience", "RevisionConflict"]
    assert shop.audiences.get(vip.id).revision == 2


def together(*calls: Callable[[], object]) -> list[object]:
    """What each gives or raises, all of them begun at once."""
    ready = threading.Barrier(len(calls))
    outcomes: list[object] = [None] * len(calls)

    def run(place: int) -> None:
        ready.wait()
        try:
            outcomes[place] = calls[place]()
        except Exception as fault:
            outcomes[place] = fault

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


# ---- archived


def test_an_archived_audience_stays_and_comes_back(shop: OrganizationStore, vip: Audience) -> None:
    archived = shop.audiences.archive(vip.id)
    assert (archived.archived, archived.revision, archived.version) == (True, 2, 1)
    assert shop.audiences.archive(vip.id) == archived == shop.audiences.get(vip.id)
    assert shop.audiences.list().items == [] == shop.audiences.active()
    assert shop.audiences.list(archived=True).items == [archived]
    assert definitions(shop)[0] == 2
    restored = shop.audiences.update(vip.id, {"archived": False})
    assert shop.audiences.active() == [restored]
    assert definitions(shop)[0] == 3


def test_what_others_refer_to_is_not_archived(shop: OrganizationStore, vip: Audience) -> None:
    other = shop.audiences.create("Press", "DYNAMIC", expression='not in audience "VIP"')
    for archive in (
        lambda: shop.audiences.archive(vip.id),
        lambda: shop.audiences.update(vip.id, {"archived": True}),
    ):
        with pytest.raises(Conflict) as caught:
            archive()
        assert [(one.code, other.id in one.message) for one in caught.value.problems] == [
            ("in-use", True)
        ]
    shop.audiences.archive(other.id)
    shop.audiences.archive(vip.id)
    with pytest.raises(Conflict, match="archived"):
        shop.audiences.update(other.id, {"archived": False})
    freed = shop.audiences.update(other.id, {"archived": False, "expression": "phone exists"})
    assert not freed.archived


# ---- references


def test_a_reference_outlives_names(shop: OrganizationStore, vip: Audience) -> None:
    other = shop.audiences.create("Press", "DYNAMIC", expression='in audience "VIP"')
    shop.audiences.update(vip.id, {"name": "Gold"})
    shop.audiences.create("VIP", "STATIC")
    assert shop.audiences.get(other.id).expression == f'in audience "{vip.id}"'
    assert shop.audiences.update(other.id, {"expression": 'in audience "Gold"'}) == other
    labels = shop.audiences.labels([other.id, "aud_\0", vip.id, "\ud800"])
    assert list(labels.items()) == [(vip.id, "Gold"), (other.id, "Press")]
    assert shop.audiences.labels([]) == {}
    assert shop.audiences.labels([vip.id] * 40_000) == {vip.id: "Gold"}


def test_an_ambiguous_name_is_refused_with_the_candidates(
    shop: OrganizationStore, vip: Audience
) -> None:
    second = shop.audiences.create("VIP", "STATIC")
    (problem,) = problems_of(shop.audiences.create, "x", "DYNAMIC", expression='in audience "VIP"')
    assert problem.code == "ambiguous-audience"
    assert vip.id in problem.message and second.id in problem.message
    shop.audiences.archive(second.id)
    made = shop.audiences.create("x", "DYNAMIC", expression='in audience "VIP"')
    assert made.expression == f'in audience "{vip.id}"'


def test_each_wrong_reference_is_told(shop: OrganizationStore, vip: Audience) -> None:
    shop.audiences.archive(shop.audiences.create("Old", "STATIC").id)
    values = ["VIP", "vipp", "Old", "x" * 30]
    rows = [{"field": "audience", "operator": "IN", "values": values}]
    found = problems_of(shop.audiences.create, "x", "DYNAMIC", rules=rows)
    assert [one.code for one in found] == [
        "unknown-audience",
        "archived-audience",
        "unknown-audience",
    ]
    assert {one.field for one in found} == {"rules.0.values"}
    assert "did you mean VIP?" in found[0].message


def test_another_organizations_audiences_are_not_found(
    store: Store, shop: OrganizationStore, vip: Audience
) -> None:
    other = store.of(store.organizations.create("other").id)
    own = other.audiences.create("Own", "DYNAMIC", expression="phone exists")
    group = shop.groups.create_tiers(
        "Tiers", tiers=[{"name": "one", "order": 1, "startValue": 0, "endValue": None}]
    )[0][0].group_id
    assert group is not None
    calls: list[Callable[[str], object]] = [
        other.audiences.get,
        other.audiences.archive,
        other.audiences.rules,
        lambda id: other.audiences.update(id, {"name": "x"}),
        lambda id: other.audiences.add_rules(id, ROWS),
        lambda id: other.audiences.replace_rules(id, ROWS),
        other.groups.get,
        other.groups.audiences,
        other.groups.archive,
        lambda id: other.groups.update_tiers(id, name="x"),
    ]
    for call in calls:
        for id in (vip.id, group, "aud_\0", "aud_\ud800", "'", ""):
            with pytest.raises(NotFound):
                call(id)
    for key in ("VIP", vip.id):
        found = problems_of(
            other.audiences.create, "x", "DYNAMIC", expression=f'in audience "{key}"'
        )
        assert [one.code for one in found] == ["unknown-audience"]
        assert "did you mean" not in found[0].message
    assert other.audiences.labels([vip.id]) == {}
    assert other.audiences.list().items == other.audiences.active() == [own]


def test_cycles_are_refused_with_their_way(shop: OrganizationStore, vip: Audience) -> None:
    middle = shop.audiences.create("Middle", "DYNAMIC", expression='in audience "VIP"')
    last = shop.audiences.create("Last", "DYNAMIC", expression='in audience "Middle"')
    (problem,) = problems_of(
        shop.audiences.update, vip.id, {"expression": 'phone exists or in audience "Last"'}
    )
    assert (problem.code, problem.span) == ("audience-cycle", (28, 34))
    assert "VIP -> Last -> Middle -> VIP" in problem.message
    row = {"field": "audience", "operator": "NOT_IN", "values": [last.id]}
    (problem,) = problems_of(shop.audiences.add_rules, vip.id, [row])
    assert (problem.code, problem.field) == ("audience-cycle", "rules.0.values")
    (problem,) = problems_of(
        shop.audiences.update, middle.id, {"expression": 'in audience "Middle"'}
    )
    assert problem.code == "audience-cycle"
    assert shop.audiences.get(vip.id) == vip


def test_of_two_who_close_a_cycle_one_wins(shop: OrganizationStore) -> None:
    a, b = (shop.audiences.create(name, "DYNAMIC") for name in "ab")

    def refer(id: str, other: str) -> Callable[[], object]:
        return lambda: shop.audiences.update(id, {"expression": f'in audience "{other}"'})

    for _ in range(5):
        outcomes = together(refer(a.id, b.id), refer(b.id, a.id))
        assert sorted(type(one).__name__ for one in outcomes) == ["Audience", "Invalid"]
        for id in (a.id, b.id):
            shop.audiences.update(id, {"expression": None})


def test_of_one_who_archives_and_one_who_refers_one_wins(
    shop: OrganizationStore, vip: Audience
) -> None:
    for _ in range(5):
        outcomes = together(
            lambda: shop.audiences.archive(vip.id),
            lambda: shop.audiences.create("x", "DYNAMIC", expression=f'in audience "{vip.id}"'),
        )
        names = [type(one).__name__ for one in outcomes]
        assert names in (["Conflict", "Audience"], ["Audience", "Invalid"])
        for one in shop.audiences.list(search="x").items:
            shop.audiences.archive(one.id)
        shop.audiences.update(vip.id, {"archived": False})


# ---- rows


def test_rows_are_added_behind_those_there_are(shop: OrganizationStore) -> None:
    made = shop.audiences.create("a", "DYNAMIC", rules=[{**ROWS[0], "position": 7}])
    added = shop.audiences.add_rules(made.id, ROWS[1:])
    assert [row["position"] for row in added] == [8, 9]
    rows = shop.audiences.rules(made.id)
    assert rows == [*made.rules, *added]
    changed = shop.audiences.get(made.id)
    assert (changed.expression, changed.version, changed.revision) == (TEXT, 2, 2)
    problems = problems_of(shop.audiences.add_rules, made.id, [ROWS[0], {"field": "emil"}])
    assert {one.field for one in problems} == {"rules.1.field", "rules.1.operator"}
    assert shop.audiences.add_rules(made.id, []) == []
    assert shop.audiences.get(made.id) == changed


def test_rows_keep_their_ids_where_they_say_the_same(shop: OrganizationStore) -> None:
    made = shop.audiences.create("a", "DYNAMIC", rules=[ROWS[0], ROWS[0], ROWS[1]])
    ids = [row["id"] for row in made.rules]
    rows = shop.audiences.replace_rules(made.id, [ROWS[1], ROWS[0], ROWS[2]])
    assert [row["id"] for row in rows[:2]] == [ids[2], ids[0]]
    assert rows[2]["id"] not in ids
    told = [{**rows[2], "values": [], "operator": "NOT_EXISTS"}, ROWS[0]]
    again = shop.audiences.replace_rules(made.id, told)
    assert [row["id"] for row in again] == [rows[2]["id"], rows[1]["id"]]
    assert shop.audiences.replace_rules(made.id, []) == []
    assert shop.audiences.get(made.id).expression is None
    twice = [{**again[0], "position": None}] * 2
    assert [p.field for p in problems_of(shop.audiences.replace_rules, made.id, twice)] == [
        "rules.0.id",
        "rules.1.id",
    ]


def test_a_rule_that_rows_cannot_say_takes_no_rows(shop: OrganizationStore) -> None:
    made = shop.audiences.create("a", "DYNAMIC", expression="not (phone exists and email exists)")
    assert made.rules == []
    with pytest.raises(Conflict, match="rows"):
        shop.audiences.add_rules(made.id, ROWS)
    assert shop.audiences.replace_rules(made.id, ROWS)
    static = shop.audiences.create("s", "STATIC")
    with pytest.raises(Invalid, match="only a DYNAMIC"):
        shop.audiences.add_rules(static.id, ROWS)
    assert shop.audiences.rules(static.id) == []


def test_values_are_not_coerced(shop: OrganizationStore) -> None:
    values = ["5", 5, Decimal("5.50"), True]
    rows = [{"field": "metadata.x", "operator": "EQUALS", "values": [value]} for value in values]
    made = shop.audiences.create("a", "DYNAMIC", rules=rows)
    kept = [row["values"][0] for row in shop.audiences.rules(made.id)]
    assert [(type(value), value) for value in kept] == [(type(value), value) for value in values]


def test_what_is_short_as_rows_and_too_long_as_text_is_refused(shop: OrganizationStore) -> None:
    rows = [
        {"field": "email", "operator": "EQUALS", "values": ["x" * 100 + str(n)]} for n in range(900)
    ]
    assert [p.code for p in problems_of(shop.audiences.create, "a", "DYNAMIC", rules=rows)] == [
        "limit"
    ]


def test_a_rule_outlives_the_fields_it_reads(store: Store, shop: OrganizationStore) -> None:
    vip = shop.audiences.create("VIP", "STATIC")
    rows = [
        {"field": "totalOrders", "operator": "EQUALS", "values": [1]},
        {"field": "audience", "operator": "IN", "values": ["VIP"]},
    ]
    made = shop.audiences.create("a", "DYNAMIC", rules=rows)
    store.organizations.set("shop", schema={"fields": {"email": "text", "metadata": "any"}})
    again = store.of(shop.organization.id)
    assert again.audiences.get(made.id) == made
    with pytest.raises(Conflict):
        again.audiences.archive(vip.id)
    assert again.audiences.update(made.id, {"name": "b"}).version == 1
    assert {p.field for p in problems_of(again.audiences.add_rules, made.id, ROWS[2:])} == {"rules"}
    changed = again.audiences.update(made.id, {"expression": "email exists"})
    assert changed.version == 2
    assert again.audiences.archive(vip.id).archived
