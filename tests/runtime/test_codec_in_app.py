"""The codec behind the real app, with real keys in a real database."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import SecretStr

from api.app import create_app
from api.bootstrap import operator_key
from runtime.database import Database
from runtime.settings import Settings
from tests.conftest import DatabaseUrls
from tests.runtime.conftest import KEY_ONE
from tests.runtime.test_codec_endpoint import PLAIN, UI, from_ui

pytestmark = pytest.mark.db


@pytest.fixture
async def http(database_urls: DatabaseUrls, db: Database) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings(
        database_url=database_urls.tenant,
        platform_database_url=database_urls.platform,
        temporal_address="127.0.0.1:1",
        temporal_ui_url=UI,
        private_port=0,
        encryption_keys=SecretStr(KEY_ONE),
    )
    app = create_app(settings, database=db)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000") as client,
    ):
        yield client


async def test_operator_reads_in_the_ui_until_the_key_is_revoked(http: httpx2.AsyncClient, db: Database) -> None:
    async with db.platform() as session:
        boss = await operator_key(session, "codec-boss")
    authority = {"Authorization": f"Bearer {boss}"}
    issued = await http.post(
        "/api/v1/api-keys", json={"principal": "codec-reader", "role": "operator"}, headers=authority
    )
    key = issued.json()

    sealed = await http.post("/codec/encode", json={"payloads": [PLAIN]}, headers=authority)
    assert (await http.post("/codec/login", data={"key": key["secret"]})).status_code == 200
    opened = await http.post("/codec/decode", json=sealed.json(), headers=from_ui())
    assert opened.json() == {"payloads": [PLAIN]}

    await http.delete(f"/api/v1/api-keys/{key['id']}", headers=authority)
    while (refused := await http.post("/codec/decode", json=sealed.json(), headers=from_ui())).status_code == 200:
        pass  # The key is forgotten when PostgreSQL announces the change.
    assert (refused.status_code, refused.json()["code"]) == (401, "auth.invalid")
    assert refused.headers["access-control-allow-origin"] == UI


async def test_key_of_a_tenant_reads_nothing(http: httpx2.AsyncClient, db: Database) -> None:
    async with db.platform() as session:
        boss = await operator_key(session, "codec-boss-two")
    authority = {"Authorization": f"Bearer {boss}"}
    organization = (await http.post("/api/v1/organizations", json={"name": "Acme"}, headers=authority)).json()
    body = {"principal": "owner", "role": "owner", "organization_id": organization["id"]}
    owner = (await http.post("/api/v1/api-keys", json=body, headers=authority)).json()
    login = await http.post("/codec/login", data={"key": owner["secret"]})
    assert login.status_code == 403
    headers = {"Authorization": f"Bearer {owner['secret']}"}
    refused = await http.post("/codec/decode", json={"payloads": [PLAIN]}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "auth.forbidden")


async def test_codec_is_not_part_of_the_openapi_document(http: httpx2.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert not [path for path in document["paths"] if "codec" in path]


async def test_metrics_name_routes_of_the_codec(http: httpx2.AsyncClient) -> None:
    await http.post("/codec/decode", json={"payloads": []})
    text = (await http.get("/metrics")).text
    assert 'bursar_http_requests_total{method="POST",route="/codec/decode",status="401"} 1.0' in text
