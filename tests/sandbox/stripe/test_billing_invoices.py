"""Invoices, their items and test clocks, through the official SDK, every answer and event checked."""

import pytest
import stripe

from tests.sandbox.stripe.billing import Shop, moment
from tests.sandbox.stripe.receiver import receiving


@pytest.fixture
async def shop(stripe_sandbox) -> Shop:
    return await Shop(stripe_sandbox).open()


async def invoice(shop: Shop, customer: str, *amounts: int, **more):
    for amount in amounts:
        await shop.api.invoice_items.create_async({"customer": customer, "amount": amount, "currency": "usd"})
    params = {"customer": customer, "pending_invoice_items_behavior": "include", **more}
    return await shop.api.invoices.create_async(params)


async def test_invoice_collects_what_waits_and_is_charged_when_it_is_paid(shop):
    customer = await shop.customer()
    draft = await invoice(shop, customer.id, 700, 300)
    assert (draft.status, draft.total, [line.amount for line in draft.lines.data]) == ("draft", 1000, [700, 300])
    opened = await shop.api.invoices.finalize_invoice_async(draft.id)
    assert (opened.status, opened.amount_remaining) == ("open", 1000)
    with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
        await shop.api.invoices.finalize_invoice_async(draft.id)
    paid = await shop.api.invoices.pay_async(draft.id)
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1000, 0)
    found = await shop.api.invoice_payments.list_async({"invoice": draft.id})
    assert [(each.status, each.amount_paid) for each in found.data] == [("paid", 1000)]
    by_intent = {"type": "payment_intent", "payment_intent": found.data[0].payment.payment_intent}
    assert (await shop.api.invoice_payments.list_async({"payment": by_intent})).data[0].invoice == draft.id
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.invoices.void_invoice_async(draft.id)
    assert refused.value.code == "invoice_not_editable"


async def test_intent_of_an_invoice_is_its_invoices_alone(shop):
    customer = await shop.customer()
    opened = await shop.api.invoices.finalize_invoice_async(
        (await invoice(shop, customer.id, 1000)).id, {"expand": ["payments"]}
    )
    intent = opened.payments.data[0].payment.payment_intent
    with pytest.raises(stripe.InvalidRequestError, match="belongs to an invoice"):
        await shop.api.payment_intents.cancel_async(intent)
    with pytest.raises(stripe.InvalidRequestError, match="belongs to an invoice"):
        await shop.api.payment_intents.update_async(intent, {"amount": 50})
    with pytest.raises(stripe.InvalidRequestError, match="combine currencies"):
        await shop.api.invoices.create_async({"customer": customer.id, "currency": "eur"})


async def test_void_takes_back_the_intent_and_returns_the_balance(shop):
    customer = await shop.customer(balance=-400)
    opened = await shop.api.invoices.finalize_invoice_async((await invoice(shop, customer.id, 1000)).id)
    assert (opened.amount_due, opened.starting_balance, opened.ending_balance) == (600, -400, 0)
    voided = await shop.api.invoices.void_invoice_async(opened.id, {"expand": ["payments"]})
    assert (voided.status, voided.payments.data[0].status) == ("void", "canceled")
    intent = await shop.api.payment_intents.retrieve_async(voided.payments.data[0].payment.payment_intent)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "void_invoice")
    assert (await shop.api.customers.retrieve_async(customer.id)).balance == -400


async def test_uncollectible_invoice_can_still_be_paid_otherwise(shop):
    customer = await shop.customer()
    opened = await shop.api.invoices.finalize_invoice_async((await invoice(shop, customer.id, 1000)).id)
    assert (await shop.api.invoices.mark_uncollectible_async(opened.id)).status == "uncollectible"
    paid = await shop.api.invoices.pay_async(opened.id, {"paid_out_of_band": True})
    assert (paid.status, paid.amount_paid_off_stripe) == ("paid", 1000)
    assert (await shop.events("invoice.mark", "invoice.paid")) == ["invoice.marked_uncollectible", "invoice.paid"]


async def test_too_little_to_charge_is_kept_for_the_next_invoice(shop):
    customer = await shop.customer()
    small = await shop.api.invoices.finalize_invoice_async((await invoice(shop, customer.id, 20)).id)
    assert (small.status, small.amount_due, small.ending_balance) == ("paid", 0, 20)
    assert (await invoice(shop, customer.id, 1000)).amount_due == 1020


async def test_invoice_that_is_sent_is_due_and_then_overdue(shop):
    customer = await shop.customer(None)
    sent = {"collection_method": "send_invoice", "days_until_due": 30}
    with pytest.raises(stripe.InvalidRequestError, match="Missing email"):
        await shop.subscribe(customer.id, await shop.price(), **sent)
    await shop.api.customers.update_async(customer.id, {"email": "billing@acme.example"})
    subscription = await shop.subscribe(customer.id, await shop.price(), **sent)
    assert subscription.status == "active"
    await shop.until("2027-01-31T02:00")
    (opened,) = await shop.invoices(subscription.id)
    assert (opened.status, opened.due_date, opened.attempt_count) == ("open", moment("2027-03-02"), 0)
    await shop.until("2027-02-28T02:00")
    assert (await shop.api.subscriptions.retrieve_async(subscription.id)).status == "active"
    await shop.until("2027-03-31T02:00")
    assert (await shop.api.subscriptions.retrieve_async(subscription.id)).status == "past_due"


async def test_draft_is_changed_and_deleted_and_its_items_wait_again(shop):
    customer = await shop.customer()
    draft = await invoice(shop, customer.id, 1000)
    changed = await shop.api.invoices.update_async(draft.id, {"description": "June", "auto_advance": True})
    assert (changed.description, changed.automatically_finalizes_at) == ("June", moment("2027-01-31T01:00"))
    assert (await shop.api.invoices.delete_async(draft.id)).deleted
    waiting = (await shop.api.invoice_items.list_async({"customer": customer.id, "pending": True})).data
    assert [each.amount for each in waiting] == [1000]
    await shop.until("2027-01-31T02:00")
    assert (await shop.api.invoices.list_async({"customer": customer.id})).data == []


async def test_subscription_that_is_unpaid_gets_drafts_only(shop):
    await shop.sandbox.control("billing", retry_days=[1], after_retries="unpaid")
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price())
    await shop.pays_by(customer.id, "pm_card_chargeCustomerFail")
    await shop.until("2027-03-02")
    assert (await shop.api.subscriptions.retrieve_async(subscription.id)).status == "unpaid"
    await shop.until("2027-03-31T02:00")
    assert [each.status for each in await shop.invoices(subscription.id)] == ["paid", "open", "draft"]


async def test_clock_advances_by_itself_and_notifies(shop):
    customer = await shop.customer()
    async with receiving(
        shop.sandbox.client, "test_helpers.test_clock.ready", "invoice.upcoming", "invoice.paid"
    ) as it:
        await shop.subscribe(customer.id, await shop.price())
        clocks = shop.api.test_helpers.test_clocks
        moving = await clocks.advance_async(shop.clock, {"frozen_time": moment("2027-03-01")})
        assert moving.status == "advancing"
        events = await it.until(4)
        assert sorted(it.types) == [
            "invoice.paid",
            "invoice.paid",
            "invoice.upcoming",
            "test_helpers.test_clock.ready",
        ]
        upcoming = next(event.data.object for event in events if event.type == "invoice.upcoming")
        assert (upcoming.id[:12], upcoming.amount_due) == ("upcoming_in_", 3000)
    with pytest.raises(stripe.InvalidRequestError, match="after its own"):
        await clocks.advance_async(shop.clock, {"frozen_time": moment("2027-02-01")})


async def test_clock_that_is_deleted_takes_its_customers_along(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price())
    assert (await shop.api.test_helpers.test_clocks.delete_async(shop.clock)).deleted
    assert (await shop.api.customers.retrieve_async(customer.id)).deleted
    assert (await shop.api.subscriptions.retrieve_async(subscription.id)).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError, match="No such"):
        await shop.api.test_helpers.test_clocks.retrieve_async(shop.clock)
