"""Statements about chargebacks, each read with the payment that it is about."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.payment.state import Dispute, Payment
from models.chargeback import ChargebackRow
from models.payment import PaymentRow
from repositories.listing import newest
from repositories.together import Writes

Position = tuple[datetime, str]


async def get(session: AsyncSession, dispute_id: str) -> tuple[ChargebackRow, PaymentRow] | None:
    """Return a chargeback when the session may see it."""
    query = select(ChargebackRow, PaymentRow).join(PaymentRow, PaymentRow.id == ChargebackRow.payment_id)
    found = (await session.execute(query.where(ChargebackRow.id == dispute_id))).one_or_none()
    return None if found is None else (found[0], found[1])


async def page(
    session: AsyncSession, *, org_id: str | None, status: str | None, after: Position | None, limit: int
) -> Sequence[tuple[ChargebackRow, PaymentRow]]:
    """Return up to `limit` chargebacks that the session may see, opened last first, from the position on."""
    asked = ((ChargebackRow.org_id, org_id), (ChargebackRow.status, status))
    part = tuple(column == wanted for column, wanted in asked if wanted is not None)
    order = [ChargebackRow.opened_at, ChargebackRow.id]
    disputes = (await session.scalars(newest(ChargebackRow, [part], order, after=after, limit=limit))).all()
    about = select(PaymentRow).where(PaymentRow.id.in_({dispute.payment_id for dispute in disputes}))
    payments = {payment.id: payment for payment in await session.scalars(about)}
    return [(dispute, payments[dispute.payment_id]) for dispute in disputes]


async def write(session: Writes, payment: Payment, dispute: Dispute, at: datetime) -> None:
    """Write where a chargeback stands now."""
    changing = {"status": dispute.status.value, "amount_minor": dispute.amount_minor, "updated_at": at}
    statement = insert(ChargebackRow).values(
        id=dispute.dispute_id,
        provider=payment.terms.provider,
        ref=dispute.ref,
        payment_id=payment.terms.payment_id,
        org_id=payment.terms.org_id,
        reason=dispute.reason,
        currency=payment.terms.currency,
        opened_at=dispute.opened_at,
        **changing,
    )
    await session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changing))
