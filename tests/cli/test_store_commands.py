"""`org`, `key`, `consumers load` and `import`, on a store of their own."""

import re
import stat
from pathlib import Path

import pytest

from segment_engine.store.settings import settings
from tests.cli.running import run


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    monkeypatch.setenv("SEGMENT_ENGINE_STORE", url)
    return url


def test_an_organization_is_made_and_set(tmp_path: Path) -> None:
    made = run("org", "create", "shop", "--timezone", "Europe/Berlin", "--phone-region", "DE")
    assert made.code == 0
    assert re.fullmatch(r"made shop \(org_\w{26}\): Europe/Berlin, USD, default fields\n", made.out)
    again = run("org", "create", "shop")
    assert (again.code, again.err) == (1, "error: there is an organization 'shop' already\n")
    fields = tmp_path / "shop.yaml"
    fields.write_text("currency: EUR\nfields:\n  email: text\n  metadata: any\n")
    told = run("org", "set", "shop", "--schema", fields, "--json").told["organization"]
    assert (told["currency"], told["timezone"]) == ("EUR", "Europe/Berlin")
    assert told["schema"]["fields"] == {"email": {"type": "text"}, "metadata": {"type": "any"}}
    header, row = run("org", "list").out.splitlines()
    assert header.split() == ["name", "id", "time", "zone", "currency", "phones", "fields"]
    assert row.split() == ["shop", told["id"], "Europe/Berlin", "EUR", "DE", "2"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("org", "set", "shop"), 2, "give what to change"),
        (("org", "set", "nobody", "--currency", "EUR"), 1, "no organization 'nobody'"),
        (("org", "set", "shop", "--currency", "euro"), 1, "ISO 4217"),
        (("org", "set", "shop", "--phone-region", "Germany"), 1, "two letters such as US"),
        (("org", "set", "shop", "--timezone", "Mars"), 2, "no time zone 'Mars'"),
        (("key", "create", "nobody"), 1, "no organization 'nobody'"),
        (("key", "revoke", "key_nobody"), 1, "Key not found"),
        (("consumers", "load", "none.csv", "--org", "shop"), 1, "no such file"),
        (("consumers", "load", "none.csv", "--org", "nobody"), 1, "no organization 'nobody'"),
        (("import", "nobody", "none.csv", "--org", "shop"), 1, "none.csv cannot be read"),
        (("import", "nobody", __file__, "--org", "shop"), 1, "there is no audience 'nobody'; POST"),
        (("import", "x", "none.csv", "--org", "shop", "--mode", "drop"), 2, "'drop'"),
        (("org", "list", "--store", "mysql://x"), 1, "SQLite or PostgreSQL, not in 'mysql'"),
        (("org", "list", "--store", "no url"), 1, "wants a URL such as"),
        (("org", "list", "--store", "sqlite:////no/such/shop.db"), 1, "cannot be used"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: tuple[str, ...], code: int, message: str) -> None:
    run("org", "create", "shop")
    done = run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err.replace("\n", " ") and "Traceback" not in done.err
    assert not Path("/no").exists()


def test_a_key_is_shown_once_and_opens_until_it_is_revoked(store: str) -> None:
    organization = run("org", "create", "shop", "--json").told["organization"]["id"]
    made = run("key", "create", "shop", "--name", "back office")
    secret = made.out.removesuffix("\n")
    keys = settings(store=store).opened().keys
    assert keys.organization_of(secret) == organization
    listed = run("key", "list", "shop")
    assert secret not in listed.out and secret[:12] in listed.out and "back office" in listed.out
    (told,) = run("key", "list", "shop", "--json").told["keys"]
    assert told["id"] in made.err and told["revokedAt"] is None
    assert run("key", "revoke", told["id"]).code == 0
    assert keys.organization_of(secret) is None
    assert run("key", "list", "shop", "--json").told["keys"][0]["revokedAt"] is not None


def test_consumers_are_loaded_and_bad_rows_told(tmp_path: Path) -> None:
    run("org", "create", "shop")
    path = tmp_path / "people.csv"
    path.write_text("externalId,email,shoe\n1,a@x.org,42\n2,secret,43\n")
    done = run("consumers", "load", path, "--org", "shop")
    counts = [row.split() for row in done.out.splitlines()[1:]]
    assert counts == [["created", "1"], ["updated", "0"], ["unchanged", "0"], ["rejected", "1"]]
    assert done.code == 1
    assert done.err == (
        "left out columns that consumers do not have: shoe\nrow 2, email: it is no email address\n"
    )
    told = run("consumers", "load", path, "--org", "shop", "--json").told
    assert (told["ok"], told["rows"], told["unchanged"]) == (False, 2, 1)
    assert told["errors"] == [{"row": 2, "field": "email", "reason": "it is no email address"}]
    path.write_text("externalId\n1\n")
    assert run("consumers", "load", path, "--org", "shop").code == 0


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    run("org", "create", "shop")
    file = tmp_path / "segment-engine.cache" / "secret"
    kept = file.read_bytes()
    assert len(kept) == 64 and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    run("org", "list")
    assert file.read_bytes() == kept


def test_a_file_fills_an_audience(store: str, tmp_path: Path) -> None:
    run("org", "create", "shop")
    held = settings().opened()
    shop = held.of(held.organizations.get("shop").id)
    audience = shop.audiences.create("by hand", "STATIC").id
    shop.audiences.create("by hand too", "STATIC")
    file = tmp_path / "fair.csv"
    file.write_text("email,age\na@x.org,7\nnobody,8\n")
    done = run("import", "by hand", file, "--org", "shop")
    assert (done.code, [line.split() for line in done.out.splitlines()[1:]]) == (
        1,
        [["rows", "2"], ["with", "errors", "1"]],
    )
    assert done.err.splitlines() == [
        "left out columns that consumers do not have: age",
        "row 2: email: it is no email address",
    ]
    file.write_text("email\nb@x.org\n")
    told = run("import", audience, file, "--org", "shop", "--mode", "replace", "--json").told
    assert (told["ok"], told["status"], told["totalConsumers"]) == (True, "COMPLETED", 1)
    (only,) = shop.consumers.at(shop.members.bitmap(audience).ordinals().tolist())
    assert only.email == "b@x.org"
    file.write_text("name\nAda\n")
    refused = run("import", audience, file, "--org", "shop")
    assert refused.code == 1 and "the file was not put in: its first row names no" in refused.err
    shop.audiences.create("by hand", "STATIC")
    several = run("import", "by hand", file, "--org", "shop")
    assert several.code == 1 and "several audiences are called by hand" in several.err
    held.close()
