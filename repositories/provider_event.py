"""Statements about the inbox of webhooks, and about who is whose customer. All of it needs a platform session."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.payment.snapshot import ProviderEvent
from models.provider import ProviderCustomer, ProviderEventRow


async def store(session: AsyncSession, provider: str, event: ProviderEvent, status: str, *, handled: bool) -> bool:
    """Store an event once; returns whether it is new."""
    statement = (
        insert(ProviderEventRow)
        .values(
            provider=provider,
            event_id=event.event_id,
            type=event.type,
            status=status,
            payment_id=event.payment_id,
            refs=list(event.refs),
            livemode=event.livemode,
            payload=dict(event.payload),
            occurred_at=event.occurred_at,
            handled_at=func.clock_timestamp() if handled else None,
        )
        .on_conflict_do_nothing(index_elements=["provider", "event_id"])
        .returning(ProviderEventRow.id)
    )
    return (await session.scalars(statement)).one_or_none() is not None


async def get(session: AsyncSession, provider: str, event_id: str) -> ProviderEventRow | None:
    """Return an event of the inbox."""
    query = select(ProviderEventRow).where(ProviderEventRow.provider == provider, ProviderEventRow.event_id == event_id)
    return (await session.scalars(query)).one_or_none()


async def mark(
    session: AsyncSession,
    provider: str,
    event_ids: Sequence[str],
    *,
    status: str,
    payment_id: str | None,
    handled: bool,
) -> None:
    """Say what became of events; one that is handled stays as it is."""
    values: dict[str, object] = {"status": status}
    values |= {"payment_id": payment_id} if payment_id else {}
    values |= {"handled_at": func.clock_timestamp()} if handled else {}
    await session.execute(
        update(ProviderEventRow)
        .where(
            ProviderEventRow.provider == provider,
            ProviderEventRow.event_id.in_(event_ids),
            ProviderEventRow.handled_at.is_(None),
        )
        .values(values)
    )


async def unhandled(session: AsyncSession, *, before: datetime, after: int, limit: int) -> Sequence[ProviderEventRow]:
    """Return events that came before the moment and are not handled, by row, after the row `after`."""
    found = await session.scalars(
        select(ProviderEventRow)
        .where(
            ProviderEventRow.handled_at.is_(None), ProviderEventRow.received_at < before, ProviderEventRow.id > after
        )
        .order_by(ProviderEventRow.id)
        .limit(limit)
    )
    return found.all()


async def oldest_unhandled(session: AsyncSession) -> datetime | None:
    """Return when the oldest event that is not handled came."""
    query = select(func.min(ProviderEventRow.received_at)).where(ProviderEventRow.handled_at.is_(None))
    return (await session.execute(query)).scalar_one_or_none()


async def customer(session: AsyncSession, org_id: str, provider: str) -> str | None:
    """Return the provider's id of an organization, if it is a customer there."""
    row = await session.get(ProviderCustomer, (org_id, provider))
    return None if row is None else row.customer_ref


async def add_customer(session: AsyncSession, org_id: str, provider: str, customer_ref: str) -> str:
    """Note who an organization is at a provider, once; returns what was noted first."""
    values = {"org_id": org_id, "provider": provider, "customer_ref": customer_ref}
    await session.execute(insert(ProviderCustomer).values(values).on_conflict_do_nothing())
    query = select(ProviderCustomer.customer_ref).where(
        ProviderCustomer.org_id == org_id, ProviderCustomer.provider == provider
    )
    return (await session.execute(query)).scalar_one()
