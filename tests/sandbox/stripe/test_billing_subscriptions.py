"""Subscriptions from their first invoice to their end, through the official SDK, every answer and event checked."""

import pytest
import stripe

from tests.sandbox.stripe.billing import DAY, Shop, moment, period
from tests.support.cases import for_each


@pytest.fixture
async def shop(stripe_sandbox) -> Shop:
    return await Shop(stripe_sandbox).open()


async def test_stored_card_pays_the_first_invoice_and_the_subscription_is_active(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(), expand=["latest_invoice.payments"])
    invoice = subscription.latest_invoice
    assert (subscription.status, invoice.status, invoice.amount_paid) == ("active", "paid", 3000)
    assert (invoice.billing_reason, invoice.number[-5:]) == ("subscription_create", "-0001")
    assert period(subscription) == (moment("2027-01-31"), moment("2027-02-28"))
    intent = await shop.api.payment_intents.retrieve_async(invoice.payments.data[0].payment.payment_intent)
    assert (intent.status, intent.amount_received, intent.customer) == ("succeeded", 3000, customer.id)
    assert await shop.events("customer.subscription", "invoice.") == [
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]


async def test_declined_first_payment_leaves_an_incomplete_subscription_that_expires(shop):
    customer = await shop.customer("pm_card_chargeCustomerFail")
    subscription = await shop.subscribe(customer.id, await shop.price())
    assert subscription.status == "incomplete"
    await shop.until("2027-01-31T23:30")
    ended = await shop.api.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})
    assert (ended.status, ended.latest_invoice.status) == ("incomplete_expired", "void")
    assert (await shop.api.subscriptions.list_async({"customer": customer.id})).data == []
    seen = await shop.api.customers.retrieve_async(customer.id, {"expand": ["subscriptions"]})
    assert seen.subscriptions.data == []


async def test_default_incomplete_waits_for_the_payer_and_stores_the_card(shop):
    customer = await shop.customer(None)
    settings = {"save_default_payment_method": "on_subscription"}
    more = {"payment_behavior": "default_incomplete", "payment_settings": settings}
    expand = ["latest_invoice.confirmation_secret"]
    made = await shop.subscribe(customer.id, await shop.price(), expand=expand, **more)
    secret = made.latest_invoice.confirmation_secret.client_secret
    assert (made.status, made.latest_invoice.status) == ("incomplete", "open")
    intent = secret.split("_secret")[0]
    never = {"payment_method": "pm_card_authenticationRequiredOnSetup", "return_url": "https://example.com"}
    await shop.api.payment_intents.confirm_async(intent, never)
    await shop.sandbox.control("three_d_secure", payment_intent=intent)
    paid = await shop.api.subscriptions.retrieve_async(made.id)
    method = await shop.api.payment_methods.retrieve_async(paid.default_payment_method)
    assert (paid.status, method.customer) == ("active", customer.id)
    await shop.until("2027-02-28T02:00")
    assert [each.status for each in await shop.invoices(made.id)] == ["paid", "paid"]


async def test_error_if_incomplete_leaves_nothing(shop):
    customer = await shop.customer("pm_card_chargeCustomerFail")
    price = await shop.price()
    with pytest.raises(stripe.CardError) as refused:
        await shop.subscribe(customer.id, price, payment_behavior="error_if_incomplete")
    assert refused.value.code == "card_declined"
    assert (await shop.api.subscriptions.list_async({"status": "all"})).data == []
    assert (await shop.api.invoices.list_async()).data == []
    customer = await shop.customer(None)
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        await shop.subscribe(customer.id, price)


async def test_trial_is_free_and_announced_and_then_charged(shop):
    customer = await shop.customer()
    made = await shop.subscribe(customer.id, await shop.price(), trial_period_days=10, expand=["latest_invoice"])
    assert (made.status, made.latest_invoice.status, made.latest_invoice.total) == ("trialing", "paid", 0)
    await shop.until("2027-02-10T02:00")
    assert "customer.subscription.trial_will_end" in await shop.events()
    active = await shop.api.subscriptions.retrieve_async(made.id, {"expand": ["latest_invoice"]})
    assert (active.status, active.latest_invoice.amount_paid) == ("active", 3000)
    assert period(active) == (moment("2027-02-10"), moment("2027-03-10"))


async def test_trial_without_a_card_asks_for_one_that_is_charged_when_it_ends(shop):
    customer = await shop.customer(None)
    made = await shop.subscribe(customer.id, await shop.price(), trial_period_days=10)
    never = {"payment_method": "pm_card_authenticationRequiredOnSetup", "return_url": "https://example.com"}
    await shop.api.setup_intents.confirm_async(made.pending_setup_intent, never)
    await shop.sandbox.control("three_d_secure", setup_intent=made.pending_setup_intent)
    stored = await shop.api.subscriptions.retrieve_async(made.id)
    assert (stored.pending_setup_intent, stored.default_payment_method is None) == (None, False)
    await shop.until("2027-02-10T02:00")
    assert [each.status for each in await shop.invoices(made.id)] == ["paid", "paid"]


async def test_month_ends_clamp_and_keep_the_day_of_the_anchor(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price())
    ends = []
    for at in ("2027-02-28T02:00", "2027-03-31T02:00", "2027-04-30T02:00"):
        await shop.until(at)
        renewed = await shop.api.subscriptions.retrieve_async(subscription.id)
        ends.append(period(renewed)[1])
    assert ends == [moment("2027-03-31"), moment("2027-04-30"), moment("2027-05-31")]
    assert [each.amount_paid for each in await shop.invoices(subscription.id)] == [3000] * 4


async def test_upgrade_is_prorated_by_the_second_and_charged_at_once(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(2900), billing_cycle_anchor=moment("2027-02-01"))
    # 1 of 31 days of a month that began on 1 January.
    assert (await shop.invoices(subscription.id))[0].amount_paid == 94
    await shop.until("2027-02-11")
    dearer = await shop.price(9900)
    await shop.change(subscription, price=dearer, proration_behavior="always_invoice")
    invoice = (await shop.invoices(subscription.id))[-1]
    # 18 of 28 days are left of both: 1864.3 and 6364.3.
    assert [line.amount for line in invoice.lines.data] == [-1864, 6364]
    assert all(line.parent.subscription_item_details.proration for line in invoice.lines.data)
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 4500, "subscription_update")


async def test_prorations_wait_for_the_renewal_and_quantities_count(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(1000))
    await shop.until("2027-02-14")
    await shop.change(subscription, quantity=3)
    assert len(await shop.invoices(subscription.id)) == 1
    await shop.until("2027-02-28T02:00")
    renewal = (await shop.invoices(subscription.id))[-1]
    assert [line.amount for line in renewal.lines.data] == [-500, 1500, 3000]
    assert renewal.amount_paid == 4000


async def test_downgrade_leaves_a_credit_that_pays_later_invoices(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(9000))
    await shop.until("2027-02-14")
    await shop.change(subscription, price=await shop.price(1000), proration_behavior="always_invoice")
    credit = (await shop.invoices(subscription.id))[-1]
    assert (credit.total, credit.amount_due, credit.status, credit.ending_balance) == (-4000, 0, "paid", -4000)
    await shop.until("2027-02-28T02:00")
    renewal = (await shop.invoices(subscription.id))[-1]
    assert (renewal.total, renewal.starting_balance, renewal.amount_due, renewal.status) == (1000, -4000, 0, "paid")
    assert (await shop.api.customers.retrieve_async(customer.id)).balance == -3000


async def test_change_of_interval_begins_a_new_period_and_is_charged_at_once(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(2800))
    await shop.until("2027-02-14")
    changed = await shop.change(subscription, price=await shop.price(28000, "year"))
    assert period(changed) == (moment("2027-02-14"), moment("2028-02-14"))
    invoice = (await shop.invoices(subscription.id))[-1]
    assert [line.amount for line in invoice.lines.data] == [-1400, 28000]
    assert invoice.status == "paid"


async def test_preview_is_what_is_charged_and_leaves_nothing(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(2900))
    await shop.until("2027-02-10T07:11")
    item, dearer = subscription["items"].data[0].id, await shop.price(9900)
    details = {"items": [{"id": item, "price": dearer}], "proration_behavior": "always_invoice"}
    asked = {"subscription": subscription.id, "subscription_details": details}
    preview = await shop.api.invoices.create_preview_async(asked)
    assert (preview.id[:9], preview.status, len(await shop.invoices(subscription.id))) == ("upcoming_", "draft", 1)
    events = await shop.events()
    await shop.change(subscription, price=dearer, proration_behavior="always_invoice")
    charged = (await shop.invoices(subscription.id))[-1]
    assert [line.amount for line in preview.lines.data] == [line.amount for line in charged.lines.data]
    assert preview.amount_due == charged.amount_paid
    assert len(events) < len(await shop.events())
    renewal = await shop.api.invoices.create_preview_async({"subscription": subscription.id})
    assert (renewal.amount_due, renewal.period_end) == (9900, moment("2027-02-28"))


async def test_cancel_at_period_end_can_be_taken_back_and_ends_in_time(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price())
    ending = await shop.api.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    assert (ending.status, ending.cancel_at) == ("active", moment("2027-02-28"))
    kept = await shop.api.subscriptions.update_async(subscription.id, {"cancel_at_period_end": False})
    assert (kept.cancel_at, kept.canceled_at) == (None, None)
    await shop.until("2027-02-21T02:00")
    assert await shop.events("invoice.upcoming") == ["invoice.upcoming"]
    await shop.api.subscriptions.update_async(subscription.id, {"cancel_at_period_end": True})
    with pytest.raises(stripe.InvalidRequestError, match="no upcoming invoice"):
        await shop.api.invoices.create_preview_async({"subscription": subscription.id})
    await shop.until("2027-02-28T02:00")
    ended = await shop.api.subscriptions.retrieve_async(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", moment("2027-02-28"))
    assert len(await shop.invoices(subscription.id)) == 1
    assert (await shop.events("customer.subscription"))[-1] == "customer.subscription.deleted"


async def test_cancel_now_credits_what_is_unused_where_that_is_asked_for(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(2800))
    await shop.until("2027-02-14")
    ended = await shop.api.subscriptions.cancel_async(subscription.id, {"prorate": True, "invoice_now": True})
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "cancellation_requested")
    assert (await shop.api.customers.retrieve_async(customer.id)).balance == -1400
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.subscriptions.cancel_async(subscription.id)


async def test_renewal_that_is_declined_is_past_due_retried_and_ends(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price())
    await shop.pays_by(customer.id, "pm_card_chargeCustomerFail")
    await shop.until("2027-02-28T02:00")
    failed = await shop.api.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice"]})
    assert (failed.status, failed.latest_invoice.status, failed.latest_invoice.attempt_count) == ("past_due", "open", 1)
    assert failed.latest_invoice.next_payment_attempt == moment("2027-03-03T01:00")
    await shop.until("2027-03-08T02:00")
    assert (await shop.invoices(subscription.id))[-1].attempt_count == 3
    await shop.until("2027-03-15T02:00")
    ended = await shop.api.subscriptions.retrieve_async(subscription.id)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    assert (await shop.events("invoice.payment_failed")) == ["invoice.payment_failed"] * 4


async def test_past_due_is_active_again_when_the_invoice_is_paid(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price())
    await shop.pays_by(customer.id, "pm_card_chargeCustomerFail")
    await shop.until("2027-02-28T02:00")
    invoice = (await shop.invoices(subscription.id))[-1]
    with pytest.raises(stripe.CardError):
        await shop.api.invoices.pay_async(invoice.id)
    method = await shop.pays_by(customer.id, "pm_card_visa")
    paid = await shop.api.invoices.pay_async(invoice.id, {"payment_method": method})
    assert (paid.status, paid.amount_paid) == ("paid", 3000)
    assert (await shop.api.subscriptions.retrieve_async(subscription.id)).status == "active"
    await shop.until("2027-03-28")
    assert len(await shop.invoices(subscription.id)) == 2


async def test_renewal_that_needs_its_payer_waits_for_them(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price())
    await shop.pays_by(customer.id, "pm_card_authenticationRequired")
    await shop.until("2027-02-28T02:00")
    renewed = await shop.api.subscriptions.retrieve_async(subscription.id, {"expand": ["latest_invoice.payments"]})
    invoice = renewed.latest_invoice
    assert (renewed.status, invoice.status) == ("past_due", "open")
    assert (await shop.events("invoice.payment_"))[-2:] == ["invoice.payment_action_required", "invoice.payment_failed"]
    intent = invoice.payments.data[0].payment.payment_intent
    assert (await shop.api.payment_intents.retrieve_async(intent)).status == "requires_action"
    await shop.sandbox.control("three_d_secure", payment_intent=intent)
    assert (await shop.api.subscriptions.retrieve_async(subscription.id)).status == "active"
    assert (await shop.invoices(subscription.id))[-1].status == "paid"


async def test_without_a_test_clock_the_sandbox_clock_renews(stripe_sandbox):
    shop = Shop(stripe_sandbox)
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(interval="week"))
    await stripe_sandbox.control("clock", advance=7 * DAY + 3700)
    renewed = await shop.api.subscriptions.retrieve_async(subscription.id)
    assert period(renewed)[0] == period(subscription)[1]
    assert [each.status for each in await shop.invoices(subscription.id)] == ["paid", "paid"]


async def test_items_are_added_changed_and_taken_away_one_by_one(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(1000))
    seats = await shop.price(500)
    added = await shop.api.subscription_items.create_async(
        {"subscription": subscription.id, "price": seats, "quantity": 2, "proration_behavior": "none"}
    )
    changed = await shop.api.subscription_items.update_async(added.id, {"quantity": 4, "proration_behavior": "none"})
    assert (changed.quantity, changed.price.id) == (4, seats)
    await shop.until("2027-02-28T02:00")
    assert (await shop.invoices(subscription.id))[-1].total == 3000
    assert (await shop.api.subscription_items.delete_async(added.id)).deleted
    last = subscription["items"].data[0].id
    with pytest.raises(stripe.InvalidRequestError, match="at least one"):
        await shop.api.subscription_items.delete_async(last)


@for_each(
    "params, param",
    [
        ({"items": [{"price": "price_none"}]}, "items[0][price]"),
        ({"items": []}, "items"),
        ({"trial_period_days": 3, "trial_end": moment("2027-03-01")}, "trial_end"),
        ({"collection_method": "send_invoice"}, "days_until_due"),
        ({"default_payment_method": "pm_none"}, "default_payment_method"),
        ({"billing_cycle_anchor": moment("2027-06-01")}, "billing_cycle_anchor"),
        ({"payment_behavior": "pending_if_incomplete"}, "payment_behavior"),
        ({"transfer_data": {"destination": "acct_1"}}, "transfer_data"),
    ],
)
async def test_subscription_that_cannot_be_is_refused(shop, params, param):
    customer, price = await shop.customer(), await shop.price()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.subscriptions.create_async({"customer": customer.id, "items": [{"price": price}], **params})
    assert refused.value.param == param
