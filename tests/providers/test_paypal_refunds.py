"""Refunds and reversals at PayPal: limited to the remainder, made once, with their final status."""

from copy import deepcopy
from dataclasses import replace

import pytest

from domain.common.access import Actor, Role
from domain.payments.payment.commands import created
from domain.payments.payment.converge import Observation, converge
from domain.payments.payment.snapshot import BalanceTransactionKind, ProviderStatus, RefundStatus
from domain.payments.payment.state import PaymentStatus, RefundState
from providers.payments.base import ProviderRefused
from providers.payments.paypal.snapshots import snapshot
from tests.support.payments import EPOCH, TERMS
from tests.support.paypal import a_payment

CHARGE, REFUND, REVERSAL = (
    BalanceTransactionKind.CHARGE,
    BalanceTransactionKind.REFUND,
    BalanceTransactionKind.REVERSAL,
)


async def refunded_at_paypals_site(paypal, capture, value):
    client = await paypal.client()
    body = {"amount": {"currency_code": "USD", "value": value}}
    return (await client.post(f"/v2/payments/captures/{capture}/refund", body, key=None))["id"]


def facts(movements):
    return [(one.kind, one.key, one.amount_minor) for one in movements]


class Books:
    """A payment of 10.00 that looks at PayPal's orders."""

    def __init__(self):
        terms = replace(TERMS, payment_id="pay_1", provider="paypal", amount_minor=1000, currency="USD")
        self.payment = created(terms, actor=Actor(principal="payer", role=Role.OWNER, org_id=terms.org_id)).payment

    def look(self, seen):
        outcomes = converge(self.payment, Observation(snapshot=seen, at=EPOCH, revalued={}))
        self.payment = outcomes[-1].payment if outcomes else self.payment
        return [outcome.event for outcome in outcomes]

    @property
    def booked(self):
        return facts(self.payment.booked)


class Order:
    """A captured order of 10.00 as PayPal shows it, with what goes back added by hand."""

    def __init__(self):
        capture = {
            "id": "C1",
            "status": "COMPLETED",
            "amount": {"currency_code": "USD", "value": "10.00"},
            "create_time": "2026-11-01T10:00:00Z",
        }
        unit = {"amount": capture["amount"], "payments": {"captures": [capture], "refunds": []}}
        self.order = {"id": "O1", "status": "COMPLETED", "purchase_units": [unit]}
        self.capture, self.refunds = capture, unit["payments"]["refunds"]

    def gives_back(self, ref, value, capture="C1", **more):
        self.refunds.append(
            {
                "id": ref,
                "status": "COMPLETED",
                "amount": {"currency_code": "USD", "value": value},
                "create_time": f"2026-11-02T10:{len(self.refunds):02}:00Z",
                "links": [{"rel": "up", "href": f"https://api.paypal.com/v2/payments/captures/{capture}"}],
            }
            | more
        )
        return self.refunds[-1]

    def disputed(self, reason):
        self.capture["status_details"] = {"reason": reason}

    def seen(self):
        return snapshot(deepcopy(self.order))


async def test_refunds_are_limited_to_the_remainder(paypal, provider):
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


async def test_one_refund_id_gives_one_refund_for_any_key(paypal, provider):
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


async def test_refund_made_at_paypals_site_is_not_ours(paypal, provider):
    paid = await paypal.paid(provider, a_payment(amount_minor=1000))
    client = await paypal.client()
    body = {"amount": {"currency_code": "USD", "value": "1.00"}, "invoice_id": "pay_1"}
    await client.post(f"/v2/payments/captures/{paid.movements[0].key}/refund", body, key=None)
    after = await provider.retrieve(paid.ref)
    assert [one.refund_id for one in after.refunds] == [None]
    assert [one.kind for one in after.movements] == [BalanceTransactionKind.CHARGE, BalanceTransactionKind.REFUND]


async def test_reversed_capture_withdraws_the_remainder(paypal, provider):
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


@pytest.mark.parametrize("first", ["4.00", "8.00"])
@pytest.mark.parametrize("looks_between", [True, False])
async def test_a_reversal_after_a_refund_made_at_paypals_site_books_each_once(paypal, provider, first, looks_between):
    paid, books = await paypal.paid(provider, a_payment(amount_minor=1000)), Books()
    capture, taken = paid.movements[0].key, int(first.replace(".", ""))
    refund = await refunded_at_paypals_site(paypal, capture, first)
    if looks_between:
        books.look(await provider.retrieve(paid.ref))
        assert books.booked == [(CHARGE, capture, 1000), (REFUND, refund, -taken)]
    await paypal.control(f"captures/{capture}/reverse")
    expected = [
        (CHARGE, capture, 1000),
        (REFUND, refund, -taken),
        (REVERSAL, f"{capture}:reversal", taken - 1000),
    ]
    after = await provider.retrieve(paid.ref)
    assert facts(after.movements) == expected
    assert [one.ref for one in after.refunds] == [refund]
    books.look(after)
    assert books.booked == expected
    assert books.look(await provider.retrieve(paid.ref)) == []


async def test_two_reversals_of_one_capture_are_both_booked(paypal, provider):
    paid, books = await paypal.paid(provider, a_payment(amount_minor=1000)), Books()
    capture = paid.movements[0].key
    await paypal.control(f"captures/{capture}/reverse", value="3.00")
    books.look(await provider.retrieve(paid.ref))
    await paypal.control(f"captures/{capture}/reverse")
    after = await provider.retrieve(paid.ref)
    second = after.movements[-1].ref
    expected = [
        (CHARGE, capture, 1000),
        (REVERSAL, f"{capture}:reversal", -300),
        (REVERSAL, f"{capture}:reversal:{second}", -700),
    ]
    assert facts(after.movements) == expected
    books.look(after)
    assert (books.booked, books.payment.status) == (expected, PaymentStatus.CHARGED_BACK)


def test_captures_of_one_order_have_reversals_of_their_own():
    order = Order()
    for ref, capture in (("V1", "C1"), ("V2", "C2"), ("V3", "C1")):
        order.gives_back(ref, "1.00", capture, note_to_payer="Payment reversed")
    keys = [one.key for one in order.seen().movements[1:]]
    assert keys == ["C1:reversal", "C2:reversal", "C1:reversal:V3"]


def test_a_reversal_that_was_cancelled_leaves_its_key_to_no_other():
    order, books = Order(), Books()
    order.disputed("CHARGEBACK")
    first = order.gives_back("V1", "6.00", note_to_payer="Payment reversed")
    books.look(order.seen())
    first["status"] = "CANCELLED"
    del order.capture["status_details"]
    assert books.look(order.seen()) == []
    order.gives_back("V2", "5.00", note_to_payer="Payment reversed")
    books.look(order.seen())
    assert books.booked[1:] == [(REVERSAL, "C1:reversal", -600), (REVERSAL, "C1:reversal:V2", -500)]


def test_without_a_note_the_newest_refund_of_a_disputed_capture_is_its_reversal():
    order, books = Order(), Books()
    order.gives_back("R1", "4.00")
    order.disputed("CHARGEBACK")
    order.gives_back("V1", "6.00")
    books.look(order.seen())
    assert books.booked[1:] == [(REFUND, "R1", -400), (REVERSAL, "V1", -600)]


@pytest.mark.parametrize("reason", ["BUYER_COMPLAINT", "CHARGEBACK"])
def test_dispute_without_a_withdrawal_keeps_a_booked_refund(reason):
    order, books = Order(), Books()
    order.gives_back("R1", "4.00")
    books.look(order.seen())
    order.disputed(reason)
    assert books.look(order.seen()) == []
    order.gives_back("V1", "6.00", note_to_payer="Payment reversed")
    assert books.look(order.seen()) == ["reversed"]
    assert books.booked[1:] == [(REFUND, "R1", -400), (REVERSAL, "C1:reversal", -600)]


@pytest.mark.parametrize("note", [None, "Payment reversed"])
def test_reversal_without_a_note_is_booked_once(note):
    order, books = Order(), Books()
    order.disputed("BUYER_COMPLAINT")
    order.gives_back("V1", "6.00")
    books.look(order.seen())
    order.gives_back("R2", "3.00", **({"note_to_payer": note} if note else {}))
    books.look(order.seen())
    assert [one[2] for one in books.booked] == [1000, -600, -300]
    del order.capture["status_details"]
    assert books.look(order.seen()) == []


@pytest.mark.parametrize(("reason", "booked"), [("CHARGEBACK", REVERSAL), (None, REFUND)])
def test_a_note_that_comes_later_books_nothing_again(reason, booked):
    order, books = Order(), Books()
    order.disputed(reason)
    reversal = order.gives_back("V1", "6.00")
    books.look(order.seen())
    reversal["note_to_payer"] = "Payment reversed"
    assert books.look(order.seen()) == []
    assert books.booked[1:] == [(booked, "V1", -600)]


def test_a_refund_that_was_pending_when_the_dispute_came_ends_as_a_refund():
    order, books = Order(), Books()
    refund = order.gives_back("R1", "4.00", status="PENDING")
    books.look(order.seen())
    order.disputed("BUYER_COMPLAINT")
    refund["status"] = "COMPLETED"
    books.look(order.seen())
    assert books.booked[1:] == [(REFUND, "R1", -400)]
    assert [(one.ref, one.state, one.moved_minor) for one in books.payment.refunds] == [
        ("R1", RefundState.SUCCEEDED, 400)
    ]


def test_our_refund_is_no_reversal_despite_its_reason():
    order = Order()
    order.disputed("CHARGEBACK")
    order.gives_back("R1", "4.00", custom_id="rfd_1", note_to_payer="Payment reversed")
    assert facts(order.seen().movements)[1:] == [(REFUND, "R1", -400)]
