"""Sweeps reach everything that may have lost its run, however much lives before it, and disturb nothing that lives."""

from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio import activity
from temporalio.worker import Worker

from contracts.common.sweeps import SweepPage, SweepProgress, SweepResult
from contracts.escrow.expiry import ExpireContracts, ExpiredContracts
from runtime.identity import new_id
from tests.support.histories import replay
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import due_for_long, new_payment
from workflows.common.sweeps import EscrowSweepWorkflow, InboxSweepWorkflow, PaymentSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


class Crowd:
    """Some pages of objects with runs, then one without its run."""

    def __init__(self, pages: int) -> None:
        self.pages, self.asked = pages, list[str]()

    def _answer(self, page: SweepPage) -> SweepResult:
        self.asked.append(page.after)
        number = int(page.after or 0) + 1
        if number > self.pages:
            return SweepResult(found=1, started=1, last=str(number))
        return SweepResult(found=page.limit, started=0, last=str(number))

    @activity.defn
    async def expire_contracts(self, _batch: ExpireContracts) -> ExpiredContracts:
        return ExpiredContracts(count=0)

    @activity.defn(name="start_missing_escrows")
    async def escrows(self, page: SweepPage) -> SweepResult:
        return self._answer(page)

    @activity.defn(name="start_missing_payments")
    async def payments(self, page: SweepPage) -> SweepResult:
        return self._answer(page)

    @activity.defn(name="start_missing_events")
    async def events(self, page: SweepPage) -> SweepResult:
        return self._answer(page)


@pytest.mark.parametrize("workflow", [EscrowSweepWorkflow, PaymentSweepWorkflow, InboxSweepWorkflow])
async def test_an_entity_behind_thousands_of_running_workflows_is_reached(stage: Stage, workflow: Any):
    crowd, queue = Crowd(pages=150), new_id("queue")
    async with Worker(
        stage.client,
        task_queue=queue,
        workflows=[workflow],
        activities=[crowd.expire_contracts, crowd.escrows, crowd.payments, crowd.events],
    ):
        handle = await stage.client.start_workflow(workflow.run, id=new_id("sweep"), task_queue=queue)
        result = await handle.result()
    assert result.started == 1
    assert crowd.asked == ["", *map(str, range(1, 151))]
    history = await handle.fetch_history()
    # A living run costs its page's share of one activity: an escrow's sweep has the smallest pages, of twenty.
    assert len(history.events) < 150 * 20
    await replay(history)


async def test_a_payment_with_a_running_workflow_gets_no_event_of_a_sweep(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    await due_for_long(made)
    before = len((await made.handle.fetch_history()).events)
    handle = await stage.client.start_workflow(PaymentSweepWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    await handle.result()
    assert len((await made.handle.fetch_history()).events) == before
    swept = (await handle.fetch_history()).events
    assert not [event for event in swept if event.HasField("start_child_workflow_execution_initiated_event_attributes")]


async def test_a_sweep_that_continues_as_new_goes_on_from_its_place(stage: Stage):
    crowd, queue = Crowd(pages=9), new_id("queue")
    page = SweepPage(before=datetime.now(UTC), after="7", limit=50)
    async with Worker(stage.client, task_queue=queue, workflows=[PaymentSweepWorkflow], activities=[crowd.payments]):
        handle = await stage.client.start_workflow(
            PaymentSweepWorkflow.run,
            SweepProgress(page=page, found=350, started=2),
            id=new_id("sweep"),
            task_queue=queue,
        )
        result = await handle.result()
    assert (result.found, result.started) == (350 + 100 + 1, 3)
    assert crowd.asked == ["7", "8", "9"]
    await replay(await handle.fetch_history())
