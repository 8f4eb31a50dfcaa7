"""Credits that pay for an escrow can be refunded only while they wait for it."""

from dataclasses import replace

import pytest

from domain.common.access import Actor, Role
from domain.common.errors import DomainError, NotRefundable, ProviderCallPending
from domain.payments.payment import refunds
from domain.payments.payment.actions import PaymentAction, preview_commands
from domain.payments.payment.presentation import details
from domain.payments.payment.refundable import left_to_refund
from domain.payments.payment.state import Fulfilment, Outcome, Payment, PaymentPostingKind, PaymentStatus, RefundState
from domain.payments.payment.terms import Purpose, PurposeKind
from tests.support.cases import for_each
from tests.support.payments import EPOCH, TERMS

PRICE = 100_000_000
ESCROW = Purpose(
    kind=PurposeKind.ESCROW,
    goods_asset="CREDIT",
    goods_minor=PRICE,
    escrow_id="esc_01h455vb4pex5vsknk084sn02q",
    contract_id="ctr_01h455vb4pex5vsknk084sn02q",
)
OWNER = Actor(principal="ann", role=Role.OWNER, org_id=TERMS.org_id)
OPERATOR = Actor(principal="root", role=Role.OPERATOR)
WAITING = Payment(
    terms=replace(TERMS, provider="credits", amount_minor=PRICE, currency="CREDIT", purpose=ESCROW),
    status=PaymentStatus.SUCCEEDED,
    version=3,
    created_at=EPOCH,
    updated_at=EPOCH,
    ref="tr_1",
    received_minor=PRICE,
    granted_minor=PRICE,
)
FULFILLED = replace(WAITING, fulfilment=Fulfilment.DONE)
#: The escrow could not take it, and its refund failed: the organization has had the credits back in its wallet.
GONE = replace(WAITING, fulfilment=Fulfilment.GONE)
BY_CARD = replace(FULFILLED, terms=replace(TERMS, purpose=ESCROW), received_minor=1000)


def refund(payment: Payment, amount_minor: int | None = None) -> Outcome:
    return refunds.refund(
        payment, refund_id="rfd_1", amount_minor=amount_minor, reason=None, requested_by="x", at=EPOCH
    )


@pytest.mark.parametrize("amount_minor", [None, PRICE, 30_000_000])
def test_waiting_credits_are_refunded(amount_minor: int | None) -> None:
    outcome = refund(WAITING, amount_minor)
    assert outcome.moves == ()
    (made,) = outcome.payment.refunds
    assert (made.amount_minor, made.waiting_minor) == (amount_minor or PRICE, amount_minor or PRICE)


@for_each("payment", [FULFILLED, GONE])
@for_each("amount_minor", [None, PRICE, 1, 2 * PRICE])
def test_credits_of_a_funded_escrow_are_not_refunded(payment: Payment, amount_minor: int | None) -> None:
    with pytest.raises(DomainError) as caught:
        refund(payment, amount_minor)
    assert caught.value.error_code == "payment.not_refundable"


def test_refund_of_a_payment_with_credits_takes_nothing_from_the_wallet() -> None:
    first = refund(WAITING, 30_000_000).payment
    back = replace(first, refunds=tuple(replace(each, state=RefundState.SUCCEEDED) for each in first.refunds))
    assert left_to_refund(back) == 70_000_000
    assert refund(back).moves == ()
    # What the escrow has since is not in the refund of the rest.
    with pytest.raises(NotRefundable):
        refund(replace(back, fulfilment=Fulfilment.DONE))


def test_credits_that_the_escrow_is_taking_are_refused_for_now() -> None:
    with pytest.raises(ProviderCallPending):
        refund(replace(WAITING, fulfilling=True))


@pytest.mark.parametrize("actor", [OWNER, OPERATOR], ids=["owner", "operator"])
def test_refund_is_not_offered_once_the_escrow_has_the_credits(actor: Actor) -> None:
    def offered(payment: Payment) -> str | None:
        found = next(each for each in preview_commands(payment, actor, EPOCH) if each.name is PaymentAction.REFUND)
        return None if found.refusal is None else found.refusal.error_code

    assert (offered(WAITING), offered(FULFILLED)) == (None, "payment.not_refundable")


def test_shown_refundable_amount_equals_a_full_refund() -> None:
    shown = [left_to_refund(payment) for payment in (WAITING, FULFILLED, GONE, BY_CARD)]
    assert shown == [PRICE, 0, 0, 1000]
    assert left_to_refund(replace(BY_CARD, terms=replace(BY_CARD.terms, refundable=False))) == 0
    assert ("`refund`" in details(WAITING), "`refund`" in details(FULFILLED)) == (True, False)


def test_money_that_bought_credits_for_an_escrow_is_refunded() -> None:
    (move,) = refund(BY_CARD).moves
    assert (move.kind, move.amount_minor) == (PaymentPostingKind.RESERVE, PRICE)
