"""A catalog of 300 audiences with references and lists, five of which fail: the whole of it.

It is made here, always the same: rules of all kinds over a few thousand consumers, in three files,
each referring to some before and behind it, and lists beside them.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars
import pytest
import yaml

from segment_engine import Engine
from segment_engine.batch.memberships import Memberships
from segment_engine.catalog.catalog import Catalog
from segment_engine.catalog.findings import CatalogError

AS_OF = datetime(2026, 7, 1, tzinfo=UTC)
NUMBER, CONSUMERS = 300, 3_000
BROKEN = {
    "a040": ("totalOrders => 3", "operator-spelling"),
    "a100": ({"file": "none.csv"}, "list"),
    "a200": ('phone exists and in audience "a999"', "unknown-audience"),
}
"""What is wrong by itself; beside it, an audience that refers to one of them, and one to that."""
DEPENDENT = {
    "a250": 'totalOrders > 3 or not in audience "a040"',
    "a299": 'in audience "a250" and phone exists',
}
ENGINES = ("duckdb", "polars", "records")


def consumers() -> polars.DataFrame:
    draw = random.Random(3)

    def one(number: int) -> dict[str, Any]:
        orders = draw.choice([None, *range(12)])
        last = AS_OF - timedelta(days=draw.randrange(700), seconds=draw.randrange(90_000))
        return {
            "id": f"c{number:05}",
            "email": draw.choice([None, f"ada{number}@example.com", f"Bob{number}@mail.test"]),
            "phone": draw.choice([None, f"+1 555 {number:04}"]),
            "totalOrders": orders,
            "totalOrderValue": None if orders is None else orders * draw.randrange(1, 90),
            "lastOrderAt": last if orders else None,
            "createdAt": last - timedelta(days=draw.randrange(300)),
            "metadata": f'{{"tier": "{draw.choice(["gold", "basic"])}", "n": {draw.randrange(9)}}}',
        }

    return polars.DataFrame([one(number) for number in range(CONSUMERS)], infer_schema_length=None)


def conditions(draw: random.Random) -> str:
    return draw.choice(
        [
            f"totalOrders >= {draw.randrange(12)}",
            f"totalOrderValue < {draw.randrange(600)}.50",
            f"lastOrderAt older than {draw.randrange(1, 500)} days",
            f"createdAt within last {draw.randrange(1, 30)} months",
            f'metadata.tier {draw.choice(["=", "!="])} "gold"',
            f"metadata.n in ({draw.randrange(9)}, {draw.randrange(9)})",
            f'email {draw.choice(["ends", "not ends"])} with "@mail.test"',
            f"phone {draw.choice(['exists', 'is missing'])}",
        ]
    )


def rule(draw: random.Random, known: list[str]) -> str:
    parts = [conditions(draw) for _ in range(draw.randrange(1, 3))]
    for key in draw.sample(known, min(len(known), draw.randrange(3))):
        parts.append(f'{draw.choice(["in", "not in"])} audience "{key}"')
    draw.shuffle(parts)
    text = draw.choice([" and ", " or "]).join(parts)
    return f"not ({text})" if draw.random() < 0.2 else text


def entries() -> Iterator[tuple[str, Any]]:
    """Keys with what stands there; references go to keys of lower numbers that are not wrong."""
    draw = random.Random(7)
    known: list[str] = []
    for number in range(NUMBER):
        key = f"a{number:03}"
        if key in BROKEN or key in DEPENDENT:
            given = BROKEN[key][0] if key in BROKEN else DEPENDENT[key]
            yield key, {"members": given} if isinstance(given, dict) else given
            continue
        if number % 15 == 7:
            yield key, listed(draw, number)
        elif number % 15 == 8:
            yield key, Engine().rule(rule(draw, known)).to_json()
        else:
            text = rule(draw, known)
            yield key, {"id": f"seg-{number}", "rule": text} if number % 4 == 0 else text
        known.append(f"seg-{number}" if number % 60 == 0 else key)


def listed(draw: random.Random, number: int) -> dict[str, Any]:
    ids = [f"c{draw.randrange(CONSUMERS + 50):05}" for _ in range(draw.randrange(400))]
    if number % 2:
        return {"members": ids}
    # The fixture writes the file from the description.
    return {"members": {"file": f"lists/{number}.txt"}, "description": "\n".join(ids)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog in three files, later keys first, so that references go both ways."""
    folder = tmp_path_factory.mktemp("catalog")
    (folder / "lists").mkdir()
    for key, given in entries():
        if isinstance(given, dict) and isinstance(given.get("members"), dict):
            ids = given.get("description", "")
            (folder / "lists" / f"{int(key[1:])}.txt").write_text(ids)
    for number in range(3):
        part = {key: given for key, given in entries() if int(key[1:]) // 100 == 2 - number}
        settings = {"timezone": "America/New_York"} if number == 1 else {}
        text = yaml.dump({**settings, "audiences": part}, width=70, sort_keys=False)
        (folder / f"{number}.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    return Catalog.load(folder)


@pytest.fixture(scope="module")
def made(catalog: Catalog) -> dict[str, Memberships]:
    people = consumers()
    return {name: catalog.materialize(people, as_of=AS_OF, engine=name) for name in ENGINES}


def test_there_are_three_hundred(catalog: Catalog) -> None:
    assert len(catalog) == NUMBER
    assert len(catalog.lists) == 20
    assert sum(bool(rule.audiences) for rule in catalog.rules.values()) > 150


def test_every_error_is_told_at_its_line(catalog: Catalog, folder: Path) -> None:
    wanted = {key: code for key, (_, code) in BROKEN.items()}
    wanted |= dict.fromkeys(DEPENDENT, "failed-audience")
    found = [each for each in catalog.findings if each.item.severity == "error"]
    assert {each.key: each.item.code for each in found} == wanted
    assert len(found) == 5 and [*catalog.failed] == [
        key for key in catalog.audiences if key in wanted
    ]
    marks = {
        "a040": "=>", "a100": "file: none.csv", "a200": '"a999"', "a250": '"a040"', "a299": '"a250"'
    }  # fmt: skip
    for each in found:
        assert each.key is not None
        lines = Path(each.file.path).read_text().split("\n")
        line, column = each.place
        assert lines[line - 1][column - 1 :].startswith(marks[each.key])
        assert f"{each.file.path}:{line}:{column}: error[{each.item.code}]" in each.draw()
    assert "a299 -> a250 -> a040" in str(catalog.failed["a299"])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_others_are_there_on_every_engine(
    engine: str, catalog: Catalog, made: dict[str, Memberships]
) -> None:
    run, first = made[engine], made["duckdb"]
    assert {*run.failed} == {*BROKEN, *DEPENDENT} and len(run.counts()) == 295
    assert [*run] == [key for key in catalog.audiences if key not in run.failed]
    assert run.counts() == first.counts()
    assert run.to_arrow() == first.to_arrow()
    assert len({*run.counts().values()}) > 100


def test_each_is_what_its_rule_keeps_alone(catalog: Catalog, made: dict[str, Memberships]) -> None:
    people, run = consumers(), made["duckdb"]
    keys = {**{key: key for key in run}, **catalog.aliases}
    for number, (key, rule) in enumerate(catalog.rules.items()):
        if key in run.failed:
            continue
        given = {name: run.members(keys[name]) for name in rule.audiences}
        engine = ENGINES[number % 2]
        alone = rule.members(people, as_of=AS_OF, engine=engine, audiences=given)
        assert alone == run.members(key), key
    everybody = set(people["id"])
    for key, ids in catalog.lists.items():
        assert run.members(key) == sorted(everybody & {*ids})


def test_who_is_in_one_is_in_no_complement(catalog: Catalog, made: dict[str, Memberships]) -> None:
    run = made["duckdb"]
    rules = {"split": 'not in audience "a010"', "same": 'in audience "a010"'}
    lists = {"a010": run.members("a010")}
    split = catalog.engine.materialize(rules, consumers(), as_of=AS_OF, lists=lists)
    assert split.members("same") == run.members("a010")
    assert sorted(split.members("split") + split.members("same")) == sorted(consumers()["id"])


def test_a_part_of_it_is_the_same_part(catalog: Catalog, made: dict[str, Memberships]) -> None:
    some = ["a298", "a299", "a123"]
    run = catalog.materialize(consumers(), as_of=AS_OF, only=some)
    assert {*some} <= {*run, *run.failed} and "a299" in run.failed
    assert len(run) < 200
    assert run.counts() == {key: made["duckdb"].counts()[key] for key in run}
    with pytest.raises(CatalogError, match="a299 -> a250 -> a040"):
        run.members("a299")
