"""`init`: a catalog to begin with, for a file that nobody prepared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from segment_engine import Engine, Schema
from tests.backends.odd_columns import ROWS, odd_table
from tests.cli.running import run

AS_OF = "2025-03-01T00:00:00Z"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd consumers.parquet"
    pq.write_table(odd_table(), path)
    return path


def counts(catalog: Mapping[str, Any], source: Path) -> dict[str, int]:
    """How many each audience of a catalog keeps, its rules checked under its own schema."""
    given = catalog["schema"]
    schema = Schema(given["fields"], currency=given["currency"])
    engine = Engine(schema, catalog["timezone"])
    key = catalog.get("id", "id")
    return {
        name: engine.rule(audience["rule"]).count(str(source), as_of=AS_OF, id_column=key)
        for name, audience in catalog["audiences"].items()
    }


def test_a_catalog_for_an_odd_file(odd: Path, tmp_path: Path) -> None:
    where = ("init", odd, "--out", tmp_path / "shop", "--as-of", AS_OF)
    asked = run(*where)
    assert (asked.code, asked.out) == (1, "") and not (tmp_path / "shop").exists()
    assert "there is no column 'id'" in asked.err and "--id-column: 'Customer Id'" in asked.err
    done = run(*where, "--id-column", "Customer Id", "--timezone", "Europe/Berlin")
    path = tmp_path / "shop" / "audiences.yaml"
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"wrote {path}: 27 fields, 6 audiences\nnext:\n")
    assert f"--consumers '{odd}' --out memberships" in done.out
    catalog = yaml.safe_load(path.read_text("utf-8"))
    assert (catalog["id"], catalog["timezone"]) == ("Customer Id", "Europe/Berlin")
    rules = {key: audience["rule"] for key, audience in catalog["audiences"].items()}
    assert rules == {
        "everyone": "true",
        "reachable": "eMailWork is not empty",
        "top_tenth": "total >= 11",
        "recent": "lastOrder within last 30 days",
        "lapsed": "lastOrder older than 30 days",
        "most_frequent": 'metadata.tier = "gold"',
    }
    found = counts(catalog, odd)
    assert found.pop("everyone") == ROWS
    assert all(0 < count < ROWS for count in found.values())
    for audience in catalog["audiences"].values():
        assert audience["name"] and audience["description"] and audience["tags"] == ["starter"]


def test_nothing_is_overwritten_unless_asked(consumers: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    where = ("init", consumers, "--out", path, "--as-of", AS_OF)
    assert run(*where).code == 0
    before = path.read_bytes()
    again = run(*where)
    assert again.code == 0 and again.out.startswith(f"nothing to change in {path}:")
    path.write_text("mine")
    refused = run(*where)
    assert (refused.code, refused.out) == (1, "") and path.read_text() == "mine"
    assert refused.err == (
        f"error: {path} is there already and says something else; --force replaces it\n"
    )
    assert run(*where, "--json").told["error"]["kind"] == "OutputError"
    assert run(*where, "--force").code == 0 and path.read_bytes() == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.yaml", "consumers.parquet"]
    blocked = run("init", consumers, "--out", path / "deep.yaml")
    assert blocked.code == 1 and "cannot be written" in blocked.err


def test_old_data_is_split_in_its_middle(tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text("id,lastOrder\n" + "".join(f"{at},1997-01-{at:02}\n" for at in range(1, 31)))
    assert run("init", path, "--out", tmp_path, "--as-of", AS_OF).code == 0
    catalog = yaml.safe_load((tmp_path / "audiences.yaml").read_text())
    assert catalog["audiences"]["lapsed"]["rule"] == "lastOrder < 1997-01-15"
    assert counts(catalog, path)["recent"] == 16
    assert "id" not in catalog


ODD_FILES = [
    ("id,x\n", ["everyone"]),
    ("id,x\n1,\n2,\n", ["everyone"]),
    (
        "id,vip,n\n1,true,1\n2,false,2\n3,false,3\n",
        ["everyone", "top_tenth", "flagged", "upper_half"],
    ),
    ("id,and\n1,a\n2,a\n3,\n", ["everyone", "incomplete"]),
    ("id,in\n1,a\"\"\n2,a\"\"\n3,b\n", ["everyone", "most_frequent"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "keys"), ODD_FILES, ids=[repr(row[0][:12]) for row in ODD_FILES])
def test_files_with_little_in_them(tmp_path: Path, text: str, keys: list[str]) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    told = run("init", path, "--out", tmp_path, "--as-of", AS_OF, "--json").told
    assert told["audiences"] == keys and told["written"]
    catalog = yaml.safe_load((tmp_path / "audiences.yaml").read_text())
    assert list(counts(catalog, path)) == keys


WRONG = [
    ("", "people.csv, line 1: every column wants a name"),
    ("id\n1\n1\n", "'id' has missing or repeated values, and no column has"),
    ("id,key\n1,a\n1,b\n", "'id' has missing or repeated values; name the one that identifies"),
    ("a,b\n1,\n1,\n", "there is no column 'id', and no column has a value for every consumer"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[repr(row[0]) for row in WRONG])
def test_files_that_cannot_be_begun_with(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    done = run("init", path, "--out", tmp_path)
    assert (done.code, done.out) == (1, "") and message in done.err
    assert not (tmp_path / "audiences.yaml").exists()


def test_columns_that_cannot_be_used_and_options_that_are_wrong(tmp_path: Path) -> None:
    path = tmp_path / "blobs.parquet"
    pq.write_table(pa.table({"id": [b"1"]}), path)
    done = run("init", path, "--out", tmp_path)
    assert done.code == 1 and "no column for a field: 'id' is BLOB" in done.err
    assert run("init", path, "--currency", "euro").code == 2
    assert run("init", path, "--sample", "-1").code == 2
    assert run("init", path, "--timezone", "Mars").code == 2
    assert run("init", tmp_path / "none.parquet").code == 1
    people = tmp_path / "people.csv"
    people.write_text("id\n1\n")
    unknown = run("init", people, "--out", tmp_path, "--id-column", "nope")
    assert unknown.code == 1 and "'nope' is no column; name the one" in unknown.err
