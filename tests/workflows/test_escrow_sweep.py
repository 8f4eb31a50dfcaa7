"""Escrows whose run was terminated still end by themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from models.escrow.escrow import EscrowRow
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from workflows.common.sweeps import EscrowSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def sweep(stage):
    handle = await stage.client.start_workflow(EscrowSweepWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    result = await handle.result()
    await replay_and_keep(await handle.fetch_history(), "escrow-sweep/completed")
    return result


async def overdue_in_the_books(job):
    """Set the deadline of the books back, as if time had passed for them; the state keeps the run's deadline."""
    async with job.stage.database.platform() as session:
        past = datetime.now(UTC) - timedelta(hours=1)
        await session.execute(
            update(EscrowRow).where(EscrowRow.id == job.terms.escrow_id).values(next_deadline_at=past)
        )


async def test_pitfall_24_a_terminated_run_comes_back_and_ends_by_its_deadline(award, stage):
    job = await (await award()).delivered()
    await job.handle.terminate("by hand")
    await overdue_in_the_books(job)
    result = await sweep(stage)
    assert result.started >= 1
    await job.pass_time(days=3, hours=1)
    assert await job.end() == "released"
    await replay_and_keep(await job.handle.fetch_history(), "escrow/resumed")
    assert (await job.money())["payee"] == 47_500_000


async def test_a_run_that_lives_is_left_alone(award, stage):
    job = await (await award()).delivered()
    run = (await job.handle.describe()).run_id
    await overdue_in_the_books(job)
    await sweep(stage)
    assert (await job.handle.describe()).run_id == run
    await job.send("validate", job.validator, score_e4=9000)
    assert await job.end() == "released"
