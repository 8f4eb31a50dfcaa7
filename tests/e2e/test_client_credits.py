"""Credits by the Python client against the running stack: the tests that the API in memory and the fake pass.

What left an organization is counted in the books of the stack.
"""

import inspect
from collections.abc import AsyncIterator

import httpx2
import pytest

from dev.stack.running import Running
from runtime.database import Database
from tests.e2e.conftest import World as Stack
from tests.e2e.conftest import good
from tests.sdk import test_contract, test_lost_answers
from tests.sdk.conftest import EXPIRE, LEFT, without_pauses
from tests.sdk.world import Wire, World

__all__ = ["without_pauses"]

globals().update(
    {
        name: test
        for module in (test_contract, test_lost_answers)
        for name, test in vars(module).items()
        if name.startswith("test_") and "world" in inspect.signature(test).parameters
    }
)


@pytest.fixture
async def world(live_stack: Running) -> AsyncIterator[World]:
    """A new organization of the stack, reached over the network."""
    database = Database(live_stack.database_url, live_stack.database_url)
    client = httpx2.AsyncClient(base_url=live_stack.api_url, trust_env=False, timeout=60)
    async with client as http, httpx2.AsyncHTTPTransport() as transport:
        stack = Stack(live_stack, http)
        org_id, keys = await stack.tenant("owner")
        grant = {"organization_id": org_id, "amount": "100", "source": "promotion"}
        good(await stack.operator.post("/credits/grants", grant), 201)
        good(await stack.operator.put("/credits/costs/generate", {"cost": "2", "organization_id": org_id}))

        async def left() -> list[str]:
            async with database.platform() as session:
                return [str(amount) for amount in await session.scalars(LEFT, {"org": org_id})]

        async def expire() -> None:
            async with database.platform() as session:
                await session.execute(EXPIRE, {"org": org_id})

        more = {"expire": expire}
        yield World("stack", Wire(transport), str(keys["owner"].token), left, more=more, url=live_stack.api_url)
    await database.close()
