"""Fulfilment uses the money left by refunds, disputes and reversals."""

from dataclasses import replace

import pytest

from domain.payments.payment.fulfilment import is_underpaid, readiness
from domain.payments.payment.purposes.base import Readiness
from domain.payments.payment.purposes.escrow import is_reserved_for
from domain.payments.payment.snapshot import DisputeStatus, ProviderStatus
from domain.payments.payment.state import Dispute, Fulfilment, Payment, PaymentStatus, Refund, RefundState
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind
from tests.support.cases import for_each
from tests.support.payments import EPOCH, TERMS

ESCROW = Purpose(
    kind=PurposeKind.ESCROW,
    goods_asset="CREDIT",
    goods_minor=100_000_000,
    escrow_id="esc_01h455vb4pex5vsknk084sn02q",
    contract_id="ctr_01h455vb4pex5vsknk084sn02q",
)
INVOICE = Purpose(kind=PurposeKind.INVOICE, goods_asset="USD", goods_minor=1000, invoice_id="inv_1")
R, D = RefundState, DisputeStatus


def payment(purpose: Purpose, *parts: tuple[object, int], received: int = 1000, **changes: object) -> Payment:
    """A payment of which parts went back: each is a state of a refund or of a dispute, and an amount."""
    terms: PaymentTerms = replace(TERMS, purpose=purpose)
    refunds = tuple(
        Refund(
            refund_id=f"rfd_{number}",
            amount_minor=amount,
            goods_minor=0,
            state=state,
            requested_by="x",
            requested_at=EPOCH,
        )
        for number, (state, amount) in enumerate(parts)
        if isinstance(state, RefundState)
    )
    disputes = tuple(
        Dispute(
            dispute_id=f"dsp_{number}",
            ref=f"du_{number}",
            status=state,
            amount_minor=amount,
            goods_minor=0,
            reason="fraudulent",
            opened_at=EPOCH,
            evidence_due_at=None,
        )
        for number, (state, amount) in enumerate(parts)
        if isinstance(state, DisputeStatus)
    )
    made = Payment(
        terms=terms,
        status=PaymentStatus.SUCCEEDED,
        version=3,
        created_at=EPOCH,
        updated_at=EPOCH,
        provider_status=ProviderStatus.SUCCEEDED,
        received_minor=received,
        granted_minor=received,
        refunds=refunds,
        disputes=disputes,
    )
    return replace(made, **changes)


@for_each(
    "parts, received, expected",
    [
        ([], 1000, Readiness.READY),
        ([], 999, Readiness.SHORT),
        ([], 0, Readiness.NONE),
        ([(R.SUCCEEDED, 1000)], 1000, Readiness.FAILED),
        ([(R.SUCCEEDED, 1)], 1000, Readiness.FAILED),
        ([(R.FAILED, 1000)], 1000, Readiness.READY),
        ([(R.PENDING, 1)], 1000, Readiness.WAITS),
        ([(R.UNKNOWN, 1)], 1000, Readiness.WAITS),
        ([(R.REQUESTED, 1)], 1000, Readiness.WAITS),
        ([(R.PENDING, 1), (R.SUCCEEDED, 1)], 1000, Readiness.FAILED),
        ([(R.PENDING, 200)], 1200, Readiness.READY),
        ([(D.INQUIRY, 1000)], 1000, Readiness.READY),
        ([(D.WON, 1000)], 1000, Readiness.READY),
        ([(D.NEEDS_RESPONSE, 1)], 1200, Readiness.WAITS),
        ([(D.UNDER_REVIEW, 1000)], 1000, Readiness.WAITS),
        ([(D.LOST, 1)], 1200, Readiness.FAILED),
    ],
)
def test_an_escrow_is_funded_only_by_what_covers_it_and_is_not_disputed(parts, received, expected):
    assert readiness(payment(ESCROW, *parts, received=received)) is expected


@for_each(
    "parts, expected",
    [
        ([], Readiness.READY),
        ([(R.SUCCEEDED, 999)], Readiness.READY),
        ([(R.PENDING, 999)], Readiness.READY),
        ([(D.NEEDS_RESPONSE, 999)], Readiness.READY),
        ([(R.SUCCEEDED, 1000)], Readiness.FAILED),
        ([(D.LOST, 1000)], Readiness.FAILED),
        ([(R.UNKNOWN, 1000)], Readiness.WAITS),
        ([(R.SUCCEEDED, 400), (D.UNDER_REVIEW, 600)], Readiness.WAITS),
    ],
)
def test_an_invoice_takes_what_is_left(parts, expected):
    assert readiness(payment(INVOICE, *parts)) is expected


@pytest.mark.parametrize(
    ("fulfilment", "fulfilling", "reserved"),
    [
        (Fulfilment.PENDING, True, True),
        (Fulfilment.PENDING, False, False),
        (Fulfilment.GONE, False, False),
        (Fulfilment.DONE, False, False),
    ],
)
def test_money_is_reserved_for_its_escrow_while_that_is_asked_to_take_it(fulfilment, fulfilling, reserved):
    made = payment(ESCROW, fulfilment=fulfilment, fulfilling=fulfilling)
    assert is_reserved_for(made, str(ESCROW.escrow_id)) is reserved
    assert not is_reserved_for(made, "esc_01h455vb4pex5vsknk084sn09z")


def test_payment_is_underpaid_by_a_reversal_only_if_no_deposit_is_pending():
    void = payment(ESCROW, reversed_minor=1000)
    assert (readiness(void), is_underpaid(void)) == (Readiness.SHORT, True)
    assert not is_underpaid(replace(void, seen_minor=1000))


@pytest.mark.parametrize("fulfilment", [Fulfilment.DONE, Fulfilment.GONE])
def test_decided_fulfilment_does_not_change(fulfilment):
    assert readiness(payment(ESCROW, (R.SUCCEEDED, 1000), fulfilment=fulfilment)) is Readiness.NONE
