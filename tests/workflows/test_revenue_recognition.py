"""The batch that books revenue from the uses of lots of credits."""

from datetime import UTC, datetime

import pytest

from contracts.common.batch import BatchProgress
from domain.common import accounts
from domain.credits.lots import LotSource, LotTerms
from ledger.gateway import Ledger, NewTransfer
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from workflows.common.batches import RevenueRecognitionWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_uses_are_booked_page_by_page_once(award, stage):
    job = await award()
    wallet, now = accounts.org_credits(job.terms.payer_org_id), datetime.now(UTC)
    revenue = accounts.platform("revenue/credits", "CHF")
    bought = LotTerms(source=LotSource.PURCHASE, paid_minor=900, paid_asset="CHF", priority=-1)
    redemption, issuance = (accounts.platform(name, "CREDIT") for name in ("credit_redemption", "credit_issuance"))
    async with stage.database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        paid = accounts.platform("exchange", "CHF"), accounts.platform("deferred_revenue", "CHF")
        movements = [(*paid, 900, None), (issuance, wallet, 90, bought), *((wallet, redemption, 7, None),) * 5]
        for source, destination, amount, lots in movements:
            transfer = NewTransfer(new_id("test"), source, destination, amount, lots=lots)
            await ledger.post_batch(kind="t", transfers=[transfer], effective_at=now)

    async def booked() -> int:
        async with stage.database.platform() as session:
            return (await Ledger(await driver_connection(session)).balance(revenue)).posted_minor

    async def run() -> None:
        start = BatchProgress(now=datetime.now(UTC), limit=2, settle_seconds=0)
        handle = await stage.client.start_workflow(
            RevenueRecognitionWorkflow.run, start, id=new_id("batch"), task_queue="bursar"
        )
        await handle.result()
        await replay_and_keep(await handle.fetch_history(), "revenue-recognition/completed")

    # Whatever transaction of the server is open just now holds it back.
    while await booked() < 350:
        await run()
    assert await booked() == 350
    await run()
    assert await booked() == 350
