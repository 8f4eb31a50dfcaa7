"""The schedule that creates partitions of usage events before their month begins."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.usage.usage import UsageActivities
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import with_plugin
from workflows.common.batches import UsageMonthsWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_months_are_made_ahead_once(database: Database, timeskip_env: WorkflowEnvironment) -> None:
    queue = new_id("queue")
    client = with_plugin(timeskip_env.client)
    work = UsageActivities(database)
    async with Worker(client, task_queue=queue, workflows=[UsageMonthsWorkflow], activities=[work.open_months]):
        counts = []
        for _ in range(2):
            handle = await client.start_workflow(UsageMonthsWorkflow.run, id=new_id("months"), task_queue=queue)
            counts.append((await handle.result()).count)
            assert "that were" in str(await handle.query("__temporal_workflow_metadata"))
            await replay_and_keep(await handle.fetch_history(), "usage-months/completed")
    async with database.platform() as session:
        made = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage_events'::regclass"
        assert counts == [await session.scalar(text(made)), 0]
    assert counts[0] >= 3


def test_months_are_made_long_before_they_are_needed() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "usage-months"]
    assert job.workflow == "usage-months"
    assert job.catch_up_within >= timedelta(days=1)
