"""Mistakes at the command line: the exit code, and where, what and how to mend it; no traceback."""

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.running import run

BRACKETS = "(" * 1_000_000
ENGINES = ("duckdb", "polars", "records")


@pytest.fixture
def place(tmp_path: Path, consumers: Path) -> Callable[[str], str]:
    """Makes files that are wrong; gives the function that puts their folder into an argument."""
    ids = {"null_ids": ["a", None, "b"], "repeated_ids": ["a", "b", "b"]}
    for name, values in ids.items():
        pq.write_table(pa.table({"id": values, "email": ["x"] * 3}), tmp_path / f"{name}.parquet")
    wrong = pa.table({"id": ["a"], "totalOrders": ["many"], "metadata": [1]})
    pq.write_table(wrong, tmp_path / "wrong.parquet")
    (tmp_path / "junk.parquet").write_bytes(b"PAR1 is how Parquet begins")
    (tmp_path / "bad.csv").write_text("id,totalOrders\na,1\nb,many\n")
    (tmp_path / "latin.txt").write_bytes(b"email = '\xe9'")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "brackets.txt").write_text(BRACKETS)
    (tmp_path / "email").write_text("phone exists")
    (tmp_path / "good.yaml").write_text("vips: totalOrders > 10\n")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letters.txt").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    return lambda text: text.replace("@", f"{tmp_path}/")


CHECKS = [
    ("totalOrdrs > 3", 1, ["error[unknown-field]", "`totalOrdrs`", "did you mean totalOrders"]),
    ("totalOrders = 'many'", 1, ["error[type-mismatch]", "^^^^^^", "number", "many"]),
    ("email older than 3 days", 1, ["error[operator-type]", "`older than`", "email"]),
    ("createdAt > 2026-02-30", 1, ["error[bad-date]", "2026-02-30"]),
    ("createdAt > 05/01/2024", 1, ["fix: `2024-05-01` or `2024-01-05`"]),
    ("", 1, ["error[empty-rule]", "write a comparison"]),
    (" \n# nothing\n", 1, ["error[", "rule"]),
    ("(phone exists", 1, ["error[syntax]", "the rule ends", "close the bracket"]),
    ("email = 'a", 1, ["error[unterminated-text]", "close it with '"]),
    ("email = 'a\x00'", 1, ["error[bad-character]"]),
    ("email = '\ud800'", 1, ["error[bad-character]"]),
    ('{"combinator": "and", "rules": []}', 1, ["error[", "empty"]),
    ('{"combinator": ', 1, ["error[json-syntax]", "line 1, column 16"]),
]


@pytest.mark.parametrize(("rule", "code", "parts"), CHECKS, ids=[repr(row[0]) for row in CHECKS])
def test_rules_that_are_wrong(rule: str, code: int, parts: list[str]) -> None:
    done = run("check", "--", rule)
    assert (done.code, done.out) == (code, "")
    assert [part for part in parts if part not in done.err] == []
    machine = run("format", "--json", "--", rule)
    assert (machine.code, machine.err) == (1, "")
    assert not machine.told["ok"] and machine.told["diagnostics"]
    assert machine.told["error"]["kind"] == "RuleError"


COMMANDS = [
    ("check --file @none.txt", 1, ["@none.txt: no such file"]),
    ("check --file @", 1, ["is a directory"]),
    ("check --file @loop", 1, ["@loop: "]),
    ("check --file @latin.txt", 1, ["@latin.txt:1:10: this is not UTF-8 text"]),
    ("check --file @empty.txt", 1, ["error[empty-rule]"]),
    ("check --file @brackets.txt", 1, ["error[limit]", "at most 64 deep"]),
    ("check @email", 1, ["note: @email is a file; --file reads"]),
    ("check true --file @good.yaml", 2, ["give a rule or --file, not both"]),
    ("check true --schema @none.yaml", 1, ["@none.yaml: no such file"]),
    ("check true --schema @good.yaml", 1, ["@good.yaml:1:1: unknown key 'vips'"]),
    ("check true --shcema @good.yaml", 2, ["No such option: --shcema"]),
    ("chekc true", 2, ["No such command 'chekc'"]),
    ("count true", 2, ["Missing option '--consumers'"]),
    ("count true -c @none.parquet", 1, ["@none.parquet", "no such file"]),
    ("count true -c @*.ndjson", 1, ["@*.ndjson"]),
    ("count true -c @junk.parquet", 1, ["@junk.parquet", "Parquet"]),
    ("count true -c @empty.txt", 1, ["@empty.txt"]),
    ("count totalOrders>0 -c @bad.csv", 1, ["@bad.csv", "line 3", "totalOrders", "'many'"]),
    ("count totalOrders>0 -c @wrong.parquet", 1, ["'totalOrders' is text", "wants a number"]),
    ("count metadata.a>0 -c @wrong.parquet", 1, ["'metadata'", "wants JSON text"]),
    ("members fullName='A' -c @consumers.parquet", 1, ["no column 'fullName'", "columns are id"]),
    (
        "members true -c @consumers.parquet --id-column key",
        1,
        ["no id column 'key'", "are id", "--id-column"],
    ),
    ("members true -c @consumers.parquet --limit -1", 2, ["'--limit'"]),
    ("sql totalOrders>0 --source @wrong.parquet", 1, ["'totalOrders' is text"]),
    ("sql true --as-of tomorrow", 2, ["'--as-of'", "'tomorrow'", "such as 2026-01-31T10:00:00Z"]),
    ("sql true --as-of 2026-02-30", 2, ["'--as-of'", "2026-02-30"]),
    ("sql true --timezone Europe/Berln", 2, ["'--timezone'", "did you mean Europe/Berlin"]),
    ("count true -c @consumers.parquet --engine spark", 2, ["'--engine'", "duckdb, polars, rec"]),
    ("sql createdAt<100000_years_ago", 1, ["error["]),
    ("sql createdAt<9000_years_ago", 1, ["error["]),
]


@pytest.mark.parametrize(("line", "code", "parts"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_commands_that_are_wrong(
    place: Callable[[str], str], line: str, code: int, parts: list[str]
) -> None:
    done = run(*map(place, line.split()))
    assert (done.code, done.out) == (code, "")
    assert [part for part in map(place, parts) if part not in done.err] == []


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["null", "repeated"])
def test_ids_must_be_there_and_unique(place: Callable[[str], str], engine: str, kind: str) -> None:
    source = place(f"@{kind}_ids.parquet")
    for name in ("count", "members"):
        done = run(name, "email exists", "--consumers", source, "--engine", engine)
        assert (done.code, done.out) == (1, "")
        assert f"column 'id' has 1 {kind}" in done.err
    out = place("@out")
    done = run("materialize", place("@good.yaml"), "-c", source, "-o", out, "--engine", engine)
    assert done.code == 1 and not Path(out).exists()


FILES = [
    ("", ["1:1: ", "the file is empty; it wants a map of audience keys to rules"]),
    ("- phone exists\n", ["1:1: ", "this is a list, not a map"]),
    ("phone exists\n", ["1:1: ", "this is the text 'phone exists', not a map"]),
    ("a: true\na: true\n", ["1:1: ", "'a' stands twice: also in line 2"]),
    (
        "a:\nc: ''\n",
        ["1:3: ", "the rule of audience 'a' is empty", "2:4: ", "of audience 'c' is empty"],
    ),
    ("a:\n\tphone exists\n", ["2:1: ", "a tab cannot stand here"]),
    ("a: email = 'x: y'\n", ["1:", "this is no YAML", "in quotes or below a `|`"]),
    ("a: {field: email, field: phone}\n", ["1:19: ", "'field' stands twice"]),
    ("a: *b\n", ["1:4: ", "aliases (`*name`) are not read"]),
    ("a: true\n--- \nb: true\n", ["2:1: ", "another document"]),
    ("[" * 1_000_000, ["1:1: ", "this is nested too deep"]),
    ("a: \x07\n", ["1:4: ", "this character cannot stand in YAML"]),
]


@pytest.mark.parametrize(("text", "parts"), FILES, ids=[repr(row[0][:20]) for row in FILES])
def test_audience_files_that_are_wrong(
    tmp_path: Path, consumers: Path, text: str, parts: list[str]
) -> None:
    path, out = tmp_path / "audiences.yaml", tmp_path / "out"
    path.write_text(text)
    done = run("materialize", path, "--consumers", consumers, "--out", out)
    assert (done.code, done.out) == (1, "") and not out.exists()
    assert [part for part in parts if part not in done.err] == []
    assert f"\n{path}:" in done.err


OUTPUTS = [
    ("@good.yaml", "@good.yaml is a file; name a folder"),
    ("@good.yaml/deep/out", "@good.yaml/deep/out cannot be written: @good.yaml is a file"),
    ("@taken", "@taken is not empty and holds no earlier run; name a new folder"),
    ("/", "/ is the root folder"),
    ("@loop", "@loop cannot be written: it is a link to itself"),
    ("@" + "x" * 300, "file name too long"),
]


@pytest.mark.parametrize(("out", "message"), OUTPUTS, ids=[row[0][:20] for row in OUTPUTS])
def test_output_folders_that_cannot_be_written(
    place: Callable[[str], str], tmp_path: Path, out: str, message: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    where = ("--consumers", place("@consumers.parquet"), "--out", place(out))
    done = run("materialize", place("@good.yaml"), *where)
    assert (done.code, done.out) == (1, "")
    assert place(message) in done.err
    told = run("materialize", place("@good.yaml"), *where, "--json").told
    assert (told["ok"], told["error"]["kind"]) == (False, "OutputError")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_with_a_file_of_ones_own_in_it_is_not_replaced(
    place: Callable[[str], str], tmp_path: Path
) -> None:
    where = ("-c", place("@consumers.parquet"), "-o", place("@out"))
    assert run("materialize", place("@good.yaml"), *where).code == 0
    (tmp_path / "out" / "notes.txt").write_text("mine")
    done = run("materialize", place("@good.yaml"), *where)
    assert done.code == 1 and "'notes.txt', which no run wrote" in done.err
    (tmp_path / "out" / "notes.txt").unlink()
    (tmp_path / "out/generations/000001/manifest.json").write_text('{"format": "other"}')
    done = run("materialize", place("@good.yaml"), *where)
    assert "000001/manifest.json', which no run wrote" in done.err


def test_a_megabyte_of_brackets_is_refused_at_once(tmp_path: Path, consumers: Path) -> None:
    path = tmp_path / "audiences.yaml"
    path.write_text(f"deep: '{BRACKETS}'\nfine: email exists\n")
    run("check", "true")
    started = time.process_time()
    for text in (
        BRACKETS,
        "[" * 1_000_000,
        '{"rules":' * 100_000,
        "not " * 250_000,
        "9" * 1_000_000,
    ):
        done = run("check", stdin=text)
        assert done.code == 1 and "error[" in done.err and len(done.err) < 1_000
    assert time.process_time() - started < 2
    done = run("materialize", path, "--consumers", consumers, "--out", tmp_path / "out")
    assert done.code == 1 and "(audience 'deep')" in done.err and "fine" in done.out
    assert (
        run("check", stdin=b"email = '\xff'").err == "error: stdin is not UTF-8 text at byte 10\n"
    )


def test_a_rule_about_a_file_is_told_where_its_fields_come_from(consumers: Path) -> None:
    told = f"`segment-engine schema infer {consumers} > schema.yaml`"
    done = run("count", "totalOrdrs > 3", "--consumers", str(consumers))
    assert (done.code, done.out) == (1, "") and told in done.err
    assert told not in run("count", "totalOrders > 'x'", "--consumers", str(consumers)).err
