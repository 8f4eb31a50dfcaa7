"""Statements about billing profiles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.tax.treatment import EU
from models.billing.billing_profile import BillingProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class UnconfirmedNumber:
    """An EU VAT number that the register has not confirmed, or not for a long time."""

    org_id: str
    country: str
    vat_id: str


async def find(session: AsyncSession, org_id: str) -> BillingProfile | None:
    """Return the profile that the session may see; None if there is none."""
    return (await session.scalars(select(BillingProfile).where(BillingProfile.org_id == org_id))).one_or_none()


async def of(session: AsyncSession, org_ids: Collection[str]) -> dict[str, BillingProfile]:
    rows = await session.scalars(select(BillingProfile).where(BillingProfile.org_id.in_(org_ids)))
    return {row.org_id: row for row in rows}


async def numbers_to_confirm(
    session: AsyncSession, *, confirmed_before: datetime, after: str, limit: int
) -> Sequence[UnconfirmedNumber]:
    """Return the next VAT numbers of the EU that are not confirmed, or were before a time, by organization."""
    query = select(BillingProfile).where(BillingProfile.org_id > after, BillingProfile.country.in_(sorted(EU)))
    query = query.where(BillingProfile.vat_id.is_not(None))
    query = query.where(or_(BillingProfile.vat_reference.is_(None), BillingProfile.vat_confirmed_at < confirmed_before))
    return [
        UnconfirmedNumber(org_id=row.org_id, country=row.country or "", vat_id=row.vat_id or "")
        for row in await session.scalars(query.order_by(BillingProfile.org_id).limit(limit))
    ]


async def has_number(session: AsyncSession, vat_id: str, *, besides: str) -> bool:
    """Return whether another organization has a VAT number too. Needs the platform's role."""
    query = select(BillingProfile.org_id).where(BillingProfile.vat_id == vat_id, BillingProfile.org_id != besides)
    return (await session.scalars(query.limit(1))).first() is not None


async def lock(session: AsyncSession, org_id: str, by: str) -> BillingProfile:
    """Return the profile, made if there is none, locked until the transaction ends. Needs the platform's role."""
    await session.execute(insert(BillingProfile).values(org_id=org_id, updated_by=by).on_conflict_do_nothing())
    query = select(BillingProfile).where(BillingProfile.org_id == org_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).one()
