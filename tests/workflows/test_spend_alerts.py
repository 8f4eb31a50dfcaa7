"""The schedule that raises spending alerts."""

from datetime import timedelta

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.credits.spend_alerts import SpendAlertActivities
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import with_plugin
from workflows.common.batches import SpendAlertsWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_run_raises_due_alerts_and_ends(database: Database, timeskip_env: WorkflowEnvironment) -> None:
    queue = new_id("queue")
    client = with_plugin(timeskip_env.client)
    work = SpendAlertActivities(database)
    async with Worker(client, task_queue=queue, workflows=[SpendAlertsWorkflow], activities=[work.raise_spend_alerts]):
        handle = await client.start_workflow(SpendAlertsWorkflow.run, id=new_id("alerts"), task_queue=queue)
        assert (await handle.result()).count == 0
        assert "raised" in str(await handle.query("__temporal_workflow_metadata"))
        await replay_and_keep(await handle.fetch_history(), "spend-alerts/completed")


def test_alerts_are_raised_every_minute() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "spend-alerts"]
    assert job.workflow == "spend-alerts"
    assert [interval.every for interval in job.spec.intervals] == [timedelta(minutes=1)]
