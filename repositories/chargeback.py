"""Statements about chargebacks, each read with the payment that it is about."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.payment.state import Dispute, Payment
from models.chargeback import ChargebackRow
from models.payment import PaymentRow
from repositories.listing import Listing, Part, Position, Wanted, each
from repositories.together import Writes


async def get(session: AsyncSession, dispute_id: str) -> tuple[ChargebackRow, PaymentRow] | None:
    """Return a chargeback when the session may see it."""
    query = select(ChargebackRow, PaymentRow).join(PaymentRow, PaymentRow.id == ChargebackRow.payment_id)
    found = (await session.execute(query.where(ChargebackRow.id == dispute_id))).one_or_none()
    return None if found is None else (found[0], found[1])


_LIST = Listing(
    of=ChargebackRow,
    order=[ChargebackRow.opened_at, ChargebackRow.id],
    created="opened_at",
    amount="amount_minor",
    searched=("ref", "reason"),
)


async def page(
    session: AsyncSession, wanted: Wanted, *, after: Position | None, limit: int
) -> tuple[list[tuple[ChargebackRow, PaymentRow]], Position | None]:
    """Return a page of the chargebacks that the session may see, opened last first, and where the next one begins."""
    whose: Part = () if wanted.org_id is None else (ChargebackRow.org_id == wanted.org_id,)
    parts = [(*whose, *part) for part in each(ChargebackRow.status, wanted.statuses)]
    found = await _LIST.page(session, wanted, parts, after=after, limit=limit)
    about = select(PaymentRow).where(PaymentRow.id.in_({dispute.payment_id for dispute in found.rows}))
    payments = {payment.id: payment for payment in await session.scalars(about)}
    return [(dispute, payments[dispute.payment_id]) for dispute in found.rows], found.following


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
