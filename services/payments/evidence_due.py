"""Alerts of chargebacks whose evidence is due soon; functions on a platform session."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.payments.payment.state import Dispute
from repositories.common.batched import Writes
from repositories.messages import alert
from repositories.payments import chargeback as chargebacks

KIND = "payment.evidence_due"
#: How long before evidence is due the alert is raised.
ALERT_BEFORE = timedelta(days=2)
#: How many at once; the next run finds the rest.
_LIMIT = 100


async def resolve_earlier_alerts(session: Writes, payment_id: str, dispute: Dispute) -> None:
    """Resolve the alerts of earlier due dates of a chargeback's evidence, because the bank has changed the date."""
    if dispute.evidence_due_at is not None:
        of = f"{KIND}:{dispute.dispute_id}:"
        key = f"{of}{dispute.evidence_due_at.astimezone(UTC):%Y-%m-%d}"
        await alert.close_other_dates(session, payment_id, KIND, of, key)


async def alert_of_due_evidence(session: AsyncSession, now: datetime) -> int:
    """Raise an alert for each chargeback whose evidence is due soon and not submitted, once for each due date.

    The chargeback's next event resolves it: the evidence was submitted, or the bank decided. Returns the number of new
    alerts.
    """
    found = await chargebacks.unanswered(session, KIND, now=now, until=now + ALERT_BEFORE, limit=_LIMIT)
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
