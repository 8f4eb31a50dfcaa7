"""Activities that are tried again pay once, also when their process was killed; workflow code cannot call."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from bursar.temporal import BursarInterceptor
from runtime.identity import new_id
from tests.sdk.temporal_work import Calls, Pays, Work, give_up
from tests.sdk.world import World

pytestmark = [pytest.mark.db, pytest.mark.temporal]


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await Client.connect(temporal_address)


async def run(client: Client, work: Work, workflow: Any, *args: Any) -> Any:
    queue = new_id("run")
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Pays, Calls],
        activities=[work.pays, work.cannot_pay],
        interceptors=[BursarInterceptor()],
    ):
        return await client.execute_workflow(workflow, *args, id=queue, task_queue=queue)


async def test_activity_that_is_tried_again_pays_once(client: Client, api: World) -> None:
    work = Work(api.client())
    assert await run(client, work, Pays.run, "pays") == 3
    assert work.attempts == [1, 2, 3]
    assert sorted(await api.books()) == ["1", "1", "3", "3", "4"]
    await run(client, Work(api.client()), Pays.run, "pays")
    assert len(await api.books()) == 10


async def test_refusal_that_cannot_pass_ends_the_activity(client: Client, api: World) -> None:
    work = Work(api.client())
    with pytest.raises(WorkflowFailureError) as failed:
        await run(client, work, Pays.run, "cannot_pay")
    cause = failed.value.cause.__cause__
    assert isinstance(cause, ApplicationError)
    assert (cause.type, work.attempts) == ("ledger.insufficient_funds", [1])


async def test_workflow_code_cannot_call(client: Client, api: World) -> None:
    told = await run(client, Work(api.client()), Calls.run)
    assert ["execute_activity" in each for each in told] == [True] * 8


SDK = str(Path(__file__).resolve().parents[2] / "sdk")
WORKER = """
import asyncio, os, signal, sys
from datetime import timedelta
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker
import bursar

@activity.defn(name="pays")
async def pays() -> int:
    async with bursar.AsyncBursar() as client:
        await client.credits.use(amount=1)
        async with client.hold("10", report_every=1, expires_in=timedelta(minutes=5)) as hold:
            hold.use(4)
            while (await client.credits.get_reservation(hold.id)).captured != 4:
                await asyncio.sleep(0)
            if sys.argv[2] == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            hold.use(2)
    return activity.info().attempt

async def main() -> None:
    client = await Client.connect(sys.argv[1])
    await Worker(client, task_queue=sys.argv[3], activities=[pays]).run()

asyncio.run(main())
"""


@pytest.mark.slow
async def test_process_that_is_killed_in_an_activity_has_paid_once(
    client: Client, api: World, served: str, temporal_address: str, tmp_path: Path
) -> None:
    program, queue = tmp_path / "worker.py", new_id("run")
    program.write_text(WORKER)
    environment = {**os.environ, "BURSAR_API_URL": served, "BURSAR_API_KEY": api.token, "PYTHONPATH": SDK}

    async def started(mode: str) -> asyncio.subprocess.Process:
        arguments = (sys.executable, str(program), temporal_address, mode, queue)
        return await asyncio.create_subprocess_exec(*arguments, env=environment)

    async with Worker(client, task_queue=queue, workflows=[Pays]):
        handle = await client.start_workflow(Pays.run, "pays", id=queue, task_queue=queue)
        first = await started("dies")
        assert await first.wait() == -signal.SIGKILL
        assert sorted(await api.books()) == ["1", "4"]
        await give_up(client, queue)
        second = await started("lives")
        try:
            assert await handle.result() == 2
        finally:
            second.kill()
            await second.wait()
    assert sorted(await api.books()) == ["1", "2", "4"]
    assert (await api.client().billing.get_balance()).reserved == 0
