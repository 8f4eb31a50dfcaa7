"""Statements about chargebacks, each read with the payment that it is about."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.payment import PaymentDisputeRow, PaymentRow
from repositories.listing import newest

Position = tuple[datetime, str]


async def get(session: AsyncSession, dispute_id: str) -> tuple[PaymentDisputeRow, PaymentRow] | None:
    """Return a chargeback when the session may see it."""
    query = select(PaymentDisputeRow, PaymentRow).join(PaymentRow, PaymentRow.id == PaymentDisputeRow.payment_id)
    found = (await session.execute(query.where(PaymentDisputeRow.id == dispute_id))).one_or_none()
    return None if found is None else (found[0], found[1])


async def page(
    session: AsyncSession, *, org_id: str | None, status: str | None, after: Position | None, limit: int
) -> Sequence[tuple[PaymentDisputeRow, PaymentRow]]:
    """Return up to `limit` chargebacks that the session may see, opened last first, from the position on."""
    asked = ((PaymentDisputeRow.org_id, org_id), (PaymentDisputeRow.status, status))
    part = tuple(column == wanted for column, wanted in asked if wanted is not None)
    order = [PaymentDisputeRow.opened_at, PaymentDisputeRow.id]
    disputes = (await session.scalars(newest(PaymentDisputeRow, [part], order, after=after, limit=limit))).all()
    about = select(PaymentRow).where(PaymentRow.id.in_({dispute.payment_id for dispute in disputes}))
    payments = {payment.id: payment for payment in await session.scalars(about)}
    return [(dispute, payments[dispute.payment_id]) for dispute in disputes]
