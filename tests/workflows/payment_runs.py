"""Payments whose runs are kept as histories, one for each kind of end; each run ends once `OVER` has passed."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.support.invoices import issued
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, for_escrow, new_payment

#: Longer than what is done in real time takes.
PERIOD = timedelta(minutes=10)
SHORT = {"open_seconds": PERIOD // timedelta(seconds=1)}
OVER = 2 * PERIOD + timedelta(minutes=1)


async def payment_paid(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT)
    await made.create()
    made.there.pay(fee=None)
    await made.refreshed()
    made.there.tell_fee()
    await made.refreshed()
    return made


async def payment_declined(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT, method_ref="pm_declined", off_session=True)
    await made.create()
    return made


async def payment_expired(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT, lasts=PERIOD, first_poll_seconds=SHORT["open_seconds"])
    await made.create()
    return made


async def payment_cancelled(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT)
    await made.create()
    await made.send("cancel")
    return made


async def payment_refunded(stage: Stage) -> PaymentDriver:
    made = await payment_paid(stage)
    await made.send("refund", amount_minor=400)
    with pytest.raises(WorkflowUpdateFailedError):
        await made.send("refund", amount_minor=601)
    stage.fake.breaks.append("after")
    await made.send("refund")
    return made


async def payment_disputed_and_lost(stage: Stage) -> PaymentDriver:
    made = await payment_paid(stage)
    await made.spend(60_000_000)
    ref = made.there.dispute()
    await made.refreshed()
    await made.send("submit_evidence", dispute_ref=ref, text="It was delivered.")
    await made.refreshed()
    made.there.close_dispute(ref, won=False)
    await made.refreshed()
    return made


async def payment_resumed(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, **SHORT)
    await made.create()
    await made.handle.terminate("recorded elsewhere")
    made.there.pay()
    await made.refreshed()
    return made


async def payment_of_an_escrow_frozen(stage: Stage) -> PaymentDriver:
    job = await stage.award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms), **SHORT)
    await made.create()
    made.there.pay()
    await made.refreshed()
    await made.happened("escrow_funded")
    ref = made.there.dispute()
    await made.refreshed()
    made.there.close_dispute(ref, won=True)
    await made.refreshed()
    return made


async def payment_paid_while_its_provider_was_away(stage: Stage) -> PaymentDriver:
    """A regular activity retries what the quick refresh has not got."""
    made = await new_payment(stage, **SHORT)
    await made.create()
    made.there.pay()
    stage.fake.breaks += ["unavailable"] * 2
    await made.refreshed()
    return made


async def payment_of_an_invoice_that_was_withdrawn(stage: Stage) -> PaymentDriver:
    payer = await new_payment(stage)
    invoice = await issued(stage.database, payer.terms.org_id)
    made = await new_payment(stage, org_id=payer.terms.org_id, purpose=invoice.purpose, **SHORT)
    await made.create()
    await invoice.void()
    made.there.pay()
    await made.refreshed()
    return made


#: By the names under which their histories are kept.
RUNS: dict[str, Callable[[Stage], Awaitable[PaymentDriver]]] = {
    "payment/succeeded": payment_paid,
    "payment/failed": payment_declined,
    "payment/expired": payment_expired,
    "payment/cancelled": payment_cancelled,
    "payment/refunded": payment_refunded,
    "payment/charged_back": payment_disputed_and_lost,
    "payment/escrow_funded": payment_of_an_escrow_frozen,
    "payment/purpose_gone": payment_of_an_invoice_that_was_withdrawn,
    "payment/provider_away": payment_paid_while_its_provider_was_away,
    "payment/resumed": payment_resumed,
}
