"""Secrets over HTTP where Vault wraps their keys, or keeps their values."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from api.app import create_app
from composition import make_secrets
from dev.sandbox.vault.app import KEY, Vault, build
from tests.api.conftest import Caller, NewTenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.sandboxes import serving
from tests.support.serving import client_of

pytestmark = pytest.mark.db
PATH = "/secrets/api_keys/model"
KEYS = "k1:a2trbGtsa2xrbGtsa2xrbGtsa2xrbGtsa2xrbGtsa2s="
USES = {
    "wrapper": {"secret_wrapper": "vault", "vault_transit_key": KEY},
    "backend": {"secret_backend": "vault", "vault_kv_mount": "secret"},
}


@dataclass
class World:
    """An owner that may read, the fake Vault, and the requests to it."""

    owner: Caller
    vault: Vault
    use: str

    async def put(self, value: str) -> httpx2.Response:
        body = {"kind": "api_key", "value": value, "grace": "P1D"}
        return await self.owner.ask("PUT", PATH, key=new_key(), json=body)

    async def open(self, version: int) -> httpx2.Response:
        return await self.owner.post(f"{PATH}/open", {"purpose": "A test", "version": version})


@pytest.fixture(params=list(USES))
async def world(
    request: pytest.FixtureRequest, database_urls: DatabaseUrls, new_tenant: NewTenant
) -> AsyncIterator[World]:
    vault, tenant = Vault(), await new_tenant("owner")
    with serving(build(vault)) as url:
        login = {"vault_url": url, "vault_role_id": vault.role_id, "vault_secret_id": vault.secret_id}
        settings = settings_for(database_urls, secret_keys=KEYS, **login, **USES[request.param])
        async with client_of(create_app(settings, secrets=make_secrets(settings))) as http:
            owner = Caller(http, tenant.owner.token, tenant.org_id)
            principal = good(await owner.get("/me"))["principal"]
            ends_at = (datetime.now(UTC) + timedelta(days=30)).isoformat()
            grant = {"principal": principal, "paths": ["api_keys/*"], "verbs": ["read"], "ends_at": ends_at}
            good(await owner.post("/secrets/grants", grant, key=new_key()), 201)
            yield World(owner, vault, request.param)


async def test_values_are_stored_read_and_destroyed(world: World):
    for value in ("first", "second"):
        made = good(await world.put(value))
    ids = {each["key_id"] for each in made["versions"]}
    assert ids == ({None} if world.use == "backend" else {"vault:bursar:v1"})
    assert len(world.vault.entries) == (2 if world.use == "backend" else 0)
    assert [good(await world.open(number))["value"] for number in (1, 2)] == ["first", "second"]
    good(await world.owner.delete(f"{PATH}/versions/1"))
    assert len(world.vault.entries) == (1 if world.use == "backend" else 0)
    refused(await world.open(1), 409, "secret.no_version")
    assert good(await world.open(2))["value"] == "second"


async def test_while_vault_is_sealed_nothing_opens_and_nothing_is_lost(world: World):
    good(await world.put("first"))
    world.vault.is_sealed = True
    refused(await world.put("second"), 503, "secret.unavailable")
    refused(await world.open(1), 503, "secret.unavailable")
    if world.use == "backend":
        refused(await world.owner.delete(f"{PATH}/versions/1"), 503, "secret.unavailable")
    world.vault.is_sealed = False
    if world.use == "backend":
        # The version is destroyed already; the request that is repeated ends its value, too.
        good(await world.owner.delete(f"{PATH}/versions/1"))
        assert world.vault.entries == {}
    made = good(await world.put("third"))
    assert good(await world.open(made["current_version"]))["value"] == "third"


async def test_value_lost_by_vault_is_reported_as_unopened(world: World):
    good(await world.put("first"))
    world.vault.entries.clear()
    world.vault.keys[KEY].versions[0] = bytes(32)
    refused(await world.open(1), 409, "secret.unopened")
