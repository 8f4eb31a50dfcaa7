"""Losses of payments, which are recovered from the creators that were paid with them (`services.payouts.recovery`).

Everything runs in the transaction of the event that causes the loss, after its posting.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.billing.invoice.state import InvoiceBalance
from domain.common.money import CREDIT
from domain.payments.payment import booking
from domain.payments.payment.state import Dispute, RefundState
from domain.payments.payment.terms import PaymentTerms
from domain.payouts.recovery import shortfall
from models.billing.subscription import SubscriptionBill
from repositories.billing import subscription_bill
from repositories.messages import alert
from repositories.payouts import recovery
from services.billing import subscription_refund

_RECOVERY_OBSOLETE = "earnings.recovered_in_vain"


async def recover_loss(
    session: AsyncSession, event: PaymentEvent, transfer_id: UUID | None, owed_minor: int, *, is_followed: bool
) -> None:
    """Start a recovery from creators if the event loses a payment for good; close it if that is undone.

    Args:
        session: of the event.
        event: any event of a payment.
        transfer_id: its transfer; None if it moves nothing.
        owed_minor: the debt that it has created for the payer.
        is_followed: see `services.payments.purposes.base.PurposeBooks`.
    """
    after, terms = event.payment, event.payment.terms
    dispute = next((item for item in after.disputes if item.ref == event.debtor), None)
    asset = terms.purpose.goods_asset
    if event.event == "dispute_returned_in_part":
        await _alert_of_partial_return(session, event)
    elif event.event == "dispute_reinstated":
        found = booking.restored_by(after, event.event, event.booked, event.debtor)
        if found is not None:
            await _close_recovery(session, event, str(found.ref))
    elif event.event == "refund_failed":
        # The event does not say which refund failed if no money had moved, so all failed ones are tried. For those that
        # failed earlier there is nothing left to do.
        for refund in after.refunds:
            if refund.state is RefundState.FAILED and refund.ref:
                await _close_recovery(session, event, refund.ref)
    elif not is_followed:
        return
    elif event.event == "dispute_lost" and dispute is not None:
        short = await _short(session, terms, transfer_id, outcome="reversed")
        await _begin(session, event, _lost_by(dispute, event), asset, dispute.debt_minor, short, dispute.opened_at)
    elif event.event in {"reversed", "refund_taken_over"}:
        # A refund retires the credits that it has taken when its money is booked.
        outcome = "reversed" if event.event == "reversed" else "moved"
        short = await _short(session, terms, transfer_id, outcome=outcome)
        cause = event.debtor or f"reversal:{after.version}"
        await _begin(session, event, cause, asset, owed_minor, short, event.at)


async def recover_lost_credits(
    session: AsyncSession, event: PaymentEvent, bill: SubscriptionBill, standing: InvoiceBalance
) -> None:
    """Start a recovery from creators that were paid with the credits of a bill whose payment is lost for good.

    The rest of the bill's money, and money in open disputes, covers its used credits first. Creators are liable for the
    remaining used credits, once for all losses of the bill. The payer owes the bill and not its credits, so recovered
    credits are retired.

    Args:
        session: of the event.
        event: loses the bill's payment or a part of it.
        bill: the bill; its unused credits were clawed back.
        standing: its invoice balance after the event.
    """
    payment = event.payment
    dispute = next((item for item in payment.disputes if item.ref == event.debtor), None)
    refund = next((item for item in payment.refunds if item.ref and item.ref == event.debtor), None)
    # The bill's credits refer to its own payment; another one may have paid the bill since, and be lost.
    own_id, payment_id = payment.terms.payment_id, bill.payment_id or payment.terms.payment_id
    if dispute is not None:
        cause, disputed_at = _lost_by(dispute, event), dispute.opened_at
    elif refund is not None:
        cause, disputed_at = str(refund.ref), event.at
    else:
        by = "" if payment_id == own_id else f"{own_id}:"
        cause, disputed_at = f"{by}reversal:{payment.version}", event.at
    worth = subscription_refund.used_minor(bill)
    missing = worth - standing.paid_minor - await subscription_bill.disputed_minor(session, bill)
    if missing > 0:
        part = await subscription_bill.used_credits(session, bill) * missing // worth
        short = max(0, part - await recovery.answered_credits(session, payment_id))
        await _begin(session, event, _credits_of(cause), CREDIT, 0, short, disputed_at, payment_id=payment_id)


async def close_recovery_of_credits(session: AsyncSession, event: PaymentEvent, bill: SubscriptionBill) -> None:
    """Close the recovery for the credits of a bill, because another payment has paid the bill."""
    if bill.payment_id is not None and await recovery.close_credits(session, bill.payment_id, at=event.at):
        await _ask_operator(session, event, f"The bill of {bill.payment_id} was lost and then paid again.")


def _lost_by(dispute: Dispute, event: PaymentEvent) -> str:
    """Return the cause of a loss by a chargeback, with a version, because a chargeback can be won and lost again."""
    return f"{dispute.ref}:{event.payment.version}"


def _credits_of(cause: str) -> str:
    """Return the cause of the loss of a bill's credits, apart from that of its money."""
    return f"{cause}:credits"


async def _begin(
    session: AsyncSession,
    event: PaymentEvent,
    cause: str,
    asset: str,
    owed_minor: int,
    short_minor: int,
    disputed_at: datetime,
    *,
    payment_id: str | None = None,
) -> None:
    if owed_minor + short_minor > 0:
        await recovery.begin(
            session,
            payment_id=payment_id or event.payment.terms.payment_id,
            cause=cause,
            org_id=event.payment.terms.org_id,
            asset=asset,
            owed_minor=owed_minor,
            short_minor=short_minor,
            disputed_at=disputed_at,
            at=event.at,
        )


async def _short(session: AsyncSession, terms: PaymentTerms, transfer_id: UUID | None, *, outcome: str) -> int:
    """Return the shortfall of a transfer that took cheaper credits for those of a lost payment."""
    if terms.purpose.goods_asset != CREDIT or transfer_id is None:
        return 0
    found = await recovery.sale(session, terms.payment_id)
    if found is None:
        return 0
    sale, currency = found
    return shortfall(await recovery.taken_by(session, terms.payment_id, transfer_id, currency, outcome=outcome), sale)


async def _close_recovery(session: AsyncSession, event: PaymentEvent, ref: str) -> None:
    raised_at = await alert.last_raised(session, _RECOVERY_OBSOLETE, event.payment.terms.payment_id)
    if await recovery.close_of(session, event.payment.terms.payment_id, ref, given_since=raised_at, at=event.at):
        what = "refund" if event.event == "refund_failed" else "chargeback"
        became = "has failed" if event.event == "refund_failed" else "was lost and then won"
        await _ask_operator(session, event, f"The {what} of {event.payment.terms.payment_id} {became}.")


async def _alert_of_partial_return(session: AsyncSession, event: PaymentEvent) -> None:
    """Alert operators if creators returned earnings for a chargeback of which a part was won since."""
    payment_id, ref = event.payment.terms.payment_id, str(event.booked).partition(":")[0]
    raised_at = await alert.last_raised(session, _RECOVERY_OBSOLETE, payment_id)
    if await recovery.has_shares(session, payment_id, ref, since=raised_at):
        await _ask_operator(session, event, f"The lost chargeback of {payment_id} was returned in part.")


async def _ask_operator(session: AsyncSession, event: PaymentEvent, what: str) -> None:
    terms = event.payment.terms
    await alert.raise_alert(
        session,
        kind=_RECOVERY_OBSOLETE,
        subject=terms.payment_id,
        detail=f"{what} The loss was covered by recovering creators' earnings. Decide whether to restore them.",
        org_id=terms.org_id,
        # It may happen to a payment more than once.
        key=f"{_RECOVERY_OBSOLETE}:{terms.payment_id}:{event.payment.version}",
    )
