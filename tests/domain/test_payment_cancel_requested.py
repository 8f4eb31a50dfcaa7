"""A requested cancellation: other commands are refused, the provider's answer ends it, and the next payment begins."""

from dataclasses import replace

import pytest

from domain.common.errors import Conflict, PaymentUnderWay, WrongPaymentState
from domain.payments.payment import commands, refunds
from domain.payments.payment.agenda import AgendaInput, AgendaStep, due_steps
from domain.payments.payment.fulfilment import fulfil, is_awaited, refuse_concurrent_payment, wake_at
from domain.payments.payment.purposes.base import ReturnMoney
from domain.payments.payment.snapshot import ProviderStatus
from domain.payments.payment.state import Payment, PaymentStatus, RefundState, status_of
from tests.domain.test_payment_actions import AUTHORIZED, AWAITED, CREATED, PAID
from tests.domain.test_payment_fulfilment import ESCROW
from tests.support.payments import EPOCH, TERMS

P = PaymentStatus


def cancelled(payment: Payment) -> Payment:
    """The payment after somebody asked to cancel it."""
    return commands.request_cancel(payment, by="ann", at=EPOCH).payment


@pytest.mark.parametrize("payment", [CREATED, AWAITED, AUTHORIZED, replace(AWAITED, unknown=True)])
def test_whatever_is_awaited_can_be_cancelled(payment: Payment):
    commands.check_cancel(payment)
    with pytest.raises(Conflict):
        commands.check_cancel(PAID)


def test_no_other_command_is_taken_any_more():
    for check in (
        lambda: commands.check_open(cancelled(AWAITED), "confirm"),
        lambda: commands.check_capture(cancelled(replace(AUTHORIZED, provider_status=ProviderStatus.AUTHORIZED)), None),
    ):
        with pytest.raises(WrongPaymentState, match="being cancelled"):
            check()


def test_other_payments_begin_beside_it():
    with pytest.raises(PaymentUnderWay):
        refuse_concurrent_payment(AWAITED)
    refuse_concurrent_payment(cancelled(AWAITED))


@pytest.mark.parametrize(
    ("payment", "step"),
    [
        (CREATED, AgendaStep.END_UNCREATED),
        (replace(CREATED, unknown=True), AgendaStep.END_UNCREATED),
        (replace(AWAITED, provider_status=ProviderStatus.REQUIRES_ACTION), AgendaStep.CANCEL),
        (replace(AUTHORIZED, provider_status=ProviderStatus.AUTHORIZED), AgendaStep.CANCEL),
        (replace(AWAITED, unknown=True, provider_status=ProviderStatus.REQUIRES_ACTION), AgendaStep.REFRESH),
        (replace(PAID, provider_status=ProviderStatus.SUCCEEDED), AgendaStep.RETURN),
    ],
)
def test_its_next_step_is_to_end_or_return_it(payment: Payment, step: AgendaStep):
    asked = cancelled(payment)
    assert due_steps(asked, EPOCH, AgendaInput()) == [step]
    assert is_awaited(asked)
    assert wake_at(asked) == asked.updated_at


def test_part_that_came_ends_it_without_the_rest():
    coins = replace(TERMS, refundable=False)
    paid = {"provider_status": ProviderStatus.PROCESSING, "received_minor": 400, "granted_minor": 40_000_000}
    short = replace(AWAITED, terms=coins, **paid)
    assert commands.is_partly_paid(short)
    assert due_steps(short, EPOCH, AgendaInput()) == []
    asked = cancelled(short)
    assert due_steps(asked, EPOCH, AgendaInput()) == [AgendaStep.EXPIRE]
    over = commands.expiring(asked, at=EPOCH)
    assert over is not None
    assert over.payment.status is P.SUCCEEDED
    assert due_steps(over.payment, EPOCH, AgendaInput()) == []


def test_whole_amount_that_is_on_its_way_counts():
    assert not commands.is_partly_paid(replace(AWAITED, provider_status=ProviderStatus.PROCESSING, seen_minor=1000))
    assert not commands.is_partly_paid(AWAITED)


def test_money_that_came_all_the_same_is_returned_and_not_handed_over():
    waiting = replace(PAID, terms=replace(TERMS, purpose=ESCROW), provider_status=ProviderStatus.SUCCEEDED)
    asked = cancelled(waiting)
    assert fulfil(asked, at=EPOCH) == ReturnMoney(failed=True, why="it was cancelled")
    assert not isinstance(fulfil(replace(asked, fulfilling=True), at=EPOCH), ReturnMoney)


def test_coins_cannot_be_returned_and_stay():
    coins = replace(PAID, terms=replace(TERMS, refundable=False))
    assert not commands.must_be_returned(cancelled(coins))


def test_payment_that_was_never_made_is_cancelled_by_whom_asked():
    ended = commands.cancelled_unmade(cancelled(replace(CREATED, unknown=True)), at=EPOCH)
    assert (ended.payment.status, ended.event, ended.actor) == (P.CANCELLED, "cancelled", "ann")
    assert status_of(ended.payment) is P.CANCELLED


def test_payment_that_cannot_be_returned_counts():
    kept = commands.cancel_too_late(cancelled(PAID), why="used", at=EPOCH).payment
    assert (kept.status, kept.cancel_requested_by) == (P.SUCCEEDED, None)
    assert due_steps(kept, EPOCH, AgendaInput()) == []


def test_part_that_a_card_was_charged_is_returned_and_coins_are_kept():
    captured = replace(
        PAID,
        terms=replace(TERMS, purpose=ESCROW),
        provider_status=ProviderStatus.SUCCEEDED,
        received_minor=600,
        granted_minor=60_000_000,
    )
    asked = cancelled(captured)
    assert due_steps(asked, EPOCH, AgendaInput()) == [AgendaStep.EXPIRE]
    assert fulfil(asked, at=EPOCH, in_part=True) == ReturnMoney(failed=True, why="it was cancelled")
    ended = refunds.fulfilment_failed(asked, refund_id="rfd_1", at=EPOCH, why="it was cancelled").payment
    assert [refund.amount_minor for refund in ended.refunds] == [600]
    coins = replace(asked, terms=replace(asked.terms, refundable=False))
    kept = fulfil(coins, at=EPOCH, in_part=True)
    assert isinstance(kept, ReturnMoney)
    assert not kept.failed


def test_return_waits_for_a_dispute_and_is_made_once():
    asked = cancelled(PAID)
    ours = refunds.refund(
        asked, refund_id=commands.return_refund_id(asked), amount_minor=None, reason=None, requested_by="ann", at=EPOCH
    ).payment.refunds[0]
    theirs = replace(ours, refund_id="rfd_other", amount_minor=400)
    assert commands.must_be_returned(replace(asked, refunds=(replace(theirs, state=RefundState.SUCCEEDED),)))
    assert not commands.must_be_returned(replace(asked, refunds=(theirs,)))
    assert not commands.must_be_returned(replace(asked, refunds=(replace(ours, state=RefundState.FAILED),)))
