"""Statements about applied advice. Writing needs the platform's session; tenants read their own."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.insight.insight_take import InsightTake


async def of_month(session: AsyncSession, org_id: str, month: date) -> Sequence[InsightTake]:
    row = InsightTake
    return (await session.scalars(select(row).where(row.org_id == org_id, row.month == month))).all()


async def find(session: AsyncSession, org_id: str, insight_id: str, month: date) -> InsightTake | None:
    """Return the application of a month's advice, or None."""
    return await session.get(InsightTake, (org_id, insight_id, month), populate_existing=True)


async def latest(session: AsyncSession, org_id: str, insight_id: str) -> InsightTake | None:
    """Return the latest application of advice, for any month, or None."""
    row = InsightTake
    query = select(row).where(row.org_id == org_id, row.insight_id == insight_id).order_by(row.month.desc()).limit(1)
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()
