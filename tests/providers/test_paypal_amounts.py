"""Amounts go to PayPal and come back in its own decimals, or are never sent."""

import pytest

from providers.payments.base import ProviderRefused
from providers.payments.paypal.amounts import SUPPORTED, WITHOUT_DECIMALS, from_paypal, to_paypal
from tests.support.cases import for_each
from tests.support.paypal import a_payment


@pytest.mark.parametrize(
    ("currency", "minor", "value"),
    [("USD", 5, "0.05"), ("JPY", 1500, "1500"), ("HUF", 150_000, "1500"), ("TWD", 100, "1")],
)
async def test_amounts_go_there_and_come_back_in_paypals_own_decimals(paypal, provider, currency, minor, value):
    payment = a_payment(currency=currency, amount_minor=minor)
    order = await provider.create(payment, idempotency_key="k")
    assert (order.amount_minor, order.currency) == (minor, currency)
    assert (await paypal.orders())[0]["purchase_units"][0]["amount"]["value"] == value


async def test_a_whole_unit_currency_is_charged_and_refunded(paypal, provider):
    paid = await paypal.paid(provider, a_payment(currency="HUF", amount_minor=150_000))
    refund = await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=50_000, reason=None, idempotency_key="r")
    assert (paid.movements[0].fee_minor, refund.amount_minor) == (5300, 50_000)
    with pytest.raises(ProviderRefused):
        await provider.refund(paid.ref, refund_id="rfd_2", amount_minor=50, reason=None, idempotency_key="r2")


@pytest.mark.parametrize(("currency", "minor"), [("HUF", 150), ("TWD", 1), ("BHD", 1000), ("CREDIT", 1), ("USD", 0)])
async def test_an_amount_that_paypal_cannot_take_is_never_sent(paypal, provider, currency, minor):
    with pytest.raises(ProviderRefused):
        await provider.create(a_payment(currency=currency, amount_minor=minor), idempotency_key="k")
    assert paypal.exchanges == []


@for_each("currency", sorted(SUPPORTED))
def test_every_currency_reads_back_what_it_writes(currency):
    for minor in (100, 1_000_000, 123_400):
        written = to_paypal(minor, currency)
        assert ("." in written["value"]) == (currency not in WITHOUT_DECIMALS)
        assert from_paypal(written) == minor


@pytest.mark.parametrize("value", ["0.001", "NaN", "", None])
def test_an_amount_that_the_books_cannot_hold_is_refused(value):
    with pytest.raises(ProviderRefused):
        from_paypal({"currency_code": "USD", "value": value})
