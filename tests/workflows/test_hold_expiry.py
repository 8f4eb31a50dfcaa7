"""The sweep that ends what a crashed request left reserved."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.common.batch import BatchProgress, BatchResult
from domain.common import accounts
from ledger.gateway import Ledger
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from workflows.common.batches import HoldExpiryWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_pitfall_18_a_hold_that_nobody_ended_is_released_once(award, stage):
    job = await award()
    wallet = accounts.org_credits(job.terms.payer_org_id)
    now = datetime.now(UTC)
    # The run's own clock decides what is over, so the crashed request's hold ended before the run starts.
    async with stage.database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        for key, minutes in (("crashed", -1), ("alive", 60)):
            await ledger.hold(
                key=f"{job.terms.payer_org_id}:{key}",
                account=wallet,
                amount_minor=10_000_000,
                expires_at=now + timedelta(minutes=minutes),
                held_at=now - timedelta(hours=1),
            )
    handle = await stage.client.start_workflow(HoldExpiryWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    await handle.result()
    assert "that were" in str(await handle.query("__temporal_workflow_metadata"))
    await replay_and_keep(await handle.fetch_history(), "hold-expiry/completed")
    async with stage.database.platform() as session:
        swept = await Ledger(await driver_connection(session)).balance(wallet)
    assert (swept.available_minor, swept.posted_minor) == (90_000_000, 100_000_000)


async def test_run_that_goes_on_counts_on_from_where_the_one_before_stood(stage):
    at = datetime(2020, 1, 1, tzinfo=UTC)
    start = BatchProgress(now=at, limit=500, count=1_500)
    handle = await stage.client.start_workflow(HoldExpiryWorkflow.run, start, id=new_id("sweep"), task_queue="bursar")
    assert (await handle.result()).count == 1_500


def test_sweep_goes_on_while_pages_are_full():
    start = BatchProgress(now=datetime(2026, 1, 1, tzinfo=UTC), limit=2)
    full, rest = BatchResult(count=2), BatchResult(count=1)
    assert (start.is_last(full), start.is_last(rest)) == (False, True)
    assert start.plus(full).plus(rest).count == 3
