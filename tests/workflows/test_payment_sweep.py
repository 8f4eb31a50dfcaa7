"""Payments whose run was terminated go on by themselves."""

import pytest

from domain.payments.payment.fulfilment import wake_at
from domain.payments.payment.state import PaymentStatus, RefundState
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import due_for_long, new_payment
from workflows.common.sweeps import PaymentSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def sweep(stage: Stage):
    handle = await stage.client.start_workflow(PaymentSweepWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    result = await handle.result()
    await replay_and_keep(await handle.fetch_history(), "payment-sweep/completed")
    return result


async def test_a_refund_that_was_booked_is_made_although_its_run_was_terminated(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    made.there.pay()
    await made.refreshed()
    stage.fake.breaks += ["before", *["unavailable"] * 100]
    await made.send("refund", amount_minor=400)
    assert (await made.state()).refunds[0].state is RefundState.UNKNOWN
    await made.handle.terminate("by hand")
    stage.fake.breaks.clear()
    await due_for_long(made)
    assert (await sweep(stage)).started >= 1
    while (await made.state()).refunds[0].state is not RefundState.SUCCEEDED:
        await again()
    assert len(made.there.refunds) == 1


async def test_a_run_that_lives_is_left_alone(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    run = (await made.handle.describe()).run_id
    await due_for_long(made)
    await sweep(stage)
    assert (await made.handle.describe()).run_id == run
    made.there.pay()
    assert (await made.refreshed()).status is PaymentStatus.SUCCEEDED


async def test_nothing_is_due_while_it_is_the_payers_turn_or_after_the_end(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    assert wake_at(await made.state()) == made.terms.expires_at
    made.there.pay()
    assert wake_at(await made.refreshed()) is None
