"""An unpaid payment that is no longer needed is cancelled at its provider."""

import asyncio

import pytest

from tests.api.conftest import good, new_key
from tests.support.looking import again
from tests.workflows.conftest import Job, Stage
from tests.workflows.payment_driver import PaymentDriver, for_escrow, new_payment
from tests.workflows.shop import Shop
from tests.workflows.test_one_payment_under_way import invoice_of, pay
from tests.workflows.test_payment_invoice import billed

pytestmark = [pytest.mark.timeskip, pytest.mark.db]


async def cancel_while_created(stage: Stage, job: Job, made: PaymentDriver) -> None:
    """Cancel the escrow after the provider has made the payment, and before it answers."""
    stage.fake.hangs["create"] = asyncio.Event()
    creating = asyncio.create_task(made.create())
    while not stage.fake.count(made.terms.payment_id):
        await again()
    await job.send("cancel", job.procurement)
    stage.fake.hangs.pop("create").set()
    await creating


@pytest.mark.parametrize("act", ["void", "mark-uncollectible", "credit-notes"])
async def test_payment_of_an_invoice_on_which_nothing_is_due_any_more_is_cancelled(shop: Shop, act: str) -> None:
    invoice = await invoice_of(shop)
    made = good(await pay(shop, invoice, {}), 201)
    body = {"reason": "Not delivered."} if act == "credit-notes" else {}
    answer = await shop.operator.post(f"/billing/invoices/{invoice['id']}/{act}", body, key=new_key())
    ended = {"void": "void", "mark-uncollectible": "uncollectible", "credit-notes": "paid"}[act]
    good(answer, answer.status_code)
    assert good(await shop.payer.get(f"/billing/invoices/{invoice['id']}"))["status"] == ended
    await shop.until(made, "cancelled")
    there = shop.there(made)
    assert (there.status, there.received) == (there.ends_as, 0)
    timeline = good(await shop.payer.get(f"/payments/{made['id']}/timeline"))["data"]
    assert timeline[-2]["details"]["why"] == f"the invoice is {ended}"


async def test_payment_of_a_partly_credited_invoice_continues(shop: Shop) -> None:
    invoice = await invoice_of(shop)
    made = good(await pay(shop, invoice, {}), 201)
    body = {"amount": "4.00", "reason": "Goodwill."}
    good(await shop.operator.post(f"/billing/invoices/{invoice['id']}/credit-notes", body, key=new_key()), 201)
    await shop.refreshed(made)
    assert (await shop.look(made))["status"] == "requires_action"


async def test_poll_finds_that_the_invoice_has_ended_where_the_signal_was_lost(stage: Stage) -> None:
    made, invoice = await billed(stage)
    await invoice.void()
    await made.pass_time(hours=7)
    state = await made.until("cancelled")
    assert (state.cancelled_by, made.there.status) == ("workflow", made.there.ends_as)


async def test_payment_whose_escrow_has_ended_is_not_created(stage: Stage, award) -> None:
    job = await award(balance=1)
    await job.open()
    purpose = for_escrow(job.terms)
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=purpose, method_ref="pm_ok")
    stage.fake.calls.clear()
    stage.fake.away.add("create")
    creating = asyncio.create_task(made.create())
    while "create" not in {call for call, _ in stage.fake.calls}:
        await again()
    await job.send("cancel", job.procurement)
    stage.fake.away.discard("create")
    await creating
    state = await made.until("cancelled")
    assert (state.received_minor, stage.fake.count(made.terms.payment_id)) == (0, 0)


async def test_payment_whose_escrow_ends_during_its_creation_is_cancelled(stage: Stage, award) -> None:
    job = await award(balance=1)
    await job.open()
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=for_escrow(job.terms))
    await cancel_while_created(stage, job, made)
    await made.until("cancelled")
    assert (made.there.status, made.there.received) == (made.there.ends_as, 0)


async def test_payment_with_a_card_whose_escrow_ends_while_it_is_charged_is_refunded(stage: Stage, award) -> None:
    job = await award(balance=1)
    await job.open()
    purpose = for_escrow(job.terms)
    made = await new_payment(stage, org_id=job.terms.payer_org_id, purpose=purpose, method_ref="pm_ok")
    await cancel_while_created(stage, job, made)
    await made.happened("refund_booked")
    assert (made.there.received, made.there.gone) == (1000, 1000)
    assert await made.money() == {"wallet": 1, "own": 0, "debt": 0}
