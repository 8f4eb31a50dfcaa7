"""Refunds of a payment: on request, or because its purpose cannot be fulfilled. Pure."""

from dataclasses import replace
from datetime import datetime

from domain.common import errors as refusals
from domain.common.errors import Invalid
from domain.common.money import format_amount
from domain.payments.payment.commands import wrong_state_error
from domain.payments.payment.own_refunds import check_own_refund, kept_fee, taken_at_list_price
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.refundable import left_to_refund
from domain.payments.payment.state import (
    IN_FLIGHT,
    WORKFLOW,
    Fulfilment,
    Outcome,
    Payment,
    PaymentPosting,
    PaymentPostingKind,
    Refund,
    RefundState,
    with_number,
)

#: The maximum number of refunds of one payment, before only the whole remainder can be refunded. Each refund can fail
#: once, so with all charges the number of movements stays below `MAX_ITEMS`.
MAX_PARTIAL_REFUNDS = 90


class RefundTooPrecise(Invalid):
    """The amount of a refund has more decimals than its provider supports."""


def refund(
    payment: Payment,
    *,
    refund_id: str,
    amount_minor: int | None,
    reason: str | None,
    requested_by: str,
    at: datetime,
    with_credit_note: bool = False,
    is_all: bool = False,
    is_own: bool = False,
    is_cancelled: bool = False,
) -> Outcome:
    """Request a refund of an amount, or of the whole remainder, and claw back its entitlement.

    Args:
        payment: the current state.
        refund_id: the id of the refund.
        amount_minor: the refunded part of the payment, before a fee that the payer bears; None for the whole remainder.
        reason: shown to the payer and on the credit note.
        requested_by: the requester.
        at: the time.
        with_credit_note: whether the invoice is credited by the refunded amount, so that it is not due again.
        is_all: whether the request had no amount, even if `amount_minor` has been filled in since.
        is_own: whether the payer requests it itself, within the limits of `own_refunds`.
        is_cancelled: whether it returns money that was paid after the payer had cancelled: less the fee, at any time.

    Raises:
        Conflict: `payment.already_refunded`, nothing is left; `payment.disputed`, a chargeback holds the
            rest; `payment.not_refundable`, the provider cannot refund, or the credits that paid are no longer waiting
            for their escrow; `payment.too_many_refunds`, only the whole remainder can be refunded;
            `payment.refund_in_flight`, another refund has not reached the provider yet;
            `payment.fulfilment_under_way`, the escrow is taking the money; `payment.wrong_state`;
            `payment.refund_needs_operator`, it is too late or too often for the payer; `payment.fee_not_known`.
        Invalid: `payment.refund_exceeds_remainder`; `payment.part_of_a_slot`, slots are refunded whole; a credit note
            for a payment without an invoice, or without a reason.
    """
    terms, rules = payment.terms, rules_of(payment.terms)
    if with_credit_note and terms.purpose.invoice_id is None:
        raise Invalid(
            "Only the refund of an invoice's payment can have a credit note. Leave credit_note out.",
            extra={"field": "credit_note"},
        )
    if with_credit_note and not reason:
        raise Invalid("A credit note needs a reason. Send reason.", extra={"field": "reason"})
    waiting = rules.waiting_minor(payment)
    _refuse_refund(payment, waiting)
    gross = _amount_to_refund(payment, amount_minor)
    if is_own:
        check_own_refund(payment, at)
    rules.check_refund(payment, gross)
    entitlement = rules.taken_for(payment, gross)
    fee = kept_fee(payment, gross, known=is_own) if is_own or is_cancelled else 0
    if is_own:
        entitlement = max(entitlement, taken_at_list_price(payment, gross))
    amount, waiting = gross - fee, min(entitlement, waiting)
    requested = replace(
        _requested(refund_id, amount, entitlement, requested_by, at, reason),
        waiting_minor=waiting,
        fee_minor=fee,
        is_own=is_own,
    )
    taken = entitlement - waiting
    moves = (
        (PaymentPosting(kind=PaymentPostingKind.RESERVE, amount_minor=taken, asset=terms.purpose.goods_asset),)
        if taken
        else ()
    )
    return with_number(
        Outcome(
            payment=replace(payment, refunds=(*payment.refunds, requested)),
            event="refund_requested",
            actor=requested_by,
            moves=moves,
            details={
                "refund_id": refund_id,
                "amount": format_amount(amount, terms.currency),
                "reason": reason,
                **({"fee_kept": format_amount(fee, terms.currency)} if fee else {}),
                **({"credit_note": True} if with_credit_note else {}),
                **({"all": True} if is_all or amount_minor is None else {}),
            },
        ),
        at,
    )


def _refuse_refund(payment: Payment, waiting_minor: int) -> None:
    """Raise if the payment cannot be refunded now, whatever the amount."""
    if not payment.received_minor:
        raise wrong_state_error(payment, "refund")
    if not payment.terms.refundable:
        raise refusals.NotRefundable(f"Payments by {payment.terms.provider} cannot be refunded by this service.")
    if any(item.state in IN_FLIGHT for item in payment.refunds):
        raise refusals.PaymentRefundInFlight(
            "Another refund of this payment is on its way to the provider. Repeat this one in a moment."
        )
    if waiting_minor and payment.fulfilling:
        raise refusals.PaymentFulfilmentUnderWay(
            "The escrow is being funded with this payment. Repeat the refund in a moment."
        )
    if not payment.refundable_minor and payment.disputed_minor:
        raise refusals.PaymentDisputed(
            "A chargeback holds or took the rest of this payment, so it cannot be refunded as well. "
            "Wait for the bank's decision: money that is won back can be refunded.",
            extra={"state": payment.status.value},
        )
    if not payment.refundable_minor:
        raise refusals.PaymentAlreadyRefunded(
            "Nothing of this payment is left to refund.", extra={"state": payment.status.value}
        )


def _amount_to_refund(payment: Payment, amount_minor: int | None) -> int:
    left = left_to_refund(payment)
    if not left:
        raise refusals.NotRefundable(
            "The credits of this payment were used for its escrow, so a refund would take other credits. "
            "Cancel or refund the escrow to get what it still holds."
        )
    amount = left if amount_minor is None else amount_minor
    if amount > left:
        currency = payment.terms.currency
        shown = format_amount(left, currency)
        raise refusals.RefundExceeds(
            f"Only {shown} {currency} of this payment are left to refund.", extra={"refundable": shown}
        )
    if amount < left and len(payment.refunds) >= MAX_PARTIAL_REFUNDS:
        raise refusals.PaymentTooManyRefunds(
            f"A payment has {MAX_PARTIAL_REFUNDS} refunds at most. Refund all that is left of it, or nothing."
        )
    return amount


def refund_unknown(payment: Payment, refund_id: str, *, at: datetime) -> Outcome:
    """Record that the provider's response to a refund was lost."""
    refunds = tuple(
        replace(item, state=RefundState.UNKNOWN) if item.refund_id == refund_id else item for item in payment.refunds
    )
    after = replace(payment, refunds=refunds)
    return with_number(
        Outcome(payment=after, event="refund_unknown", actor=WORKFLOW, details={"refund_id": refund_id}), at
    )


def fulfilment_unavailable(payment: Payment, *, why: str, refund_id: str, at: datetime) -> Outcome:
    """Return the money of an unfulfillable purpose; what cannot be returned goes to the organization."""
    return _unfulfilled(payment, "purpose_gone", why=why, refund_id=refund_id, at=at)


def fulfilment_failed(payment: Payment, *, refund_id: str, at: datetime, why: str = "") -> Outcome:
    """Return the remainder of a payment that was cancelled, or of which too much was refunded or charged back."""
    why = why or "it was refunded or charged back before"
    return _unfulfilled(payment, "fulfilment_failed", why=why, refund_id=refund_id, at=at)


def _unfulfilled(payment: Payment, event: str, *, why: str, refund_id: str, at: datetime) -> Outcome:
    rules, purpose = rules_of(payment.terms), payment.terms.purpose
    after = replace(payment, fulfilment=Fulfilment.GONE, fulfilling=False)
    details: dict[str, object] = {**rules.subject(purpose), "why": why}
    amount, asset = payment.refundable_minor, purpose.goods_asset
    held = rules.held_minor(payment)
    returns = payment.cancel_requested or rules.is_refunded_when_gone(payment)
    if payment.terms.refundable and amount and returns:
        entitlement = rules.taken_for(payment, amount)
        refunding = _requested(refund_id, amount, entitlement, WORKFLOW, at, why)
        after = replace(after, refunds=(*payment.refunds, refunding))
        details |= {"refund_id": refund_id, "amount": format_amount(amount, payment.terms.currency)}
        held -= entitlement
    moves = (PaymentPosting(kind=PaymentPostingKind.RELEASE, amount_minor=held, asset=asset),) if held > 0 else ()
    return with_number(Outcome(payment=after, event=event, actor=WORKFLOW, moves=moves, details=details), at)


def _requested(refund_id: str, amount: int, entitlement: int, by: str, at: datetime, reason: str | None) -> Refund:
    return Refund(
        refund_id=refund_id,
        amount_minor=amount,
        goods_minor=entitlement,
        state=RefundState.REQUESTED,
        requested_by=by,
        requested_at=at,
        reason=reason,
    )
