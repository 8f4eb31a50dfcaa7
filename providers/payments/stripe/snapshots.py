"""Mapping of Stripe's objects to snapshots. Pure.

A declined PaymentIntent requires another payment method (`requires_payment_method`). This is `REQUIRES_ACTION` with a
decline if the payer can try again, and `FAILED` if the intent was created to charge one stored method (`single_attempt`
in its metadata), even if it was cancelled since. For a complete checkout session the PaymentIntent decides. A payment
that waits for a transfer or a voucher waits for its payer, so it can be cancelled.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import stripe

from domain.payments.payment.snapshot import (
    Decline,
    DisputeSnapshot,
    DisputeStatus,
    NextAction,
    ProviderStatus,
    RefundSnapshot,
    RefundStatus,
    Snapshot,
)
from domain.reputation.traits import TraitKind, method
from providers.payments.stripe.amounts import from_stripe
from providers.payments.stripe.errors import decline_of
from providers.payments.stripe.fields import at, field, metadata_of
from providers.payments.stripe.movements import charge_movements, dispute_movements, disputed_part, refund_movements

#: Metadata of a PaymentIntent that charges one stored method only.
SINGLE_ATTEMPT = "single_attempt"

#: Everything that a snapshot needs except disputes, in one response. Stripe expands at most four levels.
INTENT_EXPAND = [
    "latest_charge.balance_transaction",
    "latest_charge.failure_balance_transaction",
    "latest_charge.refunds.data.balance_transaction",
    "latest_charge.refunds.data.failure_balance_transaction",
]

#: How long a payer has to send money by a slow method. Stripe waits for a bank transfer without limit; vouchers expire
#: at Stripe, so a timely payment has this long to be reported.
SENDING_TIME = timedelta(days=14)
#: Next actions of the payer that take days; all others are immediate.
_TAKES_DAYS = frozenset(
    {
        "display_bank_transfer_instructions",
        "boleto_display_details",
        "konbini_display_details",
        "multibanco_display_details",
        "oxxo_display_details",
        "verify_with_microdeposits",
    }
)
#: Fields with Stripe's page for the payer's next action, and with its deadline.
_PAGES = ("hosted_instructions_url", "hosted_voucher_url", "hosted_verification_url")
_ENDS = ("expires_at", "expires_after")

_INTENT_STATUSES = {
    "succeeded": ProviderStatus.SUCCEEDED,
    "processing": ProviderStatus.PROCESSING,
    "requires_capture": ProviderStatus.AUTHORIZED,
}
_REFUND_STATUSES = {"succeeded": RefundStatus.SUCCEEDED, "failed": RefundStatus.FAILED, "canceled": RefundStatus.FAILED}
_DISPUTE_STATUSES = {
    "warning_needs_response": DisputeStatus.INQUIRY,
    "warning_under_review": DisputeStatus.INQUIRY,
    "warning_closed": DisputeStatus.WON,
    "prevented": DisputeStatus.WON,
    "won": DisputeStatus.WON,
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "appeal_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "appeal_under_review": DisputeStatus.UNDER_REVIEW,
    "lost": DisputeStatus.LOST,
}


def latest_charge(intent: stripe.PaymentIntent) -> stripe.Charge | None:
    """Return the charge of the last attempt; earlier attempts have all failed."""
    charge = field(intent, "latest_charge")
    return charge if isinstance(charge, stripe.Charge) else None


def intent_snapshot(
    intent: stripe.PaymentIntent, refunds: Sequence[stripe.Refund] = (), disputes: Sequence[stripe.Dispute] = ()
) -> Snapshot:
    """Return the snapshot of a PaymentIntent with its expanded charge, all refunds and disputes."""
    charge, currency = latest_charge(intent), intent.currency
    decline = decline_of(field(intent, "last_payment_error"))
    status = _intent_status(intent, decline)
    open_for_payer = status is ProviderStatus.REQUIRES_ACTION and intent.client_secret
    page, pays_until = _next_page(intent), _pays_until(intent)
    # Stripe lists the newest first, and its clock has whole seconds.
    given_back = [refund for refund in reversed(refunds) if _moves_money(refund)]
    movements = [
        *(charge_movements(charge) if charge and intent.status == "succeeded" else ()),
        *(movement for refund in given_back for movement in refund_movements(refund)),
        *(movement for dispute in disputes for movement in dispute_movements(dispute, charge)),
    ]
    payment_id = metadata_of(intent, "payment_id")
    return Snapshot(
        ref=intent.id,
        status=status,
        amount_minor=from_stripe(intent.amount, currency),
        currency=currency.upper(),
        action=NextAction(client_secret=intent.client_secret, redirect_url=page) if open_for_payer else None,
        decline=decline if status in (ProviderStatus.REQUIRES_ACTION, ProviderStatus.FAILED) else None,
        authorized_minor=(
            from_stripe(intent.amount_capturable, currency) if status is ProviderStatus.AUTHORIZED else 0
        ),
        movements=tuple(
            replace(movement, payment_id=movement.payment_id or payment_id)
            for movement in sorted(movements, key=lambda movement: movement.occurred_at)
        ),
        refunds=tuple(map(refund_snapshot, given_back)),
        disputes=tuple(dispute_snapshot(dispute, charge) for dispute in disputes),
        pays_until=pays_until if status is ProviderStatus.REQUIRES_ACTION else None,
        methods=_methods(charge) if charge else (),
    )


def _methods(charge: stripe.Charge) -> tuple[str, ...]:
    """Return Stripe's fingerprint of the charged card or account, if there is one."""
    details = field(charge, "payment_method_details")
    kind = field(details, "type")
    known_by = field(field(details, str(kind)), "fingerprint")
    if not isinstance(known_by, str):
        return ()
    return (method(TraitKind.CARD if kind == "card" else TraitKind.BANK, known_by),)


def session_snapshot(session: stripe.checkout.Session, paid: Snapshot | None) -> Snapshot:
    """Return the snapshot of a checkout session; `paid` is that of its PaymentIntent, if it has one."""
    if paid and paid.status is not ProviderStatus.REQUIRES_ACTION:
        return replace(paid, ref=session.id, action=None)
    decline = paid.decline if paid and not paid.pays_until else None
    status, action, pays_until = ProviderStatus.REQUIRES_ACTION, None, paid.pays_until if paid else None
    match session.status:
        case "open":
            action = NextAction(redirect_url=session.url) if session.url else None
        case "expired":
            status = ProviderStatus.EXPIRED
        case "complete" if decline:
            # The page cannot be paid a second time, so a decline after it is the end.
            status = ProviderStatus.FAILED
        case "complete" if paid:
            # A session is complete before the payment only for methods that take days.
            pays_until = pays_until or at(session.created) + SENDING_TIME
            page = paid.action.redirect_url if paid.action else None
            action = NextAction(redirect_url=page) if page else None
        case "complete":
            status = ProviderStatus.PROCESSING
    currency = str(session.currency)
    return Snapshot(
        ref=session.id,
        status=status,
        amount_minor=from_stripe(session.amount_total or 0, currency),
        currency=currency.upper(),
        action=action,
        decline=decline if status is not ProviderStatus.EXPIRED else None,
        movements=paid.movements if paid else (),
        refunds=paid.refunds if paid else (),
        disputes=paid.disputes if paid else (),
        methods=paid.methods if paid else (),
        pays_until=pays_until if status is ProviderStatus.REQUIRES_ACTION else None,
    )


def refund_snapshot(refund: stripe.Refund) -> RefundSnapshot:
    """Return the snapshot of a refund; one that waits for an action is pending."""
    return RefundSnapshot(
        ref=refund.id,
        refund_id=metadata_of(refund, "refund_id"),
        status=_REFUND_STATUSES.get(str(refund.status), RefundStatus.PENDING),
        amount_minor=from_stripe(refund.amount, refund.currency),
        failure=field(refund, "failure_reason"),
        created_at=at(refund.created),
    )


def dispute_snapshot(dispute: stripe.Dispute, charge: stripe.Charge | None = None) -> DisputeSnapshot:
    """Return the snapshot of a dispute; an unknown status requires an operator.

    A dispute in another currency than its charge is an inquiry until the disputed part of the charge is known.
    """
    due_by = field(field(dispute, "evidence_details"), "due_by")
    status = _DISPUTE_STATUSES.get(dispute.status, DisputeStatus.NEEDS_RESPONSE)
    amount, currency = dispute.amount, dispute.currency
    if charge is not None and currency != charge.currency:
        part, currency = disputed_part(dispute, charge), charge.currency
        amount = charge.amount_captured or charge.amount if part is None else part
        if part is None and status is not DisputeStatus.WON:
            status = DisputeStatus.INQUIRY
    return DisputeSnapshot(
        ref=dispute.id,
        status=status,
        amount_minor=from_stripe(amount, currency),
        reason=dispute.reason,
        evidence_due_at=at(due_by) if due_by else None,
        created_at=at(dispute.created),
    )


def _intent_status(intent: stripe.PaymentIntent, decline: Decline | None) -> ProviderStatus:
    if intent.status in {"requires_payment_method", "canceled"} and decline and metadata_of(intent, SINGLE_ATTEMPT):
        return ProviderStatus.FAILED
    if intent.status == "canceled":
        lapsed = field(intent, "cancellation_reason") in ("automatic", "expired")
        return ProviderStatus.EXPIRED if lapsed else ProviderStatus.CANCELLED
    return _INTENT_STATUSES.get(intent.status, ProviderStatus.REQUIRES_ACTION)


def _next_action_field(intent: stripe.PaymentIntent, names: Sequence[str]) -> Any:
    """Return the first non-empty of these fields of the next action."""
    step = field(intent, "next_action")
    details = field(step, step.type) if step else None
    return next((value for name in names if (value := field(details, name))), None)


def _next_page(intent: stripe.PaymentIntent) -> str | None:
    page = _next_action_field(intent, _PAGES)
    return page if isinstance(page, str) else None


def _pays_until(intent: stripe.PaymentIntent) -> datetime | None:
    if field(field(intent, "next_action"), "type") not in _TAKES_DAYS:
        return None
    return at(_next_action_field(intent, _ENDS) or intent.created) + SENDING_TIME


def _moves_money(refund: stripe.Refund) -> bool:
    # The uncaptured rest of an authorization is reported as a successful refund that moves nothing.
    return bool(
        refund.status != "succeeded" or field(refund, "balance_transaction") or metadata_of(refund, "refund_id")
    )
