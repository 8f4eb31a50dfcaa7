"""A column changes while the API runs, as in a concurrent migration: no request fails because of it."""

import contextlib
from typing import Annotated

import asyncpg
import pytest
from fastapi import FastAPI, Header

from api.app import create_app
from api.body import StrictRoute
from api.bootstrap import operator_key
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, Tenant, good, make_tenant, new_key, settings_for
from tests.conftest import DatabaseUrls
from tests.support.connections import as_owner
from tests.support.serving import client_of

pytestmark = pytest.mark.db


async def worked(owner: Caller, name: str) -> list[str]:
    """Create and read a department twice, and return all names."""
    for part in ("a", "b"):
        made = good(await owner.post("/departments", {"name": f"{name} {part}"}, key=new_key()), 201)
        assert good(await owner.get(f"/departments/{made['id']}"))["name"] == f"{name} {part}"
    return sorted(each["name"] for each in good(await owner.get("/departments"))["data"])


async def test_no_request_fails_when_a_column_changes_its_type(fresh_database_urls: DatabaseUrls) -> None:
    urls = fresh_database_urls
    database = Database(urls.tenant, urls.platform)
    async with client_of(create_app(settings_for(urls))) as client:
        async with database.platform() as session:
            operator = Caller(client, await operator_key(session, "changing"))
        tenant: Tenant = await make_tenant(operator, database, "owner")
        await database.close()
        assert await worked(tenant.owner, "one") == ["one a", "one b"]
        await as_owner(urls, "ALTER TABLE departments ALTER COLUMN name TYPE varchar(900)")
        assert await worked(tenant.owner, "two") == ["one a", "one b", "two a", "two b"]


@pytest.mark.parametrize(
    ("method", "key", "times"),
    [("GET", None, 2), ("PUT", None, 1), ("PUT", "k", 2), ("DELETE", None, 1), ("DELETE", "k", 1)],
)
async def test_command_without_a_claimed_key_is_never_done_twice(method: str, key: str | None, times: int) -> None:
    """Here the table changes after the effect, and only the PUT takes a key, by which it has one effect."""
    done: list[str] = []

    async def effect() -> dict[str, str]:
        done.append(method)
        if len(done) == 1:
            raise asyncpg.InvalidCachedStatementError("cached statement plan is invalid")
        return {}

    async def command(idempotency_key: Annotated[str | None, Header()] = None) -> dict[str, str]:
        return await effect()

    app = FastAPI()
    app.router.route_class = StrictRoute
    app.api_route("/it", methods=["GET", "DELETE"])(effect)
    app.put("/it")(command)
    async with client_of(app) as client:
        with contextlib.suppress(asyncpg.InvalidCachedStatementError):
            await client.request(method, "/it", headers={} if key is None else {"Idempotency-Key": key})
    assert len(done) == times


async def test_one_failure_renews_each_connection_of_the_pools(fresh_database_urls: DatabaseUrls) -> None:
    urls = fresh_database_urls
    database = Database(urls.tenant, urls.platform, pool_size=2)

    async def read() -> None:
        async with database.platform() as session:
            await (await driver_connection(session)).fetch("SELECT name FROM departments")

    async with database.platform() as one, database.platform() as two, database.platform() as three:
        for session in (one, two, three):
            await (await driver_connection(session)).fetch("SELECT name FROM departments")
    await as_owner(urls, "ALTER TABLE departments ALTER COLUMN name TYPE varchar(900)")
    with pytest.raises(asyncpg.InvalidCachedStatementError):
        await read()
    async with database.platform() as one, database.platform() as two, database.platform() as three:
        for session in (one, two, three):
            await (await driver_connection(session)).fetch("SELECT name FROM departments")
    await database.close()
