"""The schedule that adds up the spends of past days."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.credits.spend_days import SpendDayActivities
from ledger.spending import Spending
from ledger.spends import NewSpend
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import with_plugin
from workflows.common.batches import SPEND_DAYS, SpendDaysWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_days_that_are_over_are_added_up_and_today_is_not(
    database: Database, timeskip_env: WorkflowEnvironment
) -> None:
    queue = new_id("queue")
    org_id, now = new_id("org"), datetime.now(UTC)
    async with database.platform() as session:
        spending = Spending(await driver_connection(session), org_id)
        for days_ago in (0, *range(1, SPEND_DAYS + 6), 120):
            spend = NewSpend(key=f"day-{days_ago}", action="free", amount_minor=0)
            await spending.charge(spend, at=now - timedelta(days=days_ago))
    client = with_plugin(timeskip_env.client)
    work = SpendDayActivities(database)
    counts = []
    async with Worker(client, task_queue=queue, workflows=[SpendDaysWorkflow], activities=[work.roll_up_spends]):
        for _ in range(2):
            handle = await client.start_workflow(SpendDaysWorkflow.run, id=new_id("days"), task_queue=queue)
            counts.append((await handle.result()).count)
            await replay_and_keep(await handle.fetch_history(), "spend-days/completed")
    # What is older than any summary is left.
    assert counts == [SPEND_DAYS + 5, 0]
    async with database.platform() as session:
        days = set(await session.scalars(text("SELECT day FROM spend_rollups")))
    assert days == {(now - timedelta(days=days_ago)).date() for days_ago in range(1, SPEND_DAYS + 6)}
