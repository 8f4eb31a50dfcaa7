"""Payments whose runs are kept as histories, one for each way to go; each run ends soon after its last event."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from domain.payment.state import RECEIPT_WINDOW
from repositories import escrow as escrows
from runtime.database import driver_connection
from tests.support.invoices import issued
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, for_escrow, new_payment

SHORT = {"open_seconds": 1}


async def payment_paid(stage: Stage, **changes: object) -> PaymentDriver:
    made = await new_payment(stage, **{**SHORT, **changes})
    await made.create()
    made.there.pay(fee=None)
    await made.told()
    made.there.tell_fee()
    await made.told()
    return made


async def payment_declined(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT, method_ref="pm_declined", off_session=True)
    await made.create()
    return made


async def payment_expired(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT, lasts=timedelta(seconds=1))
    await made.create()
    return made


async def payment_cancelled(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT)
    await made.create()
    await made.send("cancel")
    return made


async def payment_captured(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT, manual_capture=True)
    await made.create()
    await made.send("confirm", method_ref="pm_ok")
    await made.send("capture", amount_minor=600)
    return made


async def payment_unknown_then_found(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT, method_ref="pm_ok", off_session=True)
    stage.fake.breaks.append("after")
    await made.create()
    return made


async def payment_refunded(stage: Stage) -> PaymentDriver:
    made = await payment_paid(stage, open_seconds=3)
    await made.send("refund", amount_minor=400)
    with pytest.raises(WorkflowUpdateFailedError):
        await made.send("refund", amount_minor=601)
    stage.fake.breaks.append("after")
    await made.send("refund")
    return made


async def payment_steered_by_signals(stage: Stage) -> PaymentDriver:
    made = await payment_paid(stage, open_seconds=3)
    await made.handle.signal("refund", {"operator": "kim", "amount": "4.00", "reason": "goodwill"})
    await made.handle.signal("refund", {"operator": "kim", "amount": "7.00"})
    await made.handle.signal("look", {})
    await made.until("partially_refunded")
    return made


async def payment_refunded_by_a_signal(stage: Stage) -> PaymentDriver:
    """The refund's id is made by the handler of the signal; the provider's answer is lost, so it is looked up by it."""
    made = await payment_paid(stage, open_seconds=3)
    stage.fake.breaks.append("after")
    await made.handle.signal("refund", {"operator": "kim", "amount": "4.00", "command_id": "ticket-7"})
    await made.happened("refund_booked")
    return made


async def payment_with_malformed_signals(stage: Stage) -> PaymentDriver:
    """Signals that carry no message of their kind."""
    made = await new_payment(stage, **SHORT)
    await made.create()
    for name in ("refund", "cancel", "look", "provider_event"):
        await made.handle.signal(name, "now")
    made.there.pay()
    await made.told()
    return made


async def payment_with_a_refusal_that_it_has_forgotten(stage: Stage) -> PaymentDriver:
    """The note of a signal that comes again is in the books, and forgotten by the state. The next is noted too."""
    made = await new_payment(stage, **SHORT)
    await made.create()
    again = {"operator": "kim", "command_id": "ticket-7"}
    for given in (again, *({"operator": "kim"} for _ in range(RECEIPT_WINDOW)), again, {"operator": "kim"}):
        await made.handle.signal("give_up", given)
    await made.happened("command_refused", RECEIPT_WINDOW + 1)
    made.there.pay()
    await made.told()
    return made


async def payment_disputed_and_lost(stage: Stage) -> PaymentDriver:
    made = await payment_paid(stage, open_seconds=3)
    await made.spend(60_000_000)
    ref = made.there.dispute()
    await made.told()
    await made.send("submit_evidence", dispute_ref=ref, text="It was delivered.")
    await made.told()
    made.there.close_dispute(ref, won=False)
    await made.told()
    return made


async def payment_resumed(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT)
    await made.create()
    await made.handle.terminate("recorded elsewhere")
    made.there.pay()
    await made.told()
    return made


async def payment_of_an_escrow_frozen(stage: Stage) -> PaymentDriver:
    made = await _for_an_escrow(stage, gone=False)
    ref = made.there.dispute()
    await made.told()
    made.there.close_dispute(ref, won=True)
    await made.told()
    return made


async def payment_of_an_escrow_that_is_gone(stage: Stage) -> PaymentDriver:
    return await _for_an_escrow(stage, gone=True)


async def _for_an_escrow(stage: Stage, *, gone: bool) -> PaymentDriver:
    job = await stage.award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms), open_seconds=3)
    await made.create()
    if gone:
        await job.send("cancel", job.procurement)
    made.there.pay()
    await made.told()
    if not gone:
        await made.happened("escrow_funded")
    return made


async def payment_of_an_escrow_disputed_behind_an_unknown_refund(stage: Stage) -> PaymentDriver:
    """The escrow is frozen although the refund is unknown."""
    job = await stage.award()
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms), open_seconds=3)
    await made.create()
    made.there.pay()
    await made.told()
    await made.happened("escrow_funded")
    stage.fake.breaks.append("after")
    stage.fake.refuses.add("find_refund")
    try:
        # The escrow has what was bought, so the refund takes other credits: an operator asks for it.
        await made.handle.signal("refund", {"operator": "kim", "amount": "4.00", "reason": "goodwill"})
        await made.happened("refund_unknown")
        made.there.dispute(600)
        await made.told()
        await made.until("disputed")
    finally:
        stage.fake.refuses.discard("find_refund")
    await made.happened("escrow_frozen")
    made.there.close_dispute(next(iter(made.there.disputes)), won=True)
    await made.told()
    return made


async def payment_of_an_escrow_that_had_no_run(stage: Stage) -> PaymentDriver:
    """The escrow gets a run when its money comes."""
    job = await stage.award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms), open_seconds=3)
    await made.create()
    await job.handle.terminate("recorded elsewhere")
    made.there.pay(fee=None)
    await made.told()
    made.there.tell_fee()
    event = await made.event()
    await made.happened("escrow_funded")
    await made.handled(event)
    return made


async def payment_of_an_invoice_refunded_before_it_was_handed_over(stage: Stage) -> PaymentDriver:
    payer = await new_payment(stage)
    invoice = await issued(stage.database, payer.terms.org_id)
    made = await new_payment(stage, org_id=payer.terms.org_id, purpose=invoice.purpose, open_seconds=3)
    await made.create()
    made.there.pay()
    made.there.refund(1000)
    await made.told()
    return made


async def payment_created_after_its_time(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT, lasts=-timedelta(hours=30), method_ref="pm_ok", off_session=True)
    await made.create()
    return made


async def payment_of_an_escrow_that_went_back_before(stage: Stage) -> PaymentDriver:
    job = await stage.award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms), open_seconds=3)
    await made.create()
    made.there.pay()
    made.there.refund(400)
    await made.told()
    await made.happened("refund_booked", 2)
    return made


async def payment_of_an_escrow_charged_back_while_it_is_asked(stage: Stage) -> PaymentDriver:
    job = await stage.award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms), open_seconds=3)
    await made.create()
    made.there.pay()
    async with stage.database.platform() as session:
        # Nobody can write the escrow meanwhile.
        await escrows.lock(await driver_connection(session), job.terms.escrow_id, "none")
        await made.told()
        await made.happened("fulfilment_started")
        ref = made.there.dispute()
        await made.told()
    await made.happened("escrow_frozen")
    made.there.close_dispute(ref, won=True)
    await made.told()
    return made


async def payment_of_an_escrow_disputed_and_won_before_it_was_funded(stage: Stage) -> PaymentDriver:
    return await _disputed_before_it_was_funded(stage, won=True)


async def payment_of_an_escrow_disputed_and_lost_before_it_was_funded(stage: Stage) -> PaymentDriver:
    return await _disputed_before_it_was_funded(stage, won=False)


async def _disputed_before_it_was_funded(stage: Stage, *, won: bool) -> PaymentDriver:
    """What is disputed is taken from what waits for the escrow."""
    job = await stage.award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms), open_seconds=3)
    await made.create()
    made.there.pay()
    ref = made.there.dispute(400)
    await made.told()
    made.there.close_dispute(ref, won=won)
    await made.told()
    await made.happened("escrow_funded" if won else "refund_booked")
    return made


async def payment_captured_while_its_provider_was_away(stage: Stage) -> PaymentDriver:
    """Each command is answered when its provider is back."""
    made = await new_payment(stage, manual_capture=True, open_seconds=3)
    await made.create()
    stage.fake.breaks += ["unavailable"] * 2
    await made.send("confirm", method_ref="pm_ok")
    stage.fake.breaks += ["unavailable"] * 2
    await made.send("capture", amount_minor=600)
    ref = made.there.dispute()
    await made.told()
    stage.fake.breaks += ["unavailable"] * 2
    await made.send("submit_evidence", dispute_ref=ref, text="It was delivered.")
    await made.told()
    made.there.close_dispute(ref, won=True)
    await made.told()
    return made


async def payment_paid_while_its_provider_was_away(stage: Stage) -> PaymentDriver:
    """What the quick look does not get, a regular activity asks for until it is there."""
    made = await new_payment(stage, **SHORT)
    await made.create()
    made.there.pay()
    stage.fake.breaks += ["unavailable"] * 2
    await made.told()
    return made


async def payment_cancelled_while_its_provider_was_away(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT)
    await made.create()
    stage.fake.breaks += ["unavailable"] * 2
    await made.send("cancel")
    return made


async def payment_not_made_after_its_time(stage: Stage) -> PaymentDriver:
    return await payment_created_after_its_time(stage)


async def payment_whose_time_ends_behind_an_unknown_refund(stage: Stage) -> PaymentDriver:
    """A part of an escrow's price came, and its rest is missed once the refund is known."""
    job = await stage.award()
    await job.open()
    purpose = for_escrow(job.terms)
    made = await new_payment(
        stage, org_id=job.terms.payer_org_id, purpose=purpose, open_seconds=3, lasts=timedelta(seconds=3)
    )
    await made.create()
    made.there.pay(amount=600)
    await made.told()
    stage.fake.breaks.append("after")
    stage.fake.refuses.add("find_refund")
    try:
        await made.send("refund", amount_minor=100)
        await made.happened("refund_unknown")
    finally:
        stage.fake.refuses.discard("find_refund")
    await made.happened("purpose_gone")
    return made


async def payment_of_an_invoice_given_back(stage: Stage) -> PaymentDriver:
    made = await _for_an_invoice(stage, withdrawn=False)
    await made.happened("invoice_paid")
    await made.send("refund", amount_minor=400)
    await made.send("refund")
    return made


async def payment_of_an_invoice_that_was_withdrawn(stage: Stage) -> PaymentDriver:
    return await _for_an_invoice(stage, withdrawn=True)


async def _for_an_invoice(stage: Stage, *, withdrawn: bool) -> PaymentDriver:
    payer = await new_payment(stage)
    invoice = await issued(stage.database, payer.terms.org_id)
    made = await new_payment(stage, org_id=payer.terms.org_id, purpose=invoice.purpose, open_seconds=3)
    await made.create()
    if withdrawn:
        await invoice.void()
    made.there.pay()
    await made.told()
    return made


async def payment_with_credits_that_its_escrow_has(stage: Stage) -> PaymentDriver:
    """An operator's refund is refused."""
    job = await stage.award(balance=100_000_000)
    await job.open()
    made = await new_payment(
        stage,
        org_id=job.terms.payer_org_id,
        provider="credits",
        amount_minor=job.terms.amount_minor,
        currency="CREDIT",
        purpose=for_escrow(job.terms),
        open_seconds=3,
    )
    await made.create()
    await made.happened("escrow_funded")
    await made.handle.signal("refund", {"operator": "kim", "amount": "1.00", "reason": "goodwill"})
    while not {"refund_succeeded", "refund_booked", "command_refused"} & set(await made.kinds()):
        await again()
    return made


RUNS: dict[str, Callable[[Stage], Awaitable[PaymentDriver]]] = {
    run.__name__: run
    for run in (
        payment_paid,
        payment_declined,
        payment_expired,
        payment_cancelled,
        payment_captured,
        payment_unknown_then_found,
        payment_refunded,
        payment_steered_by_signals,
        payment_refunded_by_a_signal,
        payment_with_malformed_signals,
        payment_with_a_refusal_that_it_has_forgotten,
        payment_disputed_and_lost,
        payment_resumed,
        payment_of_an_escrow_frozen,
        payment_of_an_escrow_that_is_gone,
        payment_of_an_escrow_disputed_behind_an_unknown_refund,
        payment_of_an_escrow_that_had_no_run,
        payment_of_an_escrow_that_went_back_before,
        payment_of_an_invoice_refunded_before_it_was_handed_over,
        payment_created_after_its_time,
        payment_not_made_after_its_time,
        payment_of_an_escrow_charged_back_while_it_is_asked,
        payment_of_an_escrow_disputed_and_won_before_it_was_funded,
        payment_of_an_escrow_disputed_and_lost_before_it_was_funded,
        payment_captured_while_its_provider_was_away,
        payment_cancelled_while_its_provider_was_away,
        payment_paid_while_its_provider_was_away,
        payment_whose_time_ends_behind_an_unknown_refund,
        payment_of_an_invoice_given_back,
        payment_of_an_invoice_that_was_withdrawn,
        payment_with_credits_that_its_escrow_has,
    )
}
