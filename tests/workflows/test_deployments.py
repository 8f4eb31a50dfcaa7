"""Workers of a versioned deployment, and workers with encryption keys, run the same escrows."""

import asyncio
import base64
import json
from datetime import timedelta

import pytest
from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from commands.failure import CommandFailed
from commands.resume import require_worker
from commands.rollout import make_current
from contracts.common import search_attributes
from dev.stack.process import START_SECONDS
from dev.stack.temporal import find_temporal
from runtime.settings import Settings
from runtime.temporal import data_converter
from tests.support.webhooks import WEBHOOK_KEYS, FakeReceivers
from tests.workflows.conftest import stage_on
from tests.workflows.webhook_driver import endpoint
from worker import make_worker

pytestmark = [pytest.mark.db, pytest.mark.temporal]

KEYS = "2026a:" + base64.b64encode(bytes(range(32))).decode()


async def server(settings: Settings) -> WorkflowEnvironment:
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=find_temporal(),
        dev_server_startup_timeout=timedelta(seconds=START_SECONDS),
        search_attributes=search_attributes.ALL,
        data_converter=data_converter(settings),
    )


async def builds(handle) -> list[str]:
    """Return the builds that moved the run, in order, each once."""
    found: list[str] = []
    async for event in handle.fetch_history_events():
        moved = event.workflow_task_completed_event_attributes.deployment_version.build_id
        if moved and moved not in found:
            found.append(moved)
    return found


async def test_a_versioned_worker_gets_work_once_its_version_is_current(database_urls):
    environment = await server(Settings())
    async with environment, stage_on(environment, database_urls, build_id="build-1") as stage:
        assert await make_current(stage.client, "build-1", wait=60) == ""
        await require_worker(stage.client)
        job = await (await stage.award()).delivered()
        await job.send("validate", job.validator, score_e4=9000)
        assert await job.end() == "released"


async def test_runs_move_to_the_build_that_is_rolled_out_and_stay_with_the_old_one_until_then(database_urls):
    environment = await server(Settings())
    async with environment, stage_on(environment, database_urls, build_id="build-1") as stage:
        await make_current(stage.client, "build-1", wait=60)
        job = await (await stage.award()).delivered()
        async with make_worker(stage.client, stage.database, build_id="build-2"):
            with pytest.raises(CommandFailed, match="build-3 does not become current"):
                await make_current(stage.client, "build-3", wait=0)
            other = await (await stage.award()).delivered()
            assert [await builds(run.handle) for run in (job, other)] == [["build-1"], ["build-1"]]
            assert [await make_current(stage.client, "build-2", wait=60) for _ in range(2)] == ["build-1", "build-2"]
            for run in (job, other):
                await run.send("validate", run.validator, score_e4=9000)
                assert await run.end() == "released"
                assert await builds(run.handle) == ["build-1", "build-2"]


async def test_webhooks_are_sent_by_the_build_that_has_the_run(database_urls):
    environment = await server(Settings())
    async with environment, stage_on(environment, database_urls, build_id="build-1") as stage:
        await make_current(stage.client, "build-1", wait=60)
        one, receivers = await endpoint(stage), FakeReceivers()
        await one.happens("a")
        await one.begin()
        await one.settled(1)
        settings = Settings(webhook_keys=WEBHOOK_KEYS)
        async with make_worker(stage.client, stage.database, build_id="build-2", settings=settings, sender=receivers):
            await make_current(stage.client, "build-2", wait=60)
            await one.happens("a")
            await one.signal_change()
            await one.settled(2)
        assert [len(one.received), len(receivers.received)] == [1, 1]


async def test_work_goes_on_while_the_old_worker_stops(database_urls):
    environment = await server(Settings())
    async with environment, stage_on(environment, database_urls) as stage:
        old = make_worker(stage.client, stage.database, build_id="build-1")
        running = asyncio.create_task(old.run())
        await make_current(stage.client, "build-1", wait=60)
        jobs = [await (await stage.award()).delivered() for _ in range(3)]
        async with make_worker(stage.client, stage.database, build_id="build-2"):
            await make_current(stage.client, "build-2", wait=60)
            sent = [asyncio.create_task(job.send("validate", job.validator, score_e4=9000)) for job in jobs]
            await old.shutdown()
            await running
            await asyncio.gather(*sent)
            assert [await job.end() for job in jobs] == ["released"] * 3


async def test_with_keys_nothing_of_a_run_is_readable_and_plain_signals_still_arrive(database_urls):
    environment = await server(Settings(encryption_keys=SecretStr(KEYS)))
    async with environment, stage_on(environment, database_urls) as stage:
        job = await (await stage.award()).delivered()
        await job.send("dispute", job.finance, reason="a secret reason")
        assert "held in escrow" in str(await job.handle.query("__temporal_workflow_metadata"))
        history = json.dumps((await job.handle.fetch_history()).to_json_dict())
        encoded = base64.b64encode(b"secret reason").decode()[:12]
        assert "secret reason" not in history
        assert encoded not in history
        assert base64.b64encode(b"binary/encrypted").decode() in history
        # What the Temporal UI sends when no codec is configured there.
        plain = await environment.connect_client(data_converter=data_converter(Settings()))
        await plain.get_workflow_handle(job.handle.id).signal("resolve", {"operator": "kim", "payee_share": "0.5"})
        assert await job.end() == "split"
