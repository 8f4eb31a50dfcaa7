"""The batch that sums the outbox for metrics."""

from datetime import UTC, datetime

import pytest

from contracts.common.batch import BatchProgress
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from repositories.messages import event as events
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from workflows.common.batches import MetricSumsWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

_SUM = "SELECT coalesce(sum(value), 0)::int FROM metric_sums WHERE org_id = $1 AND measure = 'events' AND seconds = 900"


async def test_events_are_added_up_page_by_page_once(stage):
    org_id, at = new_id("org"), datetime(2025, 1, 1, tzinfo=UTC)
    async with stage.database.platform() as session:
        example = CATALOGUE["payout.paid"].example
        await events.record(session, [Event("payout.paid", org_id, new_id("po"), example, at) for _ in range(5)])

    async def added() -> int:
        async with stage.database.platform_statement() as connection:
            return int(await connection.fetchval(_SUM, org_id))

    async def run() -> None:
        start = BatchProgress(limit=2, now=at)
        handle = await stage.client.start_workflow(
            MetricSumsWorkflow.run, start, id=new_id("batch"), task_queue="bursar"
        )
        await handle.result()
        await replay_and_keep(await handle.fetch_history(), "metric-sums/completed")

    # Whatever transaction of the server is open just now holds it back.
    while await added() < 5:
        await run()
    await run()
    assert await added() == 5
