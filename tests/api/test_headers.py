"""Headers of limits, of second paths, and of browsers' questions whether a page may call."""

import re
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from api.app import create_app
from api.deprecation import deprecation
from tests.api.conftest import Caller, Tenant, good, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.openapi import operations, resolved, served

pytestmark = pytest.mark.db

PAGE = "https://console.example.com"


@pytest.fixture
async def limited(database_urls: DatabaseUrls, tenant: Tenant) -> AsyncIterator[Caller]:
    """The owner at an API with small limits, pages that may call it, and an end of the second paths."""
    settings = settings_for(
        database_urls,
        rate_limit="3/hour",
        organization_rate_limit="5/hour",
        cors_origins=f"{PAGE}, http://127.0.0.1:5173",
        aliases_sunset=date(2027, 6, 30),
    )
    app: FastAPI = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as http,
    ):
        yield Caller(http, tenant.owner.token, tenant.org_id)


async def test_limits_count_down_and_the_last_answer_says_when_they_end(limited: Caller) -> None:
    for left in (2, 1, 0):
        answer = await limited.get("/agents")
        assert answer.headers["ratelimit-policy"] == '"key";q=3;w=3600, "organization";q=5;w=3600'
        shown = r'"key";r=([0-9]+);t=([0-9]+), "organization";r=([0-9]+);t=[0-9]+'
        found = re.fullmatch(shown, answer.headers["ratelimit"])
        assert found is not None
        assert (int(found[1]), int(found[3])) == (left, left + 2)
        assert 0 < int(found[2]) <= 3600
    refusal = await limited.get("/agents")
    refused(refusal, 429, "rate_limited")
    assert refusal.headers["ratelimit"].startswith('"key";r=0;t=')
    # A caller without a key is counted by its address.
    nobody = await Caller(limited.http, None).get("/agents")
    assert nobody.headers["ratelimit"].startswith('"address";r=2;t=')


async def test_alias_path_names_its_deprecation_and_its_end(limited: Caller, tenant: Tenant) -> None:
    alias = await limited.get("/billing/payments")
    assert alias.headers["deprecation"] == "@1795305600"
    assert alias.headers["sunset"] == "Wed, 30 Jun 2027 00:00:00 GMT"
    assert "deprecation" not in (await limited.get("/payments")).headers
    assert "sunset" not in (await tenant.owner.get("/billing/payments")).headers
    assert deprecation(date(1970, 1, 2)) == {"Deprecation": "@86400"}


async def test_page_of_an_exact_origin_may_call_and_read_what_it_needs(limited: Caller) -> None:
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    preflight = await limited.http.request("OPTIONS", "/api/v1/escrows", headers=asks)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]
    answer = await limited.get("/agents", headers={"Origin": PAGE})
    unknown = await Caller(limited.http, "bsk_x").get("/agents", headers={"Origin": PAGE})
    refused(unknown, 401, "auth.invalid")
    declared = {
        name
        for _, _, operation in operations(served())
        for response in operation["responses"].values()
        for name in resolved(served(), response)["headers"]
    }
    assert len(declared) > 9
    for each in (answer, unknown):
        assert each.headers["access-control-allow-origin"] == PAGE
        assert declared <= set(each.headers["access-control-expose-headers"].split(", "))
    for each in (preflight, answer, unknown):
        assert "access-control-allow-credentials" not in each.headers
        assert "Origin" in each.headers["vary"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{PAGE}.evil.example", PAGE.upper(), ""])
async def test_page_of_another_origin_may_not(origin: str, limited: Caller) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = await limited.http.request("OPTIONS", "/api/v1/agents", headers=asks)
    answer = await limited.get("/agents", headers={"Origin": origin})
    for each in (preflight, answer):
        assert not [name for name in each.headers if name.startswith("access-control")]
        assert "Origin" in each.headers["vary"]


async def test_without_the_setting_no_page_may_call(tenant: Tenant) -> None:
    answer = await tenant.owner.get("/agents", headers={"Origin": PAGE})
    good(answer)
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("text", ["*", "https://*.example.com", "null", "https://a.example/", "a.example", f"{PAGE},*"])
def test_origins_are_exact(text: str, database_urls: DatabaseUrls) -> None:
    with pytest.raises(ValidationError, match="exact origin"):
        settings_for(database_urls, cors_origins=text)


def test_one_setting_lists_several_origins(database_urls: DatabaseUrls) -> None:
    changes: dict[str, Any] = {"cors_origins": f"{PAGE}, http://[::1]:5173"}
    assert settings_for(database_urls, **changes).allowed_origins == (PAGE, "http://[::1]:5173")
