"""Payments of invoices through their run: paid once, and due again after refunds."""

import asyncio

import pytest

from domain.common.errors import WrongInvoiceState
from domain.payments.payment.state import Fulfilment, Payment, PaymentStatus
from repositories.billing import credit_note, invoice as invoices
from runtime.identity import new_id
from tests.support.chains import AMOUNTS
from tests.support.invoices import Issued, issued
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import PaymentDriver, new_payment
from tests.workflows.test_payment_crypto import Wallet, paying

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus
NOTHING = {"wallet": 0, "own": 0, "debt": 0}


async def billed(stage: Stage, **changes: object) -> tuple[PaymentDriver, Issued]:
    """Begin to pay an invoice of 10 dollars."""
    made = await new_payment(stage, **changes)
    invoice = await issued(stage.database, made.terms.org_id)
    return await another(made, invoice, **changes), invoice


async def another(made: PaymentDriver, invoice: Issued, **changes: object) -> PaymentDriver:
    """Begin another payment of the same invoice, of all that is due."""
    due = (await invoice.standing()).due_minor
    terms = {"purpose": invoice.purpose, "amount_minor": due} | changes
    other = await new_payment(made.stage, org_id=made.terms.org_id, **terms)
    await other.create()
    return other


async def paid(stage: Stage) -> tuple[PaymentDriver, Issued]:
    made, invoice = await billed(stage)
    await pay(made)
    return made, invoice


async def pay(made: PaymentDriver) -> None:
    made.there.pay()
    await made.refreshed()
    await made.happened("invoice_paid")


async def sent_back(made: PaymentDriver) -> Payment:
    state = await made.until("refunded")
    while not state.refunds[0].moved_minor:
        state = await made.state()
        await again()
    return state


async def test_invoice_is_paid_with_the_received_money(stage: Stage):
    made, invoice = await paid(stage)
    assert await invoice.stands() == ("paid", 1000)
    assert await invoice.paid_by() == {made.terms.payment_id: 1000}
    assert await made.money() == NOTHING
    assert await made.kinds() == ["created", "submitted", "received", "invoice_paid"]
    assert (await made.state()).fulfilment is Fulfilment.DONE
    told = (await made.timeline())[-1].details
    assert told == {"invoice_id": invoice.row.id, "amount": "10.00", "currency": "USD"}


async def test_stored_method_pays_the_invoice_before_the_response(stage: Stage):
    made = await new_payment(stage)
    invoice = await issued(stage.database, made.terms.org_id)
    await another(made, invoice, method_ref="pm_ok", off_session=True)
    assert await invoice.stands() == ("paid", 1000)


async def test_one_of_concurrent_payments_pays_and_the_others_are_returned(stage: Stage):
    first, invoice = await billed(stage)
    made = [first]
    for _ in range(3):
        # A cancelled payment makes room for the next one, and may be paid all the same.
        await made[-1].send("cancel")
        made.append(await another(first, invoice))
    for each in made:
        each.there.pay()
    await asyncio.gather(*(each.refreshed() for each in made))
    took: list[PaymentDriver] = []
    for each in made:
        while not {"invoice_paid", "purpose_gone"} & set(kinds := await each.kinds()):
            await again()
        took += [each] if "invoice_paid" in kinds else []
    (payer,) = took
    for each in made:
        if each is not payer:
            state = await sent_back(each)
            assert (state.fulfilment, each.there.gone) == (Fulfilment.GONE, 1000)
            assert "payment.purpose_gone" in await each.alerts()
    assert await invoice.stands() == ("paid", 1000)
    assert await invoice.paid_by() == {payer.terms.payment_id: 1000}
    assert await first.money() == NOTHING


async def test_money_on_its_way_for_a_voided_invoice_is_returned(stage: Stage):
    made, invoice = await billed(stage)
    await invoice.void()
    made.there.pay()
    await made.refreshed()
    state = await sent_back(made)
    assert state.refunds[0].reason == "This invoice is void. It cannot be paid."
    assert made.there.gone == 1000
    assert await invoice.stands() == ("void", 0)
    assert await invoice.paid_by() == {}
    assert await made.money() == NOTHING


async def test_pitfall_05_invoice_is_either_paid_or_voided_in_a_race(stage: Stage):
    ends = set()
    for _ in range(4):
        made, invoice = await billed(stage)
        made.there.pay()
        withdrawing = asyncio.create_task(invoice.void())
        await made.refreshed()
        (refusal,) = await asyncio.gather(withdrawing, return_exceptions=True)
        status, _ = await invoice.stands()
        while not {"invoice_paid", "purpose_gone"} & set(await made.kinds()):
            await again()
        status, paid_minor = await invoice.stands()
        if isinstance(refusal, WrongInvoiceState):
            assert (status, paid_minor) == ("paid", 1000)
        else:
            assert (refusal, status, paid_minor) == (None, "void", 0)
            await sent_back(made)
        ends.add(status)
        assert await made.money() == NOTHING
    assert ends <= {"paid", "void"}


async def test_partial_capture_pays_a_part_and_the_rest_stays_due(stage: Stage):
    made, invoice = await billed(stage, manual_capture=True)
    await made.send("confirm", method_ref="pm_ok")
    assert (await made.send("capture", amount_minor=600)).status == "succeeded"
    await made.happened("invoice_paid")
    assert await invoice.stands() == ("open", 600)
    rest = await another(made, invoice)
    assert rest.terms.amount_minor == 400
    await pay(rest)
    assert await invoice.stands() == ("paid", 1000)
    assert await invoice.paid_by() == {made.terms.payment_id: 600, rest.terms.payment_id: 400}


async def test_surplus_over_the_amount_due_becomes_cash(stage: Stage):
    made, invoice = await billed(stage)
    await made.send("cancel")
    part = await another(made, invoice, manual_capture=True)
    await part.send("confirm", method_ref="pm_ok")
    await part.send("capture", amount_minor=300)
    await part.happened("invoice_paid")
    await pay(made)
    assert await invoice.stands() == ("paid", 1000)
    assert await made.money() == {"wallet": 300, "own": 0, "debt": 0}
    await made.send("refund")
    assert await invoice.stands() == ("open", 300)
    assert await made.money() == NOTHING


async def test_a_refund_makes_the_invoice_due_again_and_somebody_pays_it_again(stage: Stage):
    made, invoice = await paid(stage)
    await made.send("refund", amount_minor=250)
    assert await invoice.stands() == ("open", 750)
    await made.send("refund")
    assert await invoice.stands() == ("open", 0)
    assert await made.money() == NOTHING
    again = await another(made, invoice)
    await pay(again)
    assert await invoice.stands() == ("paid", 1000)
    assert await invoice.paid_by() == {made.terms.payment_id: 0, again.terms.payment_id: 1000}


async def test_refunded_invoice_can_be_voided_and_stays_void_when_the_refund_fails(stage: Stage):
    made, invoice = await paid(stage)
    await made.send("refund", reason="pending")
    await invoice.void()
    (ref,) = made.there.refunds
    made.there.fail_refund(ref)
    await made.refreshed()
    assert await invoice.stands() == ("void", 0)
    assert await made.money() == {"wallet": 1000, "own": 0, "debt": 0}


async def test_a_goodwill_refund_credits_the_invoice_with_it_in_one_step_and_once(stage: Stage):
    made, invoice = await paid(stage)
    asked = {"amount_minor": 250, "reason": "goodwill", "credit_note": True, "refund_id": new_id("rfd")}
    key = new_id("cmd")
    for _ in range(2):
        await made.send("refund", key=key, **asked)
    async with stage.database.platform() as session:
        notes = [(n.amount_minor, n.reason) for n in await credit_note.of_invoice(session, invoice.row.id)]
        row = await invoices.get(session, invoice.row.id)
    assert (notes, row.credited_minor, row.paused_for) == ([(250, "goodwill")], 250, None)
    assert await invoice.stands() == ("paid", 750)
    state = await made.until("partially_refunded")
    assert [refund.amount_minor for refund in state.refunds] == [250]
    assert await made.money() == NOTHING


async def test_a_goodwill_refund_that_fails_late_stays_credited_and_its_money_is_the_organizations(stage: Stage):
    made, invoice = await paid(stage)
    await made.send("refund", amount_minor=400, reason="pending", credit_note=True)
    assert await invoice.stands() == ("paid", 600)
    (ref,) = made.there.refunds
    made.there.fail_refund(ref)
    await made.refreshed()
    await made.happened("refund_failed")
    assert await invoice.stands() == ("paid", 600)
    assert await made.money() == {"wallet": 400, "own": 0, "debt": 0}


async def test_a_refund_that_fails_late_pays_the_invoice_again(stage: Stage):
    made, invoice = await paid(stage)
    await made.send("refund", amount_minor=400, reason="pending")
    assert await invoice.stands() == ("open", 600)
    (ref,) = made.there.refunds
    made.there.fail_refund(ref)
    await made.refreshed()
    assert await invoice.stands() == ("paid", 1000)
    assert await made.money() == NOTHING


async def test_a_chargeback_makes_it_due_again_and_one_that_is_won_pays_it_again(stage: Stage):
    made, invoice = await paid(stage)
    ref = made.there.dispute()
    await made.refreshed()
    assert await invoice.stands() == ("open", 0)
    assert await made.money() == NOTHING
    assert "payment.debt" not in await made.alerts()
    made.there.close_dispute(ref, won=True)
    assert (await made.refreshed()).status is P.SUCCEEDED
    assert await invoice.stands() == ("paid", 1000)


async def test_a_chargeback_that_is_lost_leaves_the_invoice_due_and_no_debt(stage: Stage):
    made, invoice = await paid(stage)
    ref = made.there.dispute(400)
    await made.refreshed()
    made.there.close_dispute(ref, won=False)
    assert (await made.refreshed()).status is P.CHARGED_BACK
    assert await invoice.stands() == ("open", 600)
    assert await made.money() == NOTHING


async def test_chargeback_won_after_another_payment_becomes_cash(stage: Stage):
    made, invoice = await paid(stage)
    ref = made.there.dispute()
    await made.refreshed()
    other = await another(made, invoice)
    await pay(other)
    made.there.close_dispute(ref, won=True)
    await made.refreshed()
    assert await invoice.stands() == ("paid", 1000)
    assert await invoice.paid_by() == {made.terms.payment_id: 0, other.terms.payment_id: 1000}
    assert await made.money() == {"wallet": 1000, "own": 0, "debt": 0}


async def test_money_returned_between_two_polls_is_neither_paid_nor_owed(stage: Stage):
    made, invoice = await billed(stage)
    made.there.pay()
    made.there.refund(700)
    await made.refreshed()
    await made.happened("invoice_paid")
    assert await invoice.stands() == ("open", 300)
    assert await made.money() == NOTHING


async def test_resumed_run_pays_its_invoice(stage: Stage):
    made, invoice = await billed(stage)
    await made.handle.terminate("test")
    await pay(made)
    assert await invoice.stands() == ("paid", 1000)


# In coins -------------------------------------------------------------------------------------------------------------


async def in_coins(stage: Stage, asset: str = "BTC") -> tuple[Wallet, Issued]:
    made = await new_payment(stage)
    invoice = await issued(stage.database, made.terms.org_id, AMOUNTS[asset], asset)
    payer = await paying(stage, asset, org_id=made.terms.org_id, purpose=invoice.purpose, quote=None)
    return payer, invoice


@pytest.mark.usefixtures("chains")
async def test_coins_that_are_too_few_pay_a_part_when_the_time_is_over(stage: Stage):
    payer, invoice = await in_coins(stage)
    part = payer.amount * 2 // 5
    await payer.send(await payer.deposit(), part)
    await payer.pass_time(minutes=5)
    await payer.driver.happened("received")
    assert await invoice.stands() == ("open", 0)  # the rest may still come
    await payer.pass_time(hours=24)
    await payer.driver.happened("invoice_paid")
    assert await invoice.stands() == ("open", part)
    assert await payer.driver.money() == NOTHING


@pytest.mark.usefixtures("chains")
async def test_coins_that_are_too_many_pay_the_invoice_and_the_rest_is_on_the_balance(stage: Stage):
    payer, invoice = await in_coins(stage)
    place = await payer.deposit()
    await payer.send(place, payer.amount * 3)
    await payer.pass_time(minutes=5)
    await payer.driver.happened("invoice_paid")
    assert await invoice.stands() == ("paid", payer.amount)
    assert await payer.driver.money() == {"wallet": payer.amount * 2, "own": 0, "debt": 0}


@pytest.mark.usefixtures("chains")
async def test_coins_for_an_invoice_that_was_withdrawn_stay_on_the_balance(stage: Stage):
    payer, invoice = await in_coins(stage)
    await invoice.void()
    await payer.send(await payer.deposit(), payer.amount)
    await payer.pass_time(minutes=5)
    state = await payer.driver.happened("purpose_gone")
    assert state.refunds == ()
    assert await invoice.stands() == ("void", 0)
    assert await payer.driver.money() == {"wallet": payer.amount, "own": 0, "debt": 0}


@pytest.mark.usefixtures("chains")
async def test_reversed_deposit_is_due_again_until_it_is_included_again(stage: Stage):
    payer, invoice = await in_coins(stage, "ETH")
    await payer.mine(5)
    await payer.send(await payer.deposit(), payer.amount)
    await payer.pass_time(minutes=5)
    await payer.driver.happened("invoice_paid")
    assert await invoice.stands() == ("paid", payer.amount)
    await payer.reorganise(drop=False)
    await payer.pass_time(hours=2)
    await payer.driver.happened("reversed")
    assert await invoice.stands() == ("open", 0)
    await payer.mine(3)
    await payer.pass_time(hours=2)
    await payer.driver.happened("received", 2)
    assert await invoice.stands() == ("paid", payer.amount)
    assert await payer.driver.money() == NOTHING


async def test_invoice_is_not_paid_by_fully_refunded_money(stage: Stage):
    payer = await new_payment(stage)
    invoice = await issued(stage.database, payer.terms.org_id)
    made = await new_payment(stage, org_id=payer.terms.org_id, purpose=invoice.purpose)
    await made.create()
    made.there.pay()
    made.there.refund(1000)
    await made.refreshed()
    state = await made.happened("fulfilment_failed")
    assert (state.status, state.fulfilment) == ("refunded", "gone")
    assert "invoice_paid" not in await made.kinds()
    assert "payment.purpose_gone" not in await made.alerts()
