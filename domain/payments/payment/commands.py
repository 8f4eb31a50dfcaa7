"""The commands of a payment, without its refunds. Each returns an `Outcome`, or raises a `DomainError`. Pure."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

from domain.common.access import Actor
from domain.common.errors import Conflict, Invalid, PaymentEvidenceClosed, ProviderCallPending, WrongPaymentState
from domain.common.ids import refund_id_of
from domain.common.money import format_amount
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.snapshot import Decline, DisputeStatus, ProviderStatus
from domain.payments.payment.state import (
    AWAITING,
    IN_FLIGHT,
    RECEIPT_WINDOW,
    WORKFLOW,
    Dispute,
    Outcome,
    Payment,
    PaymentStatus,
    with_number,
)
from domain.payments.payment.terms import PaymentTerms

#: How long after the payer's time operators are alerted to a payment that is still awaited. A bank debit that has begun
#: cannot be cancelled, and succeeds or fails within days.
OVERDUE_AFTER = timedelta(days=30)


def created(terms: PaymentTerms, *, actor: Actor) -> Outcome:
    """Record the intent, before the provider is called."""
    payment = Payment(
        terms=terms, status=PaymentStatus.CREATED, version=0, created_at=terms.created_at, updated_at=terms.created_at
    )
    details = {
        "provider": terms.provider,
        "amount": format_amount(terms.amount_minor, terms.currency),
        "currency": terms.currency,
        "purpose": terms.purpose.kind.value,
    }
    return with_number(
        Outcome(payment=payment, event="created", actor=actor.qualified(), details=details), terms.created_at
    )


def adopted(terms: PaymentTerms, ref: str, *, actor: Actor) -> Outcome:
    """Record a payment that was made at the provider; its workflow only reads it there."""
    made = created(terms, actor=actor)
    payment = replace(made.payment, version=0, ref=ref, unknown=True)
    return with_number(
        Outcome(payment=payment, event="adopted", actor=made.actor, details=made.details), terms.created_at
    )


def outcome_unknown(payment: Payment, *, detail: str, at: datetime) -> Outcome:
    """Record that it is unknown whether the provider made the payment; it is looked up before another try."""
    after = replace(payment, unknown=True)
    return with_number(Outcome(payment=after, event="outcome_unknown", actor=WORKFLOW, details={"detail": detail}), at)


def unanswered(payment: Payment, command: str, command_id: str, *, actor: Actor, at: datetime) -> Outcome:
    """Record that the provider did not answer a command; its outcome is looked up before anything else."""
    ended_by = actor.qualified() if command == "cancel" else payment.cancelled_by
    after = replace(payment, unknown=True, unanswered=command_id, cancelled_by=ended_by)
    details = {"command": command, "detail": "The provider did not answer."}
    return with_number(Outcome(payment=after, event="outcome_unknown", actor=actor.qualified(), details=details), at)


def is_command_done(payment: Payment, command_id: str, *, before: Collection[PaymentStatus] = AWAITING) -> bool:
    """Return whether an unanswered command is done: the payment is not as it was `before` any more."""
    return _was_looked_up(payment, command_id) and payment.status not in before


def _was_looked_up(payment: Payment, command_id: str) -> bool:
    return payment.unanswered == command_id and not payment.unknown


def refused(payment: Payment, *, decline: Decline, at: datetime) -> Outcome:
    """End a payment that the provider has refused."""
    after = replace(payment, decline=decline, unknown=False)
    details = {"code": decline.code, "detail": decline.detail}
    return with_number(Outcome(payment=after, event="refused", actor=WORKFLOW, details=details), at)


def cancelled_unmade(payment: Payment, *, at: datetime) -> Outcome:
    """Cancel a payment that its provider never had, as it was asked."""
    by = payment.cancel_requested_by or WORKFLOW
    after = replace(payment, provider_status=ProviderStatus.CANCELLED, cancelled_by=by, unknown=False)
    return with_number(Outcome(payment=after, event="cancelled", actor=by), at)


def expired_unmade(payment: Payment, *, at: datetime) -> Outcome:
    """End a payment whose time was over before it was created at the provider."""
    after = replace(payment, expiring=True, unknown=False)
    return with_number(Outcome(payment=after, event="expired", actor=WORKFLOW), at)


def vanished(payment: Payment, *, at: datetime) -> Outcome | None:
    """End a payment that the provider does not have any more, once it can no longer be paid; None before that.

    Money that was received for it anyway shows in reconciliation, by the provider's statement.
    """
    if not payment.expiring or payment.received_minor or payment.status not in AWAITING:
        return None
    after = replace(payment, provider_status=ProviderStatus.EXPIRED, action=None)
    return with_number(Outcome(payment=after, event="expired", actor=WORKFLOW), at)


def expiring(payment: Payment, *, at: datetime) -> Outcome | None:
    """Record that the payer's time is over; None if that is recorded, or nothing is awaited from the payer."""
    if payment.expiring or payment.status not in AWAITING:
        return None
    return with_number(Outcome(payment=replace(payment, expiring=True), event="time_over", actor=WORKFLOW), at)


def overdue(payment: Payment, *, at: datetime) -> Outcome | None:
    """Record that a payment is overdue: neither paid nor ended long after its time; None if recorded, or not so."""
    if payment.overdue or not payment.expiring or payment.status not in AWAITING:
        return None
    if at < payment.ends_at + OVERDUE_AFTER:
        return None
    details = {"provider_status": payment.provider_status.value if payment.provider_status else None}
    after = replace(payment, overdue=True)
    return with_number(Outcome(payment=after, event="overdue", actor=WORKFLOW, details=details), at)


def check_open(payment: Payment, command: str) -> None:
    """Check that a payment still awaits its payer."""
    check_known(payment)
    if payment.status not in AWAITING:
        raise wrong_state_error(payment, command)
    _refuse_cancelled(payment, command)


def check_cancel(payment: Payment) -> None:
    """Check that a payment can be cancelled, now or once its provider has answered."""
    if payment.status not in AWAITING:
        check_known(payment)
        raise wrong_state_error(payment, "cancel")


def is_known(payment: Payment) -> bool:
    """Return whether the provider is known to have the payment, and to have done the last command or not."""
    return payment.ref is not None and not payment.unknown


def request_cancel(payment: Payment, *, by: str, at: datetime, why: str | None = None) -> Outcome:
    """Record that a payment is to be cancelled as soon as it can be; what was paid by then is returned."""
    after = replace(payment, cancel_requested_by=by)
    details = {} if why is None else {"why": why}
    return with_number(Outcome(payment=after, event="cancel_requested", actor=by, details=details), at)


def is_partly_paid(payment: Payment) -> bool:
    """Return whether a part of the amount has come or is on its way: its payment ends without the rest."""
    there = payment.received_minor - payment.reversed_minor + payment.seen_minor
    return payment.status in AWAITING and 0 < there < payment.terms.amount_minor


def is_under_way(payment: Payment) -> bool:
    """Return whether the payer has done their part and the money is on its way: it can only be returned once it came.

    A bank debit that has begun is, and so are coins that no block holds finally. Its provider refuses to cancel it, as
    Stripe does with `payment_intent_unexpected_state`.
    """
    return payment.status is PaymentStatus.PROCESSING and payment.provider_status is ProviderStatus.PROCESSING


def must_be_returned(payment: Payment) -> bool:
    """Return whether a payment was paid although it was to be cancelled, and gave at once what it buys."""
    return (
        payment.cancel_requested
        and payment.terms.refundable
        and rules_of(payment.terms).at_once
        and payment.status not in AWAITING
        and not payment.unknown
        and payment.refundable_minor > 0
        and not payment.is_disputed
        and all(item.state not in IN_FLIGHT and item.refund_id != return_refund_id(payment) for item in payment.refunds)
    )


def return_refund_id(payment: Payment) -> str:
    """Return the id of the one refund that returns a payment which was to be cancelled."""
    return refund_id_of(payment.terms.payment_id, "cancelled")


def cancel_too_late(payment: Payment, *, why: str, at: datetime) -> Outcome:
    """Record that a payment was paid, and that it cannot be returned any more: it counts."""
    after = replace(payment, cancel_requested_by=None)
    return with_number(Outcome(payment=after, event="cancel_too_late", actor=WORKFLOW, details={"why": why}), at)


def check_known(payment: Payment) -> None:
    """Check that no outcome of an earlier command is unknown."""
    if payment.unknown or (payment.status in AWAITING and payment.ref is None):
        what = "made this payment" if payment.ref is None else "executed the last command"
        raise ProviderCallPending(
            f"It is not known yet whether the provider {what}. This is being looked up: repeat the request with the "
            "same Idempotency-Key.",
            extra={"state": payment.status.value},
        )


def is_cancelled(payment: Payment) -> bool:
    """Return whether a payment is cancelled, or to be cancelled as soon as it can be."""
    return payment.status is PaymentStatus.CANCELLED or payment.cancel_requested


def cancel_failed_error(payment: Payment) -> Conflict:
    """Return the error of a cancellation that came too late at the provider."""
    status = payment.status.value
    what_to_do = " Its money is on its way and cannot be refunded yet. Wait for it." if is_under_way(payment) else ""
    return WrongPaymentState(
        f"The provider did not cancel the payment. It is {status} now.{what_to_do}", extra={"state": status}
    )


def wrong_state_error(payment: Payment, command: str) -> Conflict:
    """Return the error that a command is not allowed in the payment's state."""
    return WrongPaymentState(
        f"The command {command} is not allowed while the payment is {payment.status.value}.",
        extra={"state": payment.status.value},
    )


def check_capture(payment: Payment, amount_minor: int | None) -> int:
    """Return the amount to capture: the given part of the authorized amount, or all of it."""
    check_known(payment)
    if payment.status is not PaymentStatus.REQUIRES_CAPTURE:
        raise wrong_state_error(payment, "capture")
    _refuse_cancelled(payment, "capture")
    amount = payment.authorized_minor if amount_minor is None else amount_minor
    if amount > payment.authorized_minor:
        authorized = format_amount(payment.authorized_minor, payment.terms.currency)
        raise Invalid(f"Only {authorized} {payment.terms.currency} were authorized.", extra={"field": "amount"})
    return amount


def check_evidence(payment: Payment, dispute_ref: str, command_id: str) -> Dispute:
    """Return the dispute of submitted evidence, if the bank still accepts it.

    For a repeated command it may be under review: the provider did not answer, and was read since.
    """
    check_known(payment)
    dispute = next((item for item in payment.disputes if item.ref == dispute_ref), None)
    if dispute is not None and dispute.status is DisputeStatus.UNDER_REVIEW and _was_looked_up(payment, command_id):
        return dispute
    if dispute is None or dispute.status not in {DisputeStatus.NEEDS_RESPONSE, DisputeStatus.INQUIRY}:
        raise PaymentEvidenceClosed("Evidence can no longer be submitted for this dispute.")
    return dispute


def evidence_submitted(payment: Payment, dispute_ref: str, *, actor: Actor, at: datetime) -> Outcome:
    """Record that the provider has the evidence."""
    disputes = tuple(
        replace(item, evidence_submitted_at=at) if item.ref == dispute_ref else item for item in payment.disputes
    )
    return with_number(
        Outcome(
            payment=replace(payment, disputes=disputes),
            event="evidence_submitted",
            actor=actor.qualified(),
            details={"dispute": dispute_ref},
        ),
        at,
    )


def command_refused(payment: Payment, *, actor: str, details: dict[str, object], at: datetime) -> Outcome:
    """Record an operator's signal that was refused."""
    return with_number(Outcome(payment=payment, event="command_refused", actor=actor, details=details), at)


def with_receipt(outcome: Outcome, command_id: str | None) -> Outcome:
    """Remember the command that an outcome answers."""
    if command_id is None:
        return outcome
    receipts = (*outcome.payment.receipts, command_id)[-RECEIPT_WINDOW:]
    return replace(outcome, payment=replace(outcome.payment, receipts=receipts))


def _refuse_cancelled(payment: Payment, command: str) -> None:
    if payment.cancel_requested:
        raise WrongPaymentState(
            f"The payment is being cancelled. The command {command} is not allowed any more.",
            extra={"state": payment.status.value},
        )
