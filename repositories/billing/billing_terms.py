"""The versions of billing terms. Writing needs the platform's role."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.billing.billing_terms import DEFAULT_TERMS, AgreedPrice, BillingTerms, DiscountStep, TermsVersion, UsageMode
from domain.billing.invoice.collection import CollectionMethod
from domain.billing.plan import Interval, PlanPrice
from domain.common.calendar import BEGINNING, zone_of
from domain.common.errors import OrganizationClosed
from domain.tenants.organization import OrganizationStatus
from models.billing.billing_terms import BillingTermsRow


def as_row(
    org_id: str, version: TermsVersion, *, reason: str | None, created_by: str, command_id: str
) -> BillingTermsRow:
    terms = version.terms
    return BillingTermsRow(
        org_id=org_id,
        version=version.number,
        starts_at=version.starts_at,
        from_month=version.from_month,
        mode=terms.mode.value,
        currency=terms.currency,
        time_zone=terms.time_zone,
        commitment_minor=terms.commitment_minor,
        commitment_from=terms.commitment_from,
        discounts=[asdict(step) for step in terms.discounts],
        net_days=terms.net_days,
        collection_method=terms.collection_method.value,
        plan_prices=[
            {"plan": each.plan, **asdict(each.price), "interval": each.price.interval.value}
            for each in terms.plan_prices
        ],
        unpaid_limit_minor=terms.unpaid_limit_minor,
        reason=reason,
        created_by=created_by,
        command_id=command_id,
    )


def version_of(row: BillingTermsRow) -> TermsVersion:
    terms = BillingTerms(
        mode=UsageMode(row.mode),
        currency=row.currency,
        time_zone=row.time_zone,
        commitment_minor=row.commitment_minor,
        commitment_from=row.commitment_from,
        discounts=tuple(DiscountStep(**step) for step in row.discounts),
        net_days=row.net_days,
        collection_method=CollectionMethod(row.collection_method),
        plan_prices=tuple(_agreed(**each) for each in row.plan_prices),
        unpaid_limit_minor=row.unpaid_limit_minor,
    )
    return TermsVersion(number=row.version, terms=terms, starts_at=row.starts_at, from_month=row.from_month)


def _agreed(plan: str, interval: str, **price: Any) -> AgreedPrice:
    return AgreedPrice(plan=plan, price=PlanPrice(interval=Interval(interval), **price))


async def add(session: AsyncSession, row: BillingTermsRow) -> None:
    session.add(row)
    await session.flush()


async def versions(session: AsyncSession, org_id: str, limit: int = 50) -> Sequence[BillingTermsRow]:
    """Return the newest versions of an organization, the newest first."""
    query = select(BillingTermsRow).where(BillingTermsRow.org_id == org_id)
    return (await session.scalars(query.order_by(BillingTermsRow.version.desc()).limit(limit))).all()


async def version_at(session: AsyncSession, org_id: str, at: datetime) -> TermsVersion | None:
    """Return the version in force at a time; None if there is none."""
    query = select(BillingTermsRow).where(BillingTermsRow.org_id == org_id, BillingTermsRow.starts_at <= at)
    row = (await session.scalars(query.order_by(BillingTermsRow.version.desc()).limit(1))).one_or_none()
    return None if row is None else version_of(row)


_NEWEST = aliased(
    BillingTermsRow,
    select(BillingTermsRow)
    .where(BillingTermsRow.org_id == bindparam("org_id"), BillingTermsRow.starts_at <= bindparam("at"))
    .order_by(BillingTermsRow.version.desc())
    .limit(1)
    .lateral(),
)
_STATUS = select(func.organization_status(bindparam("org_id")).label("status")).subquery()
_OPEN = select(_STATUS.c.status, _NEWEST).select_from(_STATUS).outerjoin(_NEWEST, true())


async def version_at_if_open(session: AsyncSession, org_id: str, at: datetime) -> TermsVersion | None:
    """Do what `version_at` does, and lock the organization against being closed until the transaction ends.

    Needs the platform's session.

    Raises:
        OrganizationClosed: it is closed.
    """
    standing, row = (await session.execute(_OPEN, {"org_id": org_id, "at": at})).one()
    if standing == OrganizationStatus.CLOSED.value:
        raise OrganizationClosed("The organization is closed.", extra={"organization_id": org_id})
    return None if row is None else version_of(row)


async def versions_of_month(session: AsyncSession, org_ids: Collection[str], month: date) -> dict[str, TermsVersion]:
    row = BillingTermsRow
    query = (
        select(row)
        .where(row.org_id.in_(org_ids), row.from_month <= month)
        .order_by(row.org_id, row.version.desc())
        .ext(distinct_on(row.org_id))
    )
    found = {each.org_id: version_of(each) for each in await session.scalars(query)}
    return {org_id: found.get(org_id, default_version(month)) for org_id in org_ids}


async def orgs_starting_after(session: AsyncSession, org_ids: Collection[str], month: date) -> set[str]:
    """Return the organizations whose first terms begin after a month."""
    row = BillingTermsRow
    query = select(row.org_id).where(row.org_id.in_(org_ids), row.version == 1, row.from_month > month)
    return set(await session.scalars(query))


def default_version(month: date) -> TermsVersion:
    """Return the default terms, of an organization without agreed ones."""
    return TermsVersion(number=0, terms=DEFAULT_TERMS, starts_at=BEGINNING, from_month=month)


async def time_zone_at(session: AsyncSession, org_id: str, at: datetime) -> ZoneInfo:
    """Return the time zone of the days in documents and mails: that of the terms in force at a time, or else UTC."""
    version = await version_at(session, org_id, at)
    return zone_of((DEFAULT_TERMS if version is None else version.terms).time_zone)


async def time_zones(session: AsyncSession) -> set[str]:
    return set(await session.scalars(select(BillingTermsRow.time_zone).distinct()))
