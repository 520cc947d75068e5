"""Catalogs on the command line: check, format, materialize, and rules that refer to audiences."""

import json
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
import yaml

from tests.cli.running import run

ROOT = Path(__file__).parents[2]

CATALOG = """\
# audiences of the shop
timezone: Europe/Berlin
id: key
audiences:
  loyal: totalOrders   IS  5   # five, and no more
  vips:
    name: "Very important"
    rule: |
      # comment of its own
      totalOrderValue>=500
        and email exists

  quoted: 'email = "it''s"'
  listed: {rule: "totalOrders in (1,2)", tags: [a]}
  press: {members: [a, c, zz]}
  both: in audience "loyal" or in audience "press"
"""
FORMATTED = (
    CATALOG.replace("totalOrders   IS  5", "totalOrders = 5")
    .replace("totalOrderValue>=500", "totalOrderValue >= 500")
    .replace("(1,2)", "(1, 2)")
)
PEOPLE = "key,email,totalOrders,totalOrderValue\na,x@y.z,5,600\nb,,1,700.10\nc,it's,2,1\n"


@pytest.fixture(autouse=True)
def shop(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "shop.yaml").write_text(CATALOG, "utf-8")
    (tmp_path / "people.csv").write_text(PEOPLE, "utf-8")
    with chdir(tmp_path):
        yield tmp_path


def test_check_of_a_right_catalog() -> None:
    done = run("check", "shop.yaml")
    assert (done.code, done.out, done.err) == (0, "ok: 6 audiences\n", "")
    told = run("check", "shop.yaml", "--json").told
    assert told == {"ok": True, "audiences": 6, "failed": [], "findings": []}


def test_check_names_each_place_in_every_style(shop: Path) -> None:
    (shop / "more").mkdir()
    text = 'audiences:\n  a: emal => 3\n  b: in audience "a"\n'
    (shop / "more" / "wrong.yaml").write_text(text)
    done = run("check", "shop.yaml", "more")
    assert (done.code, done.out) == (1, "2 of 8 audiences are wrong\n")
    assert "more/wrong.yaml:2:6: error[unknown-field]: no field is called `emal`" in done.err
    assert "more/wrong.yaml:3:18: error[failed-audience]" in done.err
    lines = run("check", "more", "--format", "github").out.splitlines()
    assert lines[1] == (
        "::error file=more/wrong.yaml,line=2,col=11,title=operator-spelling"
        "::a: `=>` is spelt `>=` (fix: >=)"
    )
    told = run("check", "more", "--format", "json").told
    assert [found["audience"] for found in told["findings"]] == ["a", "a", "b"]
    assert told["findings"][0]["span"] == {"start": 16, "end": 20, "line": 2, "column": 6}
    assert run("check", "true", "--format", "github").code == 2
    assert run("check", "shop.yaml", "true").code == 2


def test_check_mends_only_the_rules_characters(shop: Path) -> None:
    (shop / "shop.yaml").write_text(CATALOG.replace("IS  5", "==  5").replace(">=500", "=>500"))
    done = run("check", "shop.yaml", "--fix")
    assert done.code == 0 and done.out == "shop.yaml: mended loyal, vips\nok: 6 audiences\n"
    assert (shop / "shop.yaml").read_text() == CATALOG.replace("IS  5", "=  5")


def test_format_changes_only_the_rules_characters(shop: Path) -> None:
    before = (shop / "shop.yaml").read_bytes()
    done = run("format", "shop.yaml")
    assert (done.code, done.out) == (1, "shop.yaml: would format loyal, vips, listed\n")
    assert (shop / "shop.yaml").read_bytes() == before
    done = run("format", "--write", "shop.yaml")
    assert (done.code, done.out) == (0, "shop.yaml: formatted loyal, vips, listed\n")
    assert (shop / "shop.yaml").read_text("utf-8") == FORMATTED
    assert run("format", "shop.yaml").code == 0
    told = run("format", "--write", "shop.yaml", "--json").told
    assert told == {"ok": True, "written": True, "files": []}


def test_format_leaves_wrong_rules_alone(shop: Path) -> None:
    text = "a: totalOrders   IS 5\nb: emal   IS 3\n"
    (shop / "shop.yaml").write_text(text)
    done = run("format", "--write", "shop.yaml")
    assert done.code == 0 and "b is wrong and stays as it is" in done.err
    assert (shop / "shop.yaml").read_text() == "a: totalOrders = 5\nb: emal   IS 3\n"


def test_format_writes_a_rule_file(shop: Path) -> None:
    (shop / "rule.txt").write_text("# why\ntotalOrders   IS 5")
    assert run("format", "--write", "--file", "rule.txt").code == 0
    assert (shop / "rule.txt").read_text() == "# why\ntotalOrders = 5\n"
    assert run("format", "--write", "true").code == 2


@pytest.mark.parametrize("engine", ["duckdb", "polars", "records"])
def test_materialize_and_members_of_a_catalog(shop: Path, engine: str) -> None:
    where = ("--consumers", "people.csv", "--engine", engine)
    done = run("materialize", "shop.yaml", *where, "--out", "out", "--json")
    assert done.code == 0 and done.told["timezone"] == "Europe/Berlin"
    counts = {"loyal": 1, "vips": 1, "quoted": 1, "listed": 2, "press": 2, "both": 2}
    assert done.told["counts"] == counts
    asked = ("--catalog", "shop.yaml", *where)
    assert run("members", 'not in audience "both"', *asked).out == "b\n"
    assert run("count", 'in audience "press" and email exists', *asked).out == "2\n"
    shown = run("preview", 'in audience "both" and totalOrders > 1', *asked[:4])
    assert shown.out.startswith("2 of 3 consumers (67%)") and "totalOrders  100%" not in shown.err
    nobody = run("count", 'in audience "nobody"', *asked)
    assert nobody.err.startswith("error: there is no audience")
    alone = run("members", 'in audience "both"', *where, "--id-column", "key")
    assert "give its members" in alone.err


def test_an_audience_that_fails_in_the_run_takes_its_dependents_along(shop: Path) -> None:
    text = 'late: lastOrderAt exists\nafter: not in audience "late"\nfine: totalOrders > 1\n'
    (shop / "shop.yaml").write_text(text)
    done = run("materialize", "shop.yaml", "-c", "people.csv", "-o", "out", "--id-column", "key")
    assert done.code == 1 and "shop.yaml:1: audience 'late' failed" in done.err
    assert "after -> late" in done.err and "published 2 memberships" in done.out


def test_a_run_beside_its_catalog_is_no_part_of_it(shop: Path) -> None:
    assert run("materialize", ".", "-c", "people.csv", "-o", "out").code == 0
    assert run("check", ".").out == "ok: 6 audiences\n"


def test_settings_that_are_wrong(shop: Path) -> None:
    (shop / "shop.yaml").write_text(
        "timezone: Europe/Berlni\nschema:\n  fields:\n    a: txt\naudiences: {x: a exists}\n"
    )
    done = run("check", "shop.yaml")
    assert done.code == 1
    assert "shop.yaml:1:11: error[catalog]" in done.err and "Europe/Berlin" in done.err
    assert "shop.yaml:4:5: error[schema]" in done.err


def test_a_misspelt_setting_is_no_run(shop: Path) -> None:
    (shop / "shop.yaml").write_text(CATALOG.replace("timezone:", "timezon:"), "utf-8")
    done = run("materialize", "shop.yaml", "-c", "people.csv", "-o", "out")
    assert done.code == 1 and not (shop / "out").exists()
    assert "shop.yaml:2:1: error[catalog]: unknown key 'timezon'" in done.err


def test_hooks_run_the_commands(shop: Path) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert {hook["id"] for hook in hooks} == {"segment-engine-check", "segment-engine-format"}
    for hook in hooks:
        program, *words = hook["entry"].split()
        assert program == "segment-engine" and run(*words, "shop.yaml").code == 0
    assert (shop / "shop.yaml").read_text("utf-8") == FORMATTED


def test_nothing_is_lost_where_a_file_cannot_be_written(shop: Path) -> None:
    (shop / "locked").mkdir()
    path = shop / "locked" / "a.yaml"
    path.symlink_to(shop / "shop.yaml")
    assert run("format", "--write", "locked/a.yaml").code == 0
    assert path.is_symlink() and (shop / "shop.yaml").read_text("utf-8") == FORMATTED


def test_findings_as_json_are_json(shop: Path) -> None:
    (shop / "shop.yaml").write_text('{"audiences": {"a": "x => \\ud83d\\ude00"}}')
    told = json.loads(run("check", "shop.yaml", "--json").out)
    assert told["ok"] is False and told["findings"][0]["file"] == "shop.yaml"
