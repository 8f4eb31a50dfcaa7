import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleSpec,
)
from temporalio.service import RPCError
from temporalio.worker import Worker

from runtime.identity import new_id
from runtime.schedules import Job, apply_schedules, ensure_schedule
from tests.runtime.sample import Paid, Pay, SampleWorkflow

pytestmark = pytest.mark.temporal


@pytest.fixture
def job() -> Job:
    return Job(
        id=new_id("job"),
        workflow="sample",
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))]),
        summary="Expires holds that are over",
        args=[Pay(how="scheduled")],
    )


async def interval(client: Client, job: Job) -> timedelta:
    described = await client.get_schedule_handle(job.id).describe()
    return described.schedule.spec.intervals[0].every


async def test_schedule_is_created_with_its_policy_and_summary(client: Client, job: Job) -> None:
    await ensure_schedule(client, replace(job, overlap=ScheduleOverlapPolicy.BUFFER_ONE))
    described = (await client.get_schedule_handle(job.id).describe()).schedule
    assert isinstance(described.action, ScheduleActionStartWorkflow)
    assert (described.action.workflow, described.action.task_queue) == ("sample", "bursar")
    assert described.policy.overlap == ScheduleOverlapPolicy.BUFFER_ONE
    assert described.policy.catchup_window == timedelta(hours=1)
    assert described.state.note == "Expires holds that are over"
    assert described.state.paused is False


async def test_job_that_runs_at_once_does_so_when_its_schedule_is_created(client: Client, job: Job) -> None:
    for _ in range(2):
        await ensure_schedule(client, replace(job, at_once=True))
    while not (runs := (await client.get_schedule_handle(job.id).describe()).info.num_actions):
        pass
    assert runs == 1


async def test_changed_job_changes_the_schedule(client: Client, job: Job) -> None:
    await ensure_schedule(client, job)
    await ensure_schedule(
        client, replace(job, spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(minutes=1))]))
    )
    assert await interval(client, job) == timedelta(minutes=1)


async def test_paused_schedule_stays_paused(client: Client, job: Job) -> None:
    await ensure_schedule(client, job)
    await client.get_schedule_handle(job.id).pause(note="waiting for finance")
    await ensure_schedule(client, job)
    state = (await client.get_schedule_handle(job.id).describe()).schedule.state
    assert (state.paused, state.note) == (True, "waiting for finance")


async def test_workers_that_start_at_once_make_one_schedule(client: Client, job: Job) -> None:
    await asyncio.gather(*(apply_schedules(client, [job]) for _ in range(5)))
    assert await interval(client, job) == timedelta(hours=1)


async def test_run_of_a_schedule_gets_its_input(client: Client, job: Job) -> None:
    queue = new_id("queue")
    await ensure_schedule(client, replace(job, task_queue=queue))
    handle = client.get_schedule_handle(job.id)
    async with Worker(client, task_queue=queue, workflows=[SampleWorkflow]):
        await handle.trigger()
        while not (recent := (await handle.describe()).info.recent_actions):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        run_id = recent[0].action.workflow_id  # type: ignore[attr-defined]
        assert run_id.startswith(job.id)
        run = client.get_workflow_handle(run_id, result_type=Paid)
        assert (await run.describe()).status is not None
        await run.signal("notify", Pay(how="heard"))
        await run.signal("finish")
        assert await run.result() == Paid(text="heard")


async def test_retired_schedule_is_deleted_once(client: Client, job: Job) -> None:
    await apply_schedules(client, [job])
    await apply_schedules(client, [], retired=[job.id])
    with pytest.raises(RPCError, match="not found"):
        await client.get_schedule_handle(job.id).describe()
    await apply_schedules(client, [], retired=[job.id])


async def test_two_jobs_of_one_id_are_an_error(client: Client, job: Job) -> None:
    with pytest.raises(ValueError, match="one schedule id"):
        await apply_schedules(client, [job, job])
