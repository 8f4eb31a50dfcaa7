"""Subscriptions that are bought on a page, invoices that are paid on one, and the portal that ends them."""

import pytest
import stripe

from tests.sandbox.stripe.billing import DAY, Shop


@pytest.fixture
def shop(stripe_sandbox) -> Shop:
    return Shop(stripe_sandbox)


async def opened(shop: Shop, *prices: str, **more):
    lines = [{"price": each, "quantity": 1} for each in prices]
    params = {"mode": "subscription", "line_items": lines, "success_url": "https://shop.example/done", **more}
    return await shop.api.checkout.sessions.create_async(params)


async def test_page_sells_a_subscription_and_what_comes_with_it(shop):
    once = await shop.api.prices.create_async(
        {"currency": "usd", "unit_amount": 500, "product_data": {"name": "Setup"}}
    )
    more = {"subscription_data": {"metadata": {"org": "org_1"}}, "client_reference_id": "org_1"}
    session = await opened(shop, await shop.price(2900), once.id, **more)
    assert (session.amount_total, session.subscription, session.payment_intent) == (3400, None, None)
    refused = await shop.sandbox.control("checkout", session=session.id, card="4000000000000002")
    assert (refused["error"]["code"], refused["session"]["status"]) == ("card_declined", "open")
    answer = await shop.sandbox.control("checkout", session=session.id, card="4000002500003155")
    assert answer["session"]["payment_status"] == "paid"
    bought = await shop.api.checkout.sessions.retrieve_async(session.id, {"expand": ["subscription.latest_invoice"]})
    subscription = bought.subscription
    assert (subscription.status, subscription.metadata.org, subscription.latest_invoice.amount_paid) == (
        "active",
        "org_1",
        3400,
    )
    assert (bought.invoice, bought.customer) == (subscription.latest_invoice.id, subscription.customer)
    assert subscription.default_payment_method is not None
    assert len((await shop.api.subscriptions.list_async({"status": "all"})).data) == 1
    assert "checkout.session.completed" in await shop.events()


async def test_page_begins_a_trial_and_stores_the_card(shop):
    session = await opened(shop, await shop.price(), subscription_data={"trial_period_days": 7})
    assert "30.00 USD / month" in (await shop.sandbox.http.get(session.url)).text
    refused = await shop.sandbox.control("checkout", session=session.id, card="4000000000000002")
    assert refused["error"]["code"] == "card_declined"
    answer = await shop.sandbox.control("checkout", session=session.id, card="4242424242424242")
    assert (answer["session"]["payment_status"], answer["session"]["amount_total"]) == ("no_payment_required", 0)
    subscription = answer["session"]["subscription"]
    await shop.sandbox.control("clock", advance=7 * DAY + 3700)
    assert (await shop.api.subscriptions.retrieve_async(subscription)).status == "active"


async def test_page_takes_off_a_coupon_and_adds_tax(shop):
    coupon = await shop.api.coupons.create_async({"percent_off": 10, "duration": "once"})
    tax = await shop.api.tax_rates.create_async({"display_name": "VAT", "percentage": 20, "inclusive": False})
    more = {"discounts": [{"coupon": coupon.id}], "subscription_data": {"default_tax_rates": [tax.id]}}
    session = await opened(shop, await shop.price(1000), **more)
    assert (session.amount_subtotal, session.amount_total) == (1000, 1080)
    assert (session.total_details.amount_discount, session.total_details.amount_tax) == (100, 180)
    assert (await shop.api.coupons.retrieve_async(coupon.id)).times_redeemed == 0
    paid = await shop.sandbox.control("checkout", session=session.id)
    invoice = await shop.api.invoices.retrieve_async(paid["session"]["invoice"])
    assert (invoice.amount_paid, paid["session"]["payment_status"]) == (1080, "paid")


async def test_session_that_expires_ends_what_was_not_paid(shop):
    session = await opened(shop, await shop.price())
    await shop.sandbox.control("checkout", session=session.id, card="4000000000000002")
    expired = await shop.api.checkout.sessions.expire_async(session.id)
    assert (await shop.api.subscriptions.retrieve_async(expired.subscription)).status == "incomplete_expired"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"mode": "payment"}, "line_items[0][price]"),
        ({"payment_intent_data": {"description": "x"}}, "payment_intent_data"),
        ({"subscription_data": {"transfer_data": {"destination": "acct_1"}}}, "transfer_data"),
    ],
)
async def test_session_that_cannot_sell_a_subscription_is_refused(shop, params, param):
    price = await shop.price()
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await opened(shop, price, **params)
    assert refused.value.param == param


async def test_hosted_invoice_is_paid_on_its_page(shop):
    customer = await shop.customer(None)
    made = await shop.subscribe(
        customer.id, await shop.price(2900), payment_behavior="default_incomplete", expand=["latest_invoice"]
    )
    url, http = made.latest_invoice.hosted_invoice_url, shop.sandbox.http
    assert "29.00 USD" in (await http.get(url)).text
    assert (await http.post(url, data={"number": "4000 0000 0000 0002"})).status_code == 402
    asked = await http.post(url, data={"number": "4000 0027 6000 3184"})
    assert asked.status_code == 303
    bank = await http.post(shop.sandbox.url + asked.headers["location"], data={"outcome": "succeed"})
    assert bank.headers["location"].startswith(url)
    assert "is paid" in (await http.get(url)).text
    assert (await shop.api.subscriptions.retrieve_async(made.id)).status == "active"


async def test_portal_cancels_at_the_end_of_the_period_and_takes_it_back(shop):
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price())
    features = {"subscription_cancel": {"enabled": True}}
    configuration = await shop.api.billing_portal.configurations.create_async({"features": features})
    params = {"customer": customer.id, "configuration": configuration.id}
    session = await shop.api.billing_portal.sessions.create_async(params)
    for action, ends in (("cancel", True), ("keep", False)):
        form = {"subscription": subscription.id, "action": action}
        assert (await shop.sandbox.http.post(session.url, data=form)).status_code == 200
        assert (await shop.api.subscriptions.retrieve_async(subscription.id)).cancel_at_period_end is ends
    plain = await shop.api.billing_portal.sessions.create_async({"customer": customer.id})
    assert (await shop.sandbox.http.post(plain.url, data={"subscription": subscription.id})).status_code == 404
