"""Bank transfers through the adapter: where to send the money, how long, what is left over, and giving it back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe

from domain.payments.payment.snapshot import ProviderStatus, RefundStatus, Snapshot
from providers.payments.base import ProviderRefused
from providers.payments.stripe.customers import StripeCustomers
from runtime.identity import new_id
from tests.providers.harness import key, paid_movement
from tests.providers.stripe_harness import RETURN_URL, SandboxHarness

BY_TRANSFER: Any = {
    "customer_balance": {"funding_type": "bank_transfer", "bank_transfer": {"type": "us_bank_transfer"}}
}


async def customer_of(sandbox: SandboxHarness) -> str:
    """Make a customer as organizations are: by name, with no address."""
    return await StripeCustomers(sandbox.client).ensure(new_id("org"), "Acme", idempotency_key=key("customer"))


async def asked(sandbox: SandboxHarness, customer: str) -> Snapshot:
    """Return a payment whose payer has chosen to send the money; which ways there are is set at Stripe."""
    return await sandbox.provider.retrieve((await intent_of(sandbox, customer)).id)


async def intent_of(sandbox: SandboxHarness, customer: str) -> stripe.PaymentIntent:
    return await sandbox.client.v1.payment_intents.create_async(
        {
            "amount": sandbox.amount_minor,
            "currency": "usd",
            "customer": customer,
            "allowed_payment_method_types": ["customer_balance"],
            "payment_method_data": {"type": "customer_balance"},
            "payment_method_options": BY_TRANSFER,
            "confirm": True,
        }
    )


async def on_a_page(sandbox: SandboxHarness, customer: str) -> Snapshot:
    """Return a page whose payer has chosen to send the money."""
    price = {"currency": "usd", "unit_amount": sandbox.amount_minor, "product_data": {"name": "50 credits"}}
    session = await sandbox.client.v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "customer": customer,
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": RETURN_URL,
            "allowed_payment_method_types": ["customer_balance"],
            "payment_method_options": BY_TRANSFER,
        }
    )
    other = await intent_of(sandbox, customer)
    await sandbox.client.v1.payment_intents.cancel_async(other.id)
    await sandbox.control("checkout", session=session.id, payment_method=other.payment_method)
    return await sandbox.provider.retrieve(session.id)


async def send(sandbox: SandboxHarness, customer: str, amount: int) -> None:
    params = {"amount": amount, "currency": "usd"}
    await sandbox.client.v1.test_helpers.customers.fund_cash_balance_async(customer, params)


def is_in_two_weeks(moment: datetime | None) -> bool:
    return moment is not None and abs(moment - datetime.now(UTC) - timedelta(days=14)) < timedelta(minutes=5)


async def test_payer_of_a_transfer_gets_instructions_and_two_weeks(sandbox: SandboxHarness):
    customer = await customer_of(sandbox)
    told = await asked(sandbox, customer)
    assert told.status is ProviderStatus.REQUIRES_ACTION
    assert told.action.client_secret
    assert "/bank_transfer/" in str(told.action.redirect_url)
    assert is_in_two_weeks(told.pays_until)
    await send(sandbox, customer, sandbox.amount_minor)
    paid = await sandbox.provider.retrieve(told.ref)
    assert (paid.status, paid.action, paid.pays_until) == (ProviderStatus.SUCCEEDED, None, None)
    assert paid_movement(paid).amount_minor == sandbox.amount_minor


async def test_page_that_waits_for_a_transfer_is_paid_when_it_comes(sandbox: SandboxHarness):
    customer = await customer_of(sandbox)
    told = await on_a_page(sandbox, customer)
    assert told.status is ProviderStatus.REQUIRES_ACTION
    assert told.action.client_secret is None
    assert "/bank_transfer/" in str(told.action.redirect_url)
    assert is_in_two_weeks(told.pays_until)
    await send(sandbox, customer, sandbox.amount_minor)
    assert (await sandbox.provider.retrieve(told.ref)).status is ProviderStatus.SUCCEEDED


@pytest.mark.parametrize("way", [asked, on_a_page])
async def test_cancelled_transfer_leaves_received_money_with_the_customer(sandbox: SandboxHarness, way):
    customer, customers = await customer_of(sandbox), StripeCustomers(sandbox.client)
    assert await customers.unused_cash(customer) == {}
    told = await way(sandbox, customer)
    await send(sandbox, customer, 300)
    assert await customers.unused_cash(customer) == {}
    ended = await sandbox.provider.cancel(told.ref, idempotency_key=key("cancel"))
    assert (ended.status, ended.pays_until, ended.movements) == (ProviderStatus.CANCELLED, None, ())
    assert await customers.unused_cash(customer) == {"USD": 300}
    await send(sandbox, customer, 700)
    assert await customers.unused_cash(customer) == {"USD": 1000}
    assert (await sandbox.provider.retrieve(told.ref)).status is ProviderStatus.CANCELLED


@pytest.mark.parametrize("way", [asked, on_a_page])
async def test_refund_of_a_transfer_needs_an_address_and_says_so(sandbox: SandboxHarness, way):
    customer = await customer_of(sandbox)
    told = await way(sandbox, customer)
    await send(sandbox, customer, sandbox.amount_minor)

    async def refund(refund_id: str):
        return await sandbox.provider.refund(
            told.ref, refund_id=refund_id, amount_minor=700, reason=None, idempotency_key=key("refund")
        )

    with pytest.raises(ProviderRefused, match=f"{customer} has no e-mail address") as refused:
        await refund(new_id("rfd"))
    assert refused.value.code == "payment.refund_needs_email"
    await sandbox.client.v1.customers.update_async(customer, {"email": "payer@example.com"})
    refund_id = new_id("rfd")
    made = await refund(refund_id)
    assert (made.status, made.refund_id) == (RefundStatus.PENDING, refund_id)
    with pytest.raises(ProviderRefused) as refused:
        await sandbox.provider.refund(
            told.ref, refund_id=new_id("rfd"), amount_minor=5000, reason=None, idempotency_key=key("refund")
        )
    assert refused.value.code != "payment.refund_needs_email"
