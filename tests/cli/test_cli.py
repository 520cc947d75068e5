"""Every command, as a person and as a machine uses it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import segment_engine
from segment_engine import Engine
from segment_engine.batch.generations import Generations
from tests.cli.running import run

COMMANDS = (
    *(
        "init",
        "check",
        "format",
        "sql",
        "explain-sql",
        "count",
        "members",
        "preview",
        "materialize",
    ),
    *("diff", "export", "operators", "schema show", "schema infer", "schema check"),
)
AS_OF = "2026-01-31T12:00:00Z"


def test_version_and_help() -> None:
    assert run("--version").out == f"segment-engine {segment_engine.__version__}\n"
    assert "Exit codes: 0 all is well" in run("--help").out
    assert run().code == 2
    for words in COMMANDS:
        assert "Example" in run(*words.split(), "--help").out


# ---- check


def test_check_prints_the_canonical_rule_and_hints() -> None:
    done = run("check", "totalOrders   IS NOT 3")
    assert (done.code, done.out) == (0, "ok\ntotalOrders != 3\n")
    assert "hint[keeps-missing]" in done.err and "^^^" in done.err


def test_check_draws_every_error() -> None:
    done = run("check", "totalOrdrs > 3 and\n email == 'a'")
    assert (done.code, done.out) == (1, "")
    assert "did you mean totalOrders" in done.err
    assert "2 |  email == 'a'\n  |        ^^\n  = fix: `=`" in done.err


def test_check_for_machines() -> None:
    told = run("check", "--json", "email exists and\n totalOrders == 3").told
    assert (told["ok"], told["text"]) == (False, None)
    assert told["diagnostics"] == [
        {
            "code": "operator-spelling",
            "severity": "error",
            "message": "`==` is spelt `=`",
            "span": {"start": 30, "end": 32, "line": 2, "column": 14},
            "pointer": None,
            "suggestion": "=",
            "fixes": [{"start": 30, "end": 32, "replacement": "="}],
            "near": [],
            "help": None,
        }
    ]
    right = run("check", "--json", "email exists")
    assert right.code == 0
    assert {key: right.told[key] for key in ("ok", "text", "fields", "diagnostics")} == {
        "ok": True,
        "text": "email exists",
        "fields": ["email"],
        "diagnostics": [],
    }


def test_check_of_query_builder_json() -> None:
    query = {"combinator": "and", "rules": [{"field": "emial", "operator": "notNull"}]}
    told = run("check", "--json", stdin=json.dumps(query)).told
    (found,) = told["diagnostics"]
    assert (found["span"], found["pointer"], found["suggestion"]) == (
        None, "/rules/0/field", "email",
    )  # fmt: skip
    query["rules"] = [{"field": "email", "operator": "notNull"}]
    assert run("check", "-", stdin=json.dumps(query)).out == "ok\nemail exists\n"


def test_check_and_format_of_rule_rows() -> None:
    rows = [{"field": "emial", "operator": "EXISTS", "values": []}]
    told = run("check", "--json", json.dumps(rows)).told
    (found,) = told["diagnostics"]
    assert (found["span"], found["pointer"], found["suggestion"]) == (None, "/0/field", "email")
    rows[0]["field"] = "email"
    assert run("check", "-", stdin=json.dumps(rows)).out == "ok\nemail exists\n"
    told = run("format", "--json", stdin=json.dumps(rows)).told
    assert (told["text"], told["rows"]) == (
        "email exists", [{**rows[0], "groupId": None, "position": 0}],
    )  # fmt: skip
    told = run("format", "--json", "not (totalOrders > 3)").told
    assert (told["ok"], told["rows"]) == (True, None)


@pytest.mark.parametrize("argument", [[], ["-"]])
def test_rules_come_from_stdin(argument: list[str]) -> None:
    assert run("check", *argument, stdin="\ufeffphone exists\r\n").out == "ok\nphone exists\n"


def test_fix_prints_the_mended_rule_and_what_is_left() -> None:
    done = run("check", "--fix", "totalOrders == 3 # three")
    assert (done.code, done.out) == (0, "totalOrders = 3 # three\n")
    done = run("check", "--fix", "totalOrders == 3 or createdAt = 05/01/2024")
    assert (done.code, done.out) == (1, "totalOrders = 3 or createdAt = 05/01/2024\n")
    assert "`2024-05-01` or `2024-01-05`" in done.err and "operator-spelling" not in done.err
    told = run("check", "--fix", "--json", "totalOrders == 3").told
    assert (told["ok"], told["fixed"], told["diagnostics"]) == (True, "totalOrders = 3", [])


def test_fix_rewrites_a_file_and_keeps_its_mode_and_links(tmp_path: Path) -> None:
    path, link = tmp_path / "rule.txt", tmp_path / "link.txt"
    path.write_bytes(b"# why\r\ntotalOrders => 3\r\n")
    path.chmod(0o640)
    link.symlink_to(path)
    assert run("check", "--fix", "--file", link).out == f"{link}: mended\n"
    assert path.read_bytes() == b"# why\r\ntotalOrders >= 3\r\n"
    assert path.stat().st_mode & 0o777 == 0o640 and link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link.txt", "rule.txt"]
    assert "nothing that could be mended" in run("check", "--fix", "-f", path).out
    path.write_text("createdAt = 05/01/2024")
    assert run("check", "--fix", "-f", path).out.endswith("mended, 1 left to mend by hand\n")


# ---- format, sql, operators


def test_format() -> None:
    assert run("format", "# why\nphone is not missing  and (email exists)").code == 1
    done = run("format", "# why\nphone EXISTS   and (email exists)")
    assert (done.code, done.out) == (0, "# why\nphone exists\n  and email exists\n")
    told = run("format", "--json", "phone exists").told
    assert told["rule"] == Engine().rule("phone exists").to_json()
    assert run("format", stdin=json.dumps(told["rule"])).out == "phone exists\n"


def test_sql(consumers: Path) -> None:
    made = run("sql", "totalOrderValue > 19.999", "--source", consumers)
    assert made.out.strip() == Engine().rule("totalOrderValue > 19.999").sql(source=str(consumers))
    made = run("sql", "lastOrderAt on today", "--as-of", AS_OF, "--timezone", "Asia/Tokyo")
    rule = Engine(timezone="Asia/Tokyo").rule("lastOrderAt on today")
    assert made.out.strip() == rule.sql(as_of=AS_OF)
    assert run("sql", "--json", "phone exists", "--as-of", AS_OF).told["as_of"] == AS_OF


def test_explain_sql(consumers: Path) -> None:
    rule = "lastOrderAt on today or email is missing"
    made = run("explain-sql", rule, "--as-of", AS_OF, "--timezone", "Asia/Tokyo")
    explanation = Engine(timezone="Asia/Tokyo").rule(rule).explain_sql(AS_OF)
    assert made.out == f"{explanation}\n"
    told = run("explain-sql", "--json", rule, "--as-of", AS_OF, "--source", consumers).told
    assert told == {
        "ok": True,
        **Engine().rule(rule).explain_sql(AS_OF, str(consumers)).to_json(),
    }
    wrong = run("explain-sql", "totlOrders > 1")
    assert wrong.code == 1 and "did you mean totalOrders" in wrong.err


def test_operators_shows_every_row_in_one_line() -> None:
    lines = run("operators").out.splitlines()
    (line,) = [line for line in lines if line.startswith("contains any")]
    assert "not contains any" in line and "text, list" in line and '("vip", "press")' in line
    rows = {row["name"]: row for row in run("operators", "--json").told["operators"]}
    assert len(rows) == len(lines) - 1
    assert rows["eq"]["words"] == ["=", "is"] and rows["exists"]["takes"] == {"*": "nothing"}
    assert {taken for row in rows.values() for taken in row["takes"].values()} == {
        *("nothing", "a value of the same type", "a literal of the same type"),
        *("a text that is not empty", "an element of the list", "a pattern", "a length of time"),
    }


# ---- count, members


@pytest.mark.parametrize("engine", ["duckdb", "polars", "records"])
def test_count_and_members(consumers: Path, engine: str) -> None:
    where = ("--consumers", consumers, "--engine", engine, "--as-of", AS_OF)
    assert run("count", "lastOrderAt older than 30 days", *where).out == "1\n"
    assert run("members", "metadata.tier != 'basic'", *where).out == "c1\nc3\n"
    assert run("members", "true", *where, "--limit", "2").out == "c1\nc2\n"
    assert run("members", "false", *where).out == ""
    told = run("members", "email exists", *where, "--limit", "1", "--json").told
    assert (told["count"], told["members"], told["text"]) == (2, ["c1"], "email exists")
    told = run("count", "totalOrders > 2", *where, "--json").told
    assert (told["ok"], told["count"], told["as_of"]) == (True, 2, AS_OF)


def test_own_schema_and_csv(tmp_path: Path) -> None:
    (tmp_path / "schema.yaml").write_text("fields: {zip: {type: text, column: ZIP}, spent: number}")
    (tmp_path / "people.csv").write_text("key,ZIP,spent\na,00012,5\nb,12,\n")
    where = ("--consumers", tmp_path / "people.csv", "--schema", tmp_path / "schema.yaml")
    assert run("members", 'zip = "00012"', *where, "--id-column", "key").out == "a\n"
    assert run("count", "spent is missing", *where, "--id-column", "key").out == "1\n"


def test_a_reader_that_goes_away_is_no_error(consumers: Path) -> None:
    script = (
        "from segment_engine.cli import app, rules; "
        "rules.say = lambda text: [print(text * 1000) for _ in range(1000)]; app()"
    )
    whole = [sys.executable, "-c", script, "members", "true", "--consumers", str(consumers)]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


def test_checking_loads_no_engine() -> None:
    script = (
        "import sys; from segment_engine.cli import app; app(['check', 'phone exists'], "
        "standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"duckdb", "polars", "pyarrow", "numpy"} & set(done.stdout.split())


# ---- materialize


AUDIENCES = """\
# key: rule
vips: totalOrderValue >= 500
quiet: |
  # no order lately
  not (lastOrderAt within last 30 days)
nobody: false
known: {field: email, operator: notNull}
"""


@pytest.fixture
def audiences(tmp_path: Path) -> Path:
    path = tmp_path / "audiences.yaml"
    path.write_text(AUDIENCES)
    return path


def members_of(out: Path) -> dict[str, list[str]]:
    found = Generations(out).newest().memberships
    return {key: found.members(key) for key in found}


@pytest.mark.parametrize("engine", ["duckdb", "polars", "records"])
def test_materialize(tmp_path: Path, consumers: Path, audiences: Path, engine: str) -> None:
    out = tmp_path / "deep" / "out"
    where = ("--consumers", consumers, "--out", out, "--as-of", AS_OF, "--engine", engine)
    done = run("materialize", audiences, *where, "--timezone", "America/New_York")
    assert (done.code, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[:2] for row in rows[1:5]] == [
        ["vips", "1"],
        ["quiet", "2"],
        ["nobody", "0"],
        ["known", "2"],
    ]
    assert rows[1][2:] == ["-", "-", "33.3%"]
    members = {"vips": ["c1"], "quiet": ["c2", "c3"], "nobody": [], "known": ["c1", "c3"]}
    assert members_of(out) == members
    told = Generations(out).newest().manifest
    assert (told.as_of, told.timezone, told.engine) == (AS_OF, "America/New_York", engine)
    assert (told.source, told.id_column, told.consumers) == (str(consumers), "id", 3)
    assert told.fingerprint is not None and told.failed == {}
    assert told.audiences["vips"].rule == Engine().rule("totalOrderValue >= 500").hash


def test_materialize_takes_rule_rows(tmp_path: Path, consumers: Path) -> None:
    path, out = tmp_path / "audiences.yaml", tmp_path / "out"
    path.write_text(
        "known: [{field: email, operator: EXISTS}]\nnobody: []\nwrong: [email exists]\n"
    )
    done = run("materialize", path, "--consumers", consumers, "--out", out)
    assert done.code == 1 and members_of(out) == {"known": ["c1", "c3"], "nobody": []}
    assert f"{path}:3:9: error[json-shape]: the text" in done.err


def test_a_broken_audience_is_named_and_the_others_are_published(
    tmp_path: Path, consumers: Path, audiences: Path
) -> None:
    audiences.write_text(f"{AUDIENCES}late: totalOrdrs > 3\nfar: createdAt exists\n")
    out = tmp_path / "out"
    where = ("--consumers", consumers, "--out", out, "--as-of", AS_OF)
    done = run("materialize", audiences, *where)
    assert done.code == 1
    assert f"{audiences}:8:7: error[unknown-field]" in done.err and "totalOrdrs > 3" in done.err
    assert f"{audiences}:9: audience 'far' failed" in done.err
    assert "^^^^" in done.err and "no column 'createdAt'" in done.err
    assert ["late", "failed", "-", "-", "-"] in [line.split() for line in done.out.splitlines()]
    assert set(members_of(out)) == {"vips", "quiet", "nobody", "known"}
    told = run("materialize", audiences, *where, "--json").told
    assert (told["ok"], told["counts"]["vips"], told["as_of"]) == (False, 1, AS_OF)
    assert told["failed"]["late"]["diagnostics"][0]["code"] == "unknown-field"
    assert told["failed"]["far"]["kind"] == "SourceError"
    assert set(Generations(out).newest().manifest.failed) == {"late", "far"}


def test_a_run_follows_the_one_before_and_leaves_nothing_beside_it(
    tmp_path: Path, consumers: Path, audiences: Path
) -> None:
    out, link = tmp_path / "out", tmp_path / "link"
    link.symlink_to(out)
    where = ("--consumers", consumers, "--as-of", AS_OF)
    assert run("materialize", audiences, *where, "--out", out).code == 0
    audiences.write_text("some: totalOrders = 3\n")
    assert run("materialize", audiences, *where, "--out", link).code == 0
    assert members_of(out) == {"some": ["c2"]} and Generations(out).numbers() == [1, 2]
    before = sorted(os.listdir(tmp_path))
    assert before == ["audiences.yaml", "consumers.parquet", "link", "out"]
    audiences.write_text("some: totalOrdrs = 3\n")
    done = run("materialize", audiences, *where, "--out", out)
    assert done.code == 1 and "nothing is published" in done.err
    assert members_of(out) == {"some": ["c2"]}


@pytest.mark.parametrize("failing", ["pq.write_table", "os.replace"])
def test_what_was_published_stays_when_the_disk_is_full(
    tmp_path: Path,
    consumers: Path,
    audiences: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    out = tmp_path / "out"
    where = ("--consumers", consumers, "--as-of", AS_OF, "--out", out)
    assert run("materialize", audiences, *where).code == 0
    before = members_of(out)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        owner = "packs" if failing == "pq.write_table" else "files"
        patched.setattr(f"segment_engine.batch.{owner}.{failing}", full)
        done = run("materialize", audiences, *where)
    assert done.code == 1
    assert done.err == f"error: {out} cannot be written: no space left on device\n"
    assert members_of(out) == before and Generations(out).numbers() == [1]
    assert sorted(os.listdir(tmp_path)) == ["audiences.yaml", "consumers.parquet", "out"]
    assert os.listdir(out / "generations") == ["000001"]
