"""Alerts of chargebacks whose evidence is due soon; functions on a platform session."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.payment.state import Dispute
from repositories import alert
from repositories import chargeback as chargebacks
from repositories.together import Writes

KIND = "payment.evidence_due"
#: How long before its date a bank that has no answer is alerted of.
BEFORE = timedelta(days=2)
#: How many at once; the next run finds the rest.
_LIMIT = 100


async def close_others(session: Writes, payment_id: str, dispute: Dispute) -> None:
    """Resolve the alerts of other dates than the one until which the bank takes evidence on a chargeback now."""
    if dispute.evidence_due_at is not None:
        of = f"{KIND}:{dispute.dispute_id}:"
        key = f"{of}{dispute.evidence_due_at.astimezone(UTC):%Y-%m-%d}"
        await alert.close_other_dates(session, payment_id, KIND, of, key)


async def alert_of_near(session: AsyncSession, now: datetime) -> int:
    """Alert of each chargeback whose evidence is due soon and not submitted; once for each due date.

    Its next event closes the alert, once the bank has its answer or has decided. Returns how many are new.
    """
    found = await chargebacks.unanswered(session, KIND, now=now, until=now + BEFORE, limit=_LIMIT)
    for one in found:
        await alert.raise_alert(
            session,
            kind=KIND,
            subject=one.payment_id,
            detail=f"The bank takes evidence on {one.id} until {one.due_at:%Y-%m-%d %H:%M} UTC and has none. Answer it "
            "until then, or accept that the chargeback is lost.",
            org_id=one.org_id,
            key=one.key,
            shared=True,
        )
    return len(found)
