"""`preview`: the members of a rule beside everybody."""

from pathlib import Path

from tests.cli.running import run

AS_OF = "2026-01-31T12:00:00Z"


def test_preview(consumers: Path) -> None:
    where = ("--consumers", consumers, "--as-of", AS_OF)
    done = run("preview", 'totalOrders >= 3 and metadata.tier = "gold"', *where)
    assert (done.code, done.err) == (0, "")
    lines = [line.rstrip() for line in done.out.splitlines()]
    assert lines[0] == "1 of 3 consumers (33%)"
    assert [line.split() for line in lines[2:4]] == [
        ["id", "totalOrders", "metadata.tier"],
        ["c1", "12", "gold"],
    ]
    rows = {line.split()[0]: line.split()[1:] for line in lines[6:]}
    assert " ".join(rows["totalOrders"]) == "100% 12 .. 12 .. 12 100% 0 .. 3 .. 12"
    assert rows["averageOrderValue"][0] == "100%" and "phone" not in rows


def test_preview_for_machines_and_of_nobody(consumers: Path) -> None:
    where = ("--consumers", consumers, "--as-of", AS_OF, "--json")
    told = run("preview", "email exists", *where, "--first", "1").told
    assert (told["ok"], told["count"], told["total"], told["as_of"]) == (True, 2, 3, AS_OF)
    assert told["members"] == [{"id": "c1", "email": "ada@example.com"}]
    field = next(item for item in told["profile"] if item["name"] == "totalOrderValue")
    assert (field["members"]["high"], field["everybody"]["filled"]) == (812.5, 2 / 3)
    nobody = run("preview", "false", "--consumers", consumers).out
    assert nobody.startswith("0 of 3 consumers (0%)\n\nfield")


def test_what_is_wrong(consumers: Path) -> None:
    assert run("preview", "totlOrders > 1", "-c", consumers).code == 1
    assert run("preview", "true", "-c", consumers, "--id-column", "key").code == 1
    assert run("preview", "true", "-c", consumers, "--first", "-1").code == 2
    assert run("preview", "true").code == 2
