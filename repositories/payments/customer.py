"""SQL of organizations' customer ids at providers. Needs the platform's role."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.payments.customer import ProviderCustomer


async def ref_of(session: AsyncSession, org_id: str, provider: str) -> str | None:
    row = await session.get(ProviderCustomer, (org_id, provider))
    return None if row is None else row.customer_ref


async def organization_of(session: AsyncSession, provider: str, refs: Sequence[str]) -> str | None:
    query = select(ProviderCustomer.org_id).where(
        ProviderCustomer.provider == provider, ProviderCustomer.customer_ref.in_(refs)
    )
    return (await session.execute(query.limit(1))).scalar_one_or_none()


async def add(session: AsyncSession, org_id: str, provider: str, customer_ref: str) -> str:
    """Store an organization's customer id at a provider, unless it has one, and return the stored one."""
    values = {"org_id": org_id, "provider": provider, "customer_ref": customer_ref}
    await session.execute(insert(ProviderCustomer).values(values).on_conflict_do_nothing())
    query = select(ProviderCustomer.customer_ref).where(
        ProviderCustomer.org_id == org_id, ProviderCustomer.provider == provider
    )
    return (await session.execute(query)).scalar_one()
