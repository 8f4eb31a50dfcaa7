"""The adapter for LiteLLM and the sync of the proxy's spend log meet: a call is paid once, by both together."""

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from activities.usage.usage import Metering, UsageActivities
from dev.sandbox.litellm.app import KEY, SpendLogFile, build
from providers.usage.litellm import LiteLlm
from repositories.usage.model_price import PriceBook
from runtime.database import Database
from services.usage.rating import Rates
from tests.api.conftest import Caller, good, new_key
from tests.api.metering import import_prices
from tests.api.test_usage_charges import IN_CREDITS, charged_meter, sweep
from tests.sdk.world import World
from tests.support.sandboxes import serving
from tests.workflows.test_usage_sync import Proxy

# LiteLLM takes its time to be imported.
pytestmark = pytest.mark.db

ROOT = Path(__file__).resolve().parents[2]
ADAPTERS = ROOT / os.environ.get("TEST_ADAPTERS", ".venv-sdk") / "bin" / "python"
#: What the adapter charges for the calls of `tests/adapters/litellm_calls.py`. Each costs one credit by the meter, so
#: both together take the greater of the two. For two more calls the meter alone charges.
COSTS = {"one price": "2", "tokens": "0.3", "beyond": "0.3", "dear": "3", "stream": "0.3"}
CHARGED = sum((max(Decimal(cost), Decimal(1)) for cost in COSTS.values()), Decimal(0))


async def test_calls_through_the_adapter_are_paid_once_however_late_they_are_captured(
    api: World, served: str, operator: Caller, database: Database, tmp_path: Path
) -> None:
    org_id, now = api.more["org_id"], datetime.now(UTC)
    for action, cost in (("llm_call", "2"), ("token", "0.01"), ("dear", "0.1")):
        body = {"cost": cost, "organization_id": org_id}
        good(await operator.ask("PUT", f"/credits/costs/{action}", key=new_key(), json=body))
    await charged_meter(
        api.more["tenant"].owner, operator, "llm.call", aggregation="count", property=None, **IN_CREDITS
    )
    await import_prices(database, "gpt-4o-mini", now - timedelta(days=60), input_tokens="1", output_tokens="1")
    log = SpendLogFile(tmp_path / "calls.json")
    environment = {**os.environ, "BURSAR_API_URL": served, "BURSAR_API_KEY": api.token, "PYTHONPATH": str(ROOT / "sdk")}
    program = ROOT / "tests" / "adapters" / "litellm_calls.py"
    process = await asyncio.create_subprocess_exec(
        *(str(ADAPTERS), str(program)), env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        for _ in range(len(COSTS) + 2):
            line = await asyncio.wait_for(process.stdout.readline(), 300)
            # The secret of its spend says whose a call of the adapter is; any other belongs to the owner of its key.
            log.add(json.loads(line) | ({} if b"spend_secret" in line else {"organization_id": org_id}))
        with serving(build(log)) as address:
            async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
                paying: Any = {"llm_call": None, "token": None, "dear": None}
                pages = LiteLlm(http, address, KEY, timeout=timedelta(minutes=1))
                metering = Metering(log=pages, rates=Rates(prices=PriceBook()), paying=paying)
                proxy = Proxy(address, http, database, UsageActivities(database, metering), org_id, now)
                since = now - timedelta(minutes=1)
                counted = await proxy.sync(datetime.now(UTC), since=since)
                assert (counted.accepted, counted.invalid, counted.unassigned) == (len(COSTS) + 1, 1, 0)
                await sweep(database, hours=1)
                # The last call's hold is open, so it waits; a sync in more than an hour takes what is held.
                assert sum(map(Decimal, await api.books())) == CHARGED + 1
                assert (await proxy.sync(now + timedelta(minutes=61), since=since)).accepted == 1
                await sweep(database, hours=2)
        books = await api.books()
        assert sum(map(Decimal, books)) == CHARGED + 2
        await process.communicate(b"capture\n")
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert await api.books() == books
    left = await api.client().billing.get_balance()
    assert (left.available, left.reserved) == (100 - CHARGED - 2, Decimal(0))
