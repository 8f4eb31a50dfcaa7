"""A run of reconciliation: payments look first, a refusal ends it, and a night runs each provider."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from temporalio.service import RPCError, RPCStatusCode

from contracts.books.reconciliation import (
    BeginReconciliation,
    FailReconciliation,
    PlanReconciliations,
    ReconciliationStep,
)
from domain.books.reconciliation import Window
from domain.common.ids import payment_workflow_id
from domain.payments.payment.snapshot import BalanceTransactionKind
from models.messages.alert import Alert
from models.payments.payment import PaymentBalanceTransaction
from providers.payments.base import UnreadSource
from repositories.books import reconciliation as books
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from tests.support.histories import replay_and_keep
from tests.support.reconciliation import DAY, NIGHT, movement
from tests.workflows.reconciler import Reconciler
from workflows.books.reconciliation import NIGHT_WITHIN, NightlyReconciliationWorkflow, ReconciliationWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_night_goes_on_where_what_was_compared_ends(reconciler: Reconciler):
    (first,) = (await reconciler.work.plan(PlanReconciliations(now=NIGHT))).runs
    assert (first.since, first.until) == (DAY.since - timedelta(days=1), DAY.until)
    await reconciler.reconcile()
    (late,) = (await reconciler.work.plan(PlanReconciliations(now=NIGHT + timedelta(days=5)))).runs
    assert late.since == DAY.until - timedelta(days=1)


async def test_short_run_does_not_hide_nights_that_failed(reconciler: Reconciler):
    await reconciler.reconcile()
    for days in (1, 2):
        night = NIGHT + timedelta(days=days)
        (start,) = (await reconciler.work.plan(PlanReconciliations(now=night))).runs
        await reconciler.work.begin(BeginReconciliation(start=start, at=night))
        await reconciler.work.fail(FailReconciliation(run_id=start.run_id, why="away", at=night))
    asked = NIGHT + timedelta(days=3)
    await reconciler.reconcile(Window(asked - timedelta(hours=1), asked), at=asked)
    (night_after,) = (await reconciler.work.plan(PlanReconciliations(now=asked))).runs
    assert night_after.since == DAY.until - timedelta(days=1)


async def test_first_nights_that_failed_are_made_up_for(reconciler: Reconciler):
    (first,) = (await reconciler.work.plan(PlanReconciliations(now=NIGHT))).runs
    await reconciler.work.begin(BeginReconciliation(start=first, at=NIGHT))
    await reconciler.work.fail(FailReconciliation(run_id=first.run_id, why="away", at=NIGHT))
    (later,) = (await reconciler.work.plan(PlanReconciliations(now=NIGHT + timedelta(days=3)))).runs
    assert later.since == first.since


async def test_payment_is_told_to_look_before_anything_is_called_a_difference(
    office: tuple[Reconciler, str], timeskip_env: Any
):
    reconciler, queue = office
    terms = await reconciler.payment()
    fee_known = movement("ch_1", payment_id=terms.payment_id)
    lost = movement("ch_2", payment_id=terms.payment_id)
    reconciler.provider.listed = [fee_known, lost, movement("ch_of_somebody_else")]
    await reconciler.book(replace(fee_known, fee_minor=None), payment_id=terms.payment_id)
    assert reconciler.client is not None
    handle = await reconciler.client.start_workflow(
        ReconciliationWorkflow.run, reconciler.start(), id=new_id("reconciliation"), task_queue=queue
    )
    told = reconciler.client.get_workflow_handle(payment_workflow_id(terms.payment_id))
    async for event in _events(told):
        if event.HasField("workflow_execution_signaled_event_attributes"):
            assert event.workflow_execution_signaled_event_attributes.signal_name == "provider_event"
            break
    # What the payment's own run does when it looks.
    await reconciler.book(lost, payment_id=terms.payment_id)
    async with reconciler.database.platform() as session:
        mine = (PaymentBalanceTransaction.provider == reconciler.provider.name) & (
            PaymentBalanceTransaction.key == "ch_1"
        )
        await session.execute(update(PaymentBalanceTransaction).where(mine).values(fee_minor=59))
    await told.terminate("seen")
    result = await handle.result()
    assert (result.compared, result.differences) == (3, 1)
    assert set(await reconciler.differences()) == {"missing_here:ch_of_somebody_else"}


async def test_what_a_payment_does_not_settle_in_time_becomes_a_difference(
    office: tuple[Reconciler, str], timeskip_env: Any
):
    reconciler, queue = office
    terms = await reconciler.payment()
    reconciler.provider.listed = [movement("ch_1", payment_id=terms.payment_id)]
    assert reconciler.client is not None
    # A run of the payment that skipped time would try without a pause to read what these books alone have.
    handle = await reconciler.client.start_workflow(
        ReconciliationWorkflow.run, reconciler.start(), id=new_id("reconciliation"), task_queue=queue
    )
    told = reconciler.client.get_workflow_handle(payment_workflow_id(terms.payment_id))
    async for event in _events(told):
        if event.HasField("workflow_execution_signaled_event_attributes"):
            break
    await told.terminate("lost")
    await timeskip_env.fast_forward(handle, timedelta(minutes=10))
    assert (await handle.result()).differences == 1
    await replay_and_keep(await handle.fetch_history(), "reconciliation/done")
    (row,) = (await reconciler.differences("open")).values()
    assert row.payment_id == terms.payment_id


async def test_provider_that_refuses_ends_the_run_with_an_alert(office: tuple[Reconciler, str]):
    reconciler, queue = office
    reconciler.provider.refuses = "The key may not read the balance."
    start = reconciler.start()
    assert reconciler.client is not None
    result = await reconciler.client.execute_workflow(
        ReconciliationWorkflow.run, start, id=new_id("reconciliation"), task_queue=queue
    )
    assert result.status == "failed"
    run = await reconciler.run(start.run_id)
    assert run.failure == "The key may not read the balance."
    async with reconciler.database.platform() as session:
        (alert,) = await session.scalars(select(Alert).where(Alert.subject == run.id))
    assert alert.kind == "reconciliation.failed"


FULL = UnreadSource(subject="pay_full", why="An address has too many transactions.")
GAP = UnreadSource(subject="shared-address", why="The node is away.", has_gap=True)


async def test_place_that_cannot_be_read_is_named_and_keeps_no_other_from_being_compared(
    office: tuple[Reconciler, str],
):
    reconciler, queue = office
    reconciler.provider.listed, reconciler.provider.unread = [movement("ch_1"), movement("ch_2")], [FULL]
    await reconciler.book(movement("ch_1"))
    start = reconciler.start()
    assert reconciler.client is not None
    handle = await reconciler.client.start_workflow(
        ReconciliationWorkflow.run, start, id=new_id("reconciliation"), task_queue=queue
    )
    result = await handle.result()
    await replay_and_keep(await handle.fetch_history(), "reconciliation/incomplete")
    assert (result.status, result.compared, result.differences) == ("done", 2, 1)
    # It may have been a moment only, so it is read again before anybody is called.
    assert len(reconciler.provider.asked) == 3
    assert "pay_full" in ((await reconciler.run(start.run_id)).failure or "")
    ((subject, seen),) = await _alerts_of(reconciler, "reconciliation.incomplete")
    assert (subject, seen) == (start.run_id, False)
    again = await reconciler.reconcile()
    assert await _alerts_of(reconciler, "reconciliation.incomplete") == [(start.run_id, True), (again.run_id, False)]
    reconciler.provider.unread = []
    await reconciler.reconcile()
    assert await _alerts_of(reconciler, "reconciliation.incomplete") == [(start.run_id, True), (again.run_id, True)]
    assert await _failed_alerts(reconciler) == []


async def test_gap_in_a_statement_is_compared_around_and_made_up_for(reconciler: Reconciler):
    stray = movement("ton:1", kind=BalanceTransactionKind.OTHER)
    await reconciler.book(stray, movement("ch_1"))
    reconciler.provider.listed, reconciler.provider.unread = [movement("ch_2")], [GAP]
    run = await reconciler.reconcile()
    # Nobody can tell whether the provider has the one that belongs to no payment; of the others everybody can.
    assert set(await reconciler.differences()) == {"missing_there:ch_1", "missing_here:ch_2"}
    assert (run.status, await _failed_alerts(reconciler)) == ("failed", [(run.run_id, False)])
    assert "shared-address" in ((await reconciler.run(run.run_id)).failure or "")
    (night,) = (await reconciler.work.plan(PlanReconciliations(now=NIGHT + timedelta(days=3)))).runs
    assert night.since <= DAY.since
    reconciler.provider.unread = []
    await reconciler.reconcile()
    assert "missing_there:ton:1" in await reconciler.differences("open")
    assert await _failed_alerts(reconciler) == [(run.run_id, True)]


async def test_night_starts_a_run_for_each_provider(office: tuple[Reconciler, str]):
    reconciler, queue = office
    assert reconciler.client is not None
    night = await reconciler.client.start_workflow(
        NightlyReconciliationWorkflow.run, id=new_id("night"), task_queue=queue
    )
    result = await night.result()
    await replay_and_keep(await night.fetch_history(), "reconciliation-nightly/done")
    assert [run.status for run in result.runs] == ["done"]
    run = await reconciler.run(result.runs[0].run_id)
    assert run.command_id == f"{reconciler.provider.name}/{run.until:%Y-%m-%d}"
    described = await reconciler.client.get_workflow_handle(f"reconciliation/{run.command_id}").describe()
    assert described.workflow_type == "reconciliation"


async def test_night_ends_when_the_run_of_a_provider_was_terminated(office: tuple[Reconciler, str], timeskip_env: Any):
    reconciler, queue = office
    terms = await reconciler.payment()
    reconciler.provider.listed = [movement("ch_1", payment_id=terms.payment_id)]
    assert reconciler.client is not None
    night = await reconciler.client.start_workflow(
        NightlyReconciliationWorkflow.run, id=new_id("night"), task_queue=queue
    )
    async for event in _events(night):
        if event.HasField("start_child_workflow_execution_initiated_event_attributes"):
            asked = event.start_child_workflow_execution_initiated_event_attributes
            # A run one of whose steps is tried for ever ends all the same.
            assert asked.workflow_run_timeout.ToTimedelta() == NIGHT_WITHIN
        if event.HasField("child_workflow_execution_started_event_attributes"):
            child = event.child_workflow_execution_started_event_attributes.workflow_execution
            break
    await reconciler.client.get_workflow_handle(child.workflow_id).terminate("by an operator")
    result = await night.result()
    await replay_and_keep(await night.fetch_history(), "reconciliation-nightly/terminated")
    (ended,) = result.runs
    assert (ended.status, child.workflow_id.split("/")[1]) == ("failed", reconciler.provider.name)
    assert "Terminated" in ((await reconciler.run(ended.run_id)).failure or "")
    assert await _failed_alerts(reconciler) == [(ended.run_id, False)]
    # The next night covers the window of the one that failed.
    await reconciler.book(movement("ch_1"), payment_id=terms.payment_id)
    run = await reconciler.run(ended.run_id)
    await reconciler.reconcile(Window(run.since, run.until), at=run.until + timedelta(days=1))
    assert await _failed_alerts(reconciler) == [(ended.run_id, True)]


async def test_run_that_has_not_ended_by_the_next_night_is_told_of(reconciler: Reconciler):
    start = reconciler.start()
    await reconciler.work.begin(BeginReconciliation(start=start, at=NIGHT))
    await reconciler.work.plan(PlanReconciliations(now=NIGHT + timedelta(hours=1)))
    assert await _failed_alerts(reconciler) == []
    await reconciler.work.plan(PlanReconciliations(now=NIGHT + timedelta(days=1)))
    assert await _failed_alerts(reconciler) == [(start.run_id, False)]


async def test_step_that_goes_on_after_its_run_failed_writes_nothing_down(
    reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
):
    reconciler.provider.listed = [line := movement("ch_1")]
    await reconciler.book(line)
    start = reconciler.start()
    await reconciler.work.begin(BeginReconciliation(start=start, at=NIGHT))
    step = ReconciliationStep(run_id=start.run_id, at=NIGHT)
    await reconciler.work.fetch_statement(step)
    read = books.listed_page

    async def read_late(*args: Any, **page: Any) -> Any:
        await reconciler.work.fail(FailReconciliation(run_id=start.run_id, why="took too long", at=NIGHT))
        return await read(*args, **page)

    monkeypatch.setattr(books, "listed_page", read_late)
    assert (await reconciler.work.conclude(step)).status == "failed"
    assert await reconciler.differences() == {}


def test_nightly_schedule_gives_a_night_up_before_the_next_one():
    (job,) = [job for job in SCHEDULES if job.id == "reconciliation-nightly"]
    assert job.run_timeout is not None
    assert NIGHT_WITHIN < job.run_timeout < timedelta(days=1)


async def _failed_alerts(reconciler: Reconciler) -> list[tuple[str, bool]]:
    return await _alerts_of(reconciler, "reconciliation.failed")


async def _alerts_of(reconciler: Reconciler, kind: str) -> list[tuple[str, bool]]:
    async with reconciler.database.platform() as session:
        rows = await session.scalars(select(Alert).where(Alert.kind == kind).order_by(Alert.id))
        return [(row.subject, row.acknowledged_at is not None) for row in rows]


async def _events(handle: Any) -> AsyncIterator[Any]:
    """Yield the events of a run that may not have started yet."""
    while True:
        try:
            async for event in handle.fetch_history_events(wait_new_event=True):
                yield event
            return
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
