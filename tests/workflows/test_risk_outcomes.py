"""The batches that count what follows from acts, and delete what decisions stored."""

from datetime import UTC, datetime

import pytest
from temporalio.client import WorkflowHistory

from contracts.common.batch import BatchProgress
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from repositories.messages import event as events
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from workflows.common.batches import RiskOutcomesWorkflow, RiskRetentionWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

_SUM = "SELECT coalesce(sum(amount), 0)::int FROM risk_counters WHERE entity = $1 AND grain = 'm'"


async def test_events_are_counted_page_by_page_once_and_deleted_a_day_later(stage):
    org_id, at = new_id("org"), datetime(2025, 1, 1, tzinfo=UTC)
    example = CATALOGUE["payment.failed"].example
    async with stage.database.platform() as session:
        await events.record(session, [Event("payment.failed", org_id, new_id("pay"), example, at) for _ in range(5)])

    async def counted() -> int:
        async with stage.database.platform_statement() as connection:
            return int(await connection.fetchval(_SUM, f"organization:{org_id}"))

    async def run(of) -> WorkflowHistory:
        start = BatchProgress(limit=2, now=datetime(2025, 1, 3, tzinfo=UTC))
        handle = await stage.client.start_workflow(of.run, start, id=new_id("batch"), task_queue="bursar")
        await handle.result()
        history: WorkflowHistory = await handle.fetch_history()
        return history

    # Whatever transaction of the server is open just now holds it back.
    while await counted() < 5:
        await run(RiskOutcomesWorkflow)
    await replay_and_keep(await run(RiskOutcomesWorkflow), "risk-outcomes/completed")
    assert await counted() == 5
    await replay_and_keep(await run(RiskRetentionWorkflow), "risk-retention/completed")
    assert await counted() == 0
