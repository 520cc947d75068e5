"""What the service is told by its surroundings is what its routes go by."""

import asyncio
from pathlib import Path

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from segment_engine.api.app import create_app
from segment_engine.api.settings import ServiceSettings
from segment_engine.api.telling import instant
from segment_engine.store.fresh import refresh
from tests.api.serving import AUDIENCES, SECRET, answered


def test_the_next_run_of_time_is_due_when_the_worker_does_it(tmp_path: Path) -> None:
    settings = ServiceSettings(
        store=SecretStr(f"sqlite:///{tmp_path}/store.db"),
        secret=SecretStr(SECRET),
        folder=tmp_path,
        time_run_minutes=3,
    )
    app = create_app(settings)
    store = app.state.store
    shop = store.of(store.organizations.create("shop").id)
    key, _ = store.keys.create(shop.organization.id, "tests")
    late = shop.audiences.create("late", "DYNAMIC", expression="lastOrderAt within last 3 days")
    refresh(shop)
    due = shop.runs.run(store.jobs.claim("host", 1)).as_of + 180_000_000
    found = answered(asyncio.run(ask(app, key, f"{AUDIENCES}/{late.id}/status")))
    store.close()
    assert found["nextRefreshAt"] == instant(due)


async def ask(app: FastAPI, key: str, path: str) -> httpx.Response:
    headers, served = {"Authorization": f"Bearer {key}"}, httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=served, base_url="http://test") as client:
        return await client.get(path, headers=headers)
