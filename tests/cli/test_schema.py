"""`schema show`, `schema infer`, `schema check`."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segment_engine import Schema, infer_schema
from tests.cli.running import run

SHOP = """\
currency: EUR
fields:
  orders: {type: number, column: order_count, label: Orders}
  spent: {type: currency, currency: USD}
  traits: any
  traits.points: number
  each: {type: currency, derived: spent / orders}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return path


def test_show(shop: Path) -> None:
    rows = [line.split() for line in run("schema", "show", "--schema", shop).out.splitlines()]
    assert rows[1:] == [
        ["orders", "number", "Orders", "order_count"],
        ["spent", "currency", "(USD)", "spent"],
        ["traits", "any", "traits"],
        ["traits.points", "number", "traits"],
        ["each", "currency", "(EUR)", "=", "spent", "/", "orders"],
    ]
    told = run("schema", "show", "--schema", shop, "--json").told
    assert (told["ok"], told["currency"]) == (True, "EUR")
    assert told["fields"][3] == {
        "name": "traits.points", "type": "number", "label": "", "column": "traits",
        "path": ["points"], "derived": None, "currency": None,
    }  # fmt: skip
    names = [field["name"] for field in run("schema", "show", "--json").told["fields"]]
    assert names == list(Schema.default().names)


def test_infer(consumers: Path, tmp_path: Path) -> None:
    printed = run("schema", "infer", consumers)
    assert (printed.code, printed.err) == (0, "")
    assert printed.out == infer_schema(str(consumers)).to_yaml()
    assert "metadata.tier: text  # 67% filled" in printed.out
    out = tmp_path / "deep" / "schema.yaml"
    assert run("schema", "infer", consumers, "--out", out).out == f"wrote {out}: 7 fields\n"
    assert out.read_text() == printed.out
    assert run("schema", "infer", consumers, "--out", out).out.startswith("nothing to change in")
    assert run("schema", "infer", consumers, "--out", out, "--currency", "EUR").code == 1
    forced = run("schema", "infer", consumers, "--out", out, "--currency", "EUR", "--force")
    assert forced.code == 0 and Schema.load(out).currency == "EUR"
    folder = run("schema", "infer", consumers, "--out", tmp_path, "--force")
    assert folder.code == 1 and "is a folder; name a file" in folder.err
    told = run("schema", "infer", consumers, "--sample", "1", "--json").told
    assert (told["rows"], told["sampled"]) == (3, 1)
    assert told["fields"][1]["examples"] == ["ada@example.com"]
    assert Schema(told["schema"]["fields"]) == infer_schema(str(consumers), 1).schema
    assert run("schema", "infer", consumers, "--sample", "0", "--json").told["sampled"] == 3


def test_check(shop: Path, tmp_path: Path) -> None:
    assert run("schema", "check", shop).out == "ok: 5 fields\n"
    fitting = tmp_path / "fitting.parquet"
    table = {"order_count": [1], "spent": [1.5], "traits": ['{"points": 1}']}
    pq.write_table(pa.table(table), fitting)
    done = run("schema", "check", shop, "--consumers", fitting)
    assert (done.code, done.out) == (0, f"ok: 5 fields\n{fitting} has all their columns\n")
    wrong = tmp_path / "wrong.parquet"
    table = {"order_count": ["1"], "traits": [{"points": "many"}]}
    pq.write_table(pa.table(table), wrong)
    done = run("schema", "check", shop, "--consumers", wrong)
    assert (done.code, done.out) == (1, "")
    lines = done.err.splitlines()
    assert "column 'order_count' is text; field `orders` is number and wants a number" in lines[0]
    assert "no column 'spent'" in lines[1]
    assert "column 'traits' at `traits.points` is text" in lines[2] and len(lines) == 3
    told = run("schema", "check", shop, "--consumers", wrong, "--json").told
    assert not told["ok"]
    assert [item["column"] for item in told["mismatches"]] == ["order_count", "spent", "traits"]


def test_check_of_a_text_file_names_a_cell_of_each_column(shop: Path, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("order_count,traits\n5,\nfive,1\n")
    shop.write_text(SHOP.replace("traits: any", "traits: any\n  day: {type: date, column: traits}"))
    done = run("schema", "check", shop, "--consumers", path)
    assert done.code == 1
    assert "line 3, column 'order_count': 'five' is not a number" in done.err
    assert "no column 'spent'" in done.err
    broken = tmp_path / "broken.csv"
    broken.write_text("a,b\n1\n")
    assert "1 cells, and the header has 2" in run("schema", "check", shop, "-c", broken).err


def test_check_of_a_file_that_is_wrong(shop: Path) -> None:
    shop.write_text("fields:\n  a: txt\n  b: {typ: text}\n")
    done = run("schema", "check", shop)
    assert done.code == 1 and f"{shop}:2:3:" in done.err and f"{shop}:3:7:" in done.err
    shop.write_text("fields:\n  a: text\n  b: {type: number, derived: a + 1}\n")
    assert "derived by a wrong expression" in run("schema", "check", shop).err
    assert run("schema", "check", shop.with_name("none.yaml")).code == 1
    assert run("schema").code == 2
