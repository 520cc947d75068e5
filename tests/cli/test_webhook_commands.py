"""`webhook create`, `list`, `delete`, `failed` and `replay`, on a store of their own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from segment_engine.store.settings import settings
from segment_engine.store.store import OrganizationStore
from segment_engine.store.tables import webhook_deliveries
from tests.cli.running import run

URL = "https://example.com/hook?key=hidden"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OrganizationStore]:
    monkeypatch.setenv("SEGMENT_ENGINE_STORE", f"sqlite:///{tmp_path / 'shop.db'}")
    run("org", "create", "shop")
    held = settings().opened()
    made = held.of(held.organizations.get("shop").id)
    made.audiences.create("big spenders", "DYNAMIC", expression="totalOrders > 5")
    yield made
    held.close()


def test_webhooks_are_made_shown_and_deleted(shop: OrganizationStore) -> None:
    (audience,) = shop.audiences.active()
    made = run("webhook", "create", "shop", URL, "--audience", "big spenders")
    assert (made.code, bool(re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=\n", made.out))) == (0, True)
    assert re.fullmatch(r"made whk_\w{26}; the secret is not shown again\n", made.err)
    told = run("webhook", "create", "shop", URL, "--json").told
    assert told["secret"].startswith("whsec_") and told["webhook"]["audienceIds"] is None
    header, *rows = run("webhook", "list").out.splitlines()
    assert header.split() == [
        *("id", "organization", "url", "audiences", "receiver", "waiting", "dead")
    ]
    organization, shown = shop.organization.id, "https://example.com/hook"
    assert [row.split()[1:] for row in rows] == [
        [organization, shown, "1", "listens", "0", "0"],
        [organization, shown, "all", "listens", "0", "0"],
    ]
    first, second = run("webhook", "list", "shop", "--json").told["webhooks"]
    assert (first["audienceIds"], second["endedAt"]) == ([audience.id], None)
    assert run("webhook", "delete", first["id"]).out == f"deleted {first['id']} ({shown})\n"
    assert run("webhook", "delete", second["id"], "--json").told["webhook"] == second
    assert run("webhook", "list", "--json").told["webhooks"] == []


def test_dead_letters_are_shown_and_replayed(shop: OrganizationStore) -> None:
    run("webhook", "create", "shop", URL)
    shop.consumers.upsert([{"externalId": "1", "totalOrders": 9}])
    shop.runs.run()
    dead = {"state": "DEAD", "reason": "it answered 500", "attempts": 9}
    with shop.store.database.writing() as connection:
        connection.execute(update(webhook_deliveries).values(**dead))
    header, row = run("webhook", "failed").out.splitlines()
    (letter,) = run("webhook", "failed", "shop", "--json").told["deliveries"]
    cells = (letter["id"], letter["webhookId"], letter["audienceId"], "1", "1", "of", "1", "9")
    assert tuple(row.split()[:8]) == cells and row.endswith("it answered 500")
    assert header.split()[3:] == ["generation", "part", "attempts", "when", "reason"]
    assert run("webhook", "replay", letter["id"]).out == "1 will be delivered\n"
    assert run("webhook", "replay", "--all", "--json").told == {"ok": True, "replayed": 0}
    assert len(run("webhook", "failed").out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("create", "nobody", URL), 1, "no organization 'nobody'"),
        (("create", "shop", "http://example.com/"), 1, "begins with https://"),
        (("create", "shop", URL, "--audience", "few"), 1, "there is no audience 'few'; POST"),
        (("create", "shop", URL, "--audience", f"aud_{'0' * 26}"), 1, "Audience not found"),
        (("delete", "whk_nobody"), 1, "Webhook not found"),
        (("list", "nobody"), 1, "no organization 'nobody'"),
        (("failed", "nobody"), 1, "no organization 'nobody'"),
        (("replay",), 2, "give ids, or --all"),
        (("replay", "dlv_other", "--all"), 2, "give ids, or --all"),
        (("replay", "dlv_other"), 1, "there is no dead letter dlv_other"),
    ],
)
def test_mistakes(
    shop: OrganizationStore, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = run("webhook", *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err.replace("\n", " ") and "Traceback" not in done.err
