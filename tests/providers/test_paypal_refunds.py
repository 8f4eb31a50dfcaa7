"""Refunds and reversals at PayPal: bounded by what remains, made once, and told as they end."""

import pytest

from domain.payment.snapshot import BalanceTransactionKind, ProviderStatus, RefundStatus
from providers.payments.base import ProviderRefused
from tests.support.paypal import a_payment


async def test_refunds_are_bounded_by_what_remains(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    first = await provider.refund(
        paid.ref, refund_id="rfd_1", amount_minor=400, reason="too\nmany ", idempotency_key="r1"
    )
    assert (first.refund_id, first.status, first.amount_minor) == ("rfd_1", RefundStatus.SUCCEEDED, 400)
    with pytest.raises(ProviderRefused) as refused:
        await provider.refund(paid.ref, refund_id="rfd_2", amount_minor=601, reason=None, idempotency_key="r2")
    assert refused.value.code == "REFUND_AMOUNT_EXCEEDED"
    await provider.refund(paid.ref, refund_id="rfd_3", amount_minor=600, reason=None, idempotency_key="r3")
    with pytest.raises(ProviderRefused) as refused:
        await provider.refund(paid.ref, refund_id="rfd_4", amount_minor=1, reason=None, idempotency_key="r4")
    assert refused.value.code == "CAPTURE_FULLY_REFUNDED"
    after = await provider.retrieve(paid.ref)
    assert after.status is ProviderStatus.SUCCEEDED
    assert [(one.refund_id, one.amount_minor) for one in after.refunds] == [("rfd_1", 400), ("rfd_3", 600)]
    assert [(one.kind, one.amount_minor) for one in after.movements] == [
        (BalanceTransactionKind.CHARGE, 1000),
        (BalanceTransactionKind.REFUND, -400),
        (BalanceTransactionKind.REFUND, -600),
    ]
    assert [one.key for one in after.movements[1:]] == [one.ref for one in after.refunds]
    assert (await paypal.orders())[0]["purchase_units"][0]["payments"]["refunds"][0]["note_to_payer"] == "too many"


async def test_one_refund_id_gives_one_refund_whatever_the_key(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    first, second = [
        await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=300, reason=None, idempotency_key=key)
        for key in ("a", "b")
    ]
    assert first == second == await provider.find_refund(paid.ref, refund_id="rfd_1", idempotency_key="a")
    assert len((await provider.retrieve(paid.ref)).refunds) == 1
    assert sum(request.url.path.endswith("/refund") for request, _ in paypal.exchanges) == 1
    [kept] = (await paypal.orders())[0]["purchase_units"][0]["payments"]["refunds"]
    assert (kept["custom_id"], kept["invoice_id"]) == ("rfd_1", "rfd_1")
    assert await provider.find_refund(paid.ref, refund_id="rfd_2", idempotency_key="c") is None


@pytest.mark.parametrize(("end", "status"), [("complete", RefundStatus.SUCCEEDED), ("fail", RefundStatus.FAILED)])
async def test_a_pending_refund_moves_nothing_until_it_ends(paypal, provider, end, status):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    await paypal.control("refunds/hold", count=1)
    pending = await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=999, reason=None, idempotency_key="r")
    assert pending.status is RefundStatus.PENDING
    assert (await provider.retrieve(paid.ref)).movements == paid.movements
    await paypal.control(f"refunds/{pending.ref}/{end}")
    after = await provider.retrieve(paid.ref)
    assert (after.refunds[0].status, len(after.movements)) == (status, 2 if end == "complete" else 1)
    assert (after.refunds[0].failure is None) == (end == "complete")


async def test_a_refund_made_at_paypals_site_is_not_taken_for_ours(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    client = await paypal.client()
    body = {"amount": {"currency_code": "USD", "value": "1.00"}, "invoice_id": "pay_1"}
    await client.post(f"/v2/payments/captures/{paid.movements[0].key}/refund", body, key=None)
    after = await provider.retrieve(paid.ref)
    assert [one.refund_id for one in after.refunds] == [None]
    assert [one.kind for one in after.movements] == [BalanceTransactionKind.CHARGE, BalanceTransactionKind.REFUND]


async def test_a_reversed_capture_takes_back_what_remains(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    await provider.refund(paid.ref, refund_id="rfd_1", amount_minor=300, reason=None, idempotency_key="r")
    capture = paid.movements[0].key
    await paypal.control(f"captures/{capture}/reverse")
    after = await provider.retrieve(paid.ref)
    assert (after.status, len(after.refunds)) == (ProviderStatus.SUCCEEDED, 1)
    reversal = after.movements[-1]
    assert (reversal.kind, reversal.key) == (BalanceTransactionKind.REVERSAL, f"{capture}:reversal")
    assert sum(one.amount_minor for one in after.movements) == 0
    with pytest.raises(ProviderRefused) as refused:
        await provider.refund(paid.ref, refund_id="rfd_2", amount_minor=1, reason=None, idempotency_key="r2")
    assert refused.value.code == "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK"
