"""The batch that adds up the books by day and line of the chart."""

from datetime import UTC, datetime

import pytest

from contracts.common.batch import BatchProgress
from domain.common import accounts
from ledger.gateway import Ledger
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from workflows.common.batches import AccountingDaysWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

_SUM = "SELECT coalesce(sum(credits), 0)::int FROM ledger.accounting_days WHERE asset = 'TOP'"


async def test_transfers_are_added_to_their_days_page_by_page_once(stage):
    pair = accounts.platform("exchange", "TOP"), accounts.platform("commission", "TOP")
    for number in range(5):
        async with stage.database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=new_id("test"),
                kind="t",
                source=pair[0],
                destination=pair[1],
                amount_minor=number + 1,
                effective_at=datetime(2025, 1, number + 1, tzinfo=UTC),
            )

    async def added() -> int:
        async with stage.database.platform_statement() as connection:
            return int(await connection.fetchval(_SUM))

    async def run() -> None:
        start = BatchProgress(now=datetime.now(UTC), limit=2, settle_seconds=0)
        handle = await stage.client.start_workflow(
            AccountingDaysWorkflow.run, start, id=new_id("batch"), task_queue="bursar"
        )
        await handle.result()
        await replay_and_keep(await handle.fetch_history(), "accounting-days/completed")

    # Whatever transaction of the server is open just now holds it back.
    while await added() < 15:
        await run()
    await run()
    assert await added() == 15
