"""Operators order a sync of the spend log: one run for each order, and every call counts once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities.usage.usage import Metering, UsageActivities
from api.app import create_app
from contracts.common.queues import TASK_QUEUE
from contracts.usage.usage import UsageSync
from dev.sandbox.litellm.app import KEY, SpendLogFile, build
from domain.usage.litellm import SOURCE
from providers.usage.litellm import LiteLlm
from repositories.usage.model_price import PriceBook
from repositories.usage.usage import cursor
from runtime.database import Database
from runtime.settings import Settings
from runtime.temporal import connect
from services.usage.rating import Rates
from tests.api.conftest import Caller, Tenant, good, new_key, refused, settings_for
from tests.api.metering import NUMBERS, import_prices
from tests.conftest import DatabaseUrls
from tests.support.sandboxes import serving
from tests.support.serving import client_of
from workflows.usage.usage_sync import UsageSyncWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal]

PATH = "/billing/usage/sync"


@dataclass
class Stage:
    """The API, a worker, and the mock proxy that it reads."""

    operator: Caller
    temporal: Client
    database: Database
    log: SpendLogFile
    model: str

    def call(self, org_id: str, hours_ago: float) -> str:
        """Log a call, and return its id."""
        at = (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()
        row = {"request_id": f"call-{next(NUMBERS)}", "organization_id": org_id, "model": self.model}
        made = self.log.add({**row, "prompt_tokens": 10, "completion_tokens": 1, "startTime": at})
        return str(made["request_id"])

    async def order(self, key: str | None = None, **body: str) -> str:
        """Order a sync, and return the id of its run."""
        started = good(await self.operator.post(PATH, body, key=key), 202)
        return str(started["workflow_id"])

    async def done(self, workflow_id: str) -> UsageSync:
        """Wait for a run, and return its result."""
        found: UsageSync = await self.temporal.get_workflow_handle(workflow_id, result_type=UsageSync).result()
        return found

    async def counted(self, org_id: str) -> list[str]:
        """Return the recorded calls of an organization."""
        path = f"/usage/logs?organization_id={org_id}&source={SOURCE}&limit=200"
        return [each["event_id"] for each in good(await self.operator.get(path))["data"]]


@pytest.fixture
def log(tmp_path: Path) -> SpendLogFile:
    return SpendLogFile(tmp_path / "calls.json")


@pytest.fixture
def address(log: SpendLogFile) -> Iterator[str]:
    with serving(build(log)) as url:
        yield url


@pytest.fixture
async def stage(
    address: str,
    log: SpendLogFile,
    database_urls: DatabaseUrls,
    database: Database,
    operator: Caller,
    temporal_address: str,
) -> AsyncIterator[Stage]:
    model = f"synced-{next(NUMBERS)}"
    since = datetime.now(UTC) - timedelta(days=60)
    await import_prices(database, model, since, input_tokens="0.000001", output_tokens="0.00001")
    client = await connect(Settings(temporal_address=temporal_address))
    app = create_app(settings_for(database_urls), temporal=client)
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=60) as proxy,
        client_of(app) as http,
    ):
        rates = Rates(prices=PriceBook())
        read = LiteLlm(proxy, address, KEY, timeout=timedelta(minutes=1))
        work = UsageActivities(database, Metering(log=read, rates=rates))
        activities = [work.plan_sync, work.sync_page, work.conclude_sync]
        async with Worker(client, task_queue=TASK_QUEUE, workflows=[UsageSyncWorkflow], activities=activities):
            yield Stage(Caller(http, operator.token), client, database, log, model)


def day(days_ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).date().isoformat()


async def test_ordered_sync_reads_from_its_day_once_per_key(stage: Stage, tenant: Tenant) -> None:
    before, inside = stage.call(tenant.org_id, 24 * 9), [stage.call(tenant.org_id, hours) for hours in (90, 2)]
    key = new_key()
    workflow_id = await stage.order(key, start_date=day(7))
    done = await stage.done(workflow_id)
    assert (done.accepted, done.duplicates, done.invalid, done.unassigned) == (2, 0, 0, 0)
    assert done.started is not None
    assert done.started.date().isoformat() == day(7)
    counted = await stage.counted(tenant.org_id)
    assert set(inside) <= set(counted)
    assert before not in counted
    # Repeated when it has long ended: the same run, and no other one.
    later = stage.call(tenant.org_id, 1)
    assert await stage.order(key, start_date=day(7)) == workflow_id
    (entry,) = good(await stage.operator.get(f"/audit?action=usage.sync&target={workflow_id}"))["data"]
    assert (entry["role"], entry["details"]) == ("operator", {"start_date": day(7)})
    assert (await stage.done(workflow_id)).accepted == 2
    assert later not in await stage.counted(tenant.org_id)


async def test_concurrent_syncs_count_each_call_once_and_advance_the_cursor(stage: Stage, tenant: Tenant) -> None:
    calls = [stage.call(tenant.org_id, hours) for hours in range(1, 49)]
    ids = await asyncio.gather(*(stage.order(start_date=day(3)) for _ in range(4)))
    assert len(set(ids)) == 4
    done = await asyncio.gather(*map(stage.done, ids))
    assert sum(each.accepted for each in done) == len(calls)
    assert sum(each.accepted + each.duplicates for each in done) == 4 * len(calls)
    counted = await stage.counted(tenant.org_id)
    assert sorted(each for each in counted if each in calls) == sorted(calls)
    async with stage.database.platform() as session:
        reached = await cursor(session, SOURCE)
    assert reached is not None
    assert reached == max(each.until for each in done if each.until is not None)
    # The next one goes on from there, an hour back.
    following = await stage.done(await stage.order())
    assert following.started == reached - timedelta(hours=1)


async def test_invalid_sync_order_is_refused(stage: Stage) -> None:
    wrong: list[Any] = [{"start_date": day(60)}, {"start_date": day(-2)}, {"start_date": "soon"}, {"since": day(1)}, []]
    for body in wrong:
        refused(await stage.operator.post(PATH, body), 422, "request.invalid")
    refused(await stage.operator.ask("POST", PATH, params={"start_date": day(1)}), 422, "request.invalid")
