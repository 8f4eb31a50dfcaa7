"""Payments whose run, provider or answers were lost at a bad moment."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from activities.payments.payment import PaymentActivities
from contracts.payments.payment import PaymentEvent
from domain.payments.payment import commands, refunds
from domain.payments.payment.snapshot import CreatePayment, ProviderStatus
from domain.payments.payment.state import PaymentStatus, RefundState
from runtime.interceptors import domain_error_from
from tests.support.looking import again
from tests.support.payments import Account
from tests.support.runs import payment_message
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, new_payment

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus


async def noted(stage: Stage, **changes) -> PaymentDriver:
    """A payment whose run died after it had noted the intent, and before it asked the provider."""
    made = await new_payment(stage, **changes)
    opening = commands.with_receipt(commands.created(made.terms, actor=made.actor), made.command_id)
    event = PaymentEvent(
        payment=opening.payment,
        event=opening.event,
        actor=opening.actor,
        actor_detail=made.actor,
        command_id=made.command_id,
        at=datetime.now(UTC),
    )
    message = await payment_message(stage.database, event, at=event.at)
    assert (await PaymentActivities(stage.database).record(message)).applied
    return made


def calls(made: PaymentDriver) -> list[str]:
    ref = made.there.ref
    return [name for name, key in made.stage.fake.calls if made.terms.payment_id in key or key == ref]


async def test_command_before_the_request_to_the_provider_does_not_block(stage: Stage):
    made = await noted(stage)
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await made.send("confirm")
    error = domain_error_from(caught.value)
    assert error is not None
    assert error.error_code == "payment.unknown_outcome"
    assert (await made.until("requires_action")).ref == made.there.ref
    assert (await made.send("cancel")).status == "cancelled"


async def test_create_is_answered_by_a_run_that_another_command_started(stage: Stage):
    made = await noted(stage)
    await made.event()
    assert (await made.create()).status == "requires_action"


async def test_operators_refresh_does_not_speed_up_lookups(stage: Stage):
    made = await new_payment(stage)
    stage.fake.breaks.extend(["before"] * 20)
    assert (await made.create()).status == "unknown"
    await made.handle.signal("look", {"operator": "kim"})
    while len(stage.fake.breaks) > 18:
        await made.state()
        await again()
    # The next lookup is due in four seconds; without a pause there would be many by then.
    events = [await made.handle.query("__temporal_workflow_metadata") for _ in range(50)]
    assert events
    assert len(stage.fake.breaks) >= 17
    stage.fake.breaks.clear()
    await made.pass_time(minutes=1)
    await made.until("requires_action")


async def test_news_are_booked_while_a_refund_is_unknown(stage: Stage):
    made = await new_payment(stage, method_ref="pm_ok")
    await made.create()
    stage.fake.breaks.append("before")
    stage.fake.refuses.add("find_refund")
    try:
        await made.send("refund", amount_minor=400)
        assert (await made.state()).refunds[0].state is RefundState.UNKNOWN
        made.there.dispute(600)
        assert (await made.refreshed()).status is P.DISPUTED
        looked = calls(made).count("find_refund")
        await made.pass_time(seconds=1)
        assert calls(made).count("find_refund") - looked <= 1
    finally:
        stage.fake.refuses.clear()
    await made.pass_time(minutes=20)
    while (await made.state()).refunds[0].state is not RefundState.SUCCEEDED:
        await again()
    assert len(made.there.refunds) == 1


async def test_refused_lookup_of_a_refund_restores_nothing(stage: Stage):
    made = await new_payment(stage, method_ref="pm_ok")
    await made.create()
    stage.fake.breaks.append("after")
    stage.fake.refuses.add("find_refund")
    try:
        await made.send("refund", amount_minor=400)
        await made.pass_time(seconds=30)
        assert (await made.state()).refunds[0].counts
        assert (await made.money())["wallet"] == 60_000_000
    finally:
        stage.fake.refuses.clear()
    await made.pass_time(minutes=20)
    while (await made.state()).refunds[0].state is not RefundState.SUCCEEDED:
        await again()
    assert await made.money() == {"wallet": 60_000_000, "own": 0, "debt": 0}


async def test_payment_that_could_not_be_ended_in_time_is_ended_by_the_next_refresh(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    stage.fake.refuses |= {"cancel", "retrieve"}
    try:
        await made.pass_time(hours=24)
        while not (await made.state()).expiring:
            await again()
        assert made.there.status is ProviderStatus.REQUIRES_ACTION
    finally:
        stage.fake.refuses.clear()
    await made.pass_time(hours=7)
    assert (await made.until("expired")).received_minor == 0
    assert made.there.snapshot().status is ProviderStatus.CANCELLED


async def test_money_charged_despite_a_refusal_is_booked(stage: Stage):
    made = await new_payment(stage)
    stage.fake.breaks.append("refused")
    assert (await made.create()).status == "failed"
    terms = made.terms
    asked = CreatePayment(
        payment_id=terms.payment_id,
        org_id=terms.org_id,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
        description="",
        expires_at=terms.expires_at,
    )
    stage.fake.accounts["fp_" + terms.payment_id] = Account(asked=asked, ref="fp_" + terms.payment_id)
    made.there.pay()
    assert (await made.refreshed()).status is P.SUCCEEDED
    assert (await made.money())["wallet"] == 100_000_000


async def test_payment_approved_after_its_cancellation_is_not_captured(stage: Stage):
    made = await new_payment(stage)
    await made.create()
    await made.send("cancel")
    # As at PayPal, which has no way to end an order.
    made.there.status, made.there.approved = ProviderStatus.REQUIRES_ACTION, True
    assert (await made.refreshed()).status is P.CANCELLED
    assert made.there.received == 0


async def test_cancelled_run_that_waits_for_its_provider_continues(stage: Stage):
    made = await new_payment(stage)
    stage.fake.breaks.extend(["unavailable"] * 2)
    created = asyncio.ensure_future(made.create())
    while stage.fake.breaks:
        await made.kinds()
        await again()
    await made.handle.cancel()
    assert (await created).status in {"requires_action", "cancelled"}
    state = await made.until("requires_action", "cancelled")
    # What was to be cancelled before the provider had it is not made there.
    assert stage.fake.count(made.terms.payment_id) == (state.ref is not None)


async def test_a_refund_that_was_noted_and_never_sent_is_sent_by_the_next_run(stage: Stage):
    made = await new_payment(stage, method_ref="pm_ok")
    await made.create()
    await made.handle.terminate("test")
    state = await made.state()
    requested = refunds.refund(
        state, refund_id="rfd_noted", amount_minor=400, reason=None, requested_by="x", at=datetime.now(UTC)
    )
    event = PaymentEvent(
        payment=replace(requested.payment),
        event=requested.event,
        actor="x",
        moves=requested.moves,
        at=datetime.now(UTC),
    )
    message = await payment_message(stage.database, event, at=event.at)
    assert (await PaymentActivities(stage.database).record(message)).applied
    assert (await made.refreshed()).refunds[0].state is RefundState.SUCCEEDED
    assert [refund.refund_id for refund in made.there.refunds.values()] == ["rfd_noted"]


async def test_more_events_than_one_transaction_are_all_booked(stage: Stage):
    made = await new_payment(stage, method_ref="pm_ok")
    await made.create()
    for _ in range(40):
        made.there.refund(10)
    state = await made.refreshed()
    assert (len(state.refunds), state.refunded_minor) == (40, 400)
    assert all(refund.moved_minor == 10 and refund.state is RefundState.SUCCEEDED for refund in state.refunds)
    assert await made.money() == {"wallet": 60_000_000, "own": 0, "debt": 0}


async def test_a_payment_is_not_charged_after_its_time(stage: Stage):
    made = await new_payment(stage, lasts=-timedelta(hours=30), method_ref="pm_ok", off_session=True)
    assert (await made.create()).status == "expired"
    assert stage.fake.count(made.terms.payment_id) == 0
    assert await made.kinds() == ["created", "expired"]
    assert await made.money() == {"wallet": 0, "own": 0, "debt": 0}


async def test_timely_charge_is_found_after_the_deadline(stage: Stage):
    made = await noted(stage, lasts=-timedelta(hours=30), method_ref="pm_ok", off_session=True)
    terms = made.terms
    asked = CreatePayment(
        payment_id=terms.payment_id,
        org_id=terms.org_id,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
        description="",
        expires_at=terms.expires_at,
    )
    stage.fake.accounts["fp_" + terms.payment_id] = Account(asked=asked, ref="fp_" + terms.payment_id)
    made.there.pay()
    await made.event()
    assert (await made.until("succeeded")).received_minor == 1000
    assert not any(name == "create" and terms.payment_id in key for name, key in stage.fake.calls)


async def test_a_payment_that_was_unknown_when_its_time_ended_is_not_made_then(stage: Stage):
    made = await new_payment(stage, lasts=timedelta(hours=1), method_ref="pm_ok", off_session=True)
    stage.fake.breaks.append("before")
    stage.fake.refuses.add("find")
    try:
        assert (await made.create()).status == "unknown"
        await made.pass_time(hours=2)
    finally:
        stage.fake.refuses.clear()
    await made.pass_time(hours=1)
    await made.until("expired")
    assert stage.fake.count(made.terms.payment_id) == 0
