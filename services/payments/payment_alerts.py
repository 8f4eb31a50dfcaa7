"""Alerts of a payment: the events that raise and resolve them."""

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.common.money import format_amount
from domain.payments.payment.chargebacks import ACCEPTS_EVIDENCE
from domain.payments.payment.state import AWAITING
from repositories.messages import alert
from repositories.tenants import organization

#: Events that need an operator.
ALERTED = {
    "dispute_opened": "A chargeback was opened",
    "dispute_reopened": "A chargeback was reopened",
    "dispute_inquiry": "The payer's bank inquires about a payment",
    "dispute_lost": "A chargeback was lost",
    "reversed": "A payment was reversed after it was received",
    "refund_taken_over": "A refund was made at the provider directly",
    "refund_failed": "A refund failed",
    "purpose_gone": "Money was received for a purpose that can no longer be fulfilled",
    "overdue": "A payment is overdue: neither paid nor ended",
    "evidence_offered": "Evidence for a chargeback waits for an operator to submit it",
}


async def raise_for(session: AsyncSession, event: PaymentEvent, owed: int) -> None:
    """Raise the alerts of an event, and of the debt that it creates."""
    terms = event.payment.terms
    what = ALERTED.get(event.event)
    if what is not None:
        await alert.raise_alert(
            session,
            kind=f"payment.{event.event}",
            subject=terms.payment_id,
            detail=f"{what}: {terms.payment_id}, {_amount(event)}.",
            org_id=terms.org_id,
            key=f"payment.{event.event}:{terms.payment_id}:{event.payment.version}",
            shared=True,
        )
    if owed:
        entitlement = terms.purpose.goods_asset
        debt = f"{format_amount(owed, entitlement)} {entitlement}"
        await alert.raise_alert(
            session,
            kind="payment.debt",
            subject=terms.payment_id,
            detail=f"{terms.org_id} owes {debt}: what {terms.payment_id} bought is spent or in an escrow.",
            org_id=terms.org_id,
            key=f"payment.debt:{terms.payment_id}:{event.payment.version}",
            shared=True,
        )


async def raise_if_closed(session: AsyncSession, event: PaymentEvent) -> None:
    """Alert operators of a booking for a closed organization."""
    terms = event.payment.terms
    if not await organization.is_closed(session, terms.org_id):
        return
    await alert.raise_alert(
        session,
        kind="organization.closed_payment",
        subject=terms.payment_id,
        detail=f"Money moved for a closed organization: {terms.payment_id}, {_amount(event)}. Refund what it received.",
        org_id=terms.org_id,
        key=f"organization.closed_payment:{terms.payment_id}:{event.payment.version}",
    )


def resolved_by(event: PaymentEvent) -> set[str]:
    """Return the kinds of the payment's alerts that this event resolves."""
    over, after = {"payment.books_refused"}, event.payment
    if event.event.startswith("dispute_") and not any(dispute.is_open for dispute in after.disputes):
        over |= {"payment.dispute_opened", "payment.dispute_reopened", "payment.dispute_inquiry"}
    if not any(
        dispute.status in ACCEPTS_EVIDENCE and dispute.evidence_submitted_at is None for dispute in after.disputes
    ):
        over |= {"payment.evidence_offered", "payment.evidence_due"}
    if event.event == "dispute_reinstated":
        over.add("payment.dispute_lost")
    if after.status not in AWAITING:
        over.add("payment.overdue")
    return over


def _amount(event: PaymentEvent) -> str:
    terms = event.payment.terms
    amount = event.details.get("amount") or format_amount(terms.amount_minor, terms.currency)
    return f"{amount} {event.details.get('currency') or terms.currency}"
