"""A stack is seeded under every setting that refuses what one operator or a free plan may not do."""

import json
from pathlib import Path

import httpx2
import pytest

from api.app import create_app
from api.bootstrap import operator_key
from dev.stack import seed
from runtime.database import Database
from tests.api.conftest import Caller, good, settings_for
from tests.conftest import DatabaseUrls
from tests.support.serving import client_of

pytestmark = pytest.mark.db
STRICT = {"two_operators_above": "50", "limit_seats": True}


async def test_stack_is_seeded_where_gifts_take_two_operators_and_seats_are_limited(
    fresh_database: Database, fresh_database_urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = fresh_database_urls
    async with fresh_database.platform() as session:
        first = await operator_key(session, "operator")
    path = tmp_path / "seed.json"
    path.write_text(json.dumps({"keys": {"operator": first}, "has_prices": True}))
    environment = {
        "BURSAR_DATABASE_URL": urls.tenant,
        "BURSAR_PLATFORM_DATABASE_URL": urls.platform,
        **{f"BURSAR_{name.upper()}": str(value) for name, value in STRICT.items()},
    }
    async with client_of(create_app(settings_for(urls, **STRICT))) as http:
        there = httpx2.AsyncClient

        def client(**_: object) -> httpx2.AsyncClient:
            return there(transport=http._transport, base_url="http://bursar.test/api/v1")

        monkeypatch.setattr(httpx2, "AsyncClient", client)
        seeded = seed.Seed(path, "http://bursar.test", environment)
        await seeded.ensure()
        monkeypatch.undo()
        caller = Caller(http, seeded.keys["client"])
        assert len(good(await caller.get("/api-keys"))["data"]) == seed.PEOPLE
        assert good(await caller.get("/billing/balance"))["available"] == f"{seed.CREDITS}.00"
    assert {"operator", "second_operator", "finance", "auditor"} <= seeded.keys.keys()
