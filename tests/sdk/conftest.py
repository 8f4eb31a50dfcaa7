"""Worlds for the client: the API over ASGI with a real PostgreSQL, and the fake."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

import bursar._calls
from bursar.testing import FakeBursar
from runtime.database import Database
from tests.api.conftest import (  # noqa: F401 - fixtures
    Caller,
    anonymous,
    app,
    database,
    deps,
    good,
    http,
    issue_key,
    new_key,
    new_tenant,
    operator,
)
from tests.api.spending import grant
from tests.conftest import DatabaseUrls
from tests.sdk.world import Wire, World

# It runs a program in the environment that `make test-sdk` makes.
collect_ignore = [] if "TEST_ADAPTERS" in os.environ else ["test_spend_log.py"]

#: What left an organization, one row for each transfer, in credits.
LEFT = text("""
    SELECT trim_scale(-sum(amount) / 1000000.0) FROM ledger.entries
    WHERE org_id = :org GROUP BY transfer_id HAVING sum(amount) < 0 ORDER BY transfer_id
""")
#: What came to an organization of the fake.
IN = {"use_refund", "grant"}
EXPIRE = text("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE org_id = :org")


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bursar._calls, "_FIRST_PAUSE", 0.001)


@pytest.fixture
def new_world(
    app: FastAPI,  # noqa: F811
    operator: Caller,  # noqa: F811
    database: Database,  # noqa: F811
    new_tenant: Any,  # noqa: F811
    issue_key: Any,  # noqa: F811
    database_urls: DatabaseUrls,
) -> Callable[..., Awaitable[World]]:
    async def make(kind: str) -> World:
        if kind == "fake":
            fake = FakeBursar(credits="100", costs={"generate": "2", "ping": "0"})

            async def left() -> list[str]:
                return [f"{each.amount.normalize():f}" for each in fake.transfers if each.kind not in IN]

            return World("fake", Wire(fake), "bsk_fake", left, fake)
        tenant = await new_tenant("owner", "finance")
        await grant(operator, tenant.org_id)
        for action, cost in (("generate", "2"), ("ping", "0")):
            body = {"cost": cost, "organization_id": tenant.org_id}
            good(await operator.ask("PUT", f"/credits/costs/{action}", key=new_key(), json=body))

        async def booked() -> list[str]:
            async with database.platform() as session:
                return [str(amount) for amount in await session.scalars(LEFT, {"org": tenant.org_id})]

        wire = Wire(httpx2.ASGITransport(app))

        async def expire() -> None:
            owner = Database(database_urls.owner, database_urls.owner)
            async with owner.platform() as session:
                await session.execute(EXPIRE, {"org": tenant.org_id})
            await owner.close()

        more = {"org_id": tenant.org_id, "tenant": tenant, "operator": operator.token, "expire": expire}
        more |= {"database": database, "issue_key": issue_key}
        return World("api", wire, tenant.owner.token, booked, more=more)

    return make


@pytest.fixture(params=["api", "fake"])
async def world(request: pytest.FixtureRequest, new_world: Callable[..., Awaitable[World]]) -> World:
    return await new_world(request.param)


@pytest.fixture
async def served(app: FastAPI) -> AsyncIterator[str]:  # noqa: F811
    """The address of the API on a port of its own, for other processes."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def api(new_world: Callable[..., Awaitable[World]]) -> World:
    return await new_world("api")
