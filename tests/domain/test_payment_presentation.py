"""Texts about payments for operators."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.common.access import Actor, Role
from domain.payments.payment import commands
from domain.payments.payment.presentation import details
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Dispute, Fulfilment, Payment, PaymentStatus, Refund, RefundState
from domain.payments.payment.terms import Purpose, PurposeKind
from tests.support.payments import EPOCH, TERMS

CREATED = commands.created(TERMS, actor=Actor(principal="ann", role=Role.OWNER, org_id=TERMS.org_id)).payment
ESCROW = replace(
    TERMS,
    purpose=Purpose(
        kind=PurposeKind.ESCROW, goods_asset="USD", goods_minor=1000, escrow_id="esc_1", contract_id="ctr_1"
    ),
)


def payment(status: PaymentStatus, **changes: object) -> Payment:
    return replace(CREATED, status=status, ref="pi_1", updated_at=EPOCH, **changes)


def paid(**changes: object) -> Payment:
    done = {"received_minor": 1000, "fulfilment": Fulfilment.DONE}
    return payment(PaymentStatus.SUCCEEDED, **{**done, **changes})


def chargeback(**changes: object) -> Dispute:
    opened = Dispute(
        dispute_id="dsp_1",
        ref="dp_1",
        status=DisputeStatus.NEEDS_RESPONSE,
        amount_minor=1000,
        goods_minor=0,
        reason="fraudulent",
        opened_at=EPOCH,
        evidence_due_at=EPOCH + timedelta(days=7),
    )
    return replace(opened, **changes)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (PaymentStatus.REQUIRES_ACTION, "- the payer has until 2026-01-06 11:00 UTC"),
        (PaymentStatus.PROCESSING, "- the money is awaited until 2026-01-06 11:00 UTC"),
        (PaymentStatus.REQUIRES_CAPTURE, "- to be captured until 2026-01-06 11:00 UTC"),
    ],
)
def test_remaining_time_names_the_party_that_has_to_act(status, told):
    assert told in details(payment(status))


def test_paid_payment_shows_no_deadline():
    shown = details(paid(disputes=(chargeback(),)))
    assert "has until" not in shown
    assert "awaited until" not in shown


def test_deadline_for_evidence_is_shown_until_evidence_is_submitted():
    assert "evidence is due by 2026-01-12 12:00 UTC" in details(paid(disputes=(chargeback(),)))
    given = chargeback(evidence_submitted_at=EPOCH, status=DisputeStatus.UNDER_REVIEW)
    assert "evidence submitted at 2026-01-05 12:00 UTC" in details(paid(disputes=(given,)))
    assert "evidence" not in details(paid(disputes=(chargeback(status=DisputeStatus.LOST),)))


def test_next_step_is_described_by_the_agenda():
    assert "- next: create it at the provider" in details(replace(CREATED, updated_at=EPOCH))
    assert "- next: ask the provider" in details(payment(PaymentStatus.REQUIRES_ACTION))
    assert "- next: freeze the escrow" in details(paid(terms=ESCROW, disputes=(chargeback(),)))


def test_only_accepted_signals_are_shown():
    def shown(state: Payment) -> list[str]:
        return [
            line.split("`")[1] for line in details(state).splitlines() if line.startswith("- `") and "operator" in line
        ]

    assert shown(payment(PaymentStatus.REQUIRES_ACTION)) == ["look", "cancel"]
    assert shown(payment(PaymentStatus.EXPIRED)) == ["look"]
    assert shown(paid()) == ["look", "refund"]
    assert '"amount": "10.00"' in details(paid())
    lost = Refund(
        refund_id="rfd_1",
        amount_minor=1000,
        goods_minor=0,
        state=RefundState.UNKNOWN,
        requested_by="ann",
        requested_at=EPOCH,
    )
    assert shown(paid(refunds=(lost,))) == ["look", "give_up"]
