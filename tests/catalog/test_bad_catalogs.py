"""What people get wrong about files: a clear finding or error each time, never a traceback."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.findings import CatalogError
from segment_engine.errors import RunError, SegmentError

PEOPLE = [{"id": f"c{n}", "totalOrders": n, "email": None} for n in range(6)]


def load(folder: Path, **files: str | bytes) -> Catalog:
    """A catalog of files, named without their ending, in a folder."""
    for name, content in files.items():
        path = folder / f"{name}.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Catalog.load(folder if len(files) > 1 else folder / f"{next(iter(files))}.yaml")


def told(catalog: Catalog) -> list[str]:
    """`line:column code message` of every finding."""
    return [
        "{}:{} {} {}".format(*found.place, found.item.code, found.item.message)
        for found in catalog.findings
    ]


# ---- any shape at all

VALUES: list[Any] = [
    *(None, 5, 1.5, True, "", " ", "x", "2026-07-01", [], {}, [None], [[]], [{}], {"": 1}),
    *(
        {"a": {}},
        {"file": 1},
        {"rule": {}},
        {"rules": 1},
        {"field": []},
        [{"field": 1}],
        {"x": [1]},
    ),
]
KEYS = ("timezone", "id", "schema", "audiences")
PARTS = ("id", "name", "description", "tags", "rule", "members", "examples")
INNER = ("consumer", "in", "as_of", "audiences")
EXAMPLE = {"consumer": {}, "in": False}


def shaped(value: Any) -> list[Any]:
    """Catalogs with a value at each place where something else may be wanted."""
    good = {"rule": "totalOrders > 3"}
    return [
        value,
        {"a": value},
        *({"audiences": {"a": "email exists"}, key: value} for key in KEYS),
        *({"a": {**good, part: value}} for part in PARTS),
        {"a": {"members": {"file": value, "column": value}}},
        *({"a": {**good, "examples": [{**EXAMPLE, key: value}]}} for key in INNER),
        {"schema": {"fields": value, "currency": value}, "audiences": {"a": "x exists"}},
        *(
            {"schema": {"fields": {"x": {"type": "text", key: value}}}, "audiences": {"a": "true"}}
            for key in ("type", "label", "column", "derived", "currency")
        ),
        {"a": {"combinator": "and", "rules": value, "not": value}},
        {"a": {"field": value, "operator": value, "value": value}},
        {"a": [{"field": "email", "operator": value, "values": value, "groupId": value}]},
    ]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_wrong_type_anywhere_is_told(value: Any, tmp_path: Path) -> None:
    for number, held in enumerate(shaped(value)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.dump(held, default_flow_style=bool(number % 2)))
        try:
            catalog = Catalog.load(path)
        except SegmentError as error:
            assert str(error)
            continue
        made = catalog.materialize(PEOPLE) if catalog.id_column == "id" else catalog
        assert {*made.failed} == {*catalog.failed}
        assert all(found.draw() and found.for_github() for found in catalog.findings)


# ---- settings


@pytest.mark.parametrize("name", KEYS[:2])
@pytest.mark.parametrize("value", ["", "[UTC]", "{a: b}", "''", "~"])
def test_a_setting_that_is_no_text_stops_all(name: str, value: str, tmp_path: Path) -> None:
    """Members under the zone or the ids that somebody did not mean would be wrong."""
    with pytest.raises(CatalogError, match=f"`{name}` wants a text"):
        load(tmp_path, a=f"{name}: {value}\naudiences: {{a: email exists}}\n")


SETTINGS = "timezone: Europe/Paris\nid: mail\nschema: {fields: {orders: number}}\n"
OTHERS = "timezone: UTC\nid: id\nschema: {fields: {orders: text}}\n"


def test_files_that_disagree_are_told(tmp_path: Path) -> None:
    one, other = "audiences: {a: orders > 1}\n", "audiences: {b: orders > 1}\n"
    with pytest.raises(CatalogError) as raised:
        load(tmp_path, a=SETTINGS + one, b=OTHERS + other)
    assert [(found.place[0], found.item.message) for found in raised.value.findings] == [
        (line, f"`{name}` differs from that in {tmp_path}/a.yaml; say it in one file")
        for line, name in ((1, "timezone"), (2, "id"), (3, "schema"))
    ]
    same = SETTINGS.replace("Europe/Paris", "'Europe/Paris'").replace("{orders", "{  orders")
    assert load(tmp_path, a=SETTINGS + one, b=same + other).sound


def test_settings_may_have_a_file_of_their_own_and_schemas_are_no_catalogs(tmp_path: Path) -> None:
    catalog = load(
        tmp_path,
        shop="fields: {orders: number, mail: text}\n",
        settings="timezone: Europe/Paris\nid: mail\nschema: shop.yaml\n",
        vips="vips: orders > 1\n",
    )
    assert (catalog.engine.timezone, catalog.id_column, told(catalog)) == (
        "Europe/Paris",
        "mail",
        [],
    )
    made = catalog.materialize([{"mail": "a", "orders": 1}, {"mail": "b", "orders": 2}])
    assert made.members("vips") == ["b"]
    with pytest.raises(RunError, match="there are no audiences in the catalog"):
        Catalog.load(tmp_path / "settings.yaml")


# ---- files


def test_one_file_that_cannot_be_read_as_yaml_stops_no_other(tmp_path: Path) -> None:
    catalog = load(
        tmp_path,
        a='good: totalOrders > 3\nbehind: in audience "lost"\nfar: not in audience "behind"\n',
        b="lost: email exists\nworse: 'no end\n",
        c="",
        d="\tx: y\n",
    )
    codes = {found.file.path[-6:]: found.item.code for found in catalog.findings if not found.key}
    assert codes == {"b.yaml": "catalog", "c.yaml": "catalog", "d.yaml": "catalog"}
    assert {key: error.findings[0].item.code for key, error in catalog.failed.items()} == {
        "behind": "unknown-audience",
        "far": "failed-audience",
    }
    made = catalog.materialize(PEOPLE)
    assert (made.counts(), [*made.failed]) == ({"good": 2}, ["behind", "far"])


def test_files_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"a: fullName = 'Ren\xe9e'\n")
    (tmp_path / "wide.yaml").write_bytes("a: true\n".encode("utf-16"))
    for name, message in (
        ("none.yaml", "no such file"),
        ("empty", "there is no .yaml, .yml, .json file in the folder"),
        ("folder.yaml", "there is no .yaml"),
        ("latin.yaml", "latin.yaml:1:19: this is not UTF-8 text"),
        ("wide.yaml", "this is not UTF-8 text"),
        ("nul\0.yaml", "null byte"),
    ):
        with pytest.raises(RunError, match=message):
            Catalog.load(tmp_path / name)


def test_hidden_files_and_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in (".git/a.yaml", "notes.txt", ".b.yaml", "sub/c.YML", "run.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"c": "email exists"}')
    assert [*Catalog.load(tmp_path).audiences] == ["c"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_places_do_not_hang_on_line_ends_or_a_byte_order_mark(
    newline: str, mark: bytes, tmp_path: Path
) -> None:
    text = "# ours\na: |\n  totalOrders > 3\n  and emial exists\nb:\n  rule: [5]\n"
    catalog = load(tmp_path, a=mark + text.replace("\n", newline).encode())
    assert told(catalog) == [
        "4:7 unknown-field no field is called `emial`",
        "6:10 json-shape a number stands where a rule row was expected",
    ]
    assert "4 |   and emial exists\n  |       ^^^^^\n" in catalog.findings[0].draw()


def test_odd_line_breaks_of_yaml_shift_no_place(tmp_path: Path) -> None:
    catalog = load(tmp_path, a="x: 'a\u2028b'\ny: {rle: true}\n")
    (found,) = (f for f in catalog.findings if "unknown key" in f.item.message)
    assert found.place == (2, 5)


# ---- keys, ids, cycles


@pytest.mark.parametrize("size", [1, 2, 17])
def test_cycles(size: int, tmp_path: Path) -> None:
    rows = [f'a{n}: email exists or in audience "a{(n + 1) % size}"' for n in range(size)]
    rows += ['behind: not in audience "a0"', "fine: email is missing"]
    catalog = load(tmp_path, a="\n".join(rows))
    assert [*catalog.failed] == [*(f"a{n}" for n in range(size)), "behind"]
    for n in range(size):
        (found,) = catalog.failed[f"a{n}"].findings
        assert (found.item.code, found.place[0]) == ("audience-cycle", n + 1)
        path = found.item.message.removeprefix("the audience refers to itself: ").split(" -> ")
        wanted = [f"a{(n + step) % size}" for step in range(size + 1)]
        assert path == (wanted if size < 12 else [*wanted[:10], "...", f"a{n}"])
    assert catalog.materialize(PEOPLE).counts() == {"fine": 6}


LONG = 5_000


def test_a_long_chain_works(tmp_path: Path) -> None:
    rows = ["a0: totalOrders >= 2"]
    for n in range(1, LONG):
        also = f"totalOrders != {n // 1000} and " if n % 1000 == 0 else ""
        rows.append(f'a{n}: {also}in audience "a{n - 1}"')
    catalog = load(tmp_path, a="\n".join(reversed(rows)))
    assert catalog.sound
    made = catalog.materialize(PEOPLE)
    assert not made.failed and len(made) == LONG
    assert made.members("a999") == ["c2", "c3", "c4", "c5"]
    assert made.members(f"a{LONG - 1}") == ["c5"]


def test_a_long_chain_fails_from_its_end(tmp_path: Path) -> None:
    rows = ["a0: totalOrdrs >= 2", *(f'a{n}: in audience "a{n - 1}"' for n in range(1, LONG))]
    catalog = load(tmp_path, a="\n".join(rows))
    assert len(catalog.failed) == len(catalog.findings) == LONG
    last = catalog.findings[-1].item.message
    assert last.startswith('audience "a0" failed, and so this one does: a4999 -> a4998 -> ')
    assert last.endswith(" -> ... -> a0")


def test_many_that_are_wrong_in_the_same_way_take_no_time(tmp_path: Path) -> None:
    """Nearest names are looked for once, and the ways through a large knot are not."""
    rows = [f'a{n}: in audience "bas"' for n in range(LONG)]
    knot = [f'k{n}: in audience "k{(n + 1) % LONG}"' for n in range(LONG)]
    catalog = load(tmp_path, a="\n".join([*rows, *knot, "base: email exists"]))
    assert len(catalog.failed) == 2 * LONG
    assert catalog.findings[LONG - 1].item.near == ("base",)
    assert "in a knot of 5,000 audiences" in catalog.findings[-1].item.message


def test_an_audience_is_known_by_its_id(tmp_path: Path) -> None:
    catalog = load(
        tmp_path,
        a='few: {id: "007", rule: totalOrders < 2}\n'
        "gone: {id: x, members: [c5, c9]}\n"
        'rest: not in audience "007" and not in audience "x"\n'
        'both: in audience "007" or in audience "few"\n',
    )
    for engine in ("duckdb", "polars", "records"):
        made = catalog.materialize(PEOPLE, engine=engine, only=["rest", "007", "both"])
        assert made.members("rest") == ["c2", "c3", "c4"]
        assert made.members("both") == made.members("few") == ["c0", "c1"]
        assert made.members("gone") == ["c5"]
    with pytest.raises(RunError, match="there is no audience 'nope' in the catalog"):
        catalog.materialize(PEOPLE, only=["nope"])


def test_keys_that_are_none_harm_no_neighbour(tmp_path: Path) -> None:
    catalog = load(tmp_path, a="'': true\n? [a]\n: true\nfine: email is missing\n")
    assert [row.split(" ", 1)[0] for row in told(catalog)] == ["1:1", "2:3"]
    assert catalog.materialize(PEOPLE).counts() == {"fine": 6}


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    (tmp_path / "a.yaml").write_text("a: true\n")
    (tmp_path / "a.yaml").chmod(0)
    with pytest.raises(RunError, match="permission denied"):
        Catalog.load(tmp_path)
