"""The sweep that books the expiry of credits."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.common import accounts
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from workflows.common.batches import LotExpiryWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_credits_that_are_due_leave_the_balance_once(award, stage):
    job = await award()
    wallet, now = accounts.org_credits(job.terms.payer_org_id), datetime.now(UTC)
    async with stage.database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        for number, minutes in enumerate((-1, -2, 60)):
            await ledger.post(
                key=f"{job.terms.payer_org_id}:{number}",
                kind="grant",
                source=accounts.platform("promotions", "CREDIT"),
                destination=wallet,
                amount_minor=10_000_000,
                effective_at=now - timedelta(hours=1),
                lots=LotTerms(source=LotSource.PROMOTION, expires_at=now + timedelta(minutes=minutes)),
            )
    handle = await stage.client.start_workflow(LotExpiryWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    assert (await handle.result()).count >= 2
    assert "was booked" in str(await handle.query("__temporal_workflow_metadata"))
    await replay_and_keep(await handle.fetch_history(), "lot-expiry/completed")
    again = await stage.client.start_workflow(LotExpiryWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    await again.result()
    async with stage.database.platform() as session:
        swept = await Ledger(await driver_connection(session)).balance(wallet)
    assert swept.posted_minor == 110_000_000
