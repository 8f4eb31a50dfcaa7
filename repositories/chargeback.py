"""Statements about chargebacks, each read with the payment that it is about."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from models.payment import PaymentDisputeRow, PaymentRow

Position = tuple[datetime, str]


async def get(session: AsyncSession, dispute_id: str) -> tuple[PaymentDisputeRow, PaymentRow] | None:
    """Return a chargeback when the session may see it."""
    found = (await session.execute(_both().where(PaymentDisputeRow.id == dispute_id))).one_or_none()
    return None if found is None else (found[0], found[1])


async def page(
    session: AsyncSession, *, org_id: str | None, status: str | None, after: Position | None, limit: int
) -> Sequence[tuple[PaymentDisputeRow, PaymentRow]]:
    """Return up to `limit` chargebacks that the session may see, opened last first, from the position on."""
    query = _both().order_by(PaymentDisputeRow.opened_at.desc(), PaymentDisputeRow.id.desc()).limit(limit)
    for column, wanted in ((PaymentDisputeRow.org_id, org_id), (PaymentDisputeRow.status, status)):
        query = query if wanted is None else query.where(column == wanted)
    if after is not None:
        query = query.where(tuple_(PaymentDisputeRow.opened_at, PaymentDisputeRow.id) < tuple_(*after))
    return [(row[0], row[1]) for row in await session.execute(query)]


def _both() -> Select[PaymentDisputeRow, PaymentRow]:
    return select(PaymentDisputeRow, PaymentRow).join(PaymentRow, PaymentRow.id == PaymentDisputeRow.payment_id)
