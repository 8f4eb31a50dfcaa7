"""A payer for each test, and the sandboxes, which are in fair weather again after it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.e2e.conftest import World
from tests.e2e.payments.paying import Payer, Sandboxes


@pytest.fixture
async def payer(world: World) -> Payer:
    org_id, callers = await world.tenant("owner")
    return Payer(world, org_id, callers["owner"])


@pytest.fixture
async def sandboxes(world: World) -> AsyncIterator[Sandboxes]:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        given = Sandboxes(world.running, http)
        yield given
        await given.stripe("faults")
        await given.stripe("webhooks")
        await given.paypal("webhooks", paused=False, delay_seconds=0, drop=0, duplicate=0, reorder=False)
        await given.paypal("faults", fault="error_500", count=0)
