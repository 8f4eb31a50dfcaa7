"""Coupons and tax rates on subscriptions and invoices, through the official SDK, every answer and event checked."""

from fractions import Fraction

import pytest
import stripe

from dev.sandbox.stripe import discounting
from tests.sandbox.stripe.billing import Shop


@pytest.fixture
async def shop(stripe_sandbox) -> Shop:
    return await Shop(stripe_sandbox).open("2027-02-01")


async def rate(shop: Shop, percentage: float, *, inclusive: bool = False) -> str:
    made = {"display_name": "VAT", "percentage": percentage, "inclusive": inclusive}
    return (await shop.api.tax_rates.create_async(made)).id


@pytest.mark.parametrize(
    ("terms", "charged"),
    [
        ({"percent_off": 25, "duration": "once"}, [2250, 3000, 3000, 3000]),
        ({"percent_off": 33.3, "duration": "forever"}, [2001, 2001, 2001, 2001]),
        (
            {"amount_off": 1000, "currency": "usd", "duration": "repeating", "duration_in_months": 2},
            [2000, 2000, 3000, 3000],
        ),
        ({"amount_off": 9000, "currency": "usd", "duration": "once"}, [0, 3000, 3000, 3000]),
    ],
)
async def test_coupon_lasts_as_long_as_it_says(shop, terms, charged):
    coupon = await shop.api.coupons.create_async(terms)
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(), discounts=[{"coupon": coupon.id}])
    await shop.until("2027-05-01T02:00")
    assert [each.amount_paid for each in await shop.invoices(subscription.id)] == charged
    assert (await shop.api.coupons.retrieve_async(coupon.id)).times_redeemed == 1


async def test_credit_of_a_discounted_period_is_of_what_was_charged(shop):
    coupon = await shop.api.coupons.create_async({"percent_off": 50, "duration": "once"})
    customer = await shop.customer()
    subscription = await shop.subscribe(customer.id, await shop.price(2800), discounts=[{"coupon": coupon.id}])
    await shop.until("2027-02-15")
    await shop.change(subscription, price=await shop.price(5600), proration_behavior="always_invoice")
    invoice = (await shop.invoices(subscription.id))[-1]
    assert [line.amount for line in invoice.lines.data] == [-700, 2800]


async def test_coupon_that_is_used_up_is_refused_and_a_discount_taken_away(shop):
    coupon = await shop.api.coupons.create_async({"percent_off": 10, "duration": "forever", "max_redemptions": 1})
    customer, price = await shop.customer(), await shop.price(1000)
    subscription = await shop.subscribe(customer.id, price, discounts=[{"coupon": coupon.id}], expand=["discounts"])
    assert subscription.discounts[0].source.coupon == coupon.id
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.subscribe(customer.id, price, discounts=[{"coupon": coupon.id}])
    assert refused.value.code == "coupon_expired"
    assert (await shop.api.coupons.delete_async(coupon.id)).deleted
    await shop.api.subscriptions.delete_discount_async(subscription.id)
    assert (await shop.api.invoices.create_preview_async({"subscription": subscription.id})).total == 1000
    assert await shop.events("customer.discount") == ["customer.discount.created", "customer.discount.deleted"]


async def test_taxes_are_added_found_and_not_owed(shop):
    item = {"currency": "usd", "amount": 999}
    added, found = await rate(shop, 19), await rate(shop, 8.1, inclusive=True)
    customer = await shop.customer()
    for rates in ([added], [found]):
        await shop.api.invoice_items.create_async({**item, "customer": customer.id, "tax_rates": rates})
    include = {"pending_invoice_items_behavior": "include"}
    draft = await shop.api.invoices.create_async({"customer": customer.id, **include})
    # 189.8 on top of one, and 74.9 within the other.
    assert [each.amount for each in draft.total_taxes] == [190, 75]
    assert (draft.subtotal, draft.total, draft.total_excluding_tax) == (1998, 2188, 1923)
    assert (await shop.api.invoices.finalize_invoice_async(draft.id)).amount_due == 2188
    reverse = await shop.customer(tax_exempt="reverse")
    await shop.api.invoice_items.create_async({**item, "customer": reverse.id, "tax_rates": [added]})
    free = await shop.api.invoices.create_async({"customer": reverse.id, **include})
    assert (free.total, free.total_taxes[0].taxability_reason) == (999, "reverse_charge")


async def test_subscription_is_taxed_after_its_discount_each_period(shop):
    coupon = await shop.api.coupons.create_async({"percent_off": 10, "duration": "forever"})
    customer = await shop.customer()
    more = {"default_tax_rates": [await rate(shop, 20)], "discounts": [{"coupon": coupon.id}]}
    subscription = await shop.subscribe(customer.id, await shop.price(1000), **more)
    await shop.until("2027-03-01T02:00")
    for invoice in await shop.invoices(subscription.id):
        assert (invoice.subtotal, invoice.total_taxes[0].taxable_amount, invoice.total) == (1000, 900, 1080)


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({}, "percent_off"),
        ({"percent_off": 101}, "percent_off"),
        ({"amount_off": 5}, "currency"),
        ({"percent_off": 5, "duration": "repeating"}, "duration_in_months"),
        ({"percent_off": 5, "redeem_by": 1}, "redeem_by"),
    ],
)
async def test_coupon_that_cannot_be_is_refused(shop, params, param):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.coupons.create_async(params)
    assert refused.value.param == param


def test_fixed_amount_is_spread_without_a_rest():
    terms = {"percent_off": None, "amount_off": 100}
    parts = discounting.taken(terms, [333, 333, 333])
    assert sum(parts) == 100
    assert all(abs(Fraction(100, 3) - part) < 1 for part in parts)
    assert discounting.taken(terms, [30, 40]) == [30, 40]
