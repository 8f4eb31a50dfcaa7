"""Credits by the Python client against the running stack: tests that the API in memory and the fake pass.

What left an organization is counted in the books of the stack. Of answers that are lost, those stand for all here whose
request is still worked on as it is sent again, on another connection: every other loss is in the client's own wire, and
all are tried on the API in memory.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import httpx2
import pytest

from dev.stack.running import Running
from runtime.database import Database
from tests.e2e.conftest import World as Stack, good
from tests.sdk import test_contract, test_lost_answers
from tests.sdk.conftest import EXPIRE, LEFT, without_pauses
from tests.sdk.world import Wire, World

__all__ = ["without_pauses"]

globals().update(
    {
        name: test
        for name, test in vars(test_contract).items()
        if name.startswith("test_") and "world" in inspect.signature(test).parameters
    }
)
LOST = [
    test_lost_answers.test_lost_answer_to_a_charge_pays_once,
    test_lost_answers.test_lost_answer_to_reserving_holds_once,
    test_lost_answers.test_lost_answer_to_capturing_pays_once,
    test_lost_answers.test_lost_answer_to_releasing_gives_back_once,
    test_lost_answers.test_lost_answer_to_a_report_is_made_good_at_the_end,
    partial(test_lost_answers.test_lost_answer_in_a_metered_function_pays_once, at="capture"),
]


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


@pytest.mark.parametrize("lost", LOST)
async def test_request_that_is_sent_again_while_it_is_worked_on_has_one_effect(
    world: World, lost: Callable[..., Awaitable[None]]
) -> None:
    await lost(world, fault="slow")
