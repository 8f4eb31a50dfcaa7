"""The PayPal adapter against the sandbox: what each call leaves behind, and who may make it."""

import asyncio

import pytest

from domain.payments.payment.snapshot import NOT_FOUND, BalanceTransactionKind, DisputeEvidence, ProviderStatus
from providers.payments.base import CredentialsRefused, ProviderRefused
from providers.payments.paypal.client import CREDENTIALS_REFUSED
from providers.payments.paypal.snapshots import snapshot
from tests.support.paypal import a_payment


async def test_created_order_requires_approval_and_has_our_id(paypal, provider):
    order = await provider.create(a_payment(amount_minor=1205), idempotency_key="k")
    assert (order.status, order.amount_minor, order.currency) == (ProviderStatus.REQUIRES_ACTION, 1205, "USD")
    assert order.action.redirect_url == f"{paypal.url}/checkoutnow?token={order.ref}"
    [unit] = (await paypal.orders())[0]["purchase_units"]
    assert (unit["custom_id"], unit["invoice_id"], unit["amount"]["value"]) == ("pay_1", "pay_1", "12.05")


async def test_approved_order_is_captured_with_its_fee(paypal, provider):
    paid = await paypal.paid(provider, a_payment())
    [charge] = paid.movements
    assert paid.status is ProviderStatus.SUCCEEDED
    assert (charge.kind, charge.amount_minor, charge.fee_minor) == (BalanceTransactionKind.CHARGE, 1234, 92)
    assert (charge.payment_id, charge.ref) == ("pay_1", paid.ref)
    assert await provider.retrieve(paid.ref) == paid


@pytest.mark.parametrize(
    ("parts", "fee"),
    [
        ({}, None),
        ({"seller_receivable_breakdown": {"paypal_fee": {"currency_code": "USD", "value": "0.92"}}}, 92),
        # Nothing was kept of it, and nothing more is said.
        ({"seller_receivable_breakdown": {"net_amount": {"currency_code": "USD", "value": "12.34"}}}, 0),
    ],
)
def test_fee_is_awaited_until_paypal_has_divided_the_amount(parts, fee):
    amount = {"currency_code": "USD", "value": "12.34"}
    capture = {"id": "CAP", "status": "COMPLETED", "amount": amount, "create_time": "2026-01-01T00:00:00Z", **parts}
    unit = {"custom_id": "pay_1", "amount": amount, "payments": {"captures": [capture]}}
    [charge] = snapshot({"id": "ORD", "status": "COMPLETED", "purchase_units": [unit], "links": []}).movements
    assert charge.fee_minor == fee


async def test_an_order_that_is_not_approved_still_requires_its_payer(provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    assert await provider.confirm(order.ref, None, idempotency_key="c") == order


async def test_an_approved_order_requires_nothing_more_of_the_payer(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    approved = await provider.retrieve(order.ref)
    assert (approved.status, approved.action) == (ProviderStatus.REQUIRES_ACTION, None)
    links = [{"rel": "approve", "href": "https://paypal.test"}]
    assert snapshot((await paypal.orders())[0] | {"links": links}) == approved


async def test_a_second_confirm_with_another_key_takes_nothing_more(paypal, provider):
    paid = await paypal.paid(provider, a_payment())
    assert await provider.confirm(paid.ref, None, idempotency_key="another") == paid


async def test_two_confirms_at_once_take_the_money_once(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    both = await asyncio.gather(*(provider.confirm(order.ref, None, idempotency_key=key) for key in ("a", "b")))
    assert both[0] == both[1]
    assert len(both[0].movements) == 1


@pytest.mark.parametrize("key", ["k", "k" * 109, "k" * 200], ids=len)
async def test_same_key_of_any_length_gives_the_same_order(paypal, provider, key):
    first, second = [await provider.create(a_payment(), idempotency_key=key) for _ in range(2)]
    assert first == second
    assert len(await paypal.orders()) == 1


async def test_a_declined_instrument_sends_the_payer_back_to_choose_another(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    await paypal.control(f"orders/{order.ref}/plan", issue="INSTRUMENT_DECLINED")
    declined = await provider.confirm(order.ref, None, idempotency_key="1")
    assert (declined.status, declined.decline.code) == (ProviderStatus.REQUIRES_ACTION, "INSTRUMENT_DECLINED")
    assert declined.action.redirect_url == f"{paypal.url}/checkoutnow?token={order.ref}"
    await paypal.control(f"orders/{order.ref}/plan", issue=None)
    assert (await provider.confirm(order.ref, None, idempotency_key="2")).status is ProviderStatus.SUCCEEDED


@pytest.mark.parametrize("manual", [False, True])
async def test_a_payment_that_is_not_allowed_fails_as_a_result(paypal, provider, manual):
    order = await provider.create(a_payment(manual_capture=manual), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    await paypal.control(f"orders/{order.ref}/plan", issue="PAYER_CANNOT_PAY")
    failed = await provider.confirm(order.ref, None, idempotency_key="1")
    assert (failed.status, failed.decline.code, failed.movements) == (ProviderStatus.FAILED, "PAYER_CANNOT_PAY", ())


async def test_further_action_of_the_payer_is_no_decline(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/approve")
    await paypal.control(f"orders/{order.ref}/plan", issue="PAYER_ACTION_REQUIRED")
    waiting = await provider.confirm(order.ref, None, idempotency_key="1")
    assert (waiting.status, waiting.decline) == (ProviderStatus.REQUIRES_ACTION, None)


@pytest.mark.parametrize(("end", "status"), [("complete", ProviderStatus.SUCCEEDED), ("deny", ProviderStatus.FAILED)])
async def test_a_pending_capture_moves_nothing_until_it_ends(paypal, provider, end, status):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.control(f"orders/{order.ref}/plan", hold=True)
    await paypal.control(f"orders/{order.ref}/approve")
    pending = await provider.confirm(order.ref, None, idempotency_key="1")
    assert (pending.status, pending.movements) == (ProviderStatus.PROCESSING, ())
    with pytest.raises(ProviderRefused) as refused:
        await provider.refund(order.ref, refund_id="rfd_1", amount_minor=1, reason=None, idempotency_key="r")
    assert refused.value.code == "PENDING_CAPTURE"
    capture = (await paypal.orders())[0]["purchase_units"][0]["payments"]["captures"][0]
    await paypal.control(f"captures/{capture['id']}/{end}")
    ended = await provider.retrieve(order.ref)
    assert (ended.status, len(ended.movements)) == (status, int(end == "complete"))
    assert (ended.decline is None) == (end == "complete")


async def test_an_authorization_is_captured_in_part_and_once(paypal, provider):
    held = await paypal.paid(provider, a_payment(amount_minor=5000, manual_capture=True))
    assert (held.status, held.authorized_minor, held.movements) == (ProviderStatus.AUTHORIZED, 5000, ())
    taken = await provider.capture(held.ref, 3000, idempotency_key="c1")
    assert (taken.status, taken.authorized_minor) == (ProviderStatus.SUCCEEDED, 0)
    assert [charge.amount_minor for charge in taken.movements] == [3000]
    [authorization] = (await paypal.orders())[0]["purchase_units"][0]["payments"]["authorizations"]
    assert authorization["status"] == "CAPTURED"  # for good, so the rest is released
    assert await provider.capture(held.ref, 2000, idempotency_key="c2") == taken
    assert await provider.cancel(held.ref, idempotency_key="x") == taken


async def test_more_than_was_authorized_is_refused(paypal, provider):
    held = await paypal.paid(provider, a_payment(amount_minor=5000, manual_capture=True))
    with pytest.raises(ProviderRefused) as refused:
        await provider.capture(held.ref, 5001, idempotency_key="c")
    assert refused.value.code == "MAX_CAPTURE_AMOUNT_EXCEEDED"
    assert await provider.retrieve(held.ref) == held


async def test_an_authorization_is_voided_and_cannot_be_captured_then(paypal, provider):
    held = await paypal.paid(provider, a_payment(manual_capture=True))
    cancelled = await provider.cancel(held.ref, idempotency_key="x")
    assert (cancelled.status, cancelled.authorized_minor) == (ProviderStatus.CANCELLED, 0)
    assert await provider.cancel(held.ref, idempotency_key="y") == cancelled
    with pytest.raises(ProviderRefused):
        await provider.capture(held.ref, 100, idempotency_key="c")


async def test_an_authorization_that_ended_is_reported_as_expired(paypal, provider):
    held = await paypal.paid(provider, a_payment(manual_capture=True))
    await paypal.advance(days=30)
    assert (await provider.capture(held.ref, 100, idempotency_key="c")).status is ProviderStatus.EXPIRED


async def test_unpaid_order_is_cancelled_and_a_paid_one_stays_paid(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    assert (await provider.cancel(order.ref, idempotency_key="x")).status is ProviderStatus.CANCELLED
    paid = await paypal.paid(provider, a_payment("pay_2"))
    assert await provider.cancel(paid.ref, idempotency_key="x") == paid


def tokens_asked(paypal):
    return sum(request.url.path == "/v1/oauth2/token" for request, _ in paypal.exchanges)


async def test_one_token_serves_many_calls_at_once(paypal, provider):
    await asyncio.gather(*(provider.create(a_payment(f"pay_{n}"), idempotency_key=str(n)) for n in range(5)))
    assert tokens_asked(paypal) == 1


async def test_a_token_is_renewed_before_it_ends_and_when_it_is_refused(paypal, provider):
    order = await provider.create(a_payment(), idempotency_key="k")
    await paypal.advance(hours=9)
    await provider.retrieve(order.ref)
    assert tokens_asked(paypal) == 2
    assert all(response.is_success for _, response in paypal.exchanges)
    await paypal.control("tokens/revoke")
    await asyncio.gather(*(provider.retrieve(order.ref) for _ in range(3)))
    assert tokens_asked(paypal) == 3


async def test_wrong_credentials_are_refused_without_telling_them(paypal):
    provider = await paypal.provider(client_secret="wrong-secret")
    with pytest.raises(CredentialsRefused) as refused:
        await provider.create(a_payment(), idempotency_key="k")
    assert not isinstance(refused.value, ProviderRefused)
    assert refused.value.code == CREDENTIALS_REFUSED
    assert "wrong-secret" not in refused.value.detail


async def test_an_unknown_order_is_refused(provider):
    with pytest.raises(ProviderRefused) as refused:
        await provider.retrieve("UNKNOWN1")
    assert refused.value.code == NOT_FOUND


async def test_unsupported_features_are_refused_with_a_reason(provider):
    with pytest.raises(ProviderRefused, match="Resolution Center"):
        await provider.submit_evidence("PP-D-1", DisputeEvidence(text="no"), idempotency_key="k")
    with pytest.raises(ProviderRefused, match="Stored payment methods"):
        await provider.create(a_payment(method_ref="pm_1"), idempotency_key="k")
