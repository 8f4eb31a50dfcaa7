"""The API over ASGI with a real PostgreSQL and no Temporal; tenants made over HTTP, as a client makes them."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import insert, text

from api.app import create_app
from api.bootstrap import operator_key
from api.deps import Deps
from api.keyring import new_secret
from domain.tenants.token import hash_of, token_of
from models.tenants.api_key import ApiKey
from runtime.database import Database
from runtime.identity import new_id
from runtime.settings import Settings
from tests.conftest import DatabaseUrls
from tests.support.serving import client_of
from tests.support.webhooks import WEBHOOK_KEYS

NUMBERS = itertools.count(1)
V1 = "/api/v1"


def settings_for(urls: DatabaseUrls, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": urls.tenant,
        "platform_database_url": urls.platform,
        "temporal_address": "127.0.0.1:1",
        "private_port": 0,
        "rate_limit": "1000000/minute",
        "organization_rate_limit": "1000000/minute",
        "database_pool_size": 5,
        "database_timeout": "PT50S",
        "cost_markup": "0",
    }
    return Settings(**{**values, **changes})


@dataclass
class Caller:
    """One API key, and its requests."""

    http: httpx2.AsyncClient
    token: str | None
    org_id: str | None = None

    async def ask(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx2.Response:
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        url = path if path.startswith(("/api/", "/docs", "/openapi", "/codec")) else V1 + path
        return await self.http.request(method, url, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        return await self.ask("POST", path, **({"json": body} if body is not None else {}), **options)

    async def delete(self, path: str, **options: Any) -> httpx2.Response:
        return await self.ask("DELETE", path, **options)


@dataclass
class Tenant:
    """An organization with one caller for each role that was asked for."""

    org_id: str
    agent_id: str
    callers: dict[str, Caller] = field(default_factory=dict)

    def __getattr__(self, role: str) -> Caller:
        try:
            caller: Caller = self.__dict__["callers"][role]
        except KeyError:
            raise AttributeError(role) from None
        return caller

    def through(self, http: httpx2.AsyncClient) -> "Tenant":
        """Return the same keys as they ask another app."""
        callers = {role: Caller(http, caller.token, self.org_id) for role, caller in self.callers.items()}
        return Tenant(self.org_id, self.agent_id, callers)


NewTenant = Callable[..., Awaitable[Tenant]]


def good(response: httpx2.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def refused(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check that the answer is a whole problem document of that status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["type"] == f"/docs/errors#{code}"
    assert document["title"]
    assert document["detail"]
    assert document["instance"].startswith("/")
    assert document["request_id"] == response.headers["x-request-id"]
    return document


async def forget(database: Database, key: str) -> None:
    """Forget the answer to a key, as where the process died before it was kept: the act is in the books."""
    async with database.platform() as session:
        await session.execute(text("DELETE FROM idempotency_keys WHERE key = :key"), {"key": key})


def new_key() -> str:
    return f"test-{next(NUMBERS)}"


@pytest.fixture(scope="session")
async def app(database_urls: DatabaseUrls) -> AsyncIterator[FastAPI]:
    application = create_app(settings_for(database_urls))
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture(scope="session")
def deps(app: FastAPI) -> Deps:
    found: Deps = app.state.deps
    return found


@pytest.fixture(scope="session")
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://bursar.test") as client:
        yield client


@pytest.fixture(scope="module")
async def sealing(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An app that has a key for what it seals: addresses of channels, secrets of webhook endpoints."""
    async with client_of(create_app(settings_for(database_urls, webhook_keys=WEBHOOK_KEYS))) as client:
        yield client


@pytest.fixture(scope="session")
async def database(deps: Deps) -> Database:
    return deps.database


@pytest.fixture(scope="session")
async def operator(http: httpx2.AsyncClient, database: Database) -> Caller:
    async with database.platform() as session:
        token = await operator_key(session, f"operator-{next(NUMBERS)}-api-tests")
    return Caller(http, token)


@pytest.fixture(scope="session")
def anonymous(http: httpx2.AsyncClient) -> Caller:
    return Caller(http, None)


@pytest.fixture(scope="session")
def issue_key(operator: Caller) -> Callable[..., Awaitable[Caller]]:
    async def issue(role: str, org_id: str | None = None, agent_id: str | None = None, **more: Any) -> Caller:
        body = {"principal": f"{role}-{next(NUMBERS)}", "role": role, **more}
        if org_id:
            body["organization_id"] = org_id
        if agent_id:
            body["agent_id"] = agent_id
        made = good(await operator.post("/api-keys", body), 201)
        return Caller(operator.http, made["secret"], org_id)

    return issue


async def make_tenant(operator: Caller, database: Database, *roles: str) -> Tenant:
    """Register an organization with an agent and a key of each role."""
    org_id = good(await operator.post("/organizations", {"name": f"Tenant {next(NUMBERS)}"}), 201)["id"]
    agent = good(await operator.post("/agents", {"name": "Agent", "organization_id": org_id}), 201)
    tenant = Tenant(org_id, agent["id"])
    issued = [(role, new_id("key"), new_secret()) for role in roles or ("owner",)]
    rows = [
        {
            "id": key_id,
            "org_id": org_id,
            "principal": f"{role}-{next(NUMBERS)}",
            "role": role,
            "agent_id": tenant.agent_id if role == "agent" else None,
            "secret_hash": hash_of(secret),
            "created_by": "tests",
            "command_id": f"tests:{key_id}",
            "place": 1,
        }
        for role, key_id, secret in issued
    ]
    # One statement, because a request for each key would take most of the time of many tests.
    async with database.platform() as session:
        await session.execute(insert(ApiKey), rows)
    tenant.callers = {role: Caller(operator.http, token_of(key_id, secret), org_id) for role, key_id, secret in issued}
    return tenant


@pytest.fixture(scope="session")
def new_tenant(operator: Caller, database: Database) -> NewTenant:
    return partial(make_tenant, operator, database)


TENANT_ROLES = ("owner", "admin", "finance", "member", "auditor", "agent")


@pytest.fixture(scope="session")
async def tenant(new_tenant: NewTenant) -> Tenant:
    """An organization with a key of every role."""
    return await new_tenant(*TENANT_ROLES)


@pytest.fixture
async def owner(new_tenant: NewTenant) -> Caller:
    """The owner of a new organization on the free tier."""
    return (await new_tenant("owner")).owner


@pytest.fixture(scope="session")
async def stranger(new_tenant: NewTenant) -> Tenant:
    """Another organization with a key of every role."""
    return await new_tenant(*TENANT_ROLES)


@pytest.fixture
async def spender(new_tenant: NewTenant, operator: Caller) -> Tenant:
    """A new organization with 100 credits."""
    from tests.api.spending import grant  # which needs this module

    made = await new_tenant("owner", "member", "agent", "auditor")
    await grant(operator, made.org_id)
    return made


@pytest.fixture(scope="module")
async def paying(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An app where every provider is set up, and no run ever answers."""
    from tests.api.paying import paying_app  # which needs this module

    async with paying_app(database_urls) as client:
        yield client


@pytest.fixture
async def customer(new_tenant: NewTenant, paying: httpx2.AsyncClient) -> Tenant:
    """A new organization with a key of every role, where every provider is set up."""
    return (await new_tenant(*TENANT_ROLES)).through(paying)
