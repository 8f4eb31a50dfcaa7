"""A batch over real Temporal: many pages in several runs, each item once, also if other items fail."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.common import TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.worker import Worker

from contracts.runs import Run
from runtime import reach
from runtime.identity import new_id
from tests.support.looking import again
from tests.workflows.batch_example import AT_ONCE, PAGE, BillingProgress, BillingRun, BillRun, Bills
from tests.workflows.conftest import Stage

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


@asynccontextmanager
async def billing(stage: Stage, bills: Bills, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    """Run a worker for bills, and return how the batch of a period is found and started."""
    queue, period = new_id("queue"), new_id("period")
    monkeypatch.setattr(reach, "TASK_QUEUE", queue)
    async with Worker(
        stage.client, task_queue=queue, workflows=[BillingRun, BillRun], activities=[bills.read, bills.send]
    ):
        yield Run(
            workflow="billing",
            workflow_id=f"billing/{period}",
            start=BillingProgress(period=period),
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            summary="the bills of a period",
            attributes=TypedSearchAttributes([]),
        )


async def test_pitfall_12_each_item_of_a_batch_is_done_once_over_many_pages_and_runs(
    short_runs: Stage, monkeypatch: pytest.MonkeyPatch
):
    bills = Bills(count=3 * PAGE + 1, unsendable=PAGE + 1)
    bills.may_send.clear()
    async with billing(short_runs, bills, monkeypatch) as run:
        assert await reach.start_missing(short_runs.client, run)
        handle = short_runs.client.get_workflow_handle(run.workflow_id, result_type=BillingProgress)
        first_run = (await handle.describe()).run_id
        while bills.under_way < AT_ONCE:
            await handle.describe()
            await again()
        assert len(await children(handle)) == AT_ONCE
        bills.may_send.set()
        done = await handle.result()
        assert (await handle.describe()).run_id != first_run
        assert not await reach.start_missing(short_runs.client, run)
    assert (done.found, done.failed) == (len(bills.numbers), 1)
    assert bills.tried == Counter(bills.numbers)


async def children(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Return which children a run has started so far."""
    initiated = "start_child_workflow_execution_initiated_event_attributes"
    events = (await handle.fetch_history()).events
    return [getattr(event, initiated).workflow_id for event in events if event.HasField(initiated)]


async def test_a_terminated_batch_that_is_started_again_repeats_nothing(
    short_runs: Stage, monkeypatch: pytest.MonkeyPatch
):
    bills = Bills(count=3 * PAGE, unsendable=0)
    bills.holds_at = 2 * PAGE
    bills.may_read.clear()
    async with billing(short_runs, bills, monkeypatch) as run:
        assert await reach.start_missing(short_runs.client, run)
        await bills.held.wait()
        handle = short_runs.client.get_workflow_handle(run.workflow_id, result_type=BillingProgress)
        await handle.terminate("by hand")
        bills.may_read.set()
        assert await reach.start_missing(short_runs.client, run)
        done = await handle.result()
    assert (done.found, done.failed) == (len(bills.numbers), 0)
    assert bills.tried == Counter(bills.numbers)
